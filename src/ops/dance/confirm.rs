//! A merge that is taken back unless somebody confirms it in time: across a lost connection, a closed terminal and a restart
//! of the machine, since what waits for the time to be up is a process of its own, and the journal stays open until then.

use crate::merge;
use crate::merge::journal::Note;
use crate::merge::recover::Rest;
use crate::merge::replay::Recorded;
use crate::model::names::RunId;
use crate::model::root::LiveRoot;
use crate::model::run::RunOutcome;
use crate::runs::{RunError, Runs};
use crate::settings::Settings;
use crate::sys::clock;
use crate::sys::daemon;
use crate::sys::files;
use crate::sys::interrupt::Interrupt;
use crate::sys::lock::{Lock, LockError};

use super::{DanceError, DanceEvent, Extent, cluster, recover, recovered, services};

/// Now, in seconds since 1970.
pub(super) fn now() -> u64 {
    clock::since_epoch().as_secs()
}

/// Starts the process that takes the merge back when the time is up. Where systemd runs the node it is a unit of its own:
/// whatever started this run may be ended with all its processes.
pub(super) fn start_waiter(settings: &Settings, run: &RunId) -> Result<(), DanceError> {
    let home = settings.home.value.to_string_lossy();
    let words = ["--home", &home, "__confirm", run.as_str()];
    let unit = format!("disco-confirm-{run}");
    let started = match services::has_systemd()? {
        true => daemon::start_as_unit(&unit, &words).or_else(|_| daemon::start_detached(&words)),
        false => daemon::start_detached(&words),
    };
    started.map_err(DanceError::Waiter)
}

/// The body of that process: waits until the merge is confirmed, or its time is up; then takes it back. A second one waits for
/// the first.
pub(in crate::ops) fn wait_for(
    settings: &Settings,
    run: &RunId,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<(), DanceError> {
    let home = &settings.home.value;
    let holder = format!("pid {}, since {}", std::process::id(), clock::now());
    // One of another run ends within a second or two; one of this run waits just as well.
    let stop = Some(interrupt.flag());
    let _lock = match Lock::take(&home.join("confirm-lock"), &holder, stop, &mut |_| {}) {
        Err(LockError::Interrupted { .. }) => return Ok(()),
        other => other.map_err(DanceError::Prepare)?,
    };
    let journal = merge::journals(home).join(run.as_str());
    loop {
        if files::look(&journal)?.is_none() {
            return Ok(());
        }
        let until = merge::replay::read(&journal)?.and_then(|recorded| recorded.waits);
        match until {
            Some(until) if until <= now() => {
                return recovered(settings, Extent::Whole, true, interrupt, on_event);
            }
            Some(_) | None if interrupt.signal().is_some() => return Ok(()),
            // Or somebody is at it.
            Some(_) | None => clock::pause_for(1),
        }
    }
}

/// Confirms the merge that waits for it: it stays. Returns whose it is.
pub(super) fn confirm(
    settings: &Settings,
    run: Option<&RunId>,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<RunId, DanceError> {
    let home = &settings.home.value;
    let live = recover::open(&LiveRoot::Own)?;
    let all = merge::replay::unfinished(&merge::journals(home), &LiveRoot::Own)?;
    let is_meant = |recorded: &Recorded| run.is_none_or(|run| recorded.head.run == *run);
    let waits = |recorded: &Recorded| recorded.waits.is_some() && is_meant(recorded);
    let recorded = all.into_iter().find(waits).ok_or_else(|| DanceError::NothingToConfirm(run.cloned()))?;
    let id = recorded.head.run.clone();
    let Rest::Finish(mut merged) = merge::recover::recover(recorded, &live, home)?.rest else {
        return Ok(id);
    };
    merged.journal().note(&Note::Confirmed)?;
    // Before the journal goes, which is all that says so after a crash.
    let runs = Runs::new(home);
    match runs.load(&id) {
        Ok(mut record) => {
            record.outcome = RunOutcome::Merged;
            runs.save(&record)?;
            on_event(DanceEvent::Settled { record: &record });
        }
        // Somebody has removed it.
        Err(RunError::NoSuchRun(_)) => {}
        Err(error) => return Err(error.into()),
    }
    merged.keep()?;
    cluster::settled(settings, &id, true, on_event);
    Ok(id)
}

/// Takes the merge back that waits to be confirmed, before its time is up; none where there is none.
pub(super) fn refuse(
    settings: &Settings,
    run: Option<&RunId>,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<Option<RunId>, DanceError> {
    let home = &settings.home.value;
    let live = recover::open(&LiveRoot::Own)?;
    for recorded in merge::replay::unfinished(&merge::journals(home), &LiveRoot::Own)? {
        let id = recorded.head.run.clone();
        if recorded.waits.is_some() && run.is_none_or(|run| *run == id) {
            recover::finish(settings, recorded, &live, on_event, "somebody has asked for that")?;
            return Ok(Some(id));
        }
    }
    Ok(None)
}
