//! `disco lock release --after-boot`: gives back what was held over a restart of the machine, once nothing of the run is left to
//! do. Whoever starts the machine calls it, as the units in dist/ do.

use std::time::{Duration, Instant};

use crate::lock::held::{Held, Why};
use crate::merge;
use crate::model::names::RunId;
use crate::ops::lock::hold::{self, Back};
use crate::ops::lock::wait::rest;
use crate::ops::lock::{LockOpError, connect, notes};
use crate::runs::Runs;
use crate::settings::{Settings, Sourced};
use crate::sys::clock;
use crate::sys::interrupt::Interrupt;

/// What became of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freed {
    /// It was given back, or should have been.
    Back(Held, Back),
    /// The machine has not been started anew yet.
    SameBoot(Held),
    /// The run did not end well: it is kept.
    Failed(Held, String),
}

/// Gives back all that waits for it. A server that does not answer is asked again for `patience`: the network may come later.
pub fn release(
    settings: &Settings,
    patience: Duration,
    interrupt: &Interrupt,
    on_wait: &mut dyn FnMut(&str),
) -> Result<Vec<Freed>, LockOpError> {
    let notes = notes(settings);
    let mut freed = Vec::new();
    for note in notes.all()? {
        let Why::Reboot { boot } = &note.why else { continue };
        if *boot == clock::boot() {
            freed.push(Freed::SameBoot(note));
            continue;
        }
        // What belongs to its run is done first, by `disco recover`.
        let journals = merge::replay::all(&merge::journals(&settings.home.value));
        if journals.is_ok_and(|open| !open.is_empty()) {
            return Err(LockOpError::Unfinished(note.lock));
        }
        if let Some(why) = failure(settings, &note) {
            notes.put(&Held { why: Why::Failed, ..note.clone() })?;
            freed.push(Freed::Failed(note, why));
            continue;
        }
        let back = back(settings, &note, patience, interrupt, on_wait)?;
        if !matches!(back, Back::Still(_)) {
            notes.remove(&note.url, &note.lock)?;
        }
        freed.push(Freed::Back(note, back));
    }
    Ok(freed)
}

/// Why the run that it was taken for did not end well; `None` where it did, or where it was no run of disco's.
fn failure(settings: &Settings, note: &Held) -> Option<String> {
    let run = note.work.strip_prefix("run ").and_then(|run| RunId::new(run).ok())?;
    let record = Runs::new(&settings.home.value).load(&run).ok()?;
    use crate::model::run::RunOutcome;
    match record.outcome {
        RunOutcome::Merged | RunOutcome::Shown | RunOutcome::Unconfirmed { .. } => None,
        RunOutcome::Unfinished => Some("it was stopped before its merge".to_owned()),
        RunOutcome::Undone { reason } | RunOutcome::MergeFailed { reason } => Some(reason),
        _ => Some("it failed".to_owned()),
    }
}

fn back(
    settings: &Settings,
    note: &Held,
    patience: Duration,
    interrupt: &Interrupt,
    on_wait: &mut dyn FnMut(&str),
) -> Result<Back, LockOpError> {
    let mut settings = settings.clone();
    settings.dlm.url = Sourced { value: Some(note.url.to_string()), origin: settings.dlm.url.origin.clone() };
    let began = Instant::now();
    loop {
        let server = connect(&settings, &mut |_| None)?;
        match hold::give_back(&server, &note.lock, note.token, None) {
            Back::Still(why) if began.elapsed() < patience && interrupt.signal().is_none() => {
                on_wait(&why);
                rest(Duration::from_secs(5), interrupt);
            }
            back => return Ok(back),
        }
    }
}
