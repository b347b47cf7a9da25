//! Before a live run: a merge into the same root that was stopped in the middle (a kill, a power cut) is finished first, and
//! the actions that belong to it are run; one that had only been prepared is taken back.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::merge::recover::{Recovery, Rest};
use crate::merge::replay::Recorded;
use crate::merge::{self, Note, Recovered};
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::model::run::RunOutcome;
use crate::model::told::in_full;
use crate::runs::{RunError, Runs};
use crate::settings::Settings;
use crate::sys::clock;
use crate::sys::tree::Root;

use super::duties::Duties;
use super::ground::Ground;
use super::{DanceError, DanceEvent, Run, around, cluster, confirm};

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
        LiveRoot::Own => String::new(),
        root @ LiveRoot::Other(_) => root.to_string(),
    };
    Ok(Root::open(&root.path(), &label)?)
}

/// How much of a merge that was stopped is brought to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Its files alone: so early in the start of the machine that no service can be acted on. The journal stays.
    Files,
    /// All of it.
    Whole,
}

/// Finishes what was interrupted. The caller has the lock of live runs on this root.
pub(super) fn recover(
    settings: &Settings,
    ground: &Ground,
    extent: Extent,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<(), DanceError> {
    let home = &settings.home.value;
    let live = open(&ground.root)?;
    merge::replay::sweep(&merge::journals(home))?;
    let mut waits = None;
    for recorded in merge::replay::unfinished(&merge::journals(home), &ground.root)? {
        match recorded.waits {
            Some(_) if extent == Extent::Files => {}
            Some(until) if until > confirm::now() => waits = Some((recorded.head.run.clone(), until)),
            Some(_) => finish(settings, recorded, &live, on_event, "nobody has confirmed it in time")?,
            None => {
                let id = recorded.head.run.clone();
                let recovery = merge::recover::recover(recorded, &live, home)?;
                on_event(DanceEvent::Recovered { run: &id, how: &recovery.how });
                if extent == Extent::Whole {
                    go_on(settings, &id, recovery, on_event)?;
                }
            }
        }
    }
    if let Some((run, until)) = waits {
        return Err(DanceError::Unconfirmed { run, until });
    }
    if extent == Extent::Files {
        return Ok(());
    }
    if ground.root.is_own() {
        // Such as on a file system that cannot be written now: that keeps nobody from merging.
        if let Err(error) = merge::undo::sweep(&live, home) {
            let message = format!("cannot remove what nobody can undo any more: {}", in_full(&error));
            on_event(DanceEvent::Warned { message: &message });
        }
    }
    // A run whose scratch folder never reached the disk is known by nothing else, and an undo marks the record of another run.
    Ok(Runs::new(home).tidy_all(&|run| settings.storage.value.join(run.as_str()).exists())?)
}

/// Takes back a merge that waited to be confirmed.
pub(super) fn finish(
    settings: &Settings,
    recorded: Recorded,
    live: &Root,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
    why: &str,
) -> Result<(), DanceError> {
    let id = recorded.head.run.clone();
    let recovery = merge::recover::recover(recorded, live, &settings.home.value)?;
    let Rest::Finish(merged) = recovery.rest else { return Ok(()) };
    match load(settings, &id, on_event)? {
        Some(mut run) => {
            let known = &mut run.record;
            let mut duties = Duties::found(&recovery.notes, &mut known.duties, &mut known.actions);
            run.record.outcome = around::undo(&mut run, settings, merged, &mut duties, why.to_owned())?;
            run.save()?;
            (run.on_event)(DanceEvent::Settled { record: &run.record });
        }
        None => {
            merged.undo(why).close()?;
        }
    }
    cluster::settled(settings, &id, false, on_event);
    Ok(())
}

/// The run of that record; none where somebody has removed it: what it asked for is not known any more.
fn load<'a>(
    settings: &Settings,
    id: &RunId,
    on_event: &'a mut dyn FnMut(DanceEvent<'_>),
) -> Result<Option<Run<'a>>, DanceError> {
    let runs = Runs::new(&settings.home.value);
    let record = match runs.load(id) {
        Err(RunError::NoSuchRun(_)) => return Ok(None),
        other => other?,
    };
    let (folder, fetched) = (runs.folder(id), BTreeMap::new());
    Ok(Some(Run {
        record,
        folder,
        began: Instant::now(),
        runs,
        fetched,
        plan_file: None,
        confirm: None,
        cluster: Default::default(),
        on_event,
    }))
}

