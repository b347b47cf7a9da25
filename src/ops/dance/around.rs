//! A merge with what is done around it: stops of services, the merge, all else; and where that fails, back again.

use crate::actions::schedule::{self, Wishes};
use crate::merge::{self, Merged, Note, Source};
use crate::model::change::ChangeSet;
use crate::model::duty::{DutyRecord, Schedule};
use crate::model::names::ModuleName;
use crate::model::path::RootedPath;
use crate::model::run::RunOutcome;
use crate::model::told::in_full;
use crate::settings::{OnActionFailure, Settings};

use super::duties::{Duties, End};
use super::finish::Wanted;
use super::pending::Pending;
use super::{DanceError, DanceEvent, Run, confirm, live_scripts, services};

/// What is done around a merge, and what the run owes once it is merged.
#[derive(Debug)]
pub(super) struct Around {
    /// What is done.
    pub schedule: Schedule,
    /// The commands of `on-change` of which a path has changed.
    wanted: Vec<(ModuleName, String)>,
}

impl Around {
    /// Brings what steps asked for, and what modules want, into its order; the record has it from now on.
    pub fn compile(
        run: &mut Run<'_>,
        settings: &Settings,
        changes: &ChangeSet,
        wants: &Wanted<'_>,
    ) -> Result<Around, DanceError> {
        let modules = wants.modules;
        let changed: Vec<&RootedPath> = changes.0.iter().map(|change| &change.path).collect();
        let actions: Vec<_> = run.record.actions.iter().map(|recorded| recorded.action.clone()).collect();
        let own = run.record.root.is_own();
        let pending = if own { Pending::load(&settings.home.value)?.commands() } else { Vec::new() };
        let schedule = schedule::schedule(&Wishes {
            actions: &actions,
            changed: &changed,
            modules,
            pending: &pending,
            scripts: &live_scripts::folder(&run.folder),
            own,
            systemd: own && services::has_systemd()?,
            allow_reboot: settings.allow_reboot.value,
        });
        let wanted = if own { schedule::wanted(modules, &changed) } else { Vec::new() };
        Ok(Around::recorded(run, schedule, wanted))
    }

    /// What a plan has shown, with the scripts that this run has; the record has it from now on. A reboot is this node's to allow,
    /// and nothing is done on another root.
    pub fn planned(
        run: &mut Run<'_>,
        settings: &Settings,
        changes: &ChangeSet,
        shown: &Schedule,
        wants: &Wanted<'_>,
    ) -> Result<Around, DanceError> {
        if !run.record.root.is_own() {
            return Around::compile(run, settings, changes, wants);
        }
        let mut schedule = shown.clone();
        live_scripts::find(&mut schedule, &run.folder);
        if !settings.allow_reboot.value {
            schedule::leave_power_out(&mut schedule);
        }
        let changed: Vec<&RootedPath> = changes.0.iter().map(|change| &change.path).collect();
        Ok(Around::recorded(run, schedule, schedule::wanted(wants.modules, &changed)))
    }

    fn recorded(run: &mut Run<'_>, schedule: Schedule, wanted: Vec<(&ModuleName, &str)>) -> Around {
        let recorded = schedule.duties().map(|duty| DutyRecord { duty: duty.clone(), outcome: None });
        run.record.duties = recorded.collect();
        let wanted = wanted.into_iter().map(|(module, command)| (module.clone(), command.to_owned()));
        Around { schedule, wanted: wanted.collect() }
    }
}

/// Merges, and does what is to be done before and after it. `Err` means that nothing is merged, or names what is.
pub(super) fn merge(
    run: &mut Run<'_>,
    settings: &Settings,
    source: &Source<'_>,
    around: &Around,
) -> Result<RunOutcome, DanceError> {
    let id = run.record.run.clone();
    let facts = run.merging("survey", || merge::survey(source))?;
    let mut prepared = run.merging("stage", || merge::prepare(source, &facts))?;
    // Whoever finishes this run after a crash reads what it was to do.
    run.save()?;
    let mut pending = Pending::load(&settings.home.value)?;
    pending.owe(&id, &around.wanted)?;
    let mut duties = match Duties::open(&around.schedule, prepared.journal()) {
        Ok(duties) => duties,
        Err(error) => {
            pending.forget(&id)?;
            tell_left(run, &prepared.discard()?);
            return Err(error);
        }
    };
    if let End::Failed { reason } = duties.before(run, settings, prepared.journal()) {
        duties.bring_back(run, settings)?;
        tell_left(run, &prepared.discard()?);
        let reason = format!("an action before the merge failed: {reason}");
        return Ok(RunOutcome::MergeFailed { reason });
    }
    let until = run.confirm.map(|seconds| confirm::now() + seconds);
    // Whoever finishes it after a crash knows that, too.
    let noted = until.map_or(Ok(()), |until| prepared.journal().note(&Note::Confirm { until }));
    if let Err(error) = noted {
        duties.bring_back(run, settings)?;
        tell_left(run, &prepared.discard()?);
        return Err(error.into());
    }
    let merged = match run.merging("commit", || prepared.commit()) {
        Ok(merged) => merged,
        Err(error) => {
            duties.bring_back(run, settings)?;
            return Err(error.into());
        }
    };
    (run.on_event)(DanceEvent::Merged { changes: source.changes.0.len() });
    not_executed(run, &around.schedule);
    let until = run.confirm.map(|seconds| confirm::now() + seconds);
    settle(run, settings, merged, &mut duties, until)
}

