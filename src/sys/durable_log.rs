//! A file of lines that survives a kill and a power cut at any point: each line has a checksum, is only ever added, and is on
//! the disk when [`DurableLog::sync`] returns. A last line that was torn is as if it had never been written. Whoever remembers
//! where a line begins reads it again from there, and need not hold it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sys::files::{self, FileError};
use crate::sys::lines_at::LinesAt;

/// A log that is open for adding.
#[derive(Debug)]
pub struct DurableLog {
    path: PathBuf,
    file: BufWriter<File>,
    end: u64,
}

impl DurableLog {
    /// A new log that only its owner can read, and its name on the disk with the first sync.
    pub fn create(path: &Path) -> Result<DurableLog, FileError> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(FileError::at("create", path))?;
        Ok(DurableLog { path: path.to_owned(), file: BufWriter::new(file), end: 0 })
    }

    /// The log that is there, with what was torn cut off.
    pub fn open(path: &Path) -> Result<DurableLog, FileError> {
        let whole = read(path, &mut |_| Ok(()))?;
        let file = OpenOptions::new().append(true).open(path).map_err(FileError::at("open", path))?;
        file.set_len(whole).map_err(FileError::at("cut the torn end of", path))?;
        Ok(DurableLog { path: path.to_owned(), file: BufWriter::new(file), end: whole })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line, which must hold no newline, and returns where it begins; it may be in memory until the next sync.
    pub fn add(&mut self, line: &str) -> Result<u64, FileError> {
        let at = FileError::at("write", &self.path);
        writeln!(self.file, "{:08x} {line}", crc32fast::hash(line.as_bytes())).map_err(at)?;
        let begins = self.end;
        self.end += (SUM + line.len() + 1) as u64;
        Ok(begins)
    }

    /// Brings all lines to the disk.
    pub fn sync(&mut self) -> Result<(), FileError> {
        self.file.flush().map_err(FileError::at("write", &self.path))?;
        self.file.get_ref().sync_data().map_err(FileError::at("sync", &self.path))
    }

    /// Brings the name of a new log to the disk, too.
    pub fn sync_name(&mut self) -> Result<(), FileError> {
        self.sync()?;
        files::sync_folder(self.path.parent().unwrap_or(Path::new("/")))
    }
}

/// How long a checksum is, with the space behind it.
const SUM: usize = 9;

/// The lines of a log, by where they begin.
#[derive(Debug, Clone)]
pub struct LogLines {
    path: PathBuf,
    file: Arc<File>,
    lines: LinesAt,
}

impl LogLines {
    /// Those of the log that is there. It stays that log, whatever becomes of its name.
    pub fn open(path: &Path) -> Result<LogLines, FileError> {
        let file = Arc::new(File::open(path).map_err(FileError::at("read", path))?);
        Ok(LogLines { path: path.to_owned(), lines: LinesAt::of(file.clone()), file })
    }

    /// The same, for somebody who reads elsewhere in it.
    #[must_use]
    pub fn again(&self) -> LogLines {
        let (path, file) = (self.path.clone(), self.file.clone());
        LogLines { path, lines: LinesAt::of(file.clone()), file }
    }

    /// The line that begins there, which must be whole, and where the next one does.
    pub fn line(&mut self, at: u64) -> Result<(&str, u64), FileError> {
        let failed = |source| FileError::at("read", &self.path)(source);
        let line = self.lines.line(at).map_err(failed)?;
        let next = at + line.len() as u64;
        let torn = || io::Error::new(io::ErrorKind::InvalidData, format!("its line at byte {at} is torn"));
        checked(line).ok_or_else(torn).map_err(failed).map(|text| (text, next))
    }

    /// An error of what is in it.
    pub fn error(&self, what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> FileError {
        FileError::at("read", &self.path)(io::Error::new(io::ErrorKind::InvalidData, what))
    }
}

/// A whole line of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole<'a> {
    /// What it says.
    pub text: &'a str,
    /// Where it begins.
    pub at: u64,
    /// What is known of those before it.
    pub standing: Standing,
}

/// Where a line of a log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Every line before it is whole.
    Sound,
    /// One before it is not: they were not on the disk when the machine stopped, or the file is damaged.
    BehindTorn,
}

