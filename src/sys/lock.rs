//! Locks between processes of this node, by flock(2): the kernel drops them with their holder, however it ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::FlockOperation;
use thiserror::Error;

/// A lock that was not had.
#[derive(Debug, Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("{} is held by {holder}", path.display())]
    Busy {
        /// The lock's file.
        path: PathBuf,
        /// What the holder said of itself.
        holder: String,
    },
    /// The file could not be used.
    #[error("cannot lock {}", path.display())]
    Io {
        /// The lock's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A signal asked to stop while it was waited for.
    #[error("interrupted while waiting for {}", path.display())]
    Interrupted {
        /// The lock's file.
        path: PathBuf,
    },
}

/// How often whoever waits looks again: a signal does not end flock(2), so nothing waits in it.
const PAUSE: Duration = Duration::from_millis(50);

/// How long whoever takes it gives one who only looks to be gone, and how often.
const LOOK: Duration = Duration::from_millis(1);
const LOOKS: u32 = 1000;

/// A held lock; dropping it, or the end of the process, gives it up. The file stays: only the lock on it counts.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock, and writes `holder` into its file for whoever is refused. With `wait` it waits until that becomes
    /// true, and tells `on_wait` once whom for.
    pub fn take(
        path: &Path,
        holder: &str,
        wait: Option<&AtomicBool>,
        on_wait: &mut dyn FnMut(&str),
    ) -> Result<Lock, LockError> {
        let failed = |source: io::Error| LockError::Io { path: path.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            // Its holder is written into it: a link would lead that into another file.
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)
            .map_err(failed)?;
        let (mut told, mut looks) = (false, 0);
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
            // By nobody who holds it: such a look must not have a taker refused.
            if wait.is_none() && looks < LOOKS && is_only_looked_at(&file).map_err(failed)? {
                looks += 1;
                std::thread::sleep(LOOK);
                continue;
            }
            if !told {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(failed)?;
                let holder = text.trim().to_owned();
                if wait.is_none() {
                    return Err(LockError::Busy { path: path.to_owned(), holder });
                }
                on_wait(&holder);
                told = true;
            }
            if wait.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return Err(LockError::Interrupted { path: path.to_owned() });
            }
            std::thread::sleep(PAUSE);
        }
        let lock = Lock { file };
        lock.tell(holder).map_err(failed)?;
        Ok(lock)
    }

    /// Takes the lock if its file is there and nobody holds it, and makes no file; `None` where not.
    pub fn take_if_left(path: &Path) -> Result<Option<Lock>, LockError> {
        let failed = |source: io::Error| LockError::Io { path: path.to_owned(), source };
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // Its holder may have removed it, and ended, since we opened it.
            Ok(()) if file.metadata().map_err(failed)?.nlink() == 0 => Ok(None),
            Ok(()) => Ok(Some(Lock { file })),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(None),
            Err(errno) => Err(failed(errno.into())),
        }
    }

    /// Whether somebody holds it, without asking for more than a look; `None` where that cannot be found out.
    pub fn is_held(path: &Path) -> Option<bool> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(false),
            // Not everybody may look.
            other => other.ok()?,
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Some(false),
            Err(rustix::io::Errno::WOULDBLOCK) => Some(true),
            Err(_) => None,
        }
    }

    /// Says who holds it, for whoever is refused from now on.
    pub fn tell(&self, holder: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        (&self.file).rewind()?;
        writeln!(&self.file, "{holder}")
    }

    /// The file that is locked: whoever has it open in this way, or gets it from us, holds the lock.
    pub fn into_file(self) -> File {
        self.file
    }

    /// Waits until nobody holds it; one whose file is gone is held by nobody.
    pub fn wait_until_free(path: &Path) -> Result<(), LockError> {
        let failed = |source: io::Error| LockError::Io { path: path.to_owned(), source };
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(failed)?,
        };
        loop {
            match rustix::fs::flock(&file, FlockOperation::LockShared) {
                Ok(()) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
        }
    }

    /// Gives it up; only dropping it would do too, this says so.
    pub fn release(self) -> io::Result<()> {
        Ok(rustix::fs::flock(&self.file, FlockOperation::Unlock)?)
    }
}

/// Whether nobody holds the lock, and one who looks, as [`Lock::is_held`] does, shares it for a moment.
fn is_only_looked_at(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {
            rustix::fs::flock(file, FlockOperation::Unlock)?;
            Ok(true)
        }
        Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_hears_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::take(&path, "pid 1, since noon", None, &mut |_| {}).unwrap();
        let refused = Lock::take(&path, "pid 2", None, &mut |_| {}).unwrap_err();
        assert!(
            matches!(&refused, LockError::Busy { holder, .. } if holder == "pid 1, since noon"),
            "{refused}"
        );
        first.release().unwrap();
        Lock::take(&path, "pid 2", None, &mut |_| {}).unwrap();
    }

    #[test]
    fn whoever_only_looks_keeps_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let done = AtomicBool::new(false);
        let take = || Lock::take(&path, "pid 1", None, &mut |_| {});
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    Lock::is_held(&path).expect("anybody may look");
                }
            });
            let taken = (0..2000).find_map(|_| take().err());
            done.store(true, Ordering::Relaxed);
            assert!(taken.is_none(), "{taken:?}");
        });
        // One who shares it and stays is no look.
        let other = File::open(&path).unwrap();
        rustix::fs::flock(&other, FlockOperation::LockShared).unwrap();
        assert!(matches!(take(), Err(LockError::Busy { .. })));
        drop(other);
        let held = take().unwrap();
        assert_eq!(Lock::is_held(&path), Some(true));
        drop(held);
        assert_eq!(Lock::is_held(&path), Some(false));
    }
}
