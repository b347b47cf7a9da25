//! What is done on the live system around a merge: recorded actions, brought into their order, and what modules want
//! done once their changes are live.

use std::collections::BTreeMap;

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

impl Schedule {
    /// All of it, in its order.
    pub fn duties(&self) -> impl Iterator<Item = &Duty> {
        self.before.iter().chain(&self.after)
    }
}

impl Duty {
    /// What it is in words: its command as one would type it, or a script's place in its module.
    pub fn words(&self) -> String {
        match (&self.origin, &self.effect.argv[..]) {
            (DutyOrigin::After { module, script }, _) => format!("{module}/after/{script}"),
            (DutyOrigin::Check { module, script }, _) => format!("{module}/check/{script}"),
            (DutyOrigin::OnChange { .. }, [bash, option, line])
                if (bash.as_str(), option.as_str()) == ("bash", "-c") =>
            {
                line.clone()
            }
            (DutyOrigin::OnChange { .. } | DutyOrigin::Actions { .. } | DutyOrigin::UnitFiles, _) => {
                self.effect.command()
            }
        }
    }

    /// Whether a step has asked for it, and so told of it already.
    pub fn was_asked(&self) -> bool {
        match self.origin {
            DutyOrigin::Actions { .. } => true,
            DutyOrigin::UnitFiles
            | DutyOrigin::OnChange { .. }
            | DutyOrigin::After { .. }
            | DutyOrigin::Check { .. } => false,
        }
    }

    /// Whether it changes something, as far as its kind says: scripts after the merge and health checks are run in every
    /// run.
    pub fn is_change(&self) -> bool {
        match self.origin {
            DutyOrigin::Actions { .. } | DutyOrigin::UnitFiles | DutyOrigin::OnChange { .. } => true,
            DutyOrigin::After { .. } | DutyOrigin::Check { .. } => false,
        }
    }
}

/// Who wants something done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "origin", rename_all = "kebab-case")]
pub enum DutyOrigin {
    /// Steps that asked for it: the numbers of their actions, which one command does.
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

/// What was so on the live system before the first duty; by that services are brought back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stood {
    /// The boot, as `/proc/sys/kernel/random/boot_id` names it.
    pub boot: String,
    /// Whether systemd runs the node.
    pub systemd: bool,
    /// The services that the schedule has to do with: whether each runs, `None` where it cannot say.
    pub services: BTreeMap<String, Option<bool>>,
    /// The settings of the kernel that it sets, by their names in sysctl(8), with their values.
    pub settings: BTreeMap<String, String>,
}

/// Something that is recorded and not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The actions.
    pub seqs: Vec<u32>,
    /// In words, as [`Duty::words`] has it: the actions first, then what modules want.
    #[serde(default)]
    pub commands: Vec<String>,
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
