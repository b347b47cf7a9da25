//! Reads the beginning of an open file, whoever else reads it.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

/// What tells one content of a file from a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    size: u64,
    changed: (i64, i64),
}

/// The mark of what it holds now.
pub fn mark(file: &File) -> io::Result<Mark> {
    let metadata = file.metadata()?;
    Ok(Mark { size: metadata.size(), changed: (metadata.mtime(), metadata.mtime_nsec()) })
}

/// Whether it has a name still, and others than its owner and group cannot read it.
pub fn is_private(file: &File) -> bool {
    file.metadata().is_ok_and(|now| now.nlink() > 0 && now.mode() & 0o004 == 0)
}

/// At most so much of what it holds now.
pub fn read(file: &File, most: usize) -> io::Result<Vec<u8>> {
    let mut content = vec![0; most.min(usize::try_from(file.metadata()?.size()).unwrap_or(most))];
    let mut at = 0;
    while at < content.len() {
        match file.read_at(&mut content[at..], at as u64) {
            Ok(0) => break,
            Ok(read) => at += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    content.truncate(at);
    Ok(content)
}
