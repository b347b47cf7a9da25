//! The record of a run.

use serde::{Deserialize, Serialize};

use crate::model::action::Action;
use crate::model::duty::DutyRecord;
use crate::model::names::{ModuleName, NodeName, RunId};
use crate::model::root::LiveRoot;
use crate::model::step::{Cost, ModuleRecord, Outcome, StepRecord};
use crate::model::truth::Label;

/// The version of the record's form on disk. Form 1 held the differences in the record itself.
pub const SCHEMA: u32 = 2;

/// Whether a run may merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Stops before the merge.
    Noop,
    /// Merges when everything has succeeded.
    Live,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ended", rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Still going, or ended without a word (killed, power cut).
    Unfinished,
    /// NOOP, and everything succeeded.
    Shown,
    /// Live, and everything is merged.
    Merged,
    /// Everything is merged, and is taken back unless somebody confirms it.
    Unconfirmed {
        /// Until when: seconds since 1970.
        until: u64,
    },
    /// Nothing has run: why.
    NotStarted {
        /// Why.
        reason: String,
    },
    /// Something failed; nothing is merged.
    Failed,
    /// Merged, but an action after it failed, and what is merged stays.
    ActionFailed,
    /// It was merged, and then taken back: why.
    Undone {
        /// Why.
        reason: String,
    },
    /// The merge itself could not be finished; why.
    MergeFailed {
        /// Why.
        reason: String,
    },
    /// Ended by a signal before the merge, or by [`TIME_LIMIT`].
    Interrupted {
        /// The signal's number.
        signal: i32,
    },
}

/// The number that stands for the time limit of a run that a timer has started, among those of signals: SIGALRM's.
pub const TIME_LIMIT: i32 = 14;

/// What has ended a run before its merge, in words.
pub fn interrupted_by(signal: i32) -> String {
    match signal {
        TIME_LIMIT => "by its time limit".to_owned(),
        signal => format!("by signal {signal}"),
    }
}

impl RunOutcome {
    /// Whether the live root is as the run wanted it.
    pub fn is_merged(&self) -> bool {
        matches!(self, RunOutcome::Merged | RunOutcome::ActionFailed | RunOutcome::Unconfirmed { .. })
    }
}

/// Who started a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StartedBy {
    /// The name of the user: whoever became root by sudo, or logged in.
    pub user: String,
    /// disco's arguments.
    pub command: Vec<String>,
    /// The program that started disco: `bash`, `cron`, `systemd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The terminal, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal: Option<String>,
}

/// What a run waited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// The lock.
    pub lock: String,
    /// Who had it, as far as that was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// How long, in seconds.
    pub seconds: f64,
}

/// Everything that is kept of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The form of this record: [`SCHEMA`].
    pub schema: u32,
    /// Which run.
    pub run: RunId,
    /// Which node.
    pub node: NodeName,
    /// NOOP or live.
    pub mode: Mode,
    /// The root that it is about.
    #[serde(default)]
    pub root: LiveRoot,
    /// The run whose merge it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<RunId>,
    /// The version of disco that ran.
    pub version: String,
    /// Who started it, and how; absent in records of form 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<StartedBy>,
    /// What it waited for before it could begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
    /// When it started, RFC 3339.
    pub started: String,
    /// When it ended.
    pub ended: Option<String>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// The modules in the order of the plan.
    pub plan: Vec<ModuleName>,
    /// How many objects differ in the end, all modules together.
    #[serde(default)]
    pub changes: usize,
    /// How many of them are of a class of noise.
    #[serde(default)]
    pub noise: usize,
    /// How true its report is: that of all its modules.
    #[serde(flatten)]
    pub label: Label,
    /// What disco's own work cost: `fetch_params`, `plan`, `sandbox`, `validators` (their sandbox), `diff`, `merge`.
    pub internal: Vec<InternalCost>,
    /// What `merge` among these is made of: `survey`, `stage`, `commit`, `keep`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merge_phases: Vec<InternalCost>,
    /// What disco's own process cost in all, each of its threads once, those of the overlay too; no wall time. It is more than
    /// `internal`, where what is done while a step runs is left out. Absent until the run has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Cost>,
    /// The modules, as far as they were reached.
    pub modules: Vec<ModuleRecord>,
    /// The commands for the running system, in order.
    pub actions: Vec<ActionRecord>,
    /// What is done on the live system around the merge, those actions among it, in its order; known once all modules are.
    #[serde(default)]
    pub duties: Vec<DutyRecord>,
    /// The validators that were run, in the order of the plan; none where a module did not succeed.
    #[serde(default)]
    pub validators: Vec<ValidatorRecord>,
}

impl RunRecord {
    /// Adds a module that has had its turn, and the actions that it asked for.
    pub fn add(&mut self, module: ModuleRecord) {
        let asked = module.steps.iter().flat_map(|step| &step.actions);
        self.actions.extend(asked.map(|action| ActionRecord { action: action.clone(), outcome: None }));
        self.label = std::mem::take(&mut self.label).and(&module.label);
        self.modules.push(module);
    }
}

/// What became of a validator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValidatorRecord {
    /// Of which module.
    pub module: ModuleName,
    /// The rest. What it asked of the running system is among its attempts: a validator only looks.
    #[serde(flatten)]
    pub record: StepRecord,
}

/// What one part of disco's own work cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InternalCost {
    /// Which part.
    pub part: String,
    /// When it began, in seconds since the run did; for one that comes in parts, the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<f64>,
    /// Its cost.
    pub cost: Cost,
}

impl InternalCost {
    /// What a part cost that began so many seconds after the run.
    pub fn new(part: &str, began: f64, cost: Cost) -> InternalCost {
        InternalCost { part: part.to_owned(), began: Some(began), cost }
    }
}

/// How an action ended on the live system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRecord {
    /// The action.
    #[serde(flatten)]
    pub action: Action,
    /// How it ended; `None` where it was not run: in NOOP, on another root than the node's own, after a failure.
    pub outcome: Option<Outcome>,
}
