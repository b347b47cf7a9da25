//! What a run does on the live system around its merge, one duty after another, each in the journal before and after it; and
//! how services come back where that failed. After a crash all of it is known again from the journal.

use std::collections::BTreeSet;

use crate::actions::back;
use crate::merge::{Journal, Note};
use crate::model::action::{Effect, EffectKind};
use crate::model::duty::{Duty, DutyOrigin, DutyRecord, Schedule, ServiceVerb, Stood};
use crate::model::run::ActionRecord;
use crate::model::step::Outcome;
use crate::model::told::in_full;
use crate::settings::Settings;
use crate::sys::act::{self, Acted};

use super::pending::Pending;
use super::{DanceError, DanceEvent, Doing, Run, live_scripts, services};

/// How a row of duties has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// All are done.
    Done,
    /// One failed, and no later one was begun.
    Failed {
        /// Which, and how.
        reason: String,
    },
}

/// The duties of a run, and how far they are.
#[derive(Debug)]
pub(super) struct Duties {
    schedule: Schedule,
    stood: Stood,
    begun: BTreeSet<u32>,
    ended: BTreeSet<u32>,
    /// One of them has failed, and whoever did them was stopped before anything came of that.
    failed: Option<String>,
}

impl Duties {
    /// Looks at what the schedule has to do with, and puts both into the journal.
    pub fn open(schedule: &Schedule, journal: &mut Journal) -> Result<Duties, DanceError> {
        let schedule = schedule.clone();
        let mut stood = Stood::default();
        // Each note is waited for until it is on the disk.
        if schedule.duties().next().is_some() {
            journal.note(&Note::Schedule(schedule.clone()))?;
            stood = services::stood(&schedule)?;
            journal.note(&Note::Stood(stood.clone()))?;
        }
        Ok(Duties { schedule, stood, begun: BTreeSet::new(), ended: BTreeSet::new(), failed: None })
    }

    /// How far they were, as the journal has it; the record is told what it may not know. Where the journal has no schedule,
    /// what the record has is left to do.
    pub fn found(notes: &[Note], duties: &mut [DutyRecord], actions: &mut [ActionRecord]) -> Duties {
        let left = duties.iter().filter(|duty| duty.outcome.is_none()).map(|duty| duty.duty.clone());
        let schedule = Schedule { after: left.collect(), ..Schedule::default() };
        let (stood, begun, ended) = Default::default();
        let mut found = Duties { schedule, stood, begun, ended, failed: None };
        for note in notes {
            match note {
                Note::Schedule(schedule) => found.schedule = schedule.clone(),
                Note::Stood(stood) => found.stood = stood.clone(),
                Note::Began { number } => drop(found.begun.insert(*number)),
                Note::Ended { number, outcome } => {
                    found.ended.insert(*number);
                    let ended = found.schedule.duties().find(|duty| duty.number == *number);
                    ended.inspect(|duty| record(duties, actions, duty, outcome));
                    found.failed = ended.and_then(|duty| failure(duty, outcome));
                }
                Note::Confirm { .. } | Note::Confirmed => {}
            }
        }
        found
    }

    /// Whether one of them has failed, as far as the journal has it.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Does what comes before the merge. Nothing is begun that the journal does not have.
    pub fn before(&mut self, run: &mut Run<'_>, settings: &Settings, journal: &mut Journal) -> End {
        let (mut unwritten, mut end) = (Vec::new(), End::Done);
        for duty in self.schedule.before.clone() {
            end = match journal.note(&Note::Began { number: duty.number }) {
                Ok(()) => self.one(run, settings, &duty, journal, &mut unwritten),
                Err(error) => End::Failed { reason: in_full(&error) },
            };
            if end != End::Done {
                break;
            }
        }
        if end == End::Done && !unwritten.is_empty() {
            // The point of no return must not stand behind a line that may be torn.
            end = End::Failed { reason: unwritten.join("; ") };
        }
        warn(run, unwritten);
        end
    }