/// Goes on after a merge that was stopped.
fn go_on(
    settings: &Settings,
    id: &RunId,
    recovery: Recovery<'_>,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<(), DanceError> {
    match load(settings, id, on_event)? {
        Some(mut run) => complete(&mut run, settings, recovery),
        None => {
            match recovery.rest {
                Rest::Clear(journal) => journal.cleared()?,
                Rest::Finish(merged) => drop(merged.keep()?),
                Rest::Back(back) | Rest::Gone(back) => drop(back.close()?),
                Rest::Kept(merged) => merged.close()?,
                Rest::Nothing => {}
            }
            Ok(())
        }
    }
}

/// Brings the interrupted run to its end: goes on with what it does on the live system, or takes that back.
fn complete(run: &mut Run<'_>, settings: &Settings, recovery: Recovery<'_>) -> Result<(), DanceError> {
    run.record.ended.get_or_insert_with(clock::now);
    let Recovery { how, notes, rest } = recovery;
    let mut duties = Duties::found(&notes, &mut run.record.duties, &mut run.record.actions);
    // What belongs to a run that is undone was done for another one, and stays where an undo never was.
    let acted = run.record.undoes.is_none() && !matches!(rest, Rest::Gone(_) | Rest::Kept(_));
    run.record.outcome = match how {
        Recovered::Before | Recovered::Undone { .. } if acted => {
            duties.bring_back(run, settings)?;
            stopped(how)
        }
        Recovered::Before | Recovered::Undone { .. } => stopped(how),
        Recovered::After { .. } if duties.has_failed() => RunOutcome::ActionFailed,
        Recovered::After { .. } => RunOutcome::Merged,
    };
    if let (RunOutcome::Merged, Some(of)) = (&run.record.outcome, &run.record.undoes) {
        mark(settings, of, &run.record.run)?;
    }
    run.save()?;
    match rest {
        Rest::Clear(journal) => journal.cleared()?,
        // Its services were to come back once its files were.
        Rest::Finish(merged) if run.record.undoes.is_some() => {
            duties.bring_back(run, settings)?;
            merged.keep()?;
        }
        Rest::Finish(merged) => {
            let until = notes.iter().rev().find_map(confirmation).flatten();
            run.record.outcome = around::settle(run, settings, merged, &mut duties, until)?;
        }
        Rest::Back(back) | Rest::Gone(back) => drop(back.close()?),
        Rest::Kept(merged) => merged.close()?,
        Rest::Nothing => {}
    }
    run.save()?;
    (run.on_event)(DanceEvent::Settled { record: &run.record });
    Ok(())
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

/// How a run ended whose merge was stopped and is not there.
fn stopped(how: Recovered) -> RunOutcome {
    match how {
        Recovered::Undone { why, still } if still.is_empty() => RunOutcome::Undone { reason: why },
        Recovered::Undone { why, .. } => {
            RunOutcome::MergeFailed { reason: format!("{why}; not all of the merge could be taken back") }
        }
        Recovered::Before | Recovered::After { .. } => {
            RunOutcome::MergeFailed { reason: "it was stopped before anything was merged".to_owned() }
        }
    }
}

/// Until when a merge was to be confirmed; none once it was.
fn confirmation(note: &Note) -> Option<Option<u64>> {
    match note {
        Note::Confirm { until } => Some(Some(*until)),
        Note::Confirmed => Some(None),
        _ => None,
    }
}