/// Does what comes after a merge, and keeps the merge; or takes it back, where that fails and is not to stay.
pub(super) fn settle(
    run: &mut Run<'_>,
    settings: &Settings,
    mut merged: Merged<'_>,
    duties: &mut Duties,
    until: Option<u64>,
) -> Result<RunOutcome, DanceError> {
    let outcome = match duties.after(run, settings, merged.journal()) {
        End::Done => RunOutcome::Merged,
        End::Failed { .. } if settings.on_action_failure.value == OnActionFailure::Keep => {
            RunOutcome::ActionFailed
        }
        End::Failed { reason } => {
            return undo(run, settings, merged, duties, reason);
        }
    };
    if let (Some(until), RunOutcome::Merged) = (until, &outcome) {
        if until <= confirm::now() {
            return undo(run, settings, merged, duties, "nobody has confirmed it in time".to_owned());
        }
        merged.journal().note(&Note::Confirm { until })?;
        if let Err(error) = confirm::start_waiter(settings, &run.record.run) {
            return undo(run, settings, merged, duties, in_full(&error));
        }
        (run.on_event)(DanceEvent::Unconfirmed { until });
        return Ok(RunOutcome::Unconfirmed { until });
    }
    // Before the journal goes, which is all that says so after a crash. That it cannot be saved is told at the end of the run,
    // which saves it again.
    run.record.outcome = outcome.clone();
    let _ = run.save();
    let report = run.merging("keep", || merged.keep())?;
    for path in &report.sockets {
        let why = "a socket lives with the process that listens on it";
        (run.on_event)(DanceEvent::NotMerged { path, why });
    }
    tell_left(run, &report.left);
    Ok(outcome)
}

/// Takes the merge back, since that has failed, and brings the services back.
pub(super) fn undo(
    run: &mut Run<'_>,
    settings: &Settings,
    merged: Merged<'_>,
    duties: &mut Duties,
    reason: String,
) -> Result<RunOutcome, DanceError> {
    let back = run.metered("undo", |_| merged.undo(&reason));
    let still = back.still();
    for path in &still {
        (run.on_event)(DanceEvent::Warned { message: &format!("Not taken back : {path}") });
    }
    // The journal says that it is being taken back until the services are, too.
    duties.bring_back(run, settings)?;
    let outcome = if still.is_empty() {
        (run.on_event)(DanceEvent::Undone { reason: &reason });
        RunOutcome::Undone { reason }
    } else {
        let reason = format!("{reason}; not all of the merge could be taken back");
        RunOutcome::MergeFailed { reason }
    };
    run.record.outcome = outcome.clone();
    // As in `settle`.
    let _ = run.save();
    tell_left(run, &back.close()?);
    Ok(outcome)
}

/// Brings back what was done on the live system around a merge whose files are back.
pub(in crate::ops) fn bring_back(
    run: &mut Run<'_>,
    settings: &Settings,
    notes: &[Note],
) -> Result<(), DanceError> {
    let known = &mut run.record;
    Duties::found(notes, &mut known.duties, &mut known.actions).bring_back(run, settings)
}

/// Tells what a merge has left beside the files.
fn tell_left(run: &mut Run<'_>, left: &[RootedPath]) {
    for path in left {
        let why = "set aside by the merge, and could not be removed";
        (run.on_event)(DanceEvent::NotMerged { path, why });
    }
}

/// Tells what was asked for and is not done on another root.
pub(super) fn not_executed(run: &mut Run<'_>, schedule: &Schedule) {
    if run.record.root.is_own() {
        return;
    }
    for left in &schedule.left_out {
        let actions = left.commands.len();
        (run.on_event)(DanceEvent::NotExecuted { actions, why: &left.why });
    }
}
