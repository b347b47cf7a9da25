//! Reads a plan from its file, once from its start to its end, and believes nothing of it before that: the sums of all
//! parts, their sizes, and that they say the same. Content is passed on piece by piece.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::model::change::ChangeSet;
use crate::model::saved::PlanHead;
use crate::plans::agree::{self, Contents};
use crate::plans::digest::{Content, Hashing, PIECE, each_piece};
use crate::plans::unpack::{self, unpacking};
use crate::plans::{
    CHANGES, EXPECTED, FORM, FRONT, Front, OBJECTS, Plan, PlanFileError, SCRIPTS, SUMS, Stored, What,
    data_name, scripts,
};
use crate::sys::files;
use crate::sys::tree::Root;

/// The most bytes of a part that is held whole, and of a line of a table: a difference holds two texts of at most a megabyte.
const LARGEST_LINE: u64 = 64 << 20;

type Source = Hashing<BufReader<File>>;

/// What a plan is and whose, without a look at the rest of it.
pub fn head(path: &Path) -> Result<PlanHead, PlanFileError> {
    let mut archive = open(path)?;
    Ok(Parts::new(&mut archive, path)?.front()?.head)
}

/// Reads a plan, and makes its objects below `into` where that is given, an empty folder. `stop` is asked from time to time.
pub fn read(path: &Path, into: Option<&Root>, stop: &dyn Fn() -> bool) -> Result<Plan, PlanFileError> {
    let mut archive = open(path)?;
    let mut parts = Parts::new(&mut archive, path)?;
    let front = parts.front()?;
    let changes = ChangeSet(parts.table(CHANGES, front.changes)?);
    let expected = parts.table(EXPECTED, front.expected)?;
    let objects: Vec<Stored> = parts.table(OBJECTS, front.objects)?;
    let scripts = parts.table(SCRIPTS, front.scripts)?;
    let damaged = |what| PlanFileError::Damaged { path: path.to_owned(), what };
    agree::sound(&objects).map_err(damaged)?;
    scripts::are_wanted(&scripts, &front.head.wants).map_err(damaged)?;
    let contents = parts.contents(&objects, into, stop)?;
    parts.sums()?;
    agree::agree(&changes, &expected, &objects, &contents).map_err(damaged)?;
    if let Some(into) = into {
        unpack::dress_directories(into, &objects)?;
    }
    let (digest, size) = end(archive, path)?;
    Ok(Plan { head: front.head, changes, expected, objects, scripts, digest, size })
}

fn open(path: &Path) -> Result<tar::Archive<Source>, PlanFileError> {
    if files::look_through(path)?.is_some_and(|there| !there.is_file()) {
        return Err(PlanFileError::Foreign(path.to_owned()));
    }
    let file = BufReader::with_capacity(PIECE, files::open(path)?);
    Ok(tar::Archive::new(Hashing::new(file)))
}

/// Reads what ends an archive, and says what the whole file is.
fn end(archive: tar::Archive<Source>, path: &Path) -> Result<(String, u64), PlanFileError> {
    let mut source = archive.into_inner();
    let (mut rest, mut zeros) = (0, true);
    let read = each_piece(&mut source, |piece| {
        rest += piece.len();
        zeros &= piece.iter().all(|byte| *byte == 0);
        Ok(())
    });
    read.map_err(|source| PlanFileError::Io { action: "read", path: path.to_owned(), source })?;
    match (rest, zeros) {
        (512, true) => {}
        (0, _) => {
            return Err(PlanFileError::Truncated { path: path.to_owned(), at: "its last block".to_owned() });
        }
        _ => {
            let what = "something follows its end".to_owned();
            return Err(PlanFileError::Damaged { path: path.to_owned(), what });
        }
    }
    let (_, digest, size) = source.end();
    Ok((digest, size))
}

#[derive(Deserialize)]
struct Form {
    #[serde(rename = "disco-plan")]
    form: u32,
}

/// The parts of an archive in their order.
struct Parts<'a> {
    entries: tar::Entries<'a, Source>,
    path: &'a Path,
    sums: String,
}

