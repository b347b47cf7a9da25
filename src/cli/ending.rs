//! How a run has ended: its last line in the classic form, its exit code, and words that several forms share.

use crate::cli::exit::Exit;
use crate::merge::Recovered;
use crate::model::names::RunId;
use crate::model::root::LiveRoot;
use crate::model::run::{RunOutcome, RunRecord};
use crate::model::step::ModuleOutcome;
use crate::sys::clock;

/// What is to be said of a merge that was stopped.
pub(super) fn recovered(run: &RunId, how: &Recovered) -> Vec<String> {
    match how {
        Recovered::Before => {
            vec![format!("Run {run} was stopped before its merge began: what it had staged is removed")]
        }
        Recovered::Undone { why, still } => {
            let taken =
                format!("Run {run} was stopped while its merge was taken back ({why}): that is done now");
            let still = still.iter().map(|path| format!("Not taken back : {path}"));
            std::iter::once(taken).chain(still).collect()
        }
        Recovered::After { changes, kept } => {
            let finished = format!("Run {run} was stopped in its merge of {}", count(*changes, "object"));
            let kept = kept.iter().map(|path| format!("Not merged : {path} : somebody has changed it since"));
            std::iter::once(finished + ": it is finished now").chain(kept).collect()
        }
    }
}

/// One line that says how the run ended, what it found, and where to read more.
pub(super) fn summary(record: &RunRecord) -> String {
    let (changes, actions) = (count(record.changes, "change"), count(record.duties.len(), "action"));
    let left = match record.actions.len() {
        0 => String::new(),
        asked => format!("; {} not executed there", count(asked, "action")),
    };
    let failed = record.modules.iter().filter(|module| module.outcome != ModuleOutcome::Done).count();
    let ended = match (&record.outcome, &record.root) {
        (RunOutcome::Shown, LiveRoot::Own) => {
            format!("NOOP: {changes} and {actions} pending, nothing merged")
        }
        (RunOutcome::Shown, root @ LiveRoot::Other(_)) => {
            format!("NOOP on {root}: {changes} pending, nothing merged{left}")
        }
        (RunOutcome::Merged, LiveRoot::Own) => format!("merged: {changes}, {actions} executed"),
        (RunOutcome::Merged, root @ LiveRoot::Other(_)) => {
            format!("merged into {root}: {changes}{left}")
        }
        (RunOutcome::Failed, _) if failed == 0 && !record.validators.is_empty() => {
            let bad = record.validators.iter().filter(|one| !one.record.outcome.is_done()).count();
            let all = count(record.validators.len(), "validator");
            format!("{bad} of {all} failed: nothing merged")
        }
        (RunOutcome::Failed, _) => {
            format!("failed in {} of {}: nothing merged", failed, count(record.modules.len(), "module"))
        }
        (RunOutcome::ActionFailed, _) => {
            format!("merged: {changes}, but an action failed and later ones were not run")
        }
        (RunOutcome::Unconfirmed { .. }, _) => {
            format!("merged: {changes}, {actions}; `disco confirm` keeps that")
        }
        (RunOutcome::Undone { reason }, _) => format!("merged, and undone: {reason}"),
        (RunOutcome::MergeFailed { reason }, _) => format!("not merged: {reason}"),
        (RunOutcome::Unfinished | RunOutcome::NotStarted { .. } | RunOutcome::Interrupted { .. }, _) => {
            "not finished".to_owned()
        }
    };
    let label = &record.label;
    format!("Run {}: {ended}; {label} (`disco report` says what it cost)", record.run)
}

/// A number of things in words: `1 change`, `2 changes`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Which exit codes a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codes {
    /// Done or failed.
    Plain,
    /// As Puppet's users expect: what there was to change counts too.
    Detailed,
}

/// How the run of that record ends the program.
pub(super) fn exit_of(record: &RunRecord, codes: Codes) -> Exit {
    let failed = match &record.outcome {
        RunOutcome::Shown | RunOutcome::Merged | RunOutcome::Unconfirmed { .. } => false,
        RunOutcome::Interrupted { signal } => return Exit::Signal(*signal),
        RunOutcome::Failed
        | RunOutcome::ActionFailed
        | RunOutcome::Undone { .. }
        | RunOutcome::Unfinished
        | RunOutcome::NotStarted { .. }
        | RunOutcome::MergeFailed { .. } => true,
    };
    let acts = record.duties.iter().any(|duty| duty.duty.is_change());
    let changed = record.changes > 0 || acts;
    match (codes, failed, changed) {
        (_, false, false) | (Codes::Plain, false, true) => Exit::Done,
        (Codes::Plain, true, _) => Exit::Failed,
        (Codes::Detailed, false, true) => Exit::Status(2),
        (Codes::Detailed, true, false) => Exit::Status(4),
        (Codes::Detailed, true, true) => Exit::Status(6),
    }
}

/// What there is to say of a merge that waits to be confirmed until then, in seconds since 1970.
pub(super) fn to_be_confirmed(until: u64) -> String {
    let time = clock::told((i64::try_from(until).unwrap_or_default(), 0));
    format!("All of this is taken back at {time}, unless `disco confirm` comes before")
}
