//! Writes a plan into its file: whole, mode 0600, one content after the other.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Serialize;

use crate::model::change::ChangeSet;
use crate::model::saved::{Expected, LiveScript, PlanHead};
use crate::plans::digest::Hashing;
use crate::plans::standing::{cannot, cannot_read};
use crate::plans::{
    CHANGES, EXPECTED, FORM, FRONT, Front, OBJECTS, PlanFileError, SCRIPTS, SUMS, Stored, What, data_name,
    read,
};
use crate::sys::files;
use crate::sys::tree::Root;
use crate::sys::whole::WholeFile;

/// What is written.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// What it is and whose.
    pub head: &'a PlanHead,
    /// Every difference.
    pub changes: &'a ChangeSet,
    /// What the live root is expected to hold.
    pub expected: &'a [Expected],
    /// What the scratchpad holds.
    pub objects: &'a [Stored],
    /// The scripts of its modules that are run on the live system.
    pub scripts: &'a [LiveScript],
    /// The scratchpad, for the content of its files.
    pub upper: &'a Root,
}

/// A plan that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// sha256 of the file, in hex.
    pub digest: String,
    /// How many bytes it has.
    pub size: u64,
}

/// Whether a plan can take that name: nothing has it, or an older plan, which is replaced.
pub fn is_free(path: &Path) -> Result<(), PlanFileError> {
    match files::look(path)? {
        None => Ok(()),
        Some(there) if there.is_file() => match read::head(path) {
            Ok(_) | Err(PlanFileError::Newer { .. }) => Ok(()),
            Err(PlanFileError::File(error)) => Err(error.into()),
            Err(_) => Err(PlanFileError::Taken(path.to_owned())),
        },
        Some(_) => Err(PlanFileError::Taken(path.to_owned())),
    }
}

/// Writes a plan.
pub fn write(path: &Path, contents: &Contents<'_>) -> Result<Written, PlanFileError> {
    is_free(path)?;
    let file = Hashing::new(BufWriter::new(WholeFile::start(path, 0o600)?));
    let mut archive = Archive { tar: tar::Builder::new(file), sums: String::new(), path };
    let front = Front {
        form: FORM,
        head: contents.head.clone(),
        changes: contents.changes.0.len(),
        expected: contents.expected.len(),
        objects: contents.objects.len(),
        scripts: contents.scripts.len(),
    };
    let mut text = serde_json::to_vec_pretty(&front).map_err(|error| cannot("write", path)(error.into()))?;
    text.push(b'\n');
    archive.add(FRONT, text.len() as u64, &text[..])?;
    archive.table(CHANGES, &contents.changes.0)?;
    archive.table(EXPECTED, contents.expected)?;
    archive.table(OBJECTS, contents.objects)?;
    archive.table(SCRIPTS, contents.scripts)?;
    let mut number = 0;
    for stored in contents.objects {
        let (What::File { data, .. }, Some(size)) = (&stored.what, stored.what.data_size()) else { continue };
        number += 1;
        let file = contents.upper.object(&stored.path)?.read()?;
        let content = Ranges { file, ranges: data.clone().into_iter(), left: 0 };
        archive.add(&data_name(number), size, content).map_err(|error| match error {
            // The scratchpad is at rest, so that it is as long as it was.
            PlanFileError::Io { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof => {
                cannot_read(&stored.path)(source)
            }
            other => other,
        })?;
    }
    let sums = std::mem::take(&mut archive.sums);
    archive.add(SUMS, sums.len() as u64, sums.as_bytes())?;
    let (file, digest, size) = archive.tar.into_inner().map_err(cannot("write", path))?.end();
    let file = file.into_inner().map_err(|error| cannot("write", path)(error.into_error()))?;
    file.finish()?;
    Ok(Written { digest, size })
}

struct Archive<'a> {
    tar: tar::Builder<Hashing<BufWriter<WholeFile>>>,
    sums: String,
    path: &'a Path,
}

impl Archive<'_> {
    fn add(&mut self, name: &str, size: u64, content: impl Read) -> Result<(), PlanFileError> {
        let mut content = Hashing::new(content.take(size));
        self.tar
            .append(&header(name, size).map_err(cannot("write", self.path))?, &mut content)
            .map_err(cannot("write", self.path))?;
        let (_, sum, passed) = content.end();
        if passed != size {
            return Err(cannot("write", self.path)(io::ErrorKind::UnexpectedEof.into()));
        }
        self.sums.push_str(&format!("{sum}  {name}\n"));
        Ok(())
    }

    /// A line of JSON for each. They are made twice, so that they need not be held to know how long they are.
    fn table<T: Serialize>(&mut self, name: &str, lines: &[T]) -> Result<(), PlanFileError> {
        let mut size = 0;
        for line in lines {
            let mut count = Count(0);
            serde_json::to_writer(&mut count, line)
                .map_err(|error| cannot("write", self.path)(error.into()))?;
            size += count.0 + 1;
        }
        self.add(name, size, Lines { lines: lines.iter(), line: Vec::new(), at: 0 })
    }
}

fn header(name: &str, size: u64) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o600);
    header.set_cksum();
    Ok(header)
}

/// Counts what is written.
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Values as lines of JSON, one held at a time.
struct Lines<'a, T> {
    lines: std::slice::Iter<'a, T>,
    line: Vec<u8>,
    at: usize,
}

impl<T: Serialize> Read for Lines<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.line.len() {
            let Some(next) = self.lines.next() else { return Ok(0) };
            self.line.clear();
            serde_json::to_writer(&mut self.line, next)?;
            self.line.push(b'\n');
            self.at = 0;
        }
        let length = buffer.len().min(self.line.len() - self.at);
        buffer[..length].copy_from_slice(&self.line[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

/// The data of a file, one range after the other.
struct Ranges {
    file: File,
    ranges: std::vec::IntoIter<(u64, u64)>,
    left: u64,
}

impl Read for Ranges {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let Some((start, end)) = self.ranges.next() else { return Ok(0) };
            self.file.seek(SeekFrom::Start(start))?;
            self.left = end - start;
        }
        let length = (&mut self.file).take(self.left).read(buffer)?;
        if length == 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= length as u64;
        Ok(length)
    }
}
