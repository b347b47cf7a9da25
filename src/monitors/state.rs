//! What monitors are told of one run. Plain data.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::names::{ModuleName, NodeName, RunId};
use crate::model::root::LiveRoot;
use crate::model::run::{Mode, RunRecord};
use crate::model::step::{ModuleOutcome, ModuleRecord};
use crate::model::truth::Truth;

use super::standing::Standing;

/// The most modules that are told apart; of a node with more, those that took longest.
const MOST_MODULES: usize = 100;

/// What is known of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Which run.
    pub run: RunId,
    /// The command that ended it: `dance`, `apply`, `undo`, `recover`, `confirm`, `try` or `shell`.
    pub command: String,
    /// Of which node.
    pub node: NodeName,
    /// On which root.
    pub root: LiveRoot,
    /// NOOP or live.
    pub mode: Mode,
    /// disco's version.
    pub version: String,
    /// How it stands, in one word.
    pub standing: Standing,
    /// Whether it did all that it was to do.
    pub success: bool,
    /// The exit status of the command.
    pub exit: i32,
    /// When it started, RFC 3339.
    pub started: String,
    /// When it ended.
    pub ended: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How many objects differ: pending in NOOP, merged live.
    pub changes: usize,
    /// How many of them are noise.
    pub noise: usize,
    /// What is done on the running system.
    pub actions: Actions,
    /// The modules.
    pub modules: Modules,
    /// How many validators ran, and how many of them failed.
    pub validators: Validators,
    /// How true its report is.
    pub truth: Truth,
    /// The run whose merge it takes back.
    pub undoes: Option<RunId>,
    /// Seconds that disco's own work took, by part.
    pub phases: BTreeMap<String, f64>,
}

/// What is done on the running system around the merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Actions {
    /// How many are to be done.
    pub planned: usize,
    /// How many were done.
    pub done: usize,
    /// How many of those that were tried failed.
    pub failed: usize,
}

/// The modules of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Modules {
    /// How many are in the plan.
    pub planned: usize,
    /// How many succeeded.
    pub done: usize,
    /// How many failed.
    pub failed: usize,
    /// How many were not run, because one that they need did not succeed.
    pub skipped: usize,
    /// What is known of each; of more than a hundred, of those that took longest.
    pub each: BTreeMap<ModuleName, Module>,
}

/// One module of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// Whether it succeeded.
    pub success: bool,
    /// How long its steps took, in seconds.
    pub seconds: f64,
    /// How long the longest of them took.
    pub longest_step: f64,
    /// How many steps were run.
    pub steps: usize,
    /// How many objects it changed.
    pub changes: usize,
}

/// The validators of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Validators {
    /// How many succeeded.
    pub done: usize,
    /// How many failed.
    pub failed: usize,
}

/// The last run of a kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// When the last one of that kind ended that succeeded, RFC 3339; null where there was none.
    pub last_success: Option<String>,
    /// The last one.
    #[serde(flatten)]
    pub state: State,
}

impl State {
    /// Of the run of that record, which that command has ended with that exit status.
    pub fn of(record: &RunRecord, command: &str, exit: i32) -> State {
        let standing = Standing::of(record);
        let ended = record.ended.clone().unwrap_or_else(|| record.started.clone());
        let ran = |done: bool| {
            record
                .duties
                .iter()
                .filter(move |duty| duty.outcome.as_ref().is_some_and(|outcome| outcome.is_done() == done))
        };
        let sound =
            |done: bool| record.validators.iter().filter(move |one| one.record.outcome.is_done() == done);
        State {
            run: record.run.clone(),
            command: command.to_owned(),
            node: record.node.clone(),
            root: record.root.clone(),
            mode: record.mode,
            version: record.version.clone(),
            standing,
            success: standing.is_success(),
            exit,
            seconds: match (epoch(&record.started), epoch(&ended)) {
                (Some(from), Some(to)) => rounded(to - from),
                (None, _) | (_, None) => 0.0,
            },
            started: record.started.clone(),
            ended,
            changes: record.changes,
            noise: record.noise,
            actions: Actions {
                planned: record.duties.len(),
                done: ran(true).count(),
                failed: ran(false).count(),
            },
            modules: modules(record),
            validators: Validators { done: sound(true).count(), failed: sound(false).count() },
            truth: record.label.truth,
            undoes: record.undoes.clone(),
            phases: record
                .internal
                .iter()
                .map(|part| (part.part.clone(), rounded(part.cost.time_real)))
                .collect(),
        }
    }
}

fn modules(record: &RunRecord) -> Modules {
    let count =
        |is: fn(&ModuleOutcome) -> bool| record.modules.iter().filter(|module| is(&module.outcome)).count();
    let mut all: Vec<(&ModuleName, Module)> =
        record.modules.iter().map(|module| (&module.module, of_module(module))).collect();
    all.sort_by(|(a_name, a), (b_name, b)| b.seconds.total_cmp(&a.seconds).then(a_name.cmp(b_name)));
    Modules {
        planned: record.plan.len(),
        done: count(|outcome| matches!(outcome, ModuleOutcome::Done)),
        failed: count(|outcome| matches!(outcome, ModuleOutcome::Failed { .. })),
        skipped: count(|outcome| matches!(outcome, ModuleOutcome::Skipped { .. })),
        each: all.into_iter().take(MOST_MODULES).map(|(name, module)| (name.clone(), module)).collect(),
    }
}

fn of_module(record: &ModuleRecord) -> Module {
    let times = || record.steps.iter().map(|step| step.cost.time_real);
    Module {
        success: record.outcome == ModuleOutcome::Done,
        seconds: rounded(times().sum()),
        longest_step: rounded(times().fold(0.0, f64::max)),
        steps: record.steps.len(),
        changes: record.changes.total(),
    }
}

/// An RFC 3339 time in seconds since 1970.
pub(super) fn epoch(time: &str) -> Option<f64> {
    let time: Timestamp = time.parse().ok()?;
    Some(time.as_millisecond() as f64 / 1000.0)
}

/// To the millisecond: the rest is nothing that was measured.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// The names of the modules that failed, the first few of them.
pub(super) fn failed(state: &State) -> Vec<&str> {
    let names: BTreeSet<&str> = state
        .modules
        .each
        .iter()
        .filter(|(_, module)| !module.success && module.steps > 0)
        .map(|(name, _)| name.as_str())
        .collect();
    names.into_iter().take(5).collect()
}
