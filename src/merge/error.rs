//! What can keep a merge from happening, or from being whole. Not here: exit codes and hints.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::merge::apply::Cause;
use crate::merge::conflict::{Clashes, Conflict};
use crate::merge::listed::list;
use crate::merge::refusal::Refusals;
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::sys::files::FileError;
use crate::sys::tree::TreeError;

/// A merge that was refused, could not be staged, or could not be finished.
#[derive(Debug, Error)]
pub enum MergeError {
    /// Something could not be read; nothing is changed.
    #[error(transparent)]
    Read(#[from] TreeError),
    /// Where file systems are mounted could not be read; nothing is changed.
    #[error("cannot find out where file systems are mounted")]
    Mounts(#[source] FileError),
    /// The scratchpad no longer holds what the differences say; nothing is changed.
    #[error("the scratchpad has lost {path}")]
    Lost {
        /// The object.
        path: RootedPath,
    },
    /// The live root is no longer what the sandbox saw; nothing is changed.
    #[error("{0}")]
    Conflicts(Clashes),
    /// Something keeps the live root from being changed so; nothing is changed.
    #[error("{0}")]
    Refused(Refusals),
    /// Something new could not be made beside its place; nothing that shows is changed.
    #[error("could not stage {path}{}", remains(.left, "; could not be removed again"))]
    Stage {
        /// The target.
        path: RootedPath,
        /// What the system said.
        #[source]
        cause: TreeError,
        /// What was staged and could not be removed.
        left: Vec<RootedPath>,
    },
    /// The staged objects could not be brought to the disk; nothing that shows is changed.
    #[error("could not bring the staged files to the disk{}", remains(.left, "; could not be removed again"))]
    Sync {
        /// What the system said.
        #[source]
        cause: TreeError,
        /// What was staged and could not be removed.
        left: Vec<RootedPath>,
    },
    /// The journal could not be written or read, and nothing that shows is changed; or not be removed once all was merged, and
    /// the next live run does what was left to do.
    #[error("cannot keep the journal of the merge")]
    Journal(#[source] FileError),
    /// The journal of a merge that was stopped is damaged: what it says cannot be trusted.
    #[error("the journal {} of a merge that was stopped is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// There is no such merge that could be undone.
    #[error("run {0} has merged nothing that can be undone any more")]
    NoUndo(RunId),
    /// Somebody has changed places while the merge was going on; the rest of it was taken back.
    #[error("{} changed while it was merged; everything else was taken back{}", listed(.paths), remains(.still, ", except"))]
    Meanwhile {
        /// Where.
        paths: Vec<RootedPath>,
        /// What could not be taken back and is merged still.
        still: Vec<RootedPath>,
    },
    /// What a merge has made was changed since; nothing is changed.
    #[error("run {run} cannot be undone: {conflicts}")]
    UndoConflicts {
        /// The run.
        run: RunId,
        /// Where, and what happened to it.
        conflicts: Since,
    },
    /// Something that disco has kept could not be removed.
    #[error("could not remove {path}")]
    Remove {
        /// Its folder.
        path: RootedPath,
    },
    /// No merge can be undone.
    #[error("there is no merge that can be undone")]
    NothingToUndo,
    /// The journal of a merge that was stopped is of a newer disco.
    #[error("the journal {} of a merge that was stopped is of a newer disco", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// A merge that was stopped cannot be finished.
    #[error("a merge that was stopped cannot be finished: could not merge {path}")]
    Recover {
        /// The target.
        path: RootedPath,
        /// Why not.
        #[source]
        cause: Box<Cause>,
    },
    /// A change could not be made; the ones before it were taken back.
    #[error("could not merge {path}; everything else was taken back{}", remains(.still, ", except"))]
    Apply {
        /// The target.
        path: RootedPath,
        /// Why not.
        #[source]
        cause: Box<Cause>,
        /// What could not be taken back and is merged still.
        still: Vec<RootedPath>,
        /// What was staged or set aside and could not be removed.
        left: Vec<RootedPath>,
    },
}

impl MergeError {
    /// The same, with what is left of what was staged.
    pub(super) fn leaving(self, remains: Vec<RootedPath>) -> MergeError {
        match self {
            MergeError::Stage { path, cause, left: _ } => MergeError::Stage { path, cause, left: remains },
            MergeError::Sync { cause, left: _ } => MergeError::Sync { cause, left: remains },
            other => other,
        }
    }
}

fn listed(paths: &[RootedPath]) -> String {
    paths.iter().map(RootedPath::to_string).collect::<Vec<_>>().join(", ")
}

/// Places that an undo would change and that somebody has changed since; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since(pub Vec<(RootedPath, Conflict)>);

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<String> =
            self.0.iter().map(|(path, conflict)| format!("{path} {conflict} since")).collect();
        list(f, &told, "places are not as it has left them:")
    }
}

/// `WORDS: a, b`, or nothing where there is nothing.
fn remains(paths: &[RootedPath], words: &str) -> String {
    if paths.is_empty() {
        return String::new();
    }
    let paths: Vec<String> = paths.iter().map(RootedPath::to_string).collect();
    format!("{words}: {}", paths.join(", "))
}
