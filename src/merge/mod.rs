//! Brings what the scratchpad changed to the live root, whole or not at all. Each stage is a type, and the value of one
//! is the only key to the next:
//!
//! [`survey`](fn@survey::survey) reads facts -> [`plan`](fn@plan::plan) decides, pure -> [`MergePlan::check`] compares
//! the live root with what the sandbox saw -> [`Checked::stage`] makes everything new beside its place, where all that
//! needs space or support fails -> [`Staged::apply`] renames -> [`Applied::finish`] removes what was replaced.
//!
//! A [`Journal`] says beforehand what is going to be done; [`recover`](fn@recover::recover) finishes or takes back a merge
//! that was stopped.

pub mod apply;
pub mod check;
pub mod error;
pub mod journal;
pub mod plan;
pub mod recover;
pub mod stage;
pub mod survey;

pub use apply::{Applied, MergeReport};
pub use check::Checked;
pub use error::MergeError;
pub use journal::{Journal, Note};
pub use plan::MergePlan;
pub use recover::Recovered;
pub use stage::Staged;

use std::path::Path;

use crate::model::change::ChangeSet;
use crate::model::layer::LayerEntry;
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::sys::metadata::IsPrivate;
use crate::sys::tree::Root;

/// What is merged, and where to.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// All differences of the run: scratchpad against lower layer.
    pub changes: &'a ChangeSet,
    /// What the scratchpad holds, sorted by path.
    pub entries: &'a [LayerEntry],
    /// The scratchpad as plain files.
    pub upper: &'a Root,
    /// The root to change.
    pub live: &'a Root,
    /// Extended attributes that belong to the scratchpad and not to the object.
    pub private: IsPrivate<'a>,
    /// What is never merged: disco's own home.
    pub exclude: &'a [RootedPath],
    /// The run, which names what is staged.
    pub run: &'a RunId,
    /// Which root it is that is changed.
    pub root: &'a LiveRoot,
    /// The folder of the journals of merges under way.
    pub journals: &'a Path,
}

/// A merge of which everything new is made and on the disk, and nothing shows yet. A drop removes it.
#[derive(Debug)]
pub struct Prepared<'a> {
    source: Source<'a>,
    staged: Staged<'a>,
    journal: Journal,
}

/// A merge that is done and on the disk, and can still be taken back. A drop leaves its journal, for the next run.
#[derive(Debug)]
pub struct Merged<'a> {
    source: Source<'a>,
    applied: Applied<'a>,
    journal: Journal,
}

/// What taking a merge back could not do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Undone {
    /// Places that are still as merged.
    pub still: Vec<RootedPath>,
    /// What could not be removed.
    pub left: Vec<RootedPath>,
}

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("run", self.run).field("root", self.root).finish_non_exhaustive()
    }
}

/// Makes everything new beside its place. After an error nothing is left of it.
pub fn prepare<'a>(source: &Source<'a>) -> Result<Prepared<'a>, MergeError> {
    let facts = survey::survey(source)?;
    let checked = plan::plan(source.changes, &facts, source.exclude, source.run).check(source)?;
    let journal = Journal::open(source.journals, source.root, checked.plan())?;
    match checked.stage(source) {
        Ok(staged) => Ok(Prepared { source: *source, staged, journal }),
        Err(error) => {
            // A journal that stays makes the next run look, and find nothing to do.
            let _ = journal.close();
            Err(error)
        }
    }
}

impl<'a> Prepared<'a> {
    /// The journal, for what is done before anything shows.
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Ends it without a change; what could not be removed comes back.
    pub fn discard(self) -> Result<Vec<RootedPath>, MergeError> {
        let left = self.staged.discard();
        self.journal.close().map_err(MergeError::Journal)?;
        Ok(left)
    }

    /// The point of no return, and all changes after it. After an error the live root is as before, or the error names
    /// what is not.
    pub fn commit(mut self) -> Result<Merged<'a>, MergeError> {
        self.journal.commit(&self.staged, &self.source)?;
        match self.staged.apply(&self.source) {
            Ok(applied) => Ok(Merged { source: self.source, applied, journal: self.journal }),
            Err(error) => {
                let _ = self.journal.close();
                Err(error)
            }
        }
    }
}

impl Merged<'_> {
    /// The journal, for what is done once everything is merged.
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Takes every change back, because of what came after the merge (an action that failed).
    pub fn undo(self) -> Result<Undone, MergeError> {
        let (still, left) = self.applied.undo(&self.source);
        self.journal.close().map_err(MergeError::Journal)?;
        Ok(Undone { still, left })
    }

    /// Ends it: what it replaced is kept for an undo, and nothing is left to do for anybody.
    pub fn keep(self) -> Result<MergeReport, MergeError> {
        let report = self.applied.finish();
        self.journal.close().map_err(MergeError::Journal)?;
        Ok(report)
    }
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
