//! Where text waits that is to become a file of the sandbox, or that is too much to be held: nameless, gone with its last
//! descriptor.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, memfd_create};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sys::files::FileError;
use crate::sys::lines_at::LinesAt;

/// An empty spool in memory.
pub fn in_memory() -> io::Result<File> {
    Ok(File::from(memfd_create("disco-spool", MemfdFlags::CLOEXEC)?))
}

/// A spool in memory that holds `value` as JSON.
pub fn of_json(value: &impl Serialize) -> io::Result<File> {
    let mut spool = in_memory()?;
    spool.write_all(&serde_json::to_vec(value)?)?;
    Ok(spool)
}

/// The values that a spool holds, each a line of JSON; a last line without its end, of a writer that was killed, is none.
pub fn json_lines<T: DeserializeOwned>(spool: &mut File) -> io::Result<Vec<T>> {
    let mut text = String::new();
    spool.rewind()?;
    spool.read_to_string(&mut text)?;
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    Ok(whole.map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// An empty spool on the file system of that folder, for what may be large.
pub fn on_disk(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder)
}

/// Values that wait on the disk, each a line of JSON. Whoever adds one keeps where it begins, and nothing else.
#[derive(Debug)]
pub struct Waiting {
    folder: PathBuf,
    file: BufWriter<File>,
    end: u64,
}

impl Waiting {
    /// None yet, on the file system of that folder.
    pub fn new(folder: &Path) -> Result<Waiting, FileError> {
        let file = on_disk(folder).map_err(FileError::at("make a temporary file in", folder))?;
        Ok(Waiting { folder: folder.to_owned(), file: BufWriter::new(file), end: 0 })
    }

    /// Adds one; returns where it begins.
    pub fn add(&mut self, value: &impl Serialize) -> Result<u64, FileError> {
        let at = self.end;
        let written = serde_json::to_string(value).map_err(io::Error::from).and_then(|line| {
            self.end += line.len() as u64 + 1;
            writeln!(self.file, "{line}")
        });
        written.map_err(FileError::at("write a temporary file in", &self.folder))?;
        Ok(at)
    }

    /// All of them, to be read again.
    pub fn all(self) -> Result<Waited, FileError> {
        let Waiting { folder, file, .. } = self;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error);
        let file = file.map_err(FileError::at("write a temporary file in", &folder))?;
        Ok(Waited { folder, lines: LinesAt::of(Arc::new(file)) })
    }
}

/// Values that have waited.
#[derive(Debug)]
pub struct Waited {
    folder: PathBuf,
    lines: LinesAt,
}

impl Waited {
    /// The line of the value that begins there.
    pub fn line(&mut self, at: u64) -> Result<&str, FileError> {
        let failed = |source| FileError::at("read a temporary file in", &self.folder)(source);
        let line = self.lines.line(at).map_err(failed)?;
        let text = std::str::from_utf8(line.strip_suffix(b"\n").unwrap_or(line));
        text.map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_there_from_the_start() {
        let mut spool = of_json(&["a\nb"]).unwrap();
        spool.write_all(b"\n[\"c").unwrap();
        assert_eq!(json_lines::<[String; 1]>(&mut spool).unwrap(), [["a\nb"]]);
    }

    #[test]
    fn values_wait_without_a_name_and_are_read_again_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut waiting = Waiting::new(folder.path()).unwrap();
        let at = ["one", "two\n", ""].map(|value| waiting.add(&value).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut waited = waiting.all().unwrap();
        for (number, line) in [(2, "\"\""), (0, "\"one\""), (1, "\"two\\n\"")] {
            assert_eq!(waited.line(at[number]).unwrap(), line);
        }
    }
}
