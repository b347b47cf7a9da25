//! The changes of a merge, on the disk: [`Gathered`] in a nameless file while they are made, in whatever order that is; then
//! [`Entries`] in the journal, in the order in which they are to show. Of each only where it begins is held, so that a merge of any size
//! takes little memory.

use std::path::Path;

use serde::Serialize;

use crate::merge::MergeError;
use crate::merge::entry::{Entry, Held, Holds};
use crate::merge::journal::{Journal, Line};
use crate::merge::seen::Seen;
use crate::model::path::RootedPath;
use crate::sys::durable_log::LogLines;
use crate::sys::files::FileError;
use crate::sys::spool::Waiting;

/// Changes that are being made, and what they hold.
#[derive(Debug)]
pub(super) struct Gathered {
    lines: Waiting,
    order: Vec<(Turn, u64)>,
    changes: usize,
}

/// Lines of the journal, as [`Line`] has them.
#[derive(Serialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
enum Borrowed<'a> {
    Change(&'a Entry),
    Held(&'a Held),
}

/// When the line of a change comes: its rank, its number, then itself before what it holds.
type Turn = (u8, u32, u32);

impl Gathered {
    /// None yet; they will wait on the file system of that folder.
    pub fn new(folder: &Path) -> Result<Gathered, FileError> {
        Ok(Gathered { lines: Waiting::new(folder)?, order: Vec::new(), changes: 0 })
    }

    /// Adds what a directory holds whose change comes next; `place` is its place there.
    pub fn hold(&mut self, place: usize, held: &Held) -> Result<(), FileError> {
        let at = self.lines.add(&Borrowed::Held(held))?;
        self.order.push(((0, self.number(), short(place + 1)), at));
        Ok(())
    }

    /// Adds a change; those of one rank are made in the order in which they come here.
    pub fn change(&mut self, rank: u8, entry: &Entry) -> Result<(), FileError> {
        let (number, at) = (self.number(), self.lines.add(&Borrowed::Change(entry))?);
        for ((known, of, _), _) in self.order.iter_mut().rev().take_while(|((_, of, _), _)| *of == number) {
            (*known, *of) = (rank, number);
        }
        self.order.push(((rank, number, 0), at));
        self.changes += 1;
        Ok(())
    }

    /// The number of the next change.
    fn number(&self) -> u32 {
        short(self.changes)
    }

    /// Writes them into the journal, in their order, and brings them to the disk.
    pub fn write(self, journal: &mut Journal) -> Result<Entries, MergeError> {
        let Gathered { lines, mut order, changes } = self;
        order.sort_unstable();
        let mut begins = Vec::with_capacity(changes);
        let mut lines = lines.all().map_err(MergeError::Journal)?;
        for ((_, _, place), at) in order {
            let begin = journal.add_raw(lines.line(at).map_err(MergeError::Journal)?)?;
            begins.extend((place == 0).then_some(begin));
        }
        journal.sync()?;
        Entries::of(journal.path(), begins)
    }
}

/// No file system has more objects than that.
fn short(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The changes of a journal, in their order.
#[derive(Debug, Clone)]
pub struct Entries {
    log: LogLines,
    /// Where they begin.
    begins: Vec<u64>,
}

impl Entries {
    /// Those that begin there in the journal at `path`.
    pub(super) fn of(path: &Path, begins: Vec<u64>) -> Result<Entries, MergeError> {
        Ok(Entries { log: LogLines::open(path).map_err(MergeError::Journal)?, begins })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.begins.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.begins.is_empty()
    }

    /// One after the other, as far as they can be read.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Result<Entry, FileError>> {
        let mut log = self.log.again();
        self.begins.iter().map(move |at| entry(&mut log, *at).map(|(entry, _)| entry))
    }

    /// The same, each with what it holds.
    pub fn whole(&self) -> impl DoubleEndedIterator<Item = Result<(Entry, HeldLines), FileError>> {
        let mut log = self.log.again();
        self.begins.iter().map(move |at| {
            let (entry, next) = entry(&mut log, *at)?;
            let held = match &entry {
                Entry::Place { holds, .. } | Entry::Replace { holds, .. } => match holds {
                    Holds::Behind(0) => HeldLines::Within(Vec::new().into_iter()),
                    Holds::Behind(left) => HeldLines::Behind { log: log.again(), next, left: *left },
                    Holds::Within(held) => HeldLines::Within(held.clone().into_iter()),
                },
                Entry::Delete { .. } | Entry::Attributes { .. } | Entry::Append { .. } => {
                    HeldLines::Within(Vec::new().into_iter())
                }
            };
            Ok((entry, held))
        })
    }

    #[cfg(test)]
    pub(super) fn only(&self, which: std::ops::Range<usize>) -> Entries {
        Entries { log: self.log.again(), begins: self.begins[which].to_vec() }
    }
}

fn entry(log: &mut LogLines, at: u64) -> Result<(Entry, u64), FileError> {
    let parsed = log.line(at).map(|(text, next)| (serde_json::from_str(text), next));
    match parsed? {
        (Ok(Line::Change(entry)), next) => Ok((entry, next)),
        (Ok(_), _) => Err(log.error(format!("its line at byte {at} is no change"))),
        (Err(error), _) => Err(log.error(error)),
    }
}

/// What a directory holds, by path.
#[derive(Debug)]
pub enum HeldLines {
    /// The lines behind its own.
    Behind {
        /// The journal.
        log: LogLines,
        /// Where the next one begins.
        next: u64,
        /// How many are left.
        left: u64,
    },
    /// They were in it.
    Within(std::vec::IntoIter<(RootedPath, Seen)>),
}

impl HeldLines {
    /// Those alone that are lines of their own.
    pub fn behind(self) -> HeldLines {
        match self {
            HeldLines::Behind { .. } => self,
            HeldLines::Within(_) => HeldLines::Within(Vec::new().into_iter()),
        }
    }
}

impl Iterator for HeldLines {
    type Item = Result<Held, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            HeldLines::Within(held) => held.next().map(|pair| Ok(pair.into())),
            HeldLines::Behind { left: 0, .. } => None,
            HeldLines::Behind { log, next, left } => {
                *left -= 1;
                let parsed = log.line(*next).map(|(text, after)| (serde_json::from_str(text), after));
                Some(parsed.and_then(|(line, after)| {
                    let at = std::mem::replace(next, after);
                    match line {
                        Ok(Line::Held(held)) => Ok(held),
                        Ok(_) => {
                            Err(log.error(format!("its line at byte {at} is not what a directory holds")))
                        }
                        Err(error) => Err(log.error(error)),
                    }
                }))
            }
        }
    }
}
