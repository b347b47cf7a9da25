//! The file with the keys, read again when it has changed. Where it cannot be read the keys of before hold, and the log says so.
#![allow(clippy::disallowed_methods, reason = "its file is the administrator's, outside of disco's home")]

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use disco_listen::Log;
use disco_listen::log::causes;

use super::keys::{KeyName, Keys};

/// The keys as they are now.
pub struct Keyring {
    path: PathBuf,
    log: Log,
    read: Mutex<Read>,
}

#[derive(Default)]
struct Read {
    /// What the file looked like; `None` before it was read, and where there is none.
    stamp: Option<Stamp>,
    keys: Keys,
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

    fn refresh(&self, read: &mut Read) {
        let stamp = match std::fs::metadata(&self.path) {
            Ok(found) => Stamp {
                number: found.ino(),
                size: found.size(),
                written: (found.mtime(), found.mtime_nsec()),
                changed: (found.ctime(), found.ctime_nsec()),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {
                *read = Read::default();
                return;
            }
            Err(error) => return self.stays(&error),
        };
        if read.stamp == Some(stamp) {
            return;
        }
        // Once for each change, also where it is wrong: the log is not filled by whoever asks.
        read.stamp = Some(stamp);
        match std::fs::read_to_string(&self.path) {
            Err(error) => self.stays(&error),
            Ok(text) => match Keys::parse(&text) {
                Err(error) => self.stays(&error),
                Ok(keys) => {
                    self.log.info(format_args!("{}: {} keys", self.path.display(), keys.all.len()));
                    read.keys = keys;
                }
            },
        }
    }

    fn stays(&self, why: &dyn std::error::Error) {
        self.log.error(format_args!("{}: the keys stay as they were: {}", self.path.display(), causes(why)));
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
        assert!(ring.whose(&key, 1).is_some(), "those of before hold");
        std::fs::write(&path, Keys::default().text()).unwrap();
        assert_eq!(ring.whose(&key, 1), None);
        std::fs::write(&path, keys.text()).unwrap();
        assert!(ring.whose(&key, 1).is_some());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(ring.whose(&key, 1), None);
    }
}
