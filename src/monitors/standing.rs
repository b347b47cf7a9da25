//! How a run stands, in one word: its outcome, and whether there is or was anything to do.

use serde::{Deserialize, Serialize};

use crate::model::run::{RunOutcome, RunRecord};

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// NOOP: a live run would change nothing.
    NothingPending,
    /// NOOP: a live run would change something.
    ChangesPending,
    /// Live: there was nothing to change.
    Unchanged,
    /// Live: all is merged, and all that belongs to it is done.
    Changed,
    /// Live: all is merged, and taken back unless somebody confirms it.
    Unconfirmed,
    /// A step or a validator failed; nothing is merged.
    Failed,
    /// Merged, but an action after it failed, and what is merged stays.
    ActionFailed,
    /// It was merged, and taken back.
    Undone,
    /// The merge was refused, or could not be finished.
    MergeFailed,
    /// Nothing has run.
    NotStarted,
    /// A signal ended it before the merge.
    Interrupted,
    /// It ended without a word, or goes on.
    Unfinished,
}

impl Standing {
    /// All of them.
    pub const ALL: [Standing; 12] = [
        Standing::NothingPending,
        Standing::ChangesPending,
        Standing::Unchanged,
        Standing::Changed,
        Standing::Unconfirmed,
        Standing::Failed,
        Standing::ActionFailed,
        Standing::Undone,
        Standing::MergeFailed,
        Standing::NotStarted,
        Standing::Interrupted,
        Standing::Unfinished,
    ];

    /// How the run of that record stands.
    pub fn of(record: &RunRecord) -> Standing {
        let changes = has_changes(record);
        match (&record.outcome, changes) {
            (RunOutcome::Shown, false) => Standing::NothingPending,
            (RunOutcome::Shown, true) => Standing::ChangesPending,
            (RunOutcome::Merged, false) => Standing::Unchanged,
            (RunOutcome::Merged, true) => Standing::Changed,
            (RunOutcome::Unconfirmed { .. }, _) => Standing::Unconfirmed,
            (RunOutcome::Failed, _) => Standing::Failed,
            (RunOutcome::ActionFailed, _) => Standing::ActionFailed,
            (RunOutcome::Undone { .. }, _) => Standing::Undone,
            (RunOutcome::MergeFailed { .. }, _) => Standing::MergeFailed,
            (RunOutcome::NotStarted { .. }, _) => Standing::NotStarted,
            (RunOutcome::Interrupted { .. }, _) => Standing::Interrupted,
            (RunOutcome::Unfinished, _) => Standing::Unfinished,
        }
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Standing::NothingPending => "nothing-pending",
            Standing::ChangesPending => "changes-pending",
            Standing::Unchanged => "unchanged",
            Standing::Changed => "changed",
            Standing::Unconfirmed => "unconfirmed",
            Standing::Failed => "failed",
            Standing::ActionFailed => "action-failed",
            Standing::Undone => "undone",
            Standing::MergeFailed => "merge-failed",
            Standing::NotStarted => "not-started",
            Standing::Interrupted => "interrupted",
            Standing::Unfinished => "unfinished",
        }
    }

    /// Whether the run did all that it was to do.
    pub fn is_success(self) -> bool {
        matches!(
            self,
            Standing::NothingPending
                | Standing::ChangesPending
                | Standing::Unchanged
                | Standing::Changed
                | Standing::Unconfirmed
        )
    }
}

/// Whether the run changes something: objects, or the running system. Scripts after the merge and health checks run always,
/// and are no change.
pub fn has_changes(record: &RunRecord) -> bool {
    record.changes > 0 || record.duties.iter().any(|duty| duty.duty.is_change())
}
