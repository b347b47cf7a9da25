//! What can keep disco from doing a dance at all.

use disco_dlm::native::say::RefusalSaid;
use thiserror::Error;

use crate::changes::scan::ScanError;
use crate::lock::Held;
use crate::merge::MergeError;
use crate::model::disabled::Disabled;
use crate::model::names::RunId;
use crate::model::path::PathError;
use crate::model::run::{RunOutcome, interrupted_by};
use crate::ops::apply::ApplyError;
use crate::ops::gather::GatherError;
use crate::ops::lock::{LockOpError, said};
use crate::ops::mounted::MountedError;
use crate::plans::PlanFileError;
use crate::runs::RunError;
use crate::sandbox::SandboxError;
use crate::step::StepError;
use crate::sys::clock;
use crate::sys::files::FileError;
use crate::sys::lock::LockError;

use super::RootError;

/// A dance that disco could not do. Nothing is merged, unless the error is the merge's own and says so.
#[derive(Debug, Error)]
pub enum DanceError {
    /// Another live run is under way.
    #[error("another live run is under way")]
    Busy(#[source] LockError),
    /// Live runs are switched off on this node.
    #[error("live runs are disabled {0}")]
    Disabled(Box<Disabled>),
    /// A folder of disco's own could not be made, locked or removed.
    #[error("cannot prepare the run")]
    Prepare(#[source] LockError),
    /// The modules could not be had or ordered. Nothing has run.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// The sandbox could not be opened or used.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A step could not be run or recorded.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The differences could not be found.
    #[error("cannot find the differences")]
    Scan(#[from] ScanError),
    /// The merge could not be done.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The record could not be kept.
    #[error(transparent)]
    Record(#[from] RunError),
    /// A file of disco's own could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The root that the run is about is none.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The run is merged, and its record could not be kept.
    #[error("the run is merged and its actions were run, but its record could not be kept")]
    Unrecorded {
        /// How the run ended.
        outcome: RunOutcome,
        /// Why its record was not kept.
        #[source]
        source: RunError,
    },
    /// The plan that it was to be kept in, or that was to be merged, cannot be used.
    #[error(transparent)]
    Plan(#[from] PlanFileError),
    /// The plan is not merged.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// This is a step of a run.
    #[error("this is inside one of disco's own sandboxes, and no second one opens in it")]
    Inside,
    /// A merge waits to be confirmed, and nothing else merges meanwhile.
    #[error("run {run} waits to be confirmed, until {}", clock::told((i64::try_from(*until).unwrap_or_default(), 0)))]
    Unconfirmed {
        /// Whose it is.
        run: RunId,
        /// Until when: seconds since 1970.
        until: u64,
    },
    /// No merge waits to be confirmed.
    #[error("no merge{} waits to be confirmed", .0.as_ref().map_or_else(String::new, |run| format!(" of run {run}")))]
    NothingToConfirm(Option<RunId>),
    /// The process that waits for the confirmation could not be started.
    #[error("cannot start the process that waits for the confirmation")]
    Waiter(#[source] std::io::Error),
    /// disco's home is no plain path.
    #[error("disco's home must be an absolute path without '..'")]
    Home(#[source] PathError),
    /// The mounted sandbox could not be used.
    #[error(transparent)]
    Mounted(#[from] MountedError),
    /// The lock server could not be asked, or not as whom it knows.
    #[error(transparent)]
    Cluster(Box<LockOpError>),
    /// Another node has the cluster's lock, or nobody may have it now.
    #[error("{}", said::refusal(.0))]
    LockRefused(Box<RefusalSaid>),
    /// Another process of this node works under the cluster's lock.
    #[error("lock {}: another process of this node works under it: pid {}, {}", .0.lock, .0.process.pid, .0.work)]
    LockHere(Box<Held>),
    /// The cluster's lock is not ours any more; nothing is merged.
    #[error("lock {lock} was lost before the merge: {why}; nothing is merged")]
    LockLost {
        /// Its name.
        lock: String,
        /// How.
        why: String,
    },
    /// A signal asked to stop; nothing is merged.
    #[error("interrupted {}; nothing is merged", interrupted_by(*.0))]
    Interrupted(i32),
}

impl From<LockOpError> for DanceError {
    fn from(error: LockOpError) -> DanceError {
        // It is large, and all that a dance can fail with would be as large.
        DanceError::Cluster(Box::new(error))
    }
}
