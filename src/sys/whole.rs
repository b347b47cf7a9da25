//! A file that is written piece by piece and appears whole: beside its name first, then synced and renamed. Not here: small
//! files, which are one call ([`crate::sys::files::write_whole`]).

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::sys::files::{FileError, sync_folder};

/// A file under way. A drop removes it; only a kill leaves it, under a name that ends in `~`.
#[derive(Debug)]
pub struct WholeFile {
    temporary: NamedTempFile,
    folder: PathBuf,
    path: PathBuf,
}

impl WholeFile {
    /// Starts a file of these permission bits that will have this name; its folder must be there.
    pub fn start(path: &Path, mode: u32) -> Result<WholeFile, FileError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = tempfile::Builder::new()
            .prefix(".disco-")
            .suffix("~")
            .tempfile_in(folder)
            .map_err(FileError::at("make a temporary file in", folder))?;
        temporary
            .as_file()
            .set_permissions(fs::Permissions::from_mode(mode))
            .map_err(FileError::at("set the permissions of", path))?;
        Ok(WholeFile { temporary, folder: folder.to_owned(), path: path.to_owned() })
    }

    /// Gives it its name, now that all of it is there; what had the name before is gone.
    pub fn finish(self) -> Result<(), FileError> {
        self.temporary.as_file().sync_all().map_err(FileError::at("sync", &self.path))?;
        let replaced = self.temporary.persist(&self.path).map(drop);
        replaced.map_err(|error| FileError::at("replace", &self.path)(error.error))?;
        sync_folder(&self.folder)
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.as_file_mut().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "old").unwrap();
        let mut half = WholeFile::start(&path, 0o600).unwrap();
        half.write_all(b"half").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        drop(half);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let mut whole = WholeFile::start(&path, 0o600).unwrap();
        whole.write_all(b"whole").unwrap();
        whole.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
