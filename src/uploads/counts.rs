//! A run in numbers, as Puppet's reports have them and Foreman reads them. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::duty::DutyRecord;
use crate::model::run::{Mode, RunOutcome, RunRecord};
use crate::model::step::{ModuleOutcome, Outcome};

/// The six numbers that Foreman keeps of a report. It refuses any other name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// What has changed: objects that are no noise, and commands that were run.
    pub applied: usize,
    /// What was done to services.
    pub restarted: usize,
    /// Modules, validators and commands that failed; at least 1 where the run failed and nothing else says so.
    pub failed: usize,
    /// What failed to be done to services.
    pub failed_restarts: usize,
    /// Modules that were not run.
    pub skipped: usize,
    /// What a dry run has shown, and nobody has done.
    pub pending: usize,
}

/// The numbers beside them, each group as Puppet names it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Metrics {
    /// Modules, validators and commands, by what became of them.
    pub resources: BTreeMap<&'static str, usize>,
    /// Seconds: of each module, of disco's own work, and of all.
    pub time: BTreeMap<String, f64>,
    /// What has changed.
    pub changes: BTreeMap<&'static str, usize>,
    /// What happened.
    pub events: BTreeMap<&'static str, usize>,
}

/// What became of a command on the live system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Done,
    Failed,
    Not,
}

fn deed(duty: &DutyRecord) -> Deed {
    match &duty.outcome {
        Some(Outcome::Done) => Deed::Done,
        Some(_) => Deed::Failed,
        None => Deed::Not,
    }
}

/// Whether a run ended as nobody wanted it. What somebody took back on purpose did not fail.
pub fn has_failed(outcome: &RunOutcome) -> bool {
    match outcome {
        RunOutcome::Shown | RunOutcome::Merged | RunOutcome::Unconfirmed { .. } => false,
        RunOutcome::Undone { reason } => !reason.starts_with("by run "),
        RunOutcome::Unfinished
        | RunOutcome::NotStarted { .. }
        | RunOutcome::Failed
        | RunOutcome::ActionFailed
        | RunOutcome::MergeFailed { .. }
        | RunOutcome::Interrupted { .. } => true,
    }
}

/// The numbers of a run.
pub fn counts(record: &RunRecord) -> Counts {
    let duties = |which: &dyn Fn(&DutyRecord) -> bool| record.duties.iter().filter(|one| which(one)).count();
    let service = |duty: &DutyRecord| duty.duty.service.is_some();
    let objects = record.changes.saturating_sub(record.noise);
    let commands =
        |which: Deed| duties(&|duty| !service(duty) && duty.duty.is_change() && deed(duty) == which);
    let mut counts = Counts {
        restarted: duties(&|duty| service(duty) && deed(duty) == Deed::Done),
        failed_restarts: duties(&|duty| service(duty) && deed(duty) == Deed::Failed),
        failed: failed_modules(record)
            + record.validators.iter().filter(|one| !one.record.outcome.is_done()).count()
            + duties(&|duty| !service(duty) && deed(duty) == Deed::Failed),
        skipped: skipped(record),
        ..Counts::default()
    };
    if record.outcome.is_merged() {
        counts.applied = objects + commands(Deed::Done);
    }
    if record.mode == Mode::Noop {
        counts.pending = objects + duties(&|duty| duty.duty.is_change() && deed(duty) == Deed::Not);
    }
    if has_failed(&record.outcome) && counts.failed + counts.failed_restarts == 0 {
        counts.failed = 1;
    }
    counts
}

fn failed_modules(record: &RunRecord) -> usize {
    let failed = |outcome: &ModuleOutcome| matches!(outcome, ModuleOutcome::Failed { .. });
    record.modules.iter().filter(|module| failed(&module.outcome)).count()
}

/// Those that were passed over, and those that were not reached.
fn skipped(record: &RunRecord) -> usize {
    let skipped = |outcome: &ModuleOutcome| matches!(outcome, ModuleOutcome::Skipped { .. });
    let passed = record.modules.iter().filter(|module| skipped(&module.outcome)).count();
    passed + record.plan.len().saturating_sub(record.modules.len())
}

/// The groups of numbers of a run.
pub fn metrics(record: &RunRecord) -> Metrics {
    let counts = counts(record);
    let differing = record.modules.iter().filter(|module| module.changes.total() > 0).count();
    let asked = record.duties.iter().filter(|duty| duty.duty.is_change()).count();
    let changed = if record.outcome.is_merged() { differing } else { 0 };
    let total = record.plan.len().max(record.modules.len()) + record.duties.len() + record.validators.len();
    Metrics {
        resources: BTreeMap::from([
            ("changed", changed),
            ("corrective_change", 0),
            ("failed", counts.failed),
            ("failed_to_restart", counts.failed_restarts),
            ("out_of_sync", differing + asked),
            ("restarted", counts.restarted),
            ("scheduled", 0),
            ("skipped", counts.skipped),
            ("total", total),
        ]),
        time: times(record),
        changes: BTreeMap::from([("total", counts.applied)]),
        events: BTreeMap::from([
            ("success", counts.applied + counts.restarted),
            ("failure", counts.failed + counts.failed_restarts),
            ("noop", counts.pending),
            (
                "total",
                counts.applied + counts.restarted + counts.failed + counts.failed_restarts + counts.pending,
            ),
        ]),
    }
}

/// The names of times that Foreman itself looks for.
const ALL: &str = "total";
const RETRIEVAL: &str = "config_retrieval";

/// Seconds. A module has its own name, disco's own work `disco/PART`: no module is called so.
fn times(record: &RunRecord) -> BTreeMap<String, f64> {
    // What is no number could not be written down, and is none that anybody could read.
    let good = |seconds: f64| if seconds.is_finite() && seconds > 0.0 { seconds } else { 0.0 };
    let mut times: BTreeMap<String, f64> = BTreeMap::new();
    for module in &record.modules {
        let name = match module.module.as_str() {
            name @ (ALL | RETRIEVAL) => format!("module/{name}"),
            name => name.to_owned(),
        };
        let steps = module.steps.iter().map(|step| step.cost).chain(module.diff);
        *times.entry(name).or_default() += steps.map(|cost| good(cost.time_real)).sum::<f64>();
    }
    let mut retrieval =
        record.modules.iter().filter_map(|one| one.fetch).map(|cost| good(cost.time_real)).sum();
    for part in &record.internal {
        let seconds = good(part.cost.time_real);
        if part.part.starts_with("fetch") {
            retrieval += seconds;
        } else {
            *times.entry(format!("disco/{}", part.part)).or_default() += seconds;
        }
    }
    let whole = seconds(record).unwrap_or_else(|| times.values().sum::<f64>() + retrieval);
    times.insert(RETRIEVAL.to_owned(), retrieval);
    times.insert(ALL.to_owned(), whole);
    times
}

/// How long a run took; `None` where it does not say when it ended.
pub fn seconds(record: &RunRecord) -> Option<f64> {
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let (began, ended) = (time(&record.started)?, time(record.ended.as_deref()?)?);
    Some(ended.duration_since(began).as_secs_f64().max(0.0))
}

#[cfg(test)]
#[path = "counts_tests.rs"]
mod tests;
