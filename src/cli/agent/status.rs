//! What `disco agent status` says.

use std::path::PathBuf;

use disco_agent::runs::{RunState, State};
use serde_json::{Value, json};

use crate::ops::agent::daemons::{Lives, Part};
use crate::ops::agent::look::Asked;
use crate::ops::agent::units::Unit;
use crate::sys::clock;

/// The version of the JSON's form.
const SCHEMA: u32 = 1;

/// All of it.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) processes: Processes,
    pub(super) asked: Asked,
    pub(super) troubles: Vec<String>,
}

/// Whoever looks after the processes, and how they are.
#[derive(Debug)]
pub(super) enum Processes {
    /// systemd.
    Units(Vec<Unit>),
    /// Nobody.
    Daemons {
        /// The one that has root.
        helper: Option<Lives>,
        /// The one that listens.
        listener: Option<Lives>,
        /// The configuration that the listener would need, and that is not there.
        without: Option<PathBuf>,
    },
}

impl Status {
    /// Whether the agent runs, as far as it is configured to.
    pub(super) fn runs(&self) -> bool {
        match &self.processes {
            Processes::Units(units) => units.iter().any(|unit| unit.state == "active"),
            Processes::Daemons { helper, listener, without } => {
                helper.is_some() && (listener.is_some() || without.is_some())
            }
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut lines = match &self.processes {
            Processes::Units(units) => units.iter().map(of_unit).collect(),
            Processes::Daemons { helper, listener, without } => {
                let listener = match (listener, without) {
                    (None, Some(config)) => {
                        format!("listener  has no configuration, {}", config.display())
                    }
                    (Some(_), _) | (None, None) => of_part(Part::Listener, listener.as_ref()),
                };
                vec![of_part(Part::Helper, helper.as_ref()), listener]
            }
        };
        let Asked { disabled, running, queued, last, trouble } = &self.asked;
        let troubles = self.troubles.iter().chain(trouble);
        lines.extend(troubles.map(|trouble| format!("trouble   {trouble}")));
        lines.extend(disabled.iter().map(|disabled| format!("disabled  live runs, {disabled}")));
        lines.extend(running.iter().map(|run| of_run("now", run)));
        lines.extend(queued.iter().map(|run| of_run("next", run)));
        lines.extend(last.iter().map(|run| of_run("last", run)));
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let Asked { disabled, running, queued, last, trouble } = &self.asked;
        let troubles: Vec<&String> = self.troubles.iter().chain(trouble).collect();
        let processes = match &self.processes {
            Processes::Units(units) => json!({ "units": units.iter().map(unit_json).collect::<Vec<_>>() }),
            Processes::Daemons { helper, listener, .. } => json!({
                "helper": helper.as_ref().map(lives_json),
                "listener": listener.as_ref().map(lives_json),
            }),
        };
        let mut all = json!({
            "schema": SCHEMA,
            "runs": self.runs(),
            "troubles": troubles,
            "disabled": disabled.as_ref().map(|off| json!({"why": off.why, "by": off.by, "since": off.since})),
            "running": running,
            "queued": queued,
            "last": last,
        });
        if let (Value::Object(all), Value::Object(processes)) = (&mut all, processes) {
            all.extend(processes);
        }
        all
    }
}

fn lives_json(lives: &Lives) -> Value {
    let Lives { process, since, at } = lives;
    json!({"pid": process.as_ref().map(|process| process.pid), "since": since, "at": at})
}

fn unit_json(unit: &Unit) -> Value {
    let Unit { name, state, pid, since, listens } = unit;
    json!({"name": name, "state": state, "pid": pid, "since": since, "at": listens})
}

fn of_part(part: Part, lives: Option<&Lives>) -> String {
    let name = part.name();
    match lives {
        Some(Lives { process: Some(process), since, at }) => {
            let at = if at.is_empty() { String::new() } else { format!(", at {}", at.join(" ")) };
            format!("{name:<9} runs, pid {}, since {since}{at}", process.pid)
        }
        Some(Lives { process: None, .. }) => format!("{name:<9} is being started"),
        None => format!("{name:<9} does not run"),
    }
}

fn of_unit(unit: &Unit) -> String {
    let Unit { name, state, pid, since, listens } = unit;
    let pid = pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let since = if since.is_empty() { String::new() } else { format!(", since {since}") };
    let at = if listens.is_empty() { String::new() } else { format!(", at {listens}") };
    format!("{name:<26} {state}{pid}{since}{at}")
}

fn of_run(word: &str, run: &RunState) -> String {
    format!("{word:<9} {}, asked for by {}", told(run), run.by.join(", "))
}

/// Which run it is, and how it stands.
pub(super) fn told(run: &RunState) -> String {
    let time = |seconds: Option<i64>| clock::told((seconds.unwrap_or(run.asked), 0));
    let how = match &run.state {
        State::Queued => format!("waits since {}", time(None)),
        State::Running => format!("runs since {}", time(run.began)),
        State::Done { exit } => format!("ended with {exit} at {}", time(run.ended)),
        State::Killed { signal } => format!("was ended by signal {signal} at {}", time(run.ended)),
        State::Aborted { by } => format!("was aborted by {by} at {}", time(run.ended)),
        State::Lost => format!("is lost, found at {}", time(run.ended)),
    };
    let kind = if run.noop { "dry run" } else { "live run" };
    format!("{kind} {} {how}", run.id)
}
