//! What a step prints, line by line, in a file of its run: `out TEXT` or `err TEXT`. Made with the first line.
//!
//! A step that never stops printing must not fill the host's disk: beyond a limit only the number of bytes is kept, in a
//! last line `cut BYTES`.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::model::step::Stream;
use crate::sys::files::FileError;

/// The most that is kept of what one step prints, in bytes.
const MOST: u64 = 64 << 20;

/// The log of one step.
#[derive(Debug)]
pub struct LineLog {
    folder: PathBuf,
    name: String,
    file: Option<BufWriter<File>>,
    most: u64,
    kept: u64,
    cut: u64,
}

impl LineLog {
    /// A log that will be `folder/name`; `folder` is the run's.
    pub fn new(folder: &Path, name: String) -> LineLog {
        LineLog { folder: folder.to_owned(), name, file: None, most: MOST, kept: 0, cut: 0 }
    }

    /// Adds one line.
    pub fn line(&mut self, stream: Stream, text: &str) -> Result<(), FileError> {
        let length = text.len() as u64 + 1;
        if self.cut > 0 || self.kept + length > self.most {
            self.cut += length;
            return Ok(());
        }
        self.kept += length;
        let path = self.folder.join(&self.name);
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                if let Some(parent) = path.parent() {
                    super::files::create_dirs(parent, 0o700)?;
                }
                let open = OpenOptions::new()
                    .append(true)
                    .create(true)
                    .mode(0o600)
                    .open(&path)
                    .map_err(FileError::at("write", &path))?;
                self.file.insert(BufWriter::new(open))
            }
        };
        let stream = match stream {
            Stream::Stdout => "out",
            Stream::Stderr => "err",
        };
        writeln!(file, "{stream} {text}").map_err(FileError::at("write", &path))
    }

    /// The name of its file below the run's folder, if there was anything to write.
    pub fn written(&self) -> Option<&str> {
        self.file.as_ref().map(|_| self.name.as_str())
    }

    /// Writes what is buffered.
    pub fn finish(self) -> Result<(), FileError> {
        let LineLog { folder, name, file, cut, .. } = self;
        let Some(mut file) = file else { return Ok(()) };
        let last = if cut > 0 { writeln!(file, "cut {cut}") } else { Ok(()) };
        last.and_then(|()| file.flush()).map_err(FileError::at("write", folder.join(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_up_to_the_limit_and_the_rest_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LineLog { most: 10, ..LineLog::new(folder.path(), "output/x.log".into()) };
        assert_eq!(log.written(), None);
        for (stream, text) in [
            (Stream::Stdout, "one"),
            (Stream::Stderr, "two"),
            (Stream::Stdout, "three"),
            (Stream::Stdout, "4"),
        ] {
            log.line(stream, text).unwrap();
        }
        assert_eq!(log.written(), Some("output/x.log"));
        log.finish().unwrap();
        assert_eq!(
            std::fs::read_to_string(folder.path().join("output/x.log")).unwrap(),
            "out one\nerr two\ncut 8\n"
        );
    }
}
