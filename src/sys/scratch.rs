//! The folder of a run under way: its own, locked while it lives, gone after it. One that is not locked is left over
//! from a run that was killed; it is removed, never read.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

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
        // The name with a dot is no run's: a sweep that comes between the folder and its lock does not see it.
        let hidden = storage.join(format!(".{name}"));
        fs::DirBuilder::new().mode(0o700).create(&hidden).map_err(failed)?;
        let lock =
            Lock::take(&hidden.join("lock"), &format!("pid {}", std::process::id()), None, &mut |_| {})?;
        fs::rename(&hidden, &path).map_err(failed)?;
        Ok(ScratchFolder { path, lock: Some(lock) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it; what cannot be removed is an error that names it.
    pub fn remove(mut self) -> Result<(), LockError> {
        self.lock = None;
        remove(&self.path)
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        if self.lock.take().is_some() {
            // The next run sweeps what cannot be removed now.
            let _ = remove(&self.path);
        }
    }
}

/// Removes what runs that were killed have left in `storage`; returns what was removed.
pub fn sweep(storage: &Path) -> Result<Vec<PathBuf>, LockError> {
    let failed = |source| LockError::Io { path: storage.to_owned(), source };
    let entries = match fs::read_dir(storage) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut removed = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."))
            || !path.join("lock").exists()
        {
            continue;
        }
        match Lock::take(&path.join("lock"), "sweep", None, &mut |_| {}) {
            Ok(_lock) => {
                remove(&path)?;
                removed.push(path);
            }
            Err(LockError::Busy { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

/// Removes a tree; folders in it that a step has made unreadable even for us included.
fn remove(path: &Path) -> Result<(), LockError> {
    let failed = |source| LockError::Io { path: path.to_owned(), source };
    match fs::remove_dir_all(path) {
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
    fn left_overs_are_swept_and_the_living_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let living = ScratchFolder::create(dir.path(), "living").unwrap();
        fs::create_dir_all(dir.path().join("dead/layer/upper")).unwrap();
        fs::write(dir.path().join("dead/lock"), "pid 1").unwrap();
        fs::create_dir(dir.path().join("not-ours")).unwrap();
        assert_eq!(sweep(dir.path()).unwrap(), [dir.path().join("dead")]);
        assert!(living.path().join("lock").exists() && dir.path().join("not-ours").exists());
        let path = living.path().to_owned();
        living.remove().unwrap();
        assert!(!path.exists());
    }
}
