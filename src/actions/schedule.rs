//! What a run does on the live system around its merge, and in which order. Pure.
//!
//! Before the merge: stops, so that a service ends with the files that it knows. All else comes after it, in the order of
//! the scripts, once a service; then what modules want where something has changed, their scripts, their health checks, and
//! a reboot last. A restart is never cut in two: its service is away for the shortest time.

use std::collections::BTreeMap;
use std::path::Path;

use crate::actions::ask::{Ask, ask, leaves_units_alone, of_line};
use crate::actions::reduce::{self, Draft};
use crate::model::action::{Action, Effect, EffectKind};
use crate::model::duty::{Duty, DutyOrigin, LeftOut, Schedule, ServiceVerb};
use crate::model::glob::PathGlob;
use crate::model::module::{Module, ScriptFolder};
use crate::model::names::ModuleName;
use crate::model::path::RootedPath;

/// What a schedule is made of.
#[derive(Debug, Clone, Copy)]
pub struct Wishes<'a> {
    /// What steps have asked for, in their order.
    pub actions: &'a [Action],
    /// Every path that the run changes.
    pub changed: &'a [&'a RootedPath],
    /// The modules, in the order of the plan.
    pub modules: &'a [&'a Module],
    /// Commands of `on-change` that earlier runs owe, with their modules.
    pub pending: &'a [(ModuleName, String)],
    /// The folder of this run's copies of scripts for the live system.
    pub scripts: &'a Path,
    /// Whether the root is the node's own.
    pub own: bool,
    /// Whether systemd runs the node.
    pub systemd: bool,
    /// Whether a reboot is done.
    pub allow_reboot: bool,
}

/// Where systemd reads what it knows of units.
const UNITS: [&str; 4] = ["etc/systemd", "lib/systemd", "usr/lib/systemd", "usr/local/lib/systemd"];

/// Why nothing is done on another root.
pub const ANOTHER_ROOT: &str = "nothing runs on another root than this node's own";

/// Why a reboot is not done.
pub const NO_REBOOT: &str = "disco/client/allow_reboot is false";

/// The schedule of a run.
pub fn schedule(wishes: &Wishes<'_>) -> Schedule {
    let mut drafts = Drafts::default();
    let mut power = Vec::new();
    for action in wishes.actions {
        drafts.asked(action, wishes.systemd, &mut power);
    }
    drafts.on_change(wishes);
    let (mut before, mut after) = drafts.in_order();
    after.splice(..0, read_units(wishes, drafts.units));
    after.extend(scripts(wishes, ScriptFolder::After));
    if !wishes.changed.is_empty() || !before.is_empty() || !after.is_empty() {
        after.extend(scripts(wishes, ScriptFolder::Check));
    }
    let mut left_out = Vec::new();
    if let Some(last) = power.last() {
        let seqs = power.iter().map(|action: &&Action| action.seq).collect();
        match wishes.allow_reboot {
            true => after.push(draft(DutyOrigin::Actions { seqs }, last.effect.clone())),
            false => {
                let commands = power.iter().map(|action| action.command()).collect();
                left_out.push(LeftOut { seqs, commands, why: NO_REBOOT.to_owned() });
            }
        }
    }
    if !wishes.own {
        return elsewhere(wishes, before.into_iter().chain(after));
    }
    let numbered = |(draft, number): (Draft, u32)| {
        let Draft { origin, effect, service, place: _ } = draft;
        Duty { number, origin, effect, service }
    };
    let first_after = before.len() as u32;
    let before = before.drain(..).zip(0..).map(numbered).collect();
    let after = after.into_iter().zip(first_after..).map(numbered).collect();
    Schedule { before, after, left_out }
}

/// On another root nothing is done, and all of it is named.
fn elsewhere(wishes: &Wishes<'_>, drafts: impl Iterator<Item = Draft>) -> Schedule {
    let seqs = wishes.actions.iter().map(|action| action.seq).collect();
    let mut commands: Vec<String> = wishes.actions.iter().map(Action::command).collect();
    commands.extend(drafts.filter_map(|Draft { origin, effect, service, .. }| {
        let duty = Duty { number: 0, origin, effect, service };
        (!duty.was_asked() && duty.origin != DutyOrigin::UnitFiles).then(|| duty.words())
    }));
    let mut schedule = Schedule::default();
    if !commands.is_empty() {
        schedule.left_out.push(LeftOut { seqs, commands, why: ANOTHER_ROOT.to_owned() });
    }
    schedule
}

