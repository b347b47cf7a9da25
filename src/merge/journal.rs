//! What a merge is about to do, on the disk before it does it: one log while it is under way, `journal/RUN` in disco's home.
//! Its lines are, in this order: where it merges to and keeps things ([`Head`]); what is done before it ([`Note`]); each
//! change, with what a directory holds behind it; that all of them will be made, which is the point of no return; that they are
//! made; what is done after it; that nothing is left to do. [`super::replay`] reads it, whatever its last line is.
//!
//! A finished one lies beside what the merge has replaced, in `undo/RUN`: that is what an undo goes by.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::merge::MergeError;
use crate::merge::entry::{Entry, Held};
use crate::merge::store::Stores;
use crate::model::duty::{Schedule, Stood};
use crate::model::names::RunId;
use crate::model::root::LiveRoot;
use crate::model::step::Outcome;
use crate::sys::durable_log::DurableLog;
use crate::sys::files::{self, FileError};

/// The version of the log's form. One of form 2 has what a directory holds in the line of its change, and is read as well.
pub const SCHEMA: u32 = 3;

/// The name of a finished journal among what an undo needs.
pub const FINISHED: &str = "journal";

/// The first line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The form: [`SCHEMA`].
    pub schema: u32,
    /// The run that merges.
    pub run: RunId,
    /// The root that is merged into.
    pub root: LiveRoot,
    /// When it began, RFC 3339.
    pub began: String,
    /// Which start of the machine that was in: what is volatile is gone in the next.
    pub boot: String,
    /// Where it keeps what is not in its place.
    pub stores: Stores,
    /// The run whose merge it takes back, whose stores these are then; they were not made for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<RunId>,
}

/// Something that is done around a merge, in the journal before and after it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
pub enum Note {
    /// What the run does on the live system around the merge.
    Schedule(Schedule),
    /// What was so on the live system before the first duty.
    Stood(Stood),
    /// A duty of the schedule is begun.
    Began {
        /// Its number.
        number: u32,
    },
    /// It has ended.
    Ended {
        /// Its number.
        number: u32,
        /// How.
        outcome: Outcome,
    },
    /// It is taken back unless somebody confirms it before that time, in seconds since 1970.
    Confirm {
        /// The time.
        until: u64,
    },
    /// Somebody has confirmed it.
    Confirmed,
}

/// A line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub enum Line {
    /// The first.
    Begin(Head),
    /// Something around the merge.
    Note(Note),
    /// A change, in the order in which they are made.
    Change(Entry),
    /// What the directory of the last change holds.
    Held(Held),
    /// The point of no return: all changes are written above, and what they need is on the disk.
    Commit {
        /// How many changes.
        changes: usize,
    },
    /// All changes are made, and on the disk.
    Applied,
    /// They are being taken back.
    Undoing {
        /// Why.
        why: String,
    },
    /// They are taken back, and so is what was done on the live system: what was kept goes.
    Back,
    /// Nothing is left to do.
    Done {
        /// How many bytes the merge has replaced, which are kept.
        bytes: u64,
    },
}

/// The log of a merge under way. Only its `close…` ends it: a drop means that something went wrong, and leaves it for the
/// next run.
#[derive(Debug)]
pub struct Journal {
    log: DurableLog,
    head: Head,
}

impl Journal {
    /// Writes that something is going to be staged.
    pub fn begin(folder: &Path, head: Head) -> Result<Journal, MergeError> {
        files::create_dirs(folder, 0o700).map_err(MergeError::Journal)?;
        let log = DurableLog::create(&folder.join(head.run.as_str())).map_err(MergeError::Journal)?;
        let mut journal = Journal { log, head };
        journal.add(&Line::Begin(journal.head.clone()))?;
        journal.log.sync_name().map_err(MergeError::Journal)?;
        Ok(journal)
    }

    /// The journal that is there, to go on with.
    pub fn resume(path: &Path, head: Head) -> Result<Journal, MergeError> {
        Ok(Journal { log: DurableLog::open(path).map_err(MergeError::Journal)?, head })
    }

    /// Its first line.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Adds a note; it is on the disk when this returns.
    pub fn note(&mut self, note: &Note) -> Result<(), MergeError> {
        self.write(&Line::Note(note.clone()))
    }

    /// Adds a line that is on the disk when this returns.
    pub(super) fn write(&mut self, line: &Line) -> Result<(), MergeError> {
        self.add(line)?;
        self.sync()
    }

    fn add(&mut self, line: &Line) -> Result<(), MergeError> {
        let json = serde_json::to_string(line).map_err(|error| {
            MergeError::Journal(FileError::at("write", self.log.path())(std::io::Error::other(error)))
        })?;
        self.add_raw(&json).map(drop)
    }

    /// Adds a line that is written already; returns where it begins.
    pub(super) fn add_raw(&mut self, json: &str) -> Result<u64, MergeError> {
        self.log.add(json).map_err(MergeError::Journal)
    }

    /// Brings what was added to the disk.
    pub(super) fn sync(&mut self) -> Result<(), MergeError> {
        self.log.sync().map_err(MergeError::Journal)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.log.path()
    }

    /// The merge never was: nothing is left of it.
    pub(super) fn close(self) -> Result<(), MergeError> {
        remove(self.log.path()).map_err(MergeError::Journal)
    }

    /// The merge is done: the journal goes beside what it has replaced, below `undo`.
    pub(super) fn close_into(self, undo: &Path) -> Result<PathBuf, MergeError> {
        let folder = undo.join(self.head.run.as_str());
        let finished = folder.join(FINISHED);
        let close = || {
            files::create_dirs(&folder, 0o700)?;
            files::sync_folder(undo)?;
            files::rename(self.log.path(), &finished)?;
            files::sync_folder(&folder)?;
            files::sync_folder(self.log.path().parent().unwrap_or(Path::new("/")))
        };
        close().map_err(MergeError::Journal)?;
        Ok(finished)
    }
}

/// Removes a journal for good.
pub(super) fn remove(path: &Path) -> Result<(), FileError> {
    files::remove_file(path)?;
    files::sync_folder(path.parent().unwrap_or(Path::new("/")))
}
