//! The cluster's lock of a live run: taken after the node's own, before anything is fetched; given back after a success, kept
//! after a failure so that no other node does the same. A dry run asks for nothing.

use std::sync::Arc;
use std::time::Instant;

use crate::lock::ServerError;
use crate::lock::held::Why;
use crate::model::action::EffectKind;
use crate::model::duty::Schedule;
use crate::model::names::RunId;
use crate::model::run::{RunOutcome, RunRecord, Wait};
use crate::model::told::in_full;
use crate::ops::lock::hold::{self, Back, Hold, Taken};
use crate::ops::lock::wait::{Patience, Waiting};
use crate::ops::lock::{LockOpError, connect, notes, said};
use crate::settings::{OnFailure, Settings};
use crate::sys::clock;
use crate::sys::interrupt::Interrupt;

use super::ground::Ground;
use super::{DanceError, DanceEvent};

/// The lock, where the run has one.
#[derive(Debug, Default)]
pub(super) struct Cluster(Option<Hold>);

/// Takes the lock that the settings name, if they do; says also what it has waited for. Another root is no node of a cluster.
pub(super) fn take(
    settings: &Settings,
    ground: &Ground,
    id: &RunId,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<(Cluster, Option<Wait>), DanceError> {
    let dlm = &settings.dlm;
    let Some(lock) = dlm.lock.value.as_deref().filter(|_| dlm.take.value && ground.root.is_own()) else {
        return Ok((Cluster::default(), None));
    };
    let began = Instant::now();
    let mut told = String::new();
    let mut wait_for = |holder: String| {
        if holder != told {
            on_event(DanceEvent::Waiting { holder: &holder });
            told = holder;
        }
    };
    let taken = ask(settings, lock, id, interrupt, &mut wait_for);
    let waited = (!told.is_empty()).then(|| Wait {
        lock: format!("{} {lock}", dlm.url.value.as_deref().unwrap_or_default()),
        holder: Some(told),
        seconds: began.elapsed().as_secs_f64(),
    });
    let hold = match taken {
        Ok(Taken::Held(hold)) => *hold,
        Ok(Taken::Inherited) => return Ok((Cluster::default(), waited)),
        Ok(Taken::Refused(refusal)) => return Err(DanceError::LockRefused(refusal)),
        Ok(Taken::Here(note)) => return Err(DanceError::LockHere(Box::new(note))),
        Err(LockOpError::Server(ServerError::Interrupted(signal))) => {
            return Err(DanceError::Interrupted(signal));
        }
        Err(LockOpError::Server(error)) if !dlm.required.value && error.is_absence() => {
            let message = format!("Lock : {lock} : not taken, and not required : {}", in_full(&error));
            on_event(DanceEvent::Warned { message: &message });
            return Ok((Cluster::default(), waited));
        }
        Err(error) => return Err(error.into()),
    };
    let token =
        if hold.grant.token.0 > 0 { format!(", token {}", hold.grant.token.0) } else { String::new() };
    let how = if hold.grant.renewed { "held already" } else { "acquired" };
    on_event(DanceEvent::Lock { lock, what: &format!("{how}{token}") });
    Ok((Cluster(Some(hold)), waited))
}

/// Asks for it as long as the settings say, also where another process of this node works under it.
fn ask(
    settings: &Settings,
    lock: &str,
    id: &RunId,
    interrupt: &Interrupt,
    wait_for: &mut dyn FnMut(String),
) -> Result<Taken, LockOpError> {
    let server = Arc::new(connect(settings, &mut |_| None)?);
    let patience = Patience::For(settings.dlm.wait.value);
    let mut tell = |waiting: Waiting<'_>| {
        wait_for(match waiting {
            Waiting::Refused(refusal) => said::refusal(refusal),
            Waiting::Absent(error) => in_full(error),
            Waiting::Here(note) => {
                format!("lock {lock}: pid {} of this node, {}", note.process.pid, note.work)
            }
        });
    };
    hold::take(server, notes(settings), lock, &format!("run {id}"), patience, interrupt, &mut tell)
}

impl Cluster {
    /// Asks the server once more, before the point of no return; and notes what is to happen to the machine, for nobody may
    /// come back from that.
    pub(super) fn before_merge(&mut self, schedule: &Schedule) -> Result<(), DanceError> {
        let Some(hold) = &mut self.0 else { return Ok(()) };
        if let Err(why) = hold.confirm() {
            let lock = hold.lock().to_owned();
            return Err(DanceError::LockLost { lock, why });
        }
        if schedule.duties().any(|duty| duty.effect.kind == EffectKind::Power) {
            hold.note(Why::Reboot { boot: clock::boot() })?;
        }
        Ok(())
    }

    /// Gives it back, or keeps it, after a run that ended so. That this fails is told, and changes nothing of how the run ended.
    pub(super) fn end(
        &mut self,
        record: &RunRecord,
        on_failure: OnFailure,
        on_event: &mut dyn FnMut(DanceEvent<'_>),
    ) {
        let Some(hold) = self.0.take() else { return };
        let lock = hold.lock().to_owned();
        let told = match leave(hold, record, on_failure) {
            Ok(told) => told,
            Err(error) => Told::Warning(format!("held : {}", in_full(&error))),
        };
        match told {
            Told::Event(what) => on_event(DanceEvent::Lock { lock: &lock, what: &what }),
            Told::Warning(what) => {
                let message = format!("Lock : {lock} : {what} : disco lock release {lock}");
                on_event(DanceEvent::Warned { message: &message });
            }
            Told::Loss(what) => {
                on_event(DanceEvent::Warned { message: &format!("Lock : {lock} : lost : {what}") });
            }
        }
    }
}

/// What there is to say of the end of a lock.
enum Told {
    Event(String),
    Warning(String),
    Loss(String),
}

/// What a run's end means for its lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Success,
    Nothing,
    Failure,
    Unconfirmed,
}

