//! The end of a run: NOOP stops here; live merges if everything succeeded, with what is done around that.

use std::collections::BTreeMap;
use std::path::Path;

use crate::merge;
use crate::merge::settle::Settled;
use crate::model::change::ChangeSet;
use crate::model::duty::Schedule;
use crate::model::module::Module;
use crate::model::run::{Mode, RunOutcome};
use crate::sandbox::{self, Scratch};
use crate::settings::Settings;
use crate::sys::interrupt::Interrupt;

use super::around::{self, Around};
use super::differences::Differences;
use super::{DanceError, DanceEvent, Doing, Run, conflicts, live_scripts, modules, recover, save};

/// What the modules of a run want around its merge.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Wanted<'a> {
    /// The modules in the order of the plan.
    pub modules: &'a [&'a Module],
    /// The folder that holds theirs, as this run has fetched them.
    pub fetched: &'a Path,
}

/// Decides how the run ends. Takes the sealed scratchpad: nothing else can be merged.
pub(in crate::ops) fn finish(
    run: &mut Run<'_>,
    settings: &Settings,
    interrupt: &Interrupt,
    sealed: &Scratch,
    differences: &mut Differences,
    wanted: Wanted<'_>,
) -> Result<(), DanceError> {
    if let Some(signal) = interrupt.signal() {
        return Err(DanceError::Interrupted(signal));
    }
    (run.on_event)(DanceEvent::Doing(Doing::Comparing));
    let changes = run.metered("diff", |_| differences.in_all(sealed))?;
    run.record.changes = changes.0.len();
    run.record.noise = settings.noise.value.count(&changes);
    let mut schedule = Schedule::default();
    if modules::all_done(&run.record) {
        let around = Around::compile(run, settings, &changes, &wanted)?;
        if around.schedule != Schedule::default() {
            (run.on_event)(DanceEvent::Scheduled { schedule: &around.schedule, root: &run.record.root });
        }
        match run.record.mode {
            Mode::Noop => run.record.outcome = RunOutcome::Shown,
            Mode::Live => {
                live_scripts::copy(wanted.modules, wanted.fetched, &run.folder)?;
                go_live(run, settings, Meanwhile::Watched(sealed), &changes, differences, &around)?;
            }
        }
        schedule = around.schedule;
    } else {
        run.record.outcome = RunOutcome::Failed;
    }
    match run.plan_file.take() {
        Some(file) => {
            let shown = save::Shown { changes: &changes, schedule: &schedule, wanted };
            save::save(run, settings, sealed, differences, &shown, &file)
        }
        None => Ok(()),
    }
}

/// Who knows what somebody has changed meanwhile.
enum Meanwhile<'a> {
    /// The sandbox: it knows what it saw first.
    Watched(&'a Scratch),
    /// Whoever calls, who has settled it.
    Settled(Settled),
}

/// Merges the differences, and does on the live system what belongs to them.
fn go_live(
    run: &mut Run<'_>,
    settings: &Settings,
    meanwhile: Meanwhile<'_>,
    changes: &ChangeSet,
    differences: &Differences,
    around: &Around,
) -> Result<(), DanceError> {
    run.record.outcome = merge_all(run, settings, meanwhile, changes, differences, around)?;
    Ok(())
}

/// Merges what of a plan is left to do, and does on the live system what the plan has shown.
pub(in crate::ops) fn go_live_as_planned(
    run: &mut Run<'_>,
    settings: &Settings,
    schedule: &Schedule,
    wanted: Wanted<'_>,
    (changes, settled): (&ChangeSet, Settled),
    differences: &Differences,
) -> Result<(), DanceError> {
    let around = Around::planned(run, settings, changes, schedule, &wanted)?;
    if around.schedule != Schedule::default() {
        (run.on_event)(DanceEvent::Scheduled { schedule: &around.schedule, root: &run.record.root });
    }
    live_scripts::copy(wanted.modules, wanted.fetched, &run.folder)?;
    go_live(run, settings, Meanwhile::Settled(settled), changes, differences, &around)
}

/// From here on a signal waits: the merge and what is done around it belong together. Where there is neither, nothing is journaled:
/// that would take longer than all else.
fn merge_all(
    run: &mut Run<'_>,
    settings: &Settings,
    meanwhile: Meanwhile<'_>,
    changes: &ChangeSet,
    differences: &Differences,
    around: &Around,
) -> Result<RunOutcome, DanceError> {
    if changes.0.is_empty() && run.record.duties.is_empty() {
        (run.on_event)(DanceEvent::Merged { changes: 0 });
        around::not_executed(run, &around.schedule);
        return Ok(RunOutcome::Merged);
    }
    run.cluster.before_merge(&around.schedule)?;
    (run.on_event)(DanceEvent::Doing(Doing::Merging { changes: changes.0.len() }));
    let (upper, entries) = differences.scratchpad();
    let live = recover::open(&run.record.root)?;
    let inner_home = recover::inner_home(settings, &run.record.root)?;
    let (id, root) = (run.record.run.clone(), run.record.root.clone());
    let source = merge::Source {
        changes,
        entries,
        upper,
        // This is the last that anybody does with the scratchpad.
        files: merge::Files::Taken,
        live: &live,
        private: &sandbox::is_private_xattr,
        exclude: differences.excluded(),
        appends: &BTreeMap::new(),
        run: &id,
        root: &root,
        home: &settings.home.value,
        inner_home: inner_home.as_ref(),
    };
    let settled = match meanwhile {
        Meanwhile::Watched(sealed) => {
            run.metered("verify", |_| conflicts::settle(settings, sealed, &source))?
        }
        Meanwhile::Settled(settled) => settled,
    };
    let (changes, exclude, appends) = (settled.changes(changes), &settled.exclude, &settled.appends);
    let ended = around::merge(run, settings, &merge::Source { changes, exclude, appends, ..source }, around)?;
    conflicts::tell(run, &settled);
    Ok(ended)
}

/// What could not be recorded of a merged run that ended so.
pub(super) fn told(kept: Result<(), DanceError>, outcome: &RunOutcome) -> Result<(), DanceError> {
    kept.map_err(|error| match error {
        DanceError::Record(source) => DanceError::Unrecorded { outcome: outcome.clone(), source },
        other => other,
    })
}