    /// Does what comes after the merge, as far as it is not done yet. They belong to what is merged: that something of them cannot
    /// be written down is told at the end, and keeps none of them from being done.
    pub fn after(&mut self, run: &mut Run<'_>, settings: &Settings, journal: &mut Journal) -> End {
        if let Some(reason) = self.failed.take() {
            return End::Failed { reason };
        }
        let mut unwritten = Vec::new();
        let mut pending = kept(&mut unwritten, Pending::load(&settings.home.value));
        let mut end = End::Done;
        for duty in self.schedule.after.clone() {
            if self.ended.contains(&duty.number) {
                // It may be that only this was missing.
                if let Some(pending) = &mut pending {
                    kept(&mut unwritten, pending.paid(&self.schedule, &duty));
                }
                continue;
            }
            kept(&mut unwritten, journal.note(&Note::Began { number: duty.number }));
            end = self.one(run, settings, &duty, journal, &mut unwritten);
            if end != End::Done {
                break;
            }
            if let Some(pending) = &mut pending {
                kept(&mut unwritten, pending.paid(&self.schedule, &duty));
            }
        }
        warn(run, unwritten);
        end
    }

    /// Does one, and puts into the journal and the record how it ended.
    fn one(
        &mut self,
        run: &mut Run<'_>,
        settings: &Settings,
        duty: &Duty,
        journal: &mut Journal,
        unwritten: &mut Vec<String>,
    ) -> End {
        self.begun.insert(duty.number);
        (run.on_event)(DanceEvent::Doing(Doing::Executing { duty }));
        let acted = self.act(duty, settings);
        let does = |seq: u32| matches!(&duty.origin, DutyOrigin::Actions { seqs } if seqs.contains(&seq));
        let mut asked = run.record.actions.iter().map(|recorded| &recorded.action);
        let action = asked.rfind(|action| does(action.seq));
        let (outcome, output) = (&acted.outcome, acted.output.as_str());
        (run.on_event)(DanceEvent::Executed { duty, action, outcome, output });
        let ended = Note::Ended { number: duty.number, outcome: acted.outcome.clone() };
        kept(unwritten, journal.note(&ended));
        self.ended.insert(duty.number);
        record(&mut run.record.duties, &mut run.record.actions, duty, &acted.outcome);
        match failure(duty, &acted.outcome) {
            None => End::Done,
            Some(reason) => End::Failed { reason },
        }
    }

    fn act(&self, duty: &Duty, settings: &Settings) -> Acted {
        let nothing = |output: String| Acted { outcome: Outcome::Done, output };
        if let Some(deed) = duty.service.as_ref().filter(|deed| deed.verb == ServiceVerb::Stop)
            && self.stood.services.get(&deed.service) == Some(&Some(false))
            && (self.stood.systemd || !services::has_script(&deed.service))
        {
            // A service that only the view knows cannot be stopped on the live system, and need not be.
            return nothing(format!("{} does not run: there is nothing to stop\n", deed.service));
        }
        if services::boot().is_ok_and(|boot| is_past(duty, &self.stood, &boot)) {
            return nothing("the machine has been started anew since\n".to_owned());
        }
        let (node, home) = (&settings.node.value, &settings.home.value);
        let added: Vec<_> = live_scripts::environment(duty, node, home).into_iter().collect();
        // What a script of a module holds is in its file.
        let reads = if duty.was_asked() { duty.effect.input.clone() } else { None };
        let effect = Effect { input: reads, ..duty.effect.clone() };
        act::run(&effect, &added, settings.step_timeout.value)
    }

    /// Brings services and settings to where they were before, as far as duties have been begun, and owes nothing for this run's
    /// changes any more. The files are the old ones again, or still are.
    pub fn bring_back(&self, run: &mut Run<'_>, settings: &Settings) -> Result<(), DanceError> {
        let back = back::back(&self.schedule, &self.stood, &self.begun);
        for effect in &back.commands {
            let acted = act::run(effect, &[], settings.step_timeout.value);
            let (outcome, output) = (&acted.outcome, acted.output.as_str());
            (run.on_event)(DanceEvent::BroughtBack { effect, outcome, output });
        }
        for stays in back.stays {
            let message = format!("Not taken back : {stays} : nobody can");
            (run.on_event)(DanceEvent::Warned { message: &message });
        }
        let of = run.record.undoes.as_ref().unwrap_or(&run.record.run);
        Ok(Pending::load(&settings.home.value)?.forget(of)?)
    }
}

