//! Before a live run: a merge into the same root that was stopped in the middle (a kill, a power cut) is finished first, and
//! the actions that belong to it are run; one that had only been prepared is taken back.

use std::collections::BTreeMap;

use crate::merge::recover::{Recovery, Rest};
use crate::merge::{self, Recovered};
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::model::run::RunOutcome;
use crate::runs::{RunError, Runs};
use crate::settings::Settings;
use crate::sys::clock;
use crate::sys::tree::Root;

use super::duties::Duties;
use super::ground::Ground;
use super::{DanceError, DanceEvent, Run, around};

/// disco's home as a path of the live root, where that is the node's own.
pub(in crate::ops) fn inner_home(
    settings: &Settings,
    root: &LiveRoot,
) -> Result<Option<RootedPath>, DanceError> {
    if !root.is_own() {
        return Ok(None);
    }
    RootedPath::new(&settings.home.value).map(Some).map_err(DanceError::Home)
}

/// The live root, open for a merge.
pub(in crate::ops) fn open(root: &LiveRoot) -> Result<Root, DanceError> {
    let label = match root {
        LiveRoot::Own => "live root".to_owned(),
        root @ LiveRoot::Other(_) => root.to_string(),
    };
    Ok(Root::open(&root.path(), &label)?)
}

/// Finishes what was interrupted. The caller has the lock of live runs on this root.
pub(super) fn recover(
    settings: &Settings,
    ground: &Ground,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<(), DanceError> {
    let home = &settings.home.value;
    let live = open(&ground.root)?;
    merge::replay::sweep(&merge::journals(home))?;
    for recorded in merge::replay::unfinished(&merge::journals(home), &ground.root)? {
        let id = recorded.head.run.clone();
        let recovery = merge::recover::recover(recorded, &live, home)?;
        on_event(DanceEvent::Recovered { run: &id, how: &recovery.how });
        let runs = Runs::new(home);
        match runs.load(&id) {
            Ok(record) => {
                let folder = runs.folder(&id);
                let fetched = BTreeMap::new();
                let mut run = Run { record, folder, runs, fetched, plan_file: None, on_event };
                complete(&mut run, settings, recovery)?;
            }
            // Somebody has removed it: what it asked for is not known any more.
            Err(RunError::NoSuchRun(_)) => match recovery.rest {
                Rest::Clear(journal) => journal.cleared()?,
                Rest::Finish(merged) => drop(merged.keep()?),
                Rest::Back(back) => drop(back.close()?),
                Rest::Nothing => {}
            },
            Err(error) => return Err(error.into()),
        }
    }
    if ground.root.is_own() {
        merge::undo::sweep(&live, home)?;
    }
    // A run whose scratch folder never reached the disk is known by nothing else, and an undo marks the record of another run.
    Ok(Runs::new(home).tidy_all(&|run| settings.storage.value.join(run.as_str()).exists())?)
}

/// Brings the interrupted run to its end: goes on with what it does on the live system, or takes that back.
fn complete(run: &mut Run<'_>, settings: &Settings, recovery: Recovery<'_>) -> Result<(), DanceError> {
    run.record.ended.get_or_insert_with(clock::now);
    let Recovery { how, notes, rest } = recovery;
    let mut duties = Duties::found(&notes, &mut run.record);
    run.record.outcome = match how {
        Recovered::Before => {
            duties.bring_back(run, settings)?;
            RunOutcome::MergeFailed { reason: "it was stopped before anything was merged".to_owned() }
        }
        Recovered::Undone { why, .. } => {
            duties.bring_back(run, settings)?;
            RunOutcome::Undone { reason: why }
        }
        Recovered::After { .. } => RunOutcome::Merged,
    };
    if let (RunOutcome::Merged, Some(of)) = (&run.record.outcome, &run.record.undoes) {
        mark(settings, of, &run.record.run)?;
    }
    match rest {
        Rest::Clear(journal) => journal.cleared()?,
        Rest::Finish(merged) => run.record.outcome = around::settle(run, settings, merged, &mut duties)?,
        Rest::Back(back) => drop(back.close()?),
        Rest::Nothing => {}
    }
    run.save()
}

/// Writes into the record of a run that it was undone.
pub(in crate::ops) fn mark(settings: &Settings, of: &RunId, by: &RunId) -> Result<(), DanceError> {
    let runs = Runs::new(&settings.home.value);
    match runs.load(of) {
        Ok(mut record) => {
            record.outcome = RunOutcome::Undone { reason: format!("by run {by}") };
            Ok(runs.save(&record)?)
        }
        // Somebody has removed it.
        Err(RunError::NoSuchRun(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