/// Reads the whole lines of a log; returns how many bytes they are up to the first that is torn. Lines that were added since
/// the last sync can be on the disk in any order: what stands behind a torn one is for the caller to judge.
pub fn read(path: &Path, each: &mut dyn FnMut(Whole<'_>) -> io::Result<()>) -> Result<u64, FileError> {
    let failed = |source| FileError::at("read", path)(source);
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let (mut at, mut whole, mut standing, mut line) = (0, 0, Standing::Sound, Vec::new());
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line).map_err(failed)? as u64;
        if length == 0 {
            return Ok(whole);
        }
        match checked(&line) {
            Some(text) => {
                each(Whole { text, at, standing }).map_err(failed)?;
                whole += if standing == Standing::Sound { length } else { 0 };
            }
            None => standing = Standing::BehindTorn,
        }
        at += length;
    }
}

/// The first line of a log and its last one, each if it is whole and not longer than 64 KiB.
pub fn ends(path: &Path) -> Result<(Option<String>, Option<String>), FileError> {
    const MOST: u64 = 64 * 1024;
    let at = |source| FileError::at("read", path)(source);
    let mut file = File::open(path).map_err(at)?;
    let mut first = Vec::new();
    BufReader::new((&file).take(MOST)).read_until(b'\n', &mut first).map_err(at)?;
    let length = file.metadata().map_err(at)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MOST))).map_err(at)?;
    let mut end = Vec::new();
    file.take(MOST).read_to_end(&mut end).map_err(at)?;
    let last = end.split_inclusive(|byte| *byte == b'\n').next_back().unwrap_or_default();
    Ok((checked(&first).map(str::to_owned), checked(last).map(str::to_owned)))
}

/// The text of a whole line.
fn checked(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (sum, text) = line.split_once(' ')?;
    (u32::from_str_radix(sum, 16).ok()? == crc32fast::hash(text.as_bytes())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Result<Vec<String>, FileError> {
        let mut lines = Vec::new();
        read(path, &mut |line| {
            lines.push(format!("{}{}", line.text, if line.standing == Standing::Sound { "" } else { "?" }));
            Ok(())
        })?;
        Ok(lines)
    }

    #[test]
    fn a_torn_end_is_as_if_it_had_never_been_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = DurableLog::create(&path).unwrap();
        log.add("one").unwrap();
        log.add("two").unwrap();
        log.sync_name().unwrap();
        let all = std::fs::read(&path).unwrap();
        for cut in 0..=all.len() {
            std::fs::write(&path, &all[..cut]).unwrap();
            let whole = match cut {
                0..13 => 0,
                13..26 => 1,
                _ => 2,
            };
            assert_eq!(lines(&path).unwrap(), ["one", "two"][..whole], "{cut}");
            let mut again = DurableLog::open(&path).unwrap();
            again.add("three").unwrap();
            again.sync().unwrap();
            assert_eq!(lines(&path).unwrap().len(), whole + 1);
        }
    }

    #[test]
    fn what_stands_behind_a_torn_line_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = DurableLog::create(&path).unwrap();
        let begins = ["one", "two", "three"].map(|line| log.add(line).unwrap());
        assert_eq!(begins, [0, 13, 26]);
        log.sync().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("two", "dos")).unwrap();
        assert_eq!(lines(&path).unwrap(), ["one", "three?"]);
        DurableLog::open(&path).unwrap();
        assert_eq!(lines(&path).unwrap(), ["one"], "what is added must not stand behind it");
        assert!(DurableLog::create(&path).is_err(), "it is there");
    }

    #[test]
    fn a_line_is_read_again_from_where_it_begins_also_once_the_log_has_another_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = DurableLog::create(&path).unwrap();
        let one = log.add("one").unwrap();
        log.sync().unwrap();
        let mut log = DurableLog::open(&path).unwrap();
        let (two, three) = (log.add("two").unwrap(), log.add("three").unwrap());
        log.sync().unwrap();
        let mut lines = LogLines::open(&path).unwrap();
        std::fs::rename(&path, dir.path().join("elsewhere")).unwrap();
        for (at, text, next) in [(three, "three", 41), (one, "one", two), (two, "two", three)] {
            assert_eq!(lines.line(at).unwrap(), (text, next));
        }
        let error = lines.again().line(two + 1).unwrap_err();
        assert!(error.source.to_string().contains("torn"), "{error:?}");
    }
}
