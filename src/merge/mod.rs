//! Brings what the scratchpad changed to the live root, whole or not at all. Each stage is a type, and the value of one
//! is the only key to the next:
//!
//! [`survey`](fn@survey::survey) reads facts -> [`plan`](fn@plan::plan) decides, pure -> [`MergePlan::check`] compares
//! the live root with what the sandbox saw -> [`Checked::stage`] makes everything new beside its place, where all that
//! needs space or support fails -> [`Staged::apply`] renames -> [`Applied::finish`] removes what was replaced.
//!
//! Not here yet: a journal, so a merge that is killed while it applies is not finished or taken back by a later run.

pub mod apply;
pub mod check;
pub mod error;
pub mod plan;
pub mod stage;
pub mod survey;

pub use apply::{Applied, MergeReport};
pub use check::Checked;
pub use error::MergeError;
pub use plan::MergePlan;
pub use stage::Staged;

use crate::model::change::ChangeSet;
use crate::model::layer::LayerEntry;
use crate::model::names::RunId;
use crate::model::path::RootedPath;
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
}

/// Merges everything. After an error the live root is as before, or the error names what is not.
pub fn merge(source: &Source<'_>) -> Result<MergeReport, MergeError> {
    let facts = survey::survey(source)?;
    let plan = plan::plan(source.changes, &facts, source.exclude, source.run);
    Ok(plan.check(source)?.stage(source)?.apply(source)?.finish())
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