/// The commands of `on-change` of which a path has changed, with their modules.
pub fn wanted<'a>(modules: &[&'a Module], changed: &[&RootedPath]) -> Vec<(&'a ModuleName, &'a str)> {
    let mut wanted = Vec::new();
    for module in modules {
        let matches = |path: &RootedPath, globs: &[PathGlob]| globs.iter().any(|glob| glob.matches(path));
        let lines =
            module.on_change.iter().filter(|line| changed.iter().any(|path| matches(path, &line.globs)));
        wanted.extend(lines.map(|line| (&module.name, line.command.as_str())));
    }
    wanted
}

/// What is known while the actions are gone through.
#[derive(Debug, Default)]
struct Drafts {
    services: BTreeMap<String, Vec<Draft>>,
    daemons: BTreeMap<String, Vec<(bool, Draft)>>,
    settings: BTreeMap<String, Draft>,
    others: Vec<Draft>,
    units: Option<Draft>,
}

impl Drafts {
    fn asked<'a>(&mut self, action: &'a Action, systemd: bool, power: &mut Vec<&'a Action>) {
        let origin = DutyOrigin::Actions { seqs: vec![action.seq] };
        let new = Draft { place: (action.seq, 0), ..draft(origin, action.effect.clone()) };
        match ask(&action.effect) {
            Ask::Services(_) if systemd && leaves_units_alone(&action.effect) => self.others.push(new),
            Ask::Services(all) => {
                for (at, (deed, effect)) in all.into_iter().enumerate() {
                    let place = (action.seq, at);
                    let one = Draft { place, effect, service: Some(deed.clone()), ..new.clone() };
                    reduce::add(self.services.entry(deed.service).or_default(), one);
                }
            }
            Ask::ReadUnits => match &mut self.units {
                Some(there) => there.absorb(new),
                None => self.units = Some(new),
            },
            Ask::Daemon { known_by, starts } => {
                reduce::add_daemon(self.daemons.entry(known_by).or_default(), starts, new);
            }
            Ask::Setting(name) => {
                let mut new = new;
                if let Some(old) = self.settings.remove(&name) {
                    new.absorb(old);
                }
                self.settings.insert(name, new);
            }
            Ask::Power => power.push(action),
            Ask::Other => self.others.push(new),
        }
    }

    /// What modules want since paths of theirs have changed, and what earlier runs owe: those come first.
    fn on_change(&mut self, wishes: &Wishes<'_>) {
        let owed = wishes.pending.iter().map(|(module, command)| (module, command.as_str()));
        let wanted = wanted(wishes.modules, wishes.changed);
        let mut seen: Vec<&str> = Vec::new();
        for (module, command) in owed.chain(wanted) {
            if seen.contains(&command) {
                continue;
            }
            let origin = DutyOrigin::OnChange { module: module.clone() };
            let effect = of_line(command);
            let new = Draft { place: (u32::MAX, seen.len()), ..draft(origin, effect) };
            seen.push(command);
            match ask(&new.effect) {
                // What is not up need not read anything, and a stop is no answer to a change.
                Ask::Services(all)
                    if all.len() == 1 && all.iter().all(|(deed, _)| deed.verb != ServiceVerb::Stop) =>
                {
                    for (deed, effect) in all {
                        let asked = self.services.entry(deed.service.clone()).or_default();
                        match (asked.as_mut_slice(), deed.verb) {
                            ([only], ServiceVerb::Reload)
                                if only.service.as_ref().is_some_and(|is| is.verb == ServiceVerb::Stop) =>
                            {
                                only.absorb(new.clone());
                            }
                            _ => reduce::add(asked, Draft { effect, service: Some(deed), ..new.clone() }),
                        }
                    }
                }
                Ask::ReadUnits => match &mut self.units {
                    Some(there) => there.absorb(new),
                    None => self.units = Some(new),
                },
                Ask::Services(_) | Ask::Daemon { .. } | Ask::Setting(_) | Ask::Power | Ask::Other => {
                    self.others.push(new);
                }
            }
        }
    }

    /// What comes before the merge, and what comes after it.
    fn in_order(&mut self) -> (Vec<Draft>, Vec<Draft>) {
        let services = std::mem::take(&mut self.services).into_values().flatten();
        let (mut before, mut after): (Vec<Draft>, Vec<Draft>) = services
            .partition(|draft| draft.service.as_ref().is_some_and(|deed| deed.verb == ServiceVerb::Stop));
        after.extend(std::mem::take(&mut self.daemons).into_values().flatten().map(|(_, draft)| draft));
        after.extend(std::mem::take(&mut self.settings).into_values());
        after.append(&mut self.others);
        // The sort is stable: what has one place stays in its order.
        before.sort_by_key(|draft| draft.place);
        after.sort_by_key(|draft| draft.place);
        (before, after)
    }
}

