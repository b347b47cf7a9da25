//! The rules: what becomes of a lock when somebody asks something of it. One pure, total function, [`decide`]. Whoever stores
//! locks reads one, decides, and writes what came out if the lock is still the one that was read; whoever speaks a wire turns
//! it into a [`Request`], and the [`Answer`] back. What a request needs to know of the world is in [`Facts`].
//!
//! Without a native policy the rules are those of Foreman's plugin foreman_dlm 4.0 (`Dlmlock#acquire!`, `#release!`, their
//! callbacks and the controller's `find_resource_or_create`), but for its two writers: here each decision is one step.

mod acquire;
mod answer;
mod calendar;
mod draft;
mod manage;
mod release;
mod request;

#[cfg(test)]
mod native_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod semantics_tests;
#[cfg(test)]
mod stage;

pub use acquire::MOST_TICKETS;
pub use answer::{After, Answer, Closed, Decision, Grant, Reason, Refusal};
pub use calendar::{Cover, Covered, Opening, covered, opening};
pub use request::{Facts, NewHolder, NotHeld, Operation, Outcome, Request};

use crate::model::{EventKind, Kind, Lock, Requester};
use draft::Draft;

/// What becomes of a lock, or of none of that name, by this request under these facts. Equal arguments give equal decisions.
///
/// What has lapsed by `facts.now` lapses first, whatever is asked: grants that the policy as it is now ends, and tickets of
/// hosts that stopped asking. So even a look at a lock can change it.
pub fn decide(lock: Option<&Lock>, request: &Request, facts: &Facts) -> Decision {
    let by_host = matches!(request.requester, Requester::Host(_));
    let only = |answer| match lock {
        Some(lock) => Draft::of(lock, request, facts).finish(lock, answer),
        None => Decision::unchanged(answer),
    };
    match (&request.operation, lock) {
        (Operation::Acquire { .. } | Operation::Release { .. }, _) => by_name(lock, request, facts),
        (Operation::Show | Operation::Sweep, Some(_)) => only(Answer::Shown),
        (Operation::Show | Operation::Sweep, None) => only(Answer::Missing),
        (_, _) if by_host => only(Answer::UsersOnly),
        (Operation::Create { kind, enabled, holder }, None) => {
            manage::create(request, facts, *kind, *enabled, holder.as_ref())
        }
        (Operation::Define { kind, enabled, policy }, None) => {
            manage::define(request, facts, *kind, *enabled, policy)
        }
        (Operation::Create { .. } | Operation::Define { .. }, Some(_)) => only(Answer::NameTaken),
        (_, None) => only(Answer::Missing),
        (operation, Some(lock)) => manage::manage(lock, operation, request, facts),
    }
}

/// Acquire and release: they make the lock where there is none, even for a user, whom they then turn away.
fn by_name(lock: Option<&Lock>, request: &Request, facts: &Facts) -> Decision {
    let mut draft = match lock {
        Some(lock) => Draft::of(lock, request, facts),
        None => Draft::new(Kind::Update, request, facts),
    };
    let answer = match (&request.requester, &request.operation) {
        (Requester::Host(host), Operation::Acquire { note }) => acquire::acquire(&mut draft, host, note),
        (Requester::Host(host), Operation::Release { outcome, token, not_held }) => {
            release::release(&mut draft, host, outcome, *token, *not_held)
        }
        _ => Answer::HostsOnly,
    };
    match lock {
        Some(lock) => draft.finish(lock, answer),
        None => draft.finish_new(answer),
    }
}

/// The event of something refused, as Foreman logs it: it names who holds the lock.
fn log_refusal(draft: &mut Draft<'_>, reason: &Reason) {
    let holder = draft.lock.holders.first().map(|holder| holder.host.clone());
    draft.log(EventKind::Fail, holder, reason.to_string());
}
