//! The folder of a run under way: its own, locked while it lives, gone after it. One that is not locked is left over
//! from a run that was killed; it is removed, never read.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::sys::lock::{Lock, LockError};

/// A run's own folder. Dropping it removes it.
#[derive(Debug)]
pub struct ScratchFolder {
    path: PathBuf,
    lock: Option<Lock>,
}

impl ScratchFolder {
    /// Makes `storage/name`, which must not be there yet.
    pub fn create(storage: &Path, name: &str) -> Result<ScratchFolder, LockError> {
        let path = storage.join(name);
        let failed = |source| LockError::Io { path: path.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(storage).map_err(failed)?;
        // While this is held, no sweep takes a name with a dot: it may be of somebody between the folder and its lock.
        let making = fs::File::open(storage).map_err(failed)?;
        held(&making, FlockOperation::LockShared).map_err(failed)?;
        let hidden = storage.join(format!(".{name}"));
        fs::DirBuilder::new().mode(0o700).create(&hidden).map_err(failed)?;
        let holder = format!("pid {}", std::process::id());
        let made = Lock::take(&hidden.join("lock"), &holder, None, &mut |_| {})
            .and_then(|lock| fs::rename(&hidden, &path).map(|()| lock).map_err(failed));
        if made.is_err() {
            // The error that matters is the first; the next run sweeps what cannot be removed now.
            let _ = remove(&hidden);
        }
        Ok(ScratchFolder { path, lock: Some(made?) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it; what cannot be removed is an error that names it. It stays locked until it is gone, so that no sweep
    /// meets it half removed.
    pub fn remove(mut self) -> Result<(), LockError> {
        let _lock = self.lock.take();
        remove(&self.path)
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        if let Some(_lock) = self.lock.take() {
            // The next run sweeps what cannot be removed now.
            let _ = remove(&self.path);
        }
    }
}

/// A folder that a run has left, which was killed. Nobody else takes it while this lives.
#[derive(Debug)]
pub struct LeftOver {
    path: PathBuf,
    _lock: Option<Lock>,
}

impl LeftOver {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it.
    pub fn remove(self) -> Result<PathBuf, LockError> {
        remove(&self.path)?;
        Ok(self.path)
    }
}

/// What runs that were killed have left in `storage`. Only a folder with the name of a run and a lock that nobody holds is
/// such, or one without any lock, which was being removed: whatever else somebody keeps there is none of our business.
pub fn left_overs(storage: &Path) -> Result<Vec<LeftOver>, LockError> {
    let failed = |source| LockError::Io { path: storage.to_owned(), source };
    let entries = match fs::read_dir(storage) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let storage = fs::File::open(storage).map_err(failed)?;
    let nobody_makes = held(&storage, FlockOperation::NonBlockingLockExclusive).is_ok();
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let half_made =
            entry.file_name().to_str().and_then(|name| name.strip_prefix('.')).is_some_and(is_stamped);
        if half_made && nobody_makes {
            found.push(LeftOver { path: path.clone(), _lock: None });
        }
        if !entry.file_name().to_str().is_some_and(is_stamped) {
            continue;
        }
        let lock = Lock::take_if_left(&path.join("lock"))?;
        if lock.is_some() || is_without_lock(&path) {
            found.push(LeftOver { path, _lock: lock });
        }
    }
    Ok(found)
}

/// Whether there is something in the folder, and no lock. Whoever removes one that lives removes its lock last; an empty
/// one is removed here, as they would.
fn is_without_lock(path: &Path) -> bool {
    let lock = fs::symlink_metadata(path.join("lock"));
    lock.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        && fs::remove_dir(path).is_err_and(|error| error.kind() == io::ErrorKind::DirectoryNotEmpty)
}

/// Removes what runs that were killed have left in `storage`; returns what was removed.
pub fn sweep(storage: &Path) -> Result<Vec<PathBuf>, LockError> {
    left_overs(storage)?.into_iter().map(LeftOver::remove).collect()
}

/// What a sweep would remove.
pub fn left_over(storage: &Path) -> Result<Vec<PathBuf>, LockError> {
    let failed = |source| LockError::Io { path: storage.to_owned(), source };
    let entries = match fs::read_dir(storage) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_str().is_some_and(is_stamped)
            && Lock::take_if_left(&entry.path().join("lock"))?.is_some()
        {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Takes a lock of that kind on a folder itself.
fn held(folder: &fs::File, kind: FlockOperation) -> io::Result<()> {
    loop {
        match rustix::fs::flock(folder, kind) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Whether a name is one that runs get: a stamp of [`crate::sys::clock::stamp`] and the number of a process.
pub(super) fn is_stamped(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.iter().all(|part| digits(part))
        && matches!(parts[..], [day, time, millis, _] if (day.len(), time.len(), millis.len()) == (8, 6, 3))
}

/// Removes a run's folder, if it is still there: its lock last, so that what is half removed is known by it.
fn remove(path: &Path) -> Result<(), LockError> {
    let failed = |source| LockError::Io { path: path.to_owned(), source };
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            remove_tree(&entry.path())?;
        } else if entry.file_name() != "lock" {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    remove_tree(path)
}

/// Removes a tree, if it is still there; folders in it that a step has made unreadable even for us included.
fn remove_tree(path: &Path) -> Result<(), LockError> {
    let failed = |source| LockError::Io { path: path.to_owned(), source };
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            for folder in walkdir::WalkDir::new(path).into_iter().flatten().filter(|e| e.file_type().is_dir())
            {
                fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).map_err(failed)?;
            }
            fs::remove_dir_all(path).map_err(failed)
        }
        other => other.map_err(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_overs_are_swept_and_the_living_and_what_is_not_ours_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let living = ScratchFolder::create(dir.path(), "20260101-000000-000-1").unwrap();
        let dead = dir.path().join("20260101-000000-000-2");
        let not_ours = ["dpkg", "20260101", "20260101-000000-000-x"].map(|name| dir.path().join(name));
        for folder in not_ours.iter().chain([&dead]) {
            fs::create_dir_all(folder.join("layer/upper")).unwrap();
            fs::write(folder.join("lock"), "pid 1").unwrap();
        }
        // Killed while it was removed: with older forms of disco the lock went at any time.
        let half = dir.path().join("20260101-000000-000-4");
        fs::create_dir_all(half.join("plan/etc")).unwrap();
        let mut swept = sweep(dir.path()).unwrap();
        swept.sort();
        assert_eq!(swept, [dead, half]);
        assert!(living.path().join("lock").exists());
        for folder in not_ours {
            assert!(folder.join("layer/upper").exists(), "{}", folder.display());
        }
        let path = living.path().to_owned();
        living.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn what_was_killed_while_it_was_made_is_swept_unless_somebody_makes_one() {
        let dir = tempfile::tempdir().unwrap();
        let half = dir.path().join(".20260101-000000-000-3");
        fs::create_dir(&half).unwrap();
        let somebody = fs::File::open(dir.path()).unwrap();
        held(&somebody, FlockOperation::LockShared).unwrap();
        assert_eq!(sweep(dir.path()).unwrap(), [""; 0].map(PathBuf::from));
        drop(somebody);
        assert_eq!(sweep(dir.path()).unwrap(), [half]);
    }

    #[test]
    fn runs_that_end_do_not_disturb_a_sweep_nor_it_them() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for runner in 0..2 {
                let storage = dir.path();
                scope.spawn(move || {
                    for at in 0..100 {
                        let folder =
                            ScratchFolder::create(storage, &format!("20260101-000000-{at:03}-{runner}"))
                                .unwrap();
                        for file in 0..40 {
                            fs::write(folder.path().join(file.to_string()), "").unwrap();
                        }
                        folder.remove().unwrap();
                    }
                });
                scope.spawn(move || {
                    for _ in 0..2000 {
                        assert_eq!(
                            sweep(storage).unwrap(),
                            [""; 0].map(PathBuf::from),
                            "a living one was swept"
                        );
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
