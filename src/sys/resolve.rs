//! Where paths really lead.

use std::io;
use std::path::{Path, PathBuf};

/// The path free of symlinks; `None` where nothing is there (a link that leads nowhere included).
pub fn canonical(path: &Path) -> io::Result<Option<PathBuf>> {
    match std::fs::canonicalize(path) {
        Ok(path) => Ok(Some(path)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
