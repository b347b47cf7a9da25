//! A run in lines, as Foreman's reports show them: of whom, what, how bad. Pure.

use serde::Serialize;

use crate::model::run::{Mode, RunOutcome, RunRecord};
use crate::model::step::ModuleOutcome;
use crate::uploads::counts::{self, has_failed};
use crate::uploads::item::Touches;

/// The most lines in all.
const MOST: usize = 500;
/// The longest message, in characters.
const LONGEST: usize = 4096;
/// The longest name of whom it is about, in characters.
const LONGEST_SOURCE: usize = 250;

/// How bad it is, in syslog's words: Foreman refuses any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know.
    Info,
    /// Something has changed, or would.
    Notice,
    /// Something was not done.
    Warning,
    /// Something failed.
    Err,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Log {
    /// How bad.
    pub level: Level,
    /// Of whom: a path, a module, a command, or disco.
    pub source: String,
    /// What.
    pub message: String,
}

impl Log {
    fn new(level: Level, source: &str, message: &str) -> Log {
        Log { level, source: clean(source, LONGEST_SOURCE), message: clean(message, LONGEST) }
    }
}

/// A text that a database takes: no control characters but newlines and tabs, not too long, and never blank, for a blank one is
/// refused.
fn clean(text: &str, longest: usize) -> String {
    let printed: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let printed = printed.trim();
    match printed.char_indices().nth(longest) {
        _ if printed.is_empty() => "(nothing said)".to_owned(),
        Some((end, _)) => format!("{}…", &printed[..end]),
        None => printed.to_owned(),
    }
}

/// The lines of a run. The last one says how it ended, and is disco's: by that Foreman knows whose a report is.
pub fn logs(record: &RunRecord, touches: &Touches) -> Vec<Log> {
    let mut logs = Vec::new();
    of_objects(record, touches, &mut logs);
    of_modules(record, &mut logs);
    of_duties(record, &mut logs);
    for wait in &record.waits {
        let holder = wait.holder.as_deref().unwrap_or("somebody");
        let message = format!("waited {:.0} s for {holder}", wait.seconds);
        logs.push(Log::new(Level::Info, &wait.lock, &message));
    }
    if logs.len() >= MOST {
        let more = logs.len() + 2 - MOST;
        logs.truncate(MOST - 2);
        let message = format!("{more} more lines: `disco show {}` on the node has them", record.run);
        logs.push(Log::new(Level::Warning, "disco", &message));
    }
    logs.push(last(record));
    logs
}

/// What an object or module with changes is told with: what the run has done of it.
fn tense(record: &RunRecord) -> (&'static str, &'static str) {
    match record.mode {
        Mode::Noop => ("would be ", ""),
        Mode::Live if record.outcome.is_merged() => ("", ""),
        Mode::Live => ("", ", and not merged"),
    }
}

fn of_objects(record: &RunRecord, touches: &Touches, logs: &mut Vec<Log>) {
    let (would, but) = tense(record);
    for one in &touches.first {
        let message = format!("{would}{} by module {}{but}", one.what, one.module);
        logs.push(Log::new(Level::Notice, &one.path, &message));
    }
    if touches.more > 0 {
        let (more, run) = (touches.more, &record.run);
        let message = format!("{more} more changes: `disco diff {run}` on the node shows them");
        logs.push(Log::new(Level::Notice, "disco", &message));
    }
}

fn of_modules(record: &RunRecord, logs: &mut Vec<Log>) {
    let (would, but) = tense(record);
    for module in &record.modules {
        let name = module.module.as_str();
        let changes = module.changes;
        match &module.outcome {
            ModuleOutcome::Done if changes.total() == 0 => {}
            ModuleOutcome::Done => {
                let (created, modified, deleted) = (changes.created, changes.modified, changes.deleted);
                let message = format!(
                    "{created} {would}created, {modified} {would}modified, {deleted} {would}deleted{but}"
                );
                logs.push(Log::new(Level::Notice, name, &message));
            }
            ModuleOutcome::Failed { step, reason } => {
                logs.push(Log::new(Level::Err, name, &format!("{step}: {reason}")));
            }
            ModuleOutcome::Skipped { because } => {
                let message = format!("not run, because {because} did not succeed");
                logs.push(Log::new(Level::Warning, name, &message));
            }
        }
    }
    for module in record.plan.iter().skip(record.modules.len()) {
        logs.push(Log::new(Level::Warning, module.as_str(), "not reached"));
    }
    for validator in record.validators.iter().filter(|one| !one.record.outcome.is_done()) {
        let message = format!("validator {}: {}", validator.record.step.label(), validator.record.outcome);
        logs.push(Log::new(Level::Err, validator.module.as_str(), &message));
    }
}

fn of_duties(record: &RunRecord, logs: &mut Vec<Log>) {
    for duty in &record.duties {
        let words = duty.duty.words();
        let (level, message) = match (&duty.outcome, record.mode) {
            (Some(outcome), _) if outcome.is_done() => (Level::Notice, "done".to_owned()),
            (Some(outcome), _) => (Level::Err, outcome.to_string()),
            (None, Mode::Noop) => (Level::Notice, "would be run".to_owned()),
            (None, Mode::Live) => (Level::Warning, "not run".to_owned()),
        };
        logs.push(Log::new(level, &words, &message));
    }
}

fn last(record: &RunRecord) -> Log {
    let counts = counts::counts(record);
    let level = match has_failed(&record.outcome) {
        true => Level::Err,
        false if counts.applied + counts.restarted + counts.pending > 0 => Level::Notice,
        false => Level::Info,
    };
    let message = format!(
        "disco {}, run {}: {}; {} applied, {} pending, {} failed; the report is {}",
        record.version,
        record.run,
        ended(&record.outcome),
        counts.applied,
        counts.pending,
        counts.failed + counts.failed_restarts,
        record.label
    );
    Log::new(level, "disco", &message)
}

/// How a run ended, in words.
fn ended(outcome: &RunOutcome) -> String {
    match outcome {
        RunOutcome::Unfinished => "not finished".to_owned(),
        RunOutcome::NotStarted { reason } => format!("not started: {reason}"),
        RunOutcome::Shown => "shown, and nothing merged".to_owned(),
        RunOutcome::Merged => "merged".to_owned(),
        RunOutcome::Unconfirmed { .. } => "merged, to be confirmed".to_owned(),
        RunOutcome::Failed => "failed, and nothing merged".to_owned(),
        RunOutcome::ActionFailed => "merged, but an action failed".to_owned(),
        RunOutcome::Undone { reason } => format!("merged, and undone: {reason}"),
        RunOutcome::MergeFailed { reason } => format!("not merged: {reason}"),
        RunOutcome::Interrupted { signal } => format!("interrupted by signal {signal}"),
    }
}
