//! `disco undo`: takes back what a run has merged, as a run of its own.

use crate::merge::undo::{self, Kept, Spared};
use crate::merge::{Prepared, Way};
use crate::model::names::RunId;
use crate::model::run::{Mode, RunOutcome, RunRecord};
use crate::ops::dance::{self, DanceError, DanceEvent, Doing, Run, around, recover};
use crate::runs::Runs;
use crate::settings::Settings;
use crate::sys::interrupt::Interrupt;

/// What is undone, and how, beyond the settings.
#[derive(Debug, Clone)]
pub struct Options {
    /// The run; the last one that can be undone where there is none.
    pub run: Option<RunId>,
    /// Only show what would be brought back.
    pub noop: bool,
    /// Wait for another live run instead of refusing.
    pub wait: bool,
    /// Undo also where live runs are switched off.
    pub even_if_disabled: bool,
}

/// The merges that can be undone, the oldest first.
pub fn list(settings: &Settings) -> Result<Vec<Kept>, DanceError> {
    Ok(undo::list(&settings.home.value)?)
}

/// Takes back what a run has merged, and returns the record of the run that did so, which is on disk by then.
pub fn undo(
    settings: &Settings,
    options: &Options,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<RunRecord, DanceError> {
    if !options.noop
        && let Some(run) = dance::refused(settings, options.run.as_ref(), options.wait, interrupt, on_event)?
    {
        return Ok(Runs::new(&settings.home.value).load(&run)?);
    }
    // What cannot be undone is no run.
    let of = undo::load(&settings.home.value, options.run.as_ref())?.head.run;
    let mut settings = settings.clone();
    // A dry run asks no lock server for anything.
    settings.dlm.take.value &= !options.noop;
    let settings = &settings;
    // It takes the lock in both modes: what it compares must not be merged into meanwhile.
    let even_if_disabled = options.noop || options.even_if_disabled;
    let start = dance::Start { mode: Mode::Live, wait: options.wait, even_if_disabled };
    dance::recorded(settings, start, interrupt, on_event, |run, settings, _, _| {
        undo_in(run, settings, &of, options, interrupt)
    })
}

fn undo_in(
    run: &mut Run<'_>,
    settings: &Settings,
    of: &RunId,
    options: &Options,
    interrupt: &Interrupt,
) -> Result<(), DanceError> {
    let home = &settings.home.value;
    let live = recover::open(&run.record.root)?;
    let (id, policy) = (run.record.run.clone(), &settings.on_conflict.value);
    run.record.undoes = Some(of.clone());
    if options.noop {
        run.record.mode = Mode::Noop;
    }
    // Whoever finishes this after a kill knows by it which record to mark.
    run.save()?;
    let recorded = undo::load(home, Some(of))?;
    // Undone twice, services would be brought to where they were before the first: then they stay as they are.
    let notes = if recorded.head.undoes.is_none() { recorded.notes.clone() } else { Vec::new() };
    let (mut prepared, spared) =
        run.metered("prepare", |_| undo::prepare(recorded, &live, home, &id, policy))?;
    tell(run, &prepared, &spared)?;
    run.record.changes = prepared.changes();
    if let Some(signal) = interrupt.signal() {
        prepared.discard()?;
        return Err(DanceError::Interrupted(signal));
    }
    if options.noop {
        prepared.discard()?;
        run.record.outcome = RunOutcome::Shown;
        return Ok(());
    }
    let changes = run.record.changes;
    (run.on_event)(DanceEvent::Doing(Doing::Merging { changes }));
    // Whoever finishes this after a crash brings the services back, too.
    notes.iter().try_for_each(|note| prepared.journal().note(note))?;
    let merged = run.metered("merge", |_| prepared.commit())?;
    (run.on_event)(DanceEvent::Merged { changes });
    around::bring_back(run, settings, &notes)?;
    // Before the journal goes, which is all that says so after a crash.
    run.record.outcome = RunOutcome::Merged;
    recover::mark(settings, of, &id)?;
    run.save()?;
    merged.keep()?;
    Ok(())
}

/// Tells what comes back, and what does not.
fn tell(run: &mut Run<'_>, prepared: &Prepared<'_>, spared: &Spared) -> Result<(), DanceError> {
    for place in prepared.places() {
        let (path, way) = place?;
        (run.on_event)(DanceEvent::Restoring { path: &path, way });
    }
    for path in &spared.theirs {
        (run.on_event)(DanceEvent::NotMerged { path, why: "somebody has changed it since" });
    }
    for path in &spared.volatile {
        let why = "what it held is gone since this machine has started anew";
        (run.on_event)(DanceEvent::NotMerged { path, why });
    }
    Ok(())
}

/// What became of a place, in words that say what an undo does there.
pub fn way_words(way: Way) -> &'static str {
    match way {
        Way::Placed => "brought back",
        Way::Replaced => "as before",
        Way::Deleted => "removed",
        Way::Attributes => "attributes as before",
        Way::Appended => "what was added to it goes",
    }
}
