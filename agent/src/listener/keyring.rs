//! The file with the keys, read again when it has changed. Where it is there and cannot be gone by no key is good, and the log says so:
//! what it was changed for may be that a key is good no more, and nobody can say which.
#![allow(clippy::disallowed_methods, reason = "its file is the administrator's, outside of disco's home")]

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use disco_listen::Log;
use disco_listen::log::causes;

use super::keys::{KeyName, Keys};
use crate::guarded::{self, GuardedError};

/// The keys as they are now.
pub struct Keyring {
    path: PathBuf,
    log: Log,
    read: Mutex<Read>,
}

#[derive(Default)]
struct Read {
    seen: Seen,
    keys: Keys,
}

/// What the file looked like.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Seen {
    /// It was not looked at.
    #[default]
    Nothing,
    /// There was none.
    Absent,
    /// It could not be read, with this number of an error: it is tried again each time.
    Unreadable(Option<i32>),
    /// It was read, whatever was in it.
    Was(Stamp),
}

/// What changes when a file is written, or another comes in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    number: u64,
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Keyring {
    /// The keys of this file.
    pub fn new(path: PathBuf, log: Log) -> Keyring {
        Keyring { path, log, read: Mutex::default() }
    }

    /// Whose key this is, of those that are in the file now.
    pub fn whose(&self, said: &str, now: i64) -> Option<KeyName> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut read);
        read.keys.whose(said, now).cloned()
    }

    /// Looks at the file, so that the log says what is wrong with it before anybody asks.
    pub fn look(&self) {
        self.refresh(&mut self.read.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn refresh(&self, read: &mut Read) {
        let seen = match std::fs::metadata(&self.path) {
            Ok(found) => Seen::Was(Stamp {
                number: found.ino(),
                size: found.size(),
                written: (found.mtime(), found.mtime_nsec()),
                changed: (found.ctime(), found.ctime_nsec()),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Seen::Absent,
            Err(error) => return self.unreadable(read, GuardedError::Read(error)),
        };
        if read.seen == seen {
            return;
        }
        // Once for each change, also where it is wrong: the log is not filled by whoever asks.
        let before = std::mem::replace(&mut read.seen, seen);
        read.keys = Keys::default();
        let path = self.path.display();
        match (seen, before) {
            (Seen::Absent, Seen::Was(_)) => return self.none_is_good(&format_args!("it is gone")),
            (Seen::Absent, _) => {
                return self.log.info(format_args!("{path}: there are no keys: disco agent key add NAME"));
            }
            (Seen::Nothing | Seen::Unreadable(_) | Seen::Was(_), _) => {}
        }
        match guarded::read(&self.path) {
            Err(GuardedError::Read(error)) if error.kind() != ErrorKind::InvalidData => {
                read.seen = before;
                self.unreadable(read, GuardedError::Read(error));
            }
            Err(error) => self.none_is_good(&causes(&error)),
            Ok(text) => match Keys::parse(&text) {
                Err(error) => self.none_is_good(&causes(&error)),
                Ok(keys) => {
                    self.log.info(format_args!("{path}: {} keys", keys.all.len()));
                    read.keys = keys;
                }
            },
        }
    }

    fn unreadable(&self, read: &mut Read, error: GuardedError) {
        let number = match &error {
            GuardedError::Read(error) => error.raw_os_error(),
            GuardedError::Open(_) => None,
        };
        let seen = Seen::Unreadable(number);
        read.keys = Keys::default();
        if std::mem::replace(&mut read.seen, seen) != seen {
            self.none_is_good(&causes(&error));
        }
    }

    fn none_is_good(&self, why: &dyn std::fmt::Display) {
        self.log.error(format_args!("{}: no key is good: {why}", self.path.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use disco_listen::LogLevel;

    #[test]
    fn keys_are_read_again_when_their_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.keys");
        let ring = Keyring::new(path.clone(), Log::to(LogLevel::Error, std::io::sink()));
        let mut keys = Keys::default();
        let key = keys.add("ci".parse().unwrap(), 0, None).unwrap();
        assert_eq!(ring.whose(&key, 1), None, "no file is no keys");
        std::fs::write(&path, keys.text()).unwrap();
        assert!(ring.whose(&key, 1).is_some());
        std::fs::write(&path, "damaged").unwrap();
        assert_eq!(ring.whose(&key, 1), None, "which keys are good is not known any more");
        std::fs::write(&path, Keys::default().text()).unwrap();
        assert_eq!(ring.whose(&key, 1), None);
        std::fs::write(&path, keys.text()).unwrap();
        assert!(ring.whose(&key, 1).is_some());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(ring.whose(&key, 1), None);
    }

    #[test]
    fn a_file_that_cannot_be_gone_by_is_told_once_and_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.keys");
        let said = folder.path().join("log");
        let log = Log::to(LogLevel::Error, std::fs::File::create(&said).unwrap());
        let said = || std::fs::read_to_string(&said).unwrap();
        let ring = Keyring::new(path.clone(), log);
        let mut keys = Keys::default();
        let key = keys.add("ci".parse().unwrap(), 0, None).unwrap();
        std::fs::write(&path, keys.text()).unwrap();
        assert!(ring.whose(&key, 1).is_some() && said().is_empty(), "{}", said());
        let mode = |mode| std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode));
        mode(0o666).unwrap();
        assert_eq!(ring.whose(&key, 1), None);
        assert_eq!(ring.whose(&key, 1), None);
        assert!(said().lines().count() == 1 && said().contains("every user may write it"), "{}", said());
        mode(0o600).unwrap();
        assert!(ring.whose(&key, 1).is_some());
        std::fs::remove_file(&path).unwrap();
        ring.look();
        assert!(said().contains("no key is good: it is gone"), "{}", said());
        // What cannot be opened, for root too.
        std::os::unix::fs::symlink(&path, &path).unwrap();
        for _ in 0..3 {
            assert_eq!(ring.whose(&key, 1), None);
        }
        assert_eq!(said().lines().count(), 3, "{}", said());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, keys.text()).unwrap();
        assert!(ring.whose(&key, 1).is_some());
    }
}