type Part<'a> = Hashing<tar::Entry<'a, Source>>;

impl<'a> Parts<'a> {
    fn new(archive: &'a mut tar::Archive<Source>, path: &'a Path) -> Result<Parts<'a>, PlanFileError> {
        let entries = archive.entries().map_err(|source| PlanFileError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        // Long names and the like have no place here, and would be held whole.
        Ok(Parts { entries: entries.raw(true), path, sums: String::new() })
    }

    fn damaged(&self, what: impl Into<String>) -> PlanFileError {
        PlanFileError::Damaged { path: self.path.to_owned(), what: what.into() }
    }

    fn truncated(&self, at: &str) -> PlanFileError {
        PlanFileError::Truncated { path: self.path.to_owned(), at: at.to_owned() }
    }

    /// The part that has to come next, with its size.
    fn next(&mut self, name: &str) -> Result<(Part<'a>, u64), PlanFileError> {
        let entry = match self.entries.next() {
            Some(Ok(entry)) => entry,
            None => return Err(self.truncated(name)),
            Some(Err(error)) => return Err(self.unreadable(name, &error)),
        };
        let plain = entry.header().entry_type() == tar::EntryType::Regular;
        if !plain || entry.path_bytes() != name.as_bytes() {
            return Err(self.damaged(format!("{name} is not where it belongs")));
        }
        let size = entry.header().entry_size().map_err(|_| self.damaged(format!("{name} has no size")))?;
        Ok((Hashing::new(entry), size))
    }

    fn unreadable(&self, name: &str, error: &io::Error) -> PlanFileError {
        // The crate has no kind for a file that ends within a part; a test holds it to these words.
        let words = error.to_string();
        if ["unexpected EOF", "failed to read entire block"].iter().any(|cut| words.contains(cut)) {
            return self.truncated(name);
        }
        match (error.raw_os_error(), error.kind()) {
            (Some(number), _) => PlanFileError::Io {
                action: "read",
                path: self.path.to_owned(),
                source: io::Error::from_raw_os_error(number),
            },
            (None, io::ErrorKind::UnexpectedEof) => self.truncated(name),
            (None, _) => self.damaged(format!("{name} cannot be read: {error}")),
        }
    }

    /// Ends a part that was read.
    fn done(&mut self, part: Part<'a>, name: &str, size: u64) -> Result<(), PlanFileError> {
        let (_, sum, passed) = part.end();
        if passed != size {
            return Err(self.truncated(name));
        }
        self.sums.push_str(&format!("{sum}  {name}\n"));
        Ok(())
    }

