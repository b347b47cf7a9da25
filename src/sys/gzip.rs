//! Files of records: gzip, which `zcat` reads. What is added is a member of its own, so that a crash loses the last alone.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::sys::files::FileError;

/// A member that is being added to the end of a file, which is made where there is none.
#[derive(Debug)]
pub struct Gzip {
    path: PathBuf,
    file: BufWriter<GzEncoder<File>>,
}

impl Gzip {
    /// At that path, with these permission bits where the file is new.
    pub fn append(path: &Path, mode: u32) -> Result<Gzip, FileError> {
        let open = File::options().append(true).create(true).mode(mode).open(path);
        let file = open.map_err(FileError::at("open", path))?;
        let file = BufWriter::new(GzEncoder::new(file, Compression::fast()));
        Ok(Gzip { path: path.to_owned(), file })
    }

    /// Adds bytes; they may be in memory until [`Gzip::finish`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all(bytes).map_err(FileError::at("write", &self.path))
    }

    /// Ends the member. It is not synced.
    pub fn finish(self) -> Result<(), FileError> {
        let Gzip { path, file } = self;
        let encoder = file.into_inner().map_err(|error| FileError::at("write", &path)(error.into_error()))?;
        encoder.finish().map(drop).map_err(FileError::at("write", path))
    }
}

/// What all members of a file hold, one after the other.
pub fn open(path: &Path) -> Result<BufReader<impl Read + use<>>, FileError> {
    let file = File::open(path).map_err(FileError::at("open", path))?;
    Ok(BufReader::new(MultiGzDecoder::new(BufReader::new(file))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_one_after_the_other_and_a_torn_one_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gz");
        for text in ["one\n", "two\n"] {
            let mut gzip = Gzip::append(&path, 0o600).unwrap();
            gzip.write(text.as_bytes()).unwrap();
            gzip.finish().unwrap();
        }
        let read = || -> std::io::Result<String> {
            let mut text = String::new();
            open(&path).unwrap().read_to_string(&mut text)?;
            Ok(text)
        };
        assert_eq!(read().unwrap(), "one\ntwo\n");
        let zcat = std::process::Command::new("zcat").arg(&path).output().unwrap();
        assert_eq!(zcat.stdout, b"one\ntwo\n");
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        assert!(read().is_err());
    }
}