fn draft(origin: DutyOrigin, effect: Effect) -> Draft {
    Draft { place: (0, 0), origin, effect, service: None }
}

/// That systemd reads its unit files, where steps have asked for it or some have changed.
fn read_units(wishes: &Wishes<'_>, asked: Option<Draft>) -> Option<Draft> {
    let is_unit = |path: &RootedPath| {
        let folders = UNITS.iter().filter_map(|folder| RootedPath::new(folder).ok());
        folders.into_iter().any(|folder| path.is_within(&folder) && *path != folder)
    };
    if asked.is_some() || !wishes.systemd || !wishes.changed.iter().any(|path| is_unit(path)) {
        return asked;
    }
    Some(draft(DutyOrigin::UnitFiles, of_line("systemctl daemon-reload")))
}

/// The scripts of all modules in one of the folders for the live system.
/// The command that runs a script of a module; `target` is its name in words.
pub fn of_script(path: &Path, target: String) -> Effect {
    Effect {
        kind: EffectKind::Service,
        target,
        program: "/bin/bash".into(),
        argv: vec!["/bin/bash".to_owned(), path.to_string_lossy().into_owned()],
        cwd: "/".into(),
        line: None,
        input: None,
        processes: Vec::new(),
    }
}

/// Takes out of a schedule what ends the system's run, where the node does not allow that.
pub fn leave_power_out(schedule: &mut Schedule) {
    let is_power = |duty: &Duty| duty.effect.kind == EffectKind::Power;
    for duties in [&mut schedule.before, &mut schedule.after] {
        for duty in duties.iter().filter(|duty| is_power(duty)) {
            let seqs = match &duty.origin {
                DutyOrigin::Actions { seqs } => seqs.clone(),
                DutyOrigin::UnitFiles
                | DutyOrigin::OnChange { .. }
                | DutyOrigin::After { .. }
                | DutyOrigin::Check { .. } => Vec::new(),
            };
            let (commands, why) = (vec![duty.words()], NO_REBOOT.to_owned());
            schedule.left_out.push(LeftOut { seqs, commands, why });
        }
        duties.retain(|duty| !is_power(duty));
    }
}

fn scripts(wishes: &Wishes<'_>, folder: ScriptFolder) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for module in wishes.modules {
        let (names, is_check) = match folder {
            ScriptFolder::After => (&module.after, false),
            ScriptFolder::Check => (&module.checks, true),
            ScriptFolder::Scripts | ScriptFolder::Validate => continue,
        };
        for script in names {
            let (name, script) = (module.name.clone(), script.clone());
            let path = wishes.scripts.join(name.as_str()).join(folder.name()).join(&script);
            let effect = of_script(&path, format!("{name}/{}/{script}", folder.name()));
            let origin = match is_check {
                true => DutyOrigin::Check { module: name, script },
                false => DutyOrigin::After { module: name, script },
            };
            drafts.push(draft(origin, effect));
        }
    }
    drafts
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
