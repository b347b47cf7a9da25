//! The end of a run: NOOP stops here; live merges if everything succeeded, then runs the recorded actions.

use std::collections::BTreeMap;

use crate::merge;
use crate::merge::settle::Settled;
use crate::model::change::ChangeSet;
use crate::model::run::{Mode, RunOutcome};
use crate::sandbox::{self, Scratch};
use crate::settings::Settings;
use crate::sys::act;
use crate::sys::interrupt::Interrupt;

use super::differences::Differences;
use super::{DanceError, DanceEvent, Doing, Run, conflicts, modules, recover, save};

/// Decides how the run ends. Takes the sealed scratchpad: nothing else can be merged.
pub(in crate::ops) fn finish(
    run: &mut Run<'_>,
    settings: &Settings,
    interrupt: &Interrupt,
    sealed: &Scratch,
    differences: &mut Differences,
) -> Result<(), DanceError> {
    if let Some(signal) = interrupt.signal() {
        return Err(DanceError::Interrupted(signal));
    }
    (run.on_event)(DanceEvent::Doing(Doing::Comparing));
    let changes = run.metered("diff", |_| differences.in_all(sealed))?;
    run.record.changes = changes.0.len();
    match (modules::all_done(&run.record), run.record.mode) {
        (false, _) => run.record.outcome = RunOutcome::Failed,
        (true, Mode::Noop) => run.record.outcome = RunOutcome::Shown,
        (true, Mode::Live) => {
            go_live(run, settings, Meanwhile::Watched(sealed), &changes, differences)?;
        }
    }
    match run.plan_file.take() {
        Some(file) => save::save(run, settings, sealed, &changes, differences, &file),
        None => Ok(()),
    }
}

/// Who knows what somebody has changed meanwhile.
pub(in crate::ops) enum Meanwhile<'a> {
    /// The sandbox: it knows what it saw first.
    Watched(&'a Scratch),
    /// Whoever calls, who has settled it.
    Settled(Settled),
}

/// Merges the differences, and does on the live system what belongs to them.
pub(in crate::ops) fn go_live(
    run: &mut Run<'_>,
    settings: &Settings,
    meanwhile: Meanwhile<'_>,
    changes: &ChangeSet,
    differences: &Differences,
) -> Result<(), DanceError> {
    merge_all(run, settings, meanwhile, changes, differences)?;
    run.record.outcome = RunOutcome::Merged;
    let (outcome, kept) = act(run, settings);
    run.record.outcome = outcome;
    kept
}

/// From here on a signal waits: the merge and its actions belong together. Where there is neither, nothing is journaled: that
/// would take longer than all else.
fn merge_all(
    run: &mut Run<'_>,
    settings: &Settings,
    meanwhile: Meanwhile<'_>,
    changes: &ChangeSet,
    differences: &Differences,
) -> Result<(), DanceError> {
    if changes.0.is_empty() && run.record.actions.is_empty() {
        (run.on_event)(DanceEvent::Merged { changes: 0 });
        return Ok(());
    }
    (run.on_event)(DanceEvent::Doing(Doing::Merging { changes: changes.0.len() }));
    let (upper, entries) = differences.scratchpad();
    let live = recover::open(&run.record.root)?;
    let inner_home = recover::inner_home(settings, &run.record.root)?;
    let (settled, merged) = run.metered("merge", |run| {
        let source = merge::Source {
            changes,
            entries,
            upper,
            live: &live,
            private: &sandbox::is_private_xattr,
            exclude: differences.excluded(),
            appends: &BTreeMap::new(),
            run: &run.record.run,
            root: &run.record.root,
            home: &settings.home.value,
            inner_home: inner_home.as_ref(),
        };
        let settled = match meanwhile {
            Meanwhile::Watched(sealed) => conflicts::settle(settings, sealed, &source)?,
            Meanwhile::Settled(settled) => settled,
        };
        let source = merge::Source {
            changes: &settled.changes,
            exclude: &settled.exclude,
            appends: &settled.appends,
            ..source
        };
        // It ends before the first action: what is journaled still is finished with all its actions by the next run, and a
        // reboot among them must not be done twice.
        let merged = merge::prepare(&source)?.commit()?.keep()?;
        Ok::<_, DanceError>((settled, merged))
    })?;
    conflicts::tell(run, &settled);
    for path in &merged.sockets {
        (run.on_event)(DanceEvent::NotMerged {
            path,
            why: "a socket lives with the process that listens on it",
        });
    }
    for path in &merged.left {
        (run.on_event)(DanceEvent::NotMerged {
            path,
            why: "set aside by the merge, and could not be removed",
        });
    }
    (run.on_event)(DanceEvent::Merged { changes: settled.changes.0.len() });
    Ok(())
}

/// Runs the recorded actions in their order, up to the first that fails. They belong to what is merged: that the record
/// cannot be kept meanwhile is told at the end, and keeps none of them from being run.
pub(super) fn act(run: &mut Run<'_>, settings: &Settings) -> (RunOutcome, Result<(), DanceError>) {
    if !run.record.root.is_own() {
        if !run.record.actions.is_empty() {
            (run.on_event)(DanceEvent::NotExecuted {
                actions: run.record.actions.len(),
                why: "nothing runs on another root than this node's own",
            });
        }
        return (RunOutcome::Merged, run.save());
    }
    let mut kept = run.save();
    for at in 0..run.record.actions.len() {
        let action = run.record.actions[at].action.clone();
        (run.on_event)(DanceEvent::Doing(Doing::Executing { action: &action }));
        let acted = act::run(&action.effect, settings.step_timeout.value);
        (run.on_event)(DanceEvent::Executed {
            action: &action,
            outcome: &acted.outcome,
            output: &acted.output,
        });
        let failed = !acted.outcome.is_done();
        run.record.actions[at].outcome = Some(acted.outcome);
        kept = kept.and(run.save());
        if failed {
            let kept = told(kept, &RunOutcome::ActionFailed);
            return (RunOutcome::ActionFailed, kept);
        }
    }
    let kept = told(kept, &RunOutcome::Merged);
    (RunOutcome::Merged, kept)
}

/// What could not be recorded of a merged run that ended so.
pub(super) fn told(kept: Result<(), DanceError>, outcome: &RunOutcome) -> Result<(), DanceError> {
    kept.map_err(|error| match error {
        DanceError::Record(source) => DanceError::Unrecorded { outcome: outcome.clone(), source },
        other => other,
    })
}
