//! What a step prints, line by line, in a compressed file of its run: `SECONDS out TEXT` or `SECONDS err TEXT`, counted from its
//! begin. Made with the first line. In records of form 1 it is not compressed, and there are no times.
//!
//! A step that never stops printing must not fill the host's disk: beyond a limit only the number of bytes is kept, in a
//! last line `cut BYTES`.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::model::step::{OutputLine, Stream};
use crate::sys::files::{self, FileError};
use crate::sys::gzip::{self, Gzip};

/// The most that is kept of what one step prints, in bytes.
const MOST: u64 = 64 << 20;

/// The log of one step.
#[derive(Debug)]
pub struct LineLog {
    folder: PathBuf,
    name: String,
    file: Option<Gzip>,
    began: Instant,
    most: u64,
    kept: u64,
    cut: u64,
}

impl LineLog {
    /// A log that will be `folder/name`; `folder` is the run's.
    pub fn new(folder: &Path, name: String) -> LineLog {
        LineLog {
            folder: folder.to_owned(),
            name,
            file: None,
            began: Instant::now(),
            most: MOST,
            kept: 0,
            cut: 0,
        }
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
                    files::create_dirs(parent, 0o700)?;
                }
                self.file.insert(Gzip::append(&path, 0o600)?)
            }
        };
        let stream = match stream {
            Stream::Stdout => "out",
            Stream::Stderr => "err",
        };
        let seconds = self.began.elapsed().as_secs_f64();
        file.write(format!("{seconds:.3} {stream} {text}\n").as_bytes())
    }

    /// The name of its file below the run's folder, if there was anything to write.
    pub fn written(&self) -> Option<&str> {
        self.file.as_ref().map(|_| self.name.as_str())
    }

    /// Writes what is buffered.
    pub fn finish(self) -> Result<(), FileError> {
        let Some(mut file) = self.file else { return Ok(()) };
        if self.cut > 0 {
            file.write(format!("cut {}\n", self.cut).as_bytes())?;
        }
        file.finish()
    }
}

/// What a step has printed, as it is read back.
pub struct Printed {
    path: PathBuf,
    lines: std::io::Lines<BufReader<Box<dyn Read>>>,
    /// Nothing can be read any more: a damaged file would give its error for ever.
    ended: bool,
}

/// One line of what a step has printed.
#[derive(Debug, Clone, PartialEq)]
pub enum PrintedLine {
    /// A line.
    Line(OutputLine),
    /// So many bytes more were not kept.
    Cut(u64),
}

/// Reads a log of any form.
pub fn read(path: &Path) -> Result<Printed, FileError> {
    let inner: Box<dyn Read> = if path.extension().is_some_and(|end| end == "gz") {
        Box::new(gzip::open(path)?)
    } else {
        Box::new(files::open(path)?)
    };
    Ok(Printed { path: path.to_owned(), lines: BufReader::new(inner).lines(), ended: false })
}

impl Iterator for Printed {
    type Item = Result<PrintedLine, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let line = match self.lines.next()? {
            Ok(line) => line,
            Err(error) => {
                self.ended = true;
                // Whoever wrote it was killed.
                let torn = error.kind() == std::io::ErrorKind::UnexpectedEof;
                return (!torn).then(|| Err(FileError::at("read", &self.path)(error)));
            }
        };
        Some(parse(&line).ok_or_else(|| {
            FileError::at("read", &self.path)(std::io::Error::other("a line of it is none of a log"))
        }))
    }
}

fn parse(line: &str) -> Option<PrintedLine> {
    let (first, rest) = line.split_once(' ')?;
    if first == "cut" {
        return Some(PrintedLine::Cut(rest.parse().ok()?));
    }
    let (at, stream, text) = match first.parse() {
        Ok(at) => {
            let (stream, text) = rest.split_once(' ')?;
            (Some(at), stream, text)
        }
        Err(_) => (None, first, rest),
    };
    let stream = match stream {
        "out" => Stream::Stdout,
        "err" => Stream::Stderr,
        _ => return None,
    };
    Some(PrintedLine::Line(OutputLine { at, stream, text: text.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_up_to_the_limit_and_the_rest_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let name = "output/x.log.gz";
        let mut log = LineLog { most: 10, ..LineLog::new(folder.path(), name.into()) };
        assert_eq!(log.written(), None);
        for (stream, text) in [
            (Stream::Stdout, "one"),
            (Stream::Stderr, "two"),
            (Stream::Stdout, "three"),
            (Stream::Stdout, "4"),
        ] {
            log.line(stream, text).unwrap();
        }
        assert_eq!(log.written(), Some(name));
        log.finish().unwrap();
        std::fs::write(folder.path().join("old.log"), "out one\nerr two\ncut 8\n").unwrap();
        for (name, timed) in [(name, true), ("old.log", false)] {
            let lines: Vec<_> = read(&folder.path().join(name)).unwrap().map(Result::unwrap).collect();
            let [PrintedLine::Line(one), PrintedLine::Line(two), PrintedLine::Cut(8)] = &lines[..] else {
                panic!("{lines:?}")
            };
            assert_eq!([&one.text, &two.text], ["one", "two"]);
            assert_eq!([one.stream, two.stream], [Stream::Stdout, Stream::Stderr]);
            assert_eq!([one.at.is_some(), two.at.is_some()], [timed; 2]);
        }
    }

    #[test]
    fn a_damaged_log_is_one_error_and_then_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LineLog::new(folder.path(), "x.log.gz".into());
        log.line(Stream::Stdout, "one").unwrap();
        log.finish().unwrap();
        let path = folder.path().join("x.log.gz");
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            std::fs::write(&path, bytes).unwrap();
            let most = read(&path).unwrap().take(9).collect::<Vec<_>>();
            assert!(most.len() < 9, "byte {at}: {most:?}");
        }
    }
}
