//! How a run has ended: its last line in the classic form, its exit code, and words that several forms share.

use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::{Level, Terminal};
use crate::merge::Recovered;
use crate::model::names::RunId;
use crate::model::root::LiveRoot;
use crate::model::run::{RunOutcome, RunRecord};
use crate::model::step::ModuleOutcome;
use crate::monitors::has_changes;
use crate::ops::dance::DanceError;
use crate::ops::monitors::Monitors;
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
    let (changes, actions) = (counted(record), count(record.duties.len(), "action"));
    let left = match record.actions.len() {
        0 => String::new(),
        asked => format!("; {} not executed there", count(asked, "action")),
    };
    let failed = record.modules.iter().filter(|module| module.outcome != ModuleOutcome::Done).count();
    let ended = match (&record.outcome, &record.root) {
        (RunOutcome::Shown, LiveRoot::Own) if !has_changes(record) && record.duties.is_empty() => {
            "NOOP: nothing pending".to_owned()
        }
        (RunOutcome::Shown, root @ LiveRoot::Other(_)) if !has_changes(record) => {
            format!("NOOP on {root}: nothing pending{left}")
        }
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

/// How many changes a run has, and how many of them are noise.
pub(super) fn counted(record: &RunRecord) -> String {
    with_noise(record.changes, record.noise)
}

/// A number of changes, and of those that are noise, in words.
pub(super) fn with_noise(changes: usize, noise: usize) -> String {
    let changes = count(changes, "change");
    if noise == 0 { changes } else { format!("{changes} ({noise} of noise)") }
}

/// How a run has ended.
pub(super) enum Ended {
    /// With this record.
    Run(Box<RunRecord>),
    /// By that signal, before its merge.
    Signal(i32),
    /// disco could not do its part.
    Not(Failure),
}

impl From<Result<RunRecord, DanceError>> for Ended {
    fn from(ended: Result<RunRecord, DanceError>) -> Ended {
        match ended {
            Ok(record) => Ended::Run(Box::new(record)),
            Err(DanceError::Interrupted(signal)) => Ended::Signal(signal),
            Err(error) => Ended::Not(error.into()),
        }
    }
}

impl Ended {
    /// Tells monitors of it; returns what went wrong with that.
    pub(super) fn tell(&self, monitors: Monitors, codes: Codes) -> Vec<String> {
        match self {
            Ended::Run(record) => monitors.tell(exit_of(record, codes).number(), None),
            Ended::Signal(signal) => monitors.tell(Exit::Signal(*signal).number(), None),
            Ended::Not(failure) => monitors.tell(failure.kind.code().into(), Some(&failure.message)),
        }
    }

    /// Says it in the classic form, a run in these words, and what went wrong with telling monitors. What disco could not do
    /// is not said here.
    pub(super) fn say(
        &self,
        words: impl FnOnce(&RunRecord) -> String,
        not_told: &[String],
        terminal: &mut Terminal,
    ) {
        match self {
            Ended::Run(record) => terminal.say_at(Level::Info, &words(record)),
            Ended::Signal(signal) => {
                terminal.say_at(Level::Error, &DanceError::Interrupted(*signal).to_string())
            }
            Ended::Not(_) => {}
        }
        self::not_told(not_told, terminal);
    }

    /// How it ends the program.
    pub(super) fn exit(self, codes: Codes) -> Result<Exit, Failure> {
        match self {
            Ended::Run(record) => Ok(exit_of(&record, codes)),
            Ended::Signal(signal) => Ok(Exit::Signal(signal)),
            Ended::Not(failure) => Err(failure),
        }
    }
}

/// Tells monitors of what a command without a run of its own has brought to its end.
pub(super) fn told<T>(monitors: Monitors, done: &Result<T, Failure>) -> Vec<String> {
    match done {
        Ok(_) => monitors.tell(0, None),
        Err(failure) => monitors.tell(failure.kind.code().into(), Some(&failure.message)),
    }
}

/// Says what went wrong with telling monitors.
pub(super) fn not_told(warnings: &[String], terminal: &mut Terminal) {
    warnings.iter().for_each(|warning| terminal.say_at(Level::Warning, warning));
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
    let changed = has_changes(record);
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
