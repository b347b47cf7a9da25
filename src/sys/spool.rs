//! Where text waits that is to become a file of the sandbox: nameless, gone with its last descriptor.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::fs::{MemfdFlags, memfd_create};

/// A spool in memory that holds a text.
pub fn of_text(text: &str) -> io::Result<File> {
    let mut spool = File::from(memfd_create("disco-text", MemfdFlags::CLOEXEC)?);
    spool.write_all(text.as_bytes())?;
    Ok(spool)
}

/// An empty spool on the file system of that folder, for what may be large.
pub fn on_disk(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    #[test]
    fn a_text_is_there_from_the_start() {
        let (mut spool, mut text) = (of_text("a\nb").unwrap(), String::new());
        spool.rewind().unwrap();
        spool.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a\nb");
    }
}
