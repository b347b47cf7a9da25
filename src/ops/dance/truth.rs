//! How true a run's report can be, and telling what it is not.

use crate::model::names::ModuleName;
use crate::model::step::StepRecord;
use crate::model::truth::{Label, Truth};
use crate::settings::Network;
use crate::sys::user_namespace;

use super::DanceEvent;

/// How true a report can be at best where steps reach that much of the network.
pub(super) fn best(network: Network) -> Label {
    let mut label = Label::default();
    match network {
        // What is fetched from a package source is what the live system would fetch.
        Network::None | Network::Fetch => {}
        Network::Host => label.lower(Truth::Unknown, "network"),
    }
    if user_namespace::is_settled() {
        // What is refused there may be allowed to root, and the other way round.
        label.lower(Truth::Approximate, "user namespace");
    }
    label
}

/// Tells what a step was kept from, and how true its report is where that is less than exact.
pub(in crate::ops) fn tell(
    on_event: &mut dyn FnMut(DanceEvent<'_>),
    module: &ModuleName,
    record: &StepRecord,
) {
    let step = record.step.label();
    for attempt in &record.attempts {
        on_event(DanceEvent::Tried { module, step, attempt });
    }
    if !record.label.is_exact() {
        on_event(DanceEvent::Labelled { module, step, label: &record.label });
    }
}
