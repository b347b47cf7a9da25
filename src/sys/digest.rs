//! sha256 of a whole folder: which version of it something was made from.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::sys::files::FileError;

/// In hex, over everything below a folder in the order of its names: of each its path, type and permissions, and what it
/// holds or leads to. Owners and times are left out: they are of the copy, not of what was copied.
pub fn of_folder(folder: &Path) -> Result<String, FileError> {
    let mut hash = Sha256::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| FileError::at("list", folder)(error.into()))?;
        let path = entry.path();
        let metadata = entry.metadata().map_err(|error| FileError::at("look at", path)(error.into()))?;
        let name = path.strip_prefix(folder).unwrap_or(path).as_os_str().as_bytes();
        // What is told of each has its length before it, or one of them could be made to look like two.
        part(&mut hash, name);
        hash.update(metadata.permissions().mode().to_le_bytes());
        if metadata.is_symlink() {
            let target = std::fs::read_link(path).map_err(FileError::at("read the link", path))?;
            part(&mut hash, target.as_os_str().as_bytes());
        } else if metadata.is_file() {
            hash.update(metadata.len().to_le_bytes());
            let mut file = File::open(path).map_err(FileError::at("open", path))?;
            let read = io::copy(&mut file, &mut Hashed(&mut hash));
            read.map_err(FileError::at("read", path))?;
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What is written to it is hashed.
struct Hashed<'a>(&'a mut Sha256);

impl io::Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn part(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn whatever_differs_shows_and_a_copy_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let folder = dir.path().join(name);
            fs::create_dir_all(folder.join("scripts")).unwrap();
            fs::write(folder.join("scripts/10.sh"), "echo x\n").unwrap();
            std::os::unix::fs::symlink("10.sh", folder.join("scripts/link")).unwrap();
            folder
        };
        let (one, other) = (make("one"), make("other"));
        let digest = of_folder(&one).unwrap();
        assert_eq!((digest.len(), &digest), (64, &of_folder(&other).unwrap()));
        let script = other.join("scripts/10.sh");
        let mut seen = vec![digest];
        for change in 0..5 {
            match change {
                0 => fs::write(&script, "echo y\n").unwrap(),
                1 => fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap(),
                2 => fs::rename(&script, other.join("scripts/1.sh")).unwrap(),
                3 => fs::create_dir(other.join("files")).unwrap(),
                _ => fs::remove_file(other.join("scripts/link")).unwrap(),
            }
            let now = of_folder(&other).unwrap();
            assert!(!seen.contains(&now), "change {change}");
            seen.push(now);
        }
    }
}
