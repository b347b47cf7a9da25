//! What a dance tells, without secrets: the border between what it knows and what its user may see. All that it records comes by
//! [`Run`], which hides there.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::names::RunId;
use crate::model::run::RunRecord;
use crate::runs::RunError;
use crate::secrets::{Hider, known};

use super::{DanceEvent, Doing};

/// Passes an event on as the user may see it. Lines come as they are: whoever has cut them has hidden what was in them.
pub(in crate::ops) fn tell(event: DanceEvent<'_>, on_event: &mut dyn FnMut(DanceEvent<'_>)) {
    use DanceEvent as E;
    if let E::Line { .. } = event {
        return on_event(event);
    }
    let hider = known::to_show();
    let text = |text| hider.text(text);
    match event {
        E::Line { .. }
        | E::Spent { .. }
        | E::Swept { .. }
        | E::Recovered { .. }
        | E::Planned { .. }
        | E::Processing { .. }
        | E::Skipped { .. }
        | E::Validating { .. }
        | E::Saved { .. }
        | E::Merged { .. }
        | E::Unconfirmed { .. } => on_event(event),
        E::Doing(Doing::Step { step, at, of }) => {
            on_event(E::Doing(Doing::Step { step: &text(step), at, of }));
        }
        E::Doing(Doing::Executing { duty }) => {
            on_event(E::Doing(Doing::Executing { duty: &of(&hider, duty) }));
        }
        E::Doing(Doing::FetchingModules { .. } | Doing::Comparing | Doing::Merging { .. }) => on_event(event),
        E::Waiting { holder } => on_event(E::Waiting { holder: &text(holder) }),
        E::StepEnded { module, record } => on_event(E::StepEnded { module, record: &of(&hider, record) }),
        // Monitors and the system's log hear these, and no user.
        E::Ended { record } => on_event(E::Ended { record: &of(&known::hider(), record) }),
        E::Settled { record } => on_event(E::Settled { record: &of(&known::hider(), record) }),
        E::Lock { lock, what } => on_event(E::Lock { lock, what: &text(what) }),
        E::Warned { message } => on_event(E::Warned { message: &text(message) }),
        E::Fetching { from } => on_event(E::Fetching { from: &text(from) }),
        E::Asked { action, root } => on_event(E::Asked { action: &of(&hider, action), root }),
        E::Tried { module, step, attempt } => {
            on_event(E::Tried { module, step: &text(step), attempt: &of(&hider, attempt) });
        }
        E::Labelled { module, step, label } => {
            on_event(E::Labelled { module, step: &text(step), label: &of(&hider, label) });
        }
        E::StepFailed { module, step, outcome } => {
            on_event(E::StepFailed { module, step: &text(step), outcome: &of(&hider, outcome) });
        }
        E::Changed { module, changes, label } => {
            known::learn(|secrets| secrets.add_withheld(changes));
            let hider = known::to_show();
            let (changes, label) = (&hider.changes(changes), &of(&hider, label));
            on_event(E::Changed { module, changes, label });
        }
        E::Validated { module, validator, outcome } => {
            on_event(E::Validated { module, validator: &text(validator), outcome: &of(&hider, outcome) });
        }
        E::Restoring { path, way } => on_event(E::Restoring { path: &hider.path(path), way }),
        E::NotMerged { path, why } => on_event(E::NotMerged { path: &hider.path(path), why: &text(why) }),
        E::MergedOver { path, what } => {
            on_event(E::MergedOver { path: &hider.path(path), what: &text(what) });
        }
        E::NotExecuted { actions, why } => on_event(E::NotExecuted { actions, why: &text(why) }),
        E::Scheduled { schedule, root } => on_event(E::Scheduled { schedule: &of(&hider, schedule), root }),
        E::Undone { reason } => on_event(E::Undone { reason: &text(reason) }),
        E::BroughtBack { effect, outcome, output } => {
            let (effect, outcome) = (&of(&hider, effect), &of(&hider, outcome));
            on_event(E::BroughtBack { effect, outcome, output: &text(output) });
        }
        E::Executed { duty, action, outcome, output } => {
            let action = action.map(|action| of(&hider, action));
            let (duty, outcome) = (&of(&hider, duty), &of(&hider, outcome));
            on_event(E::Executed { duty, action: action.as_deref(), outcome, output: &text(output) });
        }
    }
}

/// The data without what is hidden. What cannot be written down as JSON, such as a path that is not UTF-8, no record can hold
/// either: that is an error of its own, and soon.
fn of<'a, T: Serialize + DeserializeOwned + Clone>(hider: &Hider, data: &'a T) -> Cow<'a, T> {
    hider.data(data).unwrap_or(Cow::Borrowed(data))
}

/// Something of a run as it is kept.
pub(super) fn to_keep<'a, T>(run: &RunId, data: &'a T) -> Result<Cow<'a, T>, RunError>
where
    T: Serialize + DeserializeOwned + Clone,
{
    known::hider().data(data).map_err(|source| RunError::Damaged { run: run.clone(), source })
}

/// A record as its user may see it.
pub(super) fn to_show(record: RunRecord) -> RunRecord {
    of(&known::to_show(), &record).into_owned()
}
