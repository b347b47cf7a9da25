//! How services come back to where they were, after something that a run did on the live system has failed. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::actions::ask::{Ask, ask};
use crate::actions::knob_effects::KnobWrite;
use crate::actions::knobs;
use crate::model::action::{Effect, EffectKind};
use crate::model::duty::{Duty, DutyOrigin, Schedule, ServiceVerb, Stood};

/// What brings the live system back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Back {
    /// The commands, in their order.
    pub commands: Vec<Effect>,
    /// What was done and cannot be taken back, in words.
    pub stays: Vec<String>,
}

/// What brings back what `begun` of the schedule have done. For when the files are the old ones again, or still are.
pub fn back(schedule: &Schedule, stood: &Stood, begun: &BTreeSet<u32>) -> Back {
    let mut back = Back::default();
    let mut services = Vec::new();
    let mut again = Vec::new();
    for duty in schedule.duties().filter(|duty| begun.contains(&duty.number)) {
        if let Some(deed) = &duty.service {
            let known = services.iter_mut().find(|(name, _, _)| *name == deed.service);
            match known {
                Some((_, verbs, _)) => Vec::push(verbs, deed.verb),
                None => services.push((deed.service.clone(), vec![deed.verb], &duty.effect)),
            }
            continue;
        }
        match (&duty.origin, ask(&duty.effect)) {
            (DutyOrigin::Check { .. }, _) => {}
            (DutyOrigin::After { .. }, _) => back.stays.push(duty.words()),
            (DutyOrigin::UnitFiles, _) | (_, Ask::ReadUnits) => back.commands.insert(0, duty.effect.clone()),
            (DutyOrigin::OnChange { .. }, _) => again.push(duty.effect.clone()),
            (DutyOrigin::Actions { .. }, Ask::Setting(name)) => match stood.settings.get(&name) {
                Some(value) => back.commands.extend(as_before(&name, value, duty)),
                None => back.stays.push(duty.words()),
            },
            (DutyOrigin::Actions { .. }, Ask::Services(_) | Ask::Daemon { .. } | Ask::Power | Ask::Other) => {
                if duty.effect.kind != EffectKind::Message {
                    back.stays.push(duty.words());
                }
            }
        }
    }
    back.commands.extend(services.iter().filter_map(|(name, verbs, like)| {
        let verb = verb(stood.services.get(name).copied().flatten(), verbs)?;
        Some(command(name, verb, like, stood.systemd))
    }));
    back.commands.extend(again);
    back
}

/// What brings a service back to which that was done. One that cannot say whether it ran is taken for one that did.
fn verb(ran: Option<bool>, done: &[ServiceVerb]) -> Option<&'static str> {
    use ServiceVerb::{Reload, Restart, Start, Stop, TryRestart};
    let has = |verb: ServiceVerb| done.contains(&verb);
    let stopped = has(Stop);
    let has_new_files = has(Restart) || has(TryRestart) || has(Reload) || (stopped && has(Start));
    match (ran.unwrap_or(true), has_new_files) {
        (true, true) => Some("restart"),
        (true, false) if stopped => Some("start"),
        (true, false) => None,
        (false, _) => (has(Start) || has(Restart) || has(Reload)).then_some("stop"),
    }
}

/// A command about a service, by the program that was used for it.
fn command(service: &str, verb: &str, like: &Effect, systemd: bool) -> Effect {
    let called =
        like.argv.first().and_then(|called| Path::new(called).file_name()).and_then(|name| name.to_str());
    let words = match (systemd, called) {
        (true, _) => ["systemctl", verb, service],
        (false, Some("initctl")) => ["initctl", verb, service],
        (false, Some("rc-service")) => ["rc-service", service, verb],
        (false, Some(_) | None) => ["service", service, verb],
    };
    Effect {
        kind: EffectKind::Service,
        target: service.to_owned(),
        program: words[0].into(),
        argv: words.map(str::to_owned).to_vec(),
        cwd: "/".into(),
        line: None,
        input: None,
        processes: Vec::new(),
    }
}

/// The command that sets a setting to what it was.
fn as_before(name: &str, value: &str, duty: &Duty) -> Option<Effect> {
    let sysctl =
        duty.effect.argv.first().filter(|called| *called == "sysctl").map(|_| duty.effect.program.as_path());
    let write = KnobWrite { path: knobs::file_of(name)?, written: value.as_bytes().to_vec(), pid: 0 };
    Some(write.effect(sysctl))
}

/// The services and settings that a schedule has to do with: what has to be known of them before the first duty.
pub fn touched(schedule: &Schedule) -> (BTreeMap<String, &Effect>, BTreeSet<String>) {
    let (mut services, mut settings) = (BTreeMap::new(), BTreeSet::new());
    for duty in schedule.duties() {
        if let Some(deed) = &duty.service {
            services.entry(deed.service.clone()).or_insert(&duty.effect);
        } else if let Ask::Setting(name) = ask(&duty.effect) {
            settings.insert(name);
        }
    }
    (services, settings)
}

#[cfg(test)]
#[path = "back_tests.rs"]
mod tests;
