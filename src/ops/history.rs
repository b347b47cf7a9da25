//! The runs that are kept, as `disco runs` and those that look back over them need them. No printing.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

use crate::model::names::{NameError, RunId};
use crate::model::root::LiveRoot;
use crate::model::run::{Mode, RunOutcome};
use crate::runs::{Entry, Listed, RunError, Runs};
use crate::sys::files::{self, FileError};

/// A run, as one names it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Which {
    /// The newest: `last`.
    #[default]
    Last,
    /// That one.
    Run(RunId),
}

impl FromStr for Which {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Which, NameError> {
        if text == "last" { Ok(Which::Last) } else { RunId::new(text).map(Which::Run) }
    }
}

impl Which {
    /// Its name.
    pub fn run(&self, runs: &Runs) -> Result<RunId, RunError> {
        match self {
            Which::Last => runs.newest(),
            Which::Run(run) => Ok(run.clone()),
        }
    }
}

/// The root at that path; the node's own without one.
pub(super) fn root(path: Option<&Path>) -> Result<LiveRoot, FileError> {
    let Some(path) = path else { return Ok(LiveRoot::Own) };
    // A canonical path is a plain one.
    Ok(LiveRoot::new(&files::canonical(path)?).unwrap_or_default())
}

/// All runs, the oldest first. One that cannot be read does not hide the others.
pub fn list(home: &Path) -> Result<Vec<Listed>, RunError> {
    Runs::new(home).entries()
}

/// The live runs whose merge stands on a root, the oldest first: what was taken back does not, unless that was taken back. An
/// undo itself writes nothing of its own: it brings back what was there.
pub fn standing<'a>(all: &'a [Listed], root: &LiveRoot) -> Vec<&'a Entry> {
    let entries = all.iter().filter_map(|listed| match listed {
        Listed::Entry(entry) if entry.mode == Mode::Live && entry.root == *root => Some(entry),
        Listed::Entry(_) | Listed::Unreadable { .. } => None,
    });
    let (mut undone, mut undone_once) = (BTreeSet::new(), BTreeSet::new());
    let mut standing = Vec::new();
    for entry in entries.rev() {
        // The record of a run that was undone keeps saying so when that was undone, too.
        let taken_back = matches!(entry.outcome, RunOutcome::Undone { .. });
        let merged = entry.outcome.is_merged() || (taken_back && undone_once.contains(&entry.run));
        let stands = merged && !undone.contains(&entry.run);
        match &entry.undoes {
            Some(of) => {
                if entry.outcome.is_merged() || taken_back {
                    undone_once.insert(of);
                }
                if stands {
                    undone.insert(of);
                }
            }
            None if stands => standing.push(entry),
            None => {}
        }
    }
    standing.reverse();
    standing
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