/// Whether the machine was to be started anew, and has been: it runs in the boot `now`.
fn is_past(duty: &Duty, stood: &Stood, now: &str) -> bool {
    duty.effect.kind == EffectKind::Power && !stood.boot.is_empty() && stood.boot != now
}

/// Which duty has failed, and how, if it has.
fn failure(duty: &Duty, outcome: &Outcome) -> Option<String> {
    (!outcome.is_done()).then(|| format!("{}: {outcome}", duty.words()))
}

fn warn(run: &mut Run<'_>, messages: Vec<String>) {
    for message in messages {
        (run.on_event)(DanceEvent::Warned { message: &message });
    }
}

/// The value, or one more message of why there is none.
fn kept<T, E: std::error::Error>(unwritten: &mut Vec<String>, result: Result<T, E>) -> Option<T> {
    let mut tell = |message: String| {
        if !unwritten.contains(&message) {
            unwritten.push(message);
        }
    };
    result.map_err(|error| tell(in_full(&error))).ok()
}

/// Puts into the record how a duty ended, and the actions that it does. Of an action that became several, one that failed
/// counts.
fn record(duties: &mut [DutyRecord], actions: &mut [ActionRecord], duty: &Duty, outcome: &Outcome) {
    for recorded in duties.iter_mut().filter(|recorded| recorded.duty.number == duty.number) {
        recorded.outcome = Some(outcome.clone());
    }
    let DutyOrigin::Actions { seqs } = &duty.origin else { return };
    for recorded in actions.iter_mut().filter(|recorded| seqs.contains(&recorded.action.seq)) {
        if recorded.outcome.as_ref().is_none_or(Outcome::is_done) {
            recorded.outcome = Some(outcome.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::ask::of_line;

    fn duty(number: u32, kind: EffectKind) -> Duty {
        let origin = DutyOrigin::Actions { seqs: vec![number] };
        Duty { number, origin, effect: Effect { kind, ..of_line("reboot") }, service: None }
    }

    #[test]
    fn a_reboot_is_done_once_the_machine_has_been_started_anew() {
        let stood = |boot: &str| Stood { boot: boot.into(), ..Stood::default() };
        for (kind, then, past) in [
            (EffectKind::Power, "one", true),
            (EffectKind::Power, "two", false),
            (EffectKind::Power, "", false),
            (EffectKind::Service, "one", false),
        ] {
            assert_eq!(is_past(&duty(0, kind), &stood(then), "two"), past, "{kind:?} {then:?}");
        }
    }

    #[test]
    fn the_journal_says_how_far_they_were() {
        let after =
            vec![duty(0, EffectKind::Service), duty(1, EffectKind::Service), duty(2, EffectKind::Service)];
        let schedule = Schedule { after, ..Schedule::default() };
        let failed = Outcome::Exited { status: 3 };
        let notes = [
            Note::Schedule(schedule.clone()),
            Note::Stood(Stood { boot: "one".into(), ..Stood::default() }),
            Note::Began { number: 0 },
            Note::Ended { number: 0, outcome: Outcome::Done },
            Note::Began { number: 1 },
            Note::Ended { number: 1, outcome: failed.clone() },
        ];
        let recorded = schedule.duties().map(|duty| DutyRecord { duty: duty.clone(), outcome: None });
        let mut outcomes = recorded.collect::<Vec<_>>();
        let found = Duties::found(&notes[..4], &mut outcomes, &mut []);
        assert_eq!((found.begun.len(), found.ended.len(), found.has_failed()), (1, 1, false));
        let found = Duties::found(&notes, &mut outcomes, &mut []);
        assert_eq!(found.failed.as_deref(), Some("bash -c reboot: exit status 3"));
        assert_eq!(outcomes[1].outcome, Some(failed));
        let none = Duties::found(&[], &mut outcomes, &mut []);
        assert_eq!(none.schedule.after, [schedule.after[2].clone()], "what the record has is left to do");
    }
}
