//! What is done on the live system around a merge: recorded actions, brought into their order, and what modules want
//! done once their changes are live.

use serde::{Deserialize, Serialize};

use crate::model::action::Effect;
use crate::model::names::ModuleName;
use crate::model::step::Outcome;

/// Everything that a run does on the live system, in order. NOOP shows it, a live run carries it out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schedule {
    /// Before the first change of a file: stops.
    pub before: Vec<Duty>,
    /// After the last one.
    pub after: Vec<Duty>,
    /// What is not done, and why.
    pub left_out: Vec<LeftOut>,
}

/// One command on the live system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duty {
    /// Its number in its schedule, from 0 over `before` and `after`: by that the journal knows it.
    pub number: u32,
    /// Who wants it.
    #[serde(flatten)]
    pub origin: DutyOrigin,
    /// The command.
    pub effect: Effect,
    /// What it does to which service, where it does that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceDeed>,
}

/// Who wants something done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "origin", rename_all = "kebab-case")]
pub enum DutyOrigin {
    /// Steps that asked for it: the numbers of their actions, of which the last one's command is run.
    Actions {
        /// [`crate::model::action::Action::seq`] of each, ascending.
        seqs: Vec<u32>,
    },
    /// disco itself: unit files have changed, and systemd has to read them before it is asked for anything.
    UnitFiles,
    /// A line of a module's `on-change`, of which a path has changed.
    OnChange {
        /// The module.
        module: ModuleName,
    },
    /// A script of a module's `after/`.
    After {
        /// The module.
        module: ModuleName,
        /// The script's name there.
        script: String,
    },
    /// A health check: a script of a module's `check/`.
    Check {
        /// The module.
        module: ModuleName,
        /// The script's name there.
        script: String,
    },
}

/// What is done to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDeed {
    /// The service as systemd or the init scripts call it, without `.service`.
    pub service: String,
    /// What.
    pub verb: ServiceVerb,
}

/// What can be done to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceVerb {
    /// It runs afterwards.
    Start,
    /// It does not.
    Stop,
    /// It runs afterwards, anew.
    Restart,
    /// It runs afterwards, anew, if it ran before.
    TryRestart,
    /// It reads its configuration again.
    Reload,
}

/// Something that is recorded and not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The actions.
    pub seqs: Vec<u32>,
    /// Why, in words.
    pub why: String,
}

/// A duty and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DutyRecord {
    /// The duty.
    #[serde(flatten)]
    pub duty: Duty,
    /// How it ended; `None` where it was not begun, or disco was stopped in the middle of it.
    pub outcome: Option<Outcome>,
}