    /// A part that is held whole.
    fn whole(&mut self, name: &str, largest: u64) -> Result<Vec<u8>, PlanFileError> {
        let (mut part, size) = self.next(name)?;
        if size > largest {
            return Err(self.damaged(format!("{name} is too large")));
        }
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).map_err(|error| self.unreadable(name, &error))?;
        self.done(part, name, size)?;
        Ok(bytes)
    }

    fn front(&mut self) -> Result<Front, PlanFileError> {
        let foreign = || PlanFileError::Foreign(self.path.to_owned());
        let bytes = match self.whole(FRONT, LARGEST_LINE) {
            Err(PlanFileError::Damaged { .. }) => return Err(foreign()),
            // Not even one part: nothing says that it was meant to be a plan.
            Err(PlanFileError::Truncated { .. }) if self.sums.is_empty() => return Err(foreign()),
            other => other?,
        };
        let form: Form = serde_json::from_slice(&bytes).map_err(|_| foreign())?;
        if form.form > FORM {
            return Err(PlanFileError::Newer { path: self.path.to_owned(), form: form.form });
        }
        serde_json::from_slice(&bytes).map_err(|error| self.damaged(format!("{FRONT}: {error}")))
    }

    /// A part with so many lines of JSON.
    fn table<T: DeserializeOwned>(&mut self, name: &str, lines: usize) -> Result<Vec<T>, PlanFileError> {
        let (mut part, size) = self.next(name)?;
        let mut reader = BufReader::with_capacity(PIECE, &mut part);
        let (mut table, mut line) = (Vec::new(), Vec::new());
        loop {
            line.clear();
            let length = (&mut reader)
                .take(LARGEST_LINE)
                .read_until(b'\n', &mut line)
                .map_err(|error| self.unreadable(name, &error))?;
            if length == 0 {
                break;
            }
            if line.last() != Some(&b'\n') {
                return Err(self.truncated(name));
            }
            let value = serde_json::from_slice(&line);
            table.push(
                value.map_err(|error| self.damaged(format!("{name}, line {}: {error}", table.len() + 1)))?,
            );
        }
        self.done(part, name, size)?;
        if table.len() != lines {
            return Err(self.damaged(format!("{name} has {} lines, and not {lines}", table.len())));
        }
        Ok(table)
    }

    /// The contents of all files, and all other objects where they are wanted.
    fn contents(
        &mut self,
        objects: &[Stored],
        into: Option<&Root>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Contents, PlanFileError> {
        let mut contents = Contents::new();
        let mut number = 0;
        for stored in objects {
            if stop() {
                return Err(PlanFileError::Interrupted);
            }
            let made = into.map(|into| unpack::make(into, stored)).transpose()?.flatten();
            let What::File { metadata, size, sha256, data } = &stored.what else { continue };
            let mut content = Content::new();
            if let Some(expected) = stored.what.data_size() {
                number += 1;
                let name = data_name(number);
                let (mut part, size) = self.next(&name)?;
                if size != expected {
                    return Err(self.damaged(format!("{name} has not the size of {}", stored.path)));
                }
                for (start, end) in data {
                    content.zeros_to(*start, stop);
                    let mut at = *start;
                    let piece = (&mut part).take(end - start);
                    let mut failed = None;
                    let read = each_piece(piece, |bytes| {
                        content.add(bytes);
                        let written = made.as_ref().map_or(Ok(()), |file| file.write_all_at(bytes, at));
                        at += bytes.len() as u64;
                        if stop() {
                            failed = Some(PlanFileError::Interrupted);
                            return Err(io::ErrorKind::Interrupted.into());
                        }
                        if let Err(error) = written {
                            failed = Some(unpacking(&stored.path)(error));
                            return Err(io::ErrorKind::Other.into());
                        }
                        Ok(())
                    });
                    match (read, failed) {
                        (Err(_), Some(failed)) => return Err(failed),
                        (Err(error), None) => return Err(self.unreadable(&name, &error)),
                        (Ok(_), _) => {}
                    }
                }
                self.done(part, &name, size)?;
            }
            content.zeros_to(*size, stop);
            if stop() {
                return Err(PlanFileError::Interrupted);
            }
            let (sum, md5) = content.end();
            if sum != *sha256 {
                return Err(self.damaged(format!("the content of {} is another", stored.path)));
            }
            contents.insert(stored.path.clone(), md5);
            if let (Some(into), Some(_)) = (into, made) {
                unpack::dress(into, &stored.path, metadata)?;
            }
        }
        Ok(contents)
    }

    /// The sums of all parts before, and the end.
    fn sums(mut self) -> Result<(), PlanFileError> {
        let expected = std::mem::take(&mut self.sums);
        let found = self.whole(SUMS, expected.len() as u64)?;
        if found != expected.as_bytes() {
            let line = expected.lines().zip(found.split(|byte| *byte == b'\n'));
            let wrong = line.filter(|(expected, found)| expected.as_bytes() != *found).map(|(line, _)| line);
            let name = wrong.filter_map(|line| line.split_whitespace().nth(1)).next().unwrap_or(SUMS);
            return Err(self.damaged(format!("{name} is not what {SUMS} says")));
        }
        match self.entries.next() {
            None => Ok(()),
            Some(Ok(_)) => Err(self.damaged("it holds more than it says")),
            Some(Err(error)) => Err(self.unreadable("its last block", &error)),
        }
    }
}