fn meaning(outcome: &RunOutcome) -> Meaning {
    match outcome {
        RunOutcome::Merged | RunOutcome::Shown => Meaning::Success,
        RunOutcome::Unconfirmed { .. } => Meaning::Unconfirmed,
        // Nothing of the node was touched, and no module has failed.
        RunOutcome::NotStarted { .. } | RunOutcome::Interrupted { .. } => Meaning::Nothing,
        RunOutcome::Unfinished
        | RunOutcome::Failed
        | RunOutcome::ActionFailed
        | RunOutcome::Undone { .. }
        | RunOutcome::MergeFailed { .. } => Meaning::Failure,
    }
}

fn leave(hold: Hold, record: &RunRecord, on_failure: OnFailure) -> Result<Told, LockOpError> {
    let reboots = record.duties.iter().any(|done| {
        let is_done = done.outcome.as_ref().is_some_and(|outcome| outcome.is_done());
        done.duty.effect.kind == EffectKind::Power && is_done
    });
    let kept = "kept after this failure, so that no other node does the same";
    Ok(match meaning(&record.outcome) {
        Meaning::Success if reboots => {
            hold.keep(Why::Reboot { boot: clock::boot() })?;
            Told::Event("kept until the machine has been started anew".to_owned())
        }
        // What was so before this run still is.
        Meaning::Nothing if hold.was_kept() => {
            hold.keep(Why::Failed)?;
            Told::Warning("kept as before this run".to_owned())
        }
        Meaning::Success | Meaning::Nothing => back(hold.release(None)?, "released"),
        Meaning::Unconfirmed => {
            hold.keep(Why::Unconfirmed)?;
            Told::Event("kept until the merge is confirmed".to_owned())
        }
        Meaning::Failure => match on_failure {
            OnFailure::Keep => match hold.lost() {
                Some(why) => {
                    hold.release(None)?;
                    Told::Loss(why)
                }
                None => {
                    hold.keep(Why::Failed)?;
                    Told::Warning(kept.to_owned())
                }
            },
            OnFailure::Release => back(hold.release(None)?, "released after this failure"),
            OnFailure::Failed => {
                let what = format!("run {} failed", record.run);
                back(hold.release(Some(&what))?, "released as failed")
            }
        },
    })
}

fn back(back: Back, done: &str) -> Told {
    match back {
        Back::Released => Told::Event(done.to_owned()),
        Back::Foreign => Told::Event("held as before this run".to_owned()),
        Back::Lost(why) => Told::Loss(why),
        Back::Still(why) => Told::Warning(format!("still held : {why}")),
    }
}

/// What a confirmation, or the lack of it, means for the lock of that run.
pub(super) fn settled(
    settings: &Settings,
    run: &RunId,
    confirmed: bool,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) {
    let work = format!("run {run}");
    let notes = notes(settings);
    // A note that cannot be read is told by the next live run, which stops at it.
    let Ok(all) = notes.all() else { return };
    for note in all.into_iter().filter(|note| note.why == Why::Unconfirmed && note.work == work) {
        let lock = note.lock.clone();
        let failed = format!("{work} was not confirmed");
        let failed = match (confirmed, settings.dlm.on_failure.value) {
            (true, _) | (false, OnFailure::Release) => None,
            (false, OnFailure::Failed) => Some(failed.as_str()),
            (false, OnFailure::Keep) => {
                let kept = notes.put(&hold::Held { why: Why::Failed, ..note });
                let what = kept
                    .map_or_else(|error| in_full(&error), |()| "kept, as nobody has confirmed".to_owned());
                let message = format!("Lock : {lock} : {what} : disco lock release {lock}");
                on_event(DanceEvent::Warned { message: &message });
                continue;
            }
        };
        let given = connect(settings, &mut |_| None)
            .map(|server| hold::give_back(&server, &lock, note.token, failed));
        let what = match given {
            Ok(Back::Still(why)) => format!("still held : {why} : disco lock release {lock}"),
            Err(error) => format!("still held : {} : disco lock release {lock}", in_full(&error)),
            Ok(Back::Released | Back::Foreign | Back::Lost(_)) => {
                match notes.remove(&note.url, &lock) {
                    Ok(_) => on_event(DanceEvent::Lock { lock: &lock, what: "released" }),
                    Err(error) => on_event(DanceEvent::Warned { message: &in_full(&error) }),
                }
                continue;
            }
        };
        on_event(DanceEvent::Warned { message: &format!("Lock : {lock} : {what}") });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_merged_nothing_and_failed_at_nothing_means_nothing() {
        for (outcome, expected) in [
            (RunOutcome::Merged, Meaning::Success),
            (RunOutcome::NotStarted { reason: String::new() }, Meaning::Nothing),
            (RunOutcome::Interrupted { signal: 2 }, Meaning::Nothing),
            (RunOutcome::Failed, Meaning::Failure),
            (RunOutcome::ActionFailed, Meaning::Failure),
            (RunOutcome::Undone { reason: String::new() }, Meaning::Failure),
            (RunOutcome::MergeFailed { reason: String::new() }, Meaning::Failure),
            (RunOutcome::Unconfirmed { until: 1 }, Meaning::Unconfirmed),
        ] {
            assert_eq!(meaning(&outcome), expected, "{outcome:?}");
        }
    }
}
