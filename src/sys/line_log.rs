//! What a step prints, line by line, in a file of its run: `out TEXT` or `err TEXT`. Made with the first line.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::model::step::Stream;
use crate::sys::files::FileError;

/// The log of one step.
#[derive(Debug)]
pub struct LineLog {
    folder: PathBuf,
    name: String,
    file: Option<BufWriter<File>>,
}

impl LineLog {
    /// A log that will be `folder/name`; `folder` is the run's.
    pub fn new(folder: &Path, name: String) -> LineLog {
        LineLog { folder: folder.to_owned(), name, file: None }
    }

    /// Adds one line.
    pub fn line(&mut self, stream: Stream, text: &str) -> Result<(), FileError> {
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
        let path = self.folder.join(&self.name);
        match self.file {
            Some(mut file) => file.flush().map_err(FileError::at("write", path)),
            None => Ok(()),
        }
    }
}
