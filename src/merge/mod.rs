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
pub use journal::Journal;
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

/// Merges everything. The journal is the caller's to close, before it acts on what is merged. After an error the live root is
/// as before, or the error names what is not.
pub fn merge(source: &Source<'_>) -> Result<(MergeReport, Journal), MergeError> {
    let facts = survey::survey(source)?;
    let checked = plan::plan(source.changes, &facts, source.exclude, source.run).check(source)?;
    let mut journal = Journal::open(source.journals, source.root, checked.plan())?;
    let applied = checked.stage(source).and_then(|staged| {
        journal.commit(&staged, source)?;
        staged.apply(source)
    });
    match applied {
        Ok(applied) => Ok((applied.finish(), journal)),
        Err(error) => {
            // All is taken back. A journal that stays makes the next run look, and find nothing to do.
            let _ = journal.close();
            Err(error)
        }
    }
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
