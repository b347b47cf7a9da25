//! Reads a journal, whatever was its last line when somebody was killed or the power failed.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::merge::MergeError;
use crate::merge::entries::Entries;
use crate::merge::entry::Entry;
use crate::merge::journal::{self, Head, Line, Note, SCHEMA};
use crate::model::root::LiveRoot;
use crate::sys::durable_log::{self, Standing, Whole};
use crate::sys::files;

/// How far a merge is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Nothing that shows has changed: what is staged can go.
    Staging,
    /// It will be finished, whatever happens.
    Applying,
    /// All is merged, and what comes after it is not done yet.
    Applied,
    /// It is being taken back: why.
    Undoing(String),
    /// It is taken back, with all that was done on the live system: why.
    Back(String),
    /// Nothing is left to do; so many bytes are kept for an undo.
    Done(u64),
}

/// All that a journal says.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The journal.
    pub path: PathBuf,
    /// Its first line.
    pub head: Head,
    /// What was done around the merge.
    pub notes: Vec<Note>,
    /// The changes, in the order in which they are made.
    pub entries: Entries,
    /// How far it is.
    pub phase: Phase,
    /// Until when it can be confirmed, in seconds since 1970, where that is all that is left to do: the note stands behind the
    /// merge and all that came after it. One before the merge only says that it is to be.
    pub waits: Option<u64>,
}

/// Reads a journal; none where not even its first line was on the disk.
pub fn read(path: &Path) -> Result<Option<Recorded>, MergeError> {
    #[derive(Deserialize)]
    struct Form {
        schema: u32,
    }
    let mut known: Option<Known> = None;
    let (mut newer, mut torn) = (false, false);
    let bad = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_owned());
    let mut each = |Whole { text, at, standing }: Whole<'_>| {
        if newer {
            return Ok(());
        }
        if known.is_none() && serde_json::from_str::<Form>(text).is_ok_and(|form| form.schema > SCHEMA) {
            newer = true;
            return Ok(());
        }
        let line: Line = serde_json::from_str(text).map_err(io::Error::from)?;
        if standing == Standing::BehindTorn {
            // Lines are on the disk in any order until they are synced; what is before a commit was synced before it.
            torn |= matches!(line, Line::Commit { .. });
            return Ok(());
        }
        match (&mut known, line) {
            (None, Line::Begin(head)) => known = Some(Known::of(head)),
            (None, _) | (Some(_), Line::Begin(_)) => return Err(bad("its lines are out of order")),
            (Some(known), line) => known.add(line, at).map_err(bad)?,
        }
        Ok(())
    };
    durable_log::read(path, &mut each).map_err(MergeError::Journal)?;
    if newer {
        return Err(MergeError::Newer { path: path.to_owned() });
    }
    if torn {
        return Err(MergeError::Damaged { path: path.to_owned() });
    }
    let Some(Known { head, notes, begins, held: _, phase, waits }) = known else { return Ok(None) };
    let entries = Entries::of(path, begins)?;
    Ok(Some(Recorded { path: path.to_owned(), head, notes, entries, phase, waits }))
}

/// What is known of a journal while it is read.
struct Known {
    head: Head,
    notes: Vec<Note>,
    /// Where the changes begin.
    begins: Vec<u64>,
    /// How many lines are still to say what the last one holds.
    held: u64,
    phase: Phase,
    waits: Option<u64>,
}

impl Known {
    fn of(head: Head) -> Known {
        Known { head, notes: Vec::new(), begins: Vec::new(), held: 0, phase: Phase::Staging, waits: None }
    }

    fn add(&mut self, line: Line, at: u64) -> Result<(), &'static str> {
        const LOST: &str = "it has lost some of its changes";
        match line {
            Line::Begin(_) => return Err("it begins twice"),
            Line::Note(note) => {
                self.waits = match (&self.phase, &note) {
                    (Phase::Applied, Note::Confirm { until }) => Some(*until),
                    (_, _) => None,
                };
                self.notes.push(note);
            }
            Line::Change(_) | Line::Commit { .. } if self.held > 0 => return Err(LOST),
            Line::Change(entry) => {
                self.begins.push(at);
                self.held = held_behind(&entry);
            }
            Line::Held(_) if self.held == 0 => return Err("its lines are out of order"),
            Line::Held(_) => self.held -= 1,
            Line::Commit { changes } if changes != self.begins.len() => return Err(LOST),
            Line::Commit { .. } => self.phase = Phase::Applying,
            Line::Applied => self.phase = Phase::Applied,
            Line::Undoing { why } => self.phase = Phase::Undoing(why),
            Line::Back => {
                let Phase::Undoing(why) = &self.phase else { return Err("it was not being taken back") };
                self.phase = Phase::Back(why.clone());
            }
            Line::Done { bytes } => self.phase = Phase::Done(bytes),
        }
        Ok(())
    }
}

/// How many lines say what a change holds.
fn held_behind(entry: &Entry) -> u64 {
    match entry {
        Entry::Place { holds, .. } | Entry::Replace { holds, .. } => holds.lines(),
        Entry::Delete { .. } | Entry::Attributes { .. } | Entry::Append { .. } => 0,
    }
}

/// The journals of merges into `root` that are not finished: those under way, if the caller does not keep everybody else
/// from merging.
pub fn unfinished(folder: &Path, root: &LiveRoot) -> Result<Vec<Recorded>, MergeError> {
    Ok(all(folder)?.into_iter().filter(|recorded| recorded.head.root == *root).collect())
}

/// The same of all roots, the oldest first.
pub fn all(folder: &Path) -> Result<Vec<Recorded>, MergeError> {
    paths(folder)?.into_iter().filter_map(|path| read(&path).transpose()).collect()
}

/// Removes the journals of which not even the first line was written: nothing was begun then. For whoever keeps everybody
/// else from merging.
pub fn sweep(folder: &Path) -> Result<(), MergeError> {
    for path in paths(folder)? {
        if read(&path)?.is_none() {
            journal::remove(&path).map_err(MergeError::Journal)?;
        }
    }
    Ok(())
}

fn paths(folder: &Path) -> Result<Vec<PathBuf>, MergeError> {
    let list = || {
        if files::look(folder)?.is_none() {
            return Ok(Vec::new());
        }
        let mut names = files::list_dir(folder)?;
        names.sort();
        Ok(names.into_iter().map(|name| folder.join(name)).collect())
    };
    list().map_err(MergeError::Journal)
}
