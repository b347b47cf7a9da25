//! Locks between processes of this node, by flock(2): the kernel drops them with their holder, however it ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

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
}

/// A held lock; dropping it, or the end of the process, gives it up. The file stays: only the lock on it counts.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock, and writes `holder` into its file for whoever is refused. With `wait` it waits for its turn, and
    /// tells `on_wait` once whom for.
    pub fn take(
        path: &Path,
        holder: &str,
        wait: bool,
        on_wait: &mut dyn FnMut(&str),
    ) -> Result<Lock, LockError> {
        let failed = |source: io::Error| LockError::Io { path: path.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(failed)?;
                let holder = text.trim().to_owned();
                if !wait {
                    return Err(LockError::Busy { path: path.to_owned(), holder });
                }
                on_wait(&holder);
                rustix::fs::flock(&file, FlockOperation::LockExclusive)
                    .map_err(|errno| failed(errno.into()))?;
            }
            Err(errno) => return Err(failed(errno.into())),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{holder}")
        };
        write(&mut file).map_err(failed)?;
        Ok(Lock { file })
    }

    /// Gives it up; only dropping it would do too, this says so.
    pub fn release(self) -> io::Result<()> {
        Ok(rustix::fs::flock(&self.file, FlockOperation::Unlock)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_hears_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::take(&path, "pid 1, since noon", false, &mut |_| {}).unwrap();
        let refused = Lock::take(&path, "pid 2", false, &mut |_| {}).unwrap_err();
        assert!(
            matches!(&refused, LockError::Busy { holder, .. } if holder == "pid 1, since noon"),
            "{refused}"
        );
        first.release().unwrap();
        Lock::take(&path, "pid 2", false, &mut |_| {}).unwrap();
    }
}
