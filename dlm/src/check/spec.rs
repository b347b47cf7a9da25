//! The sequential specification: the rules, seen without time.

use std::collections::BTreeSet;

use super::history::Saw;
use crate::model::{Holder, HostName, Kind, Lock, LockId, LockName, Policy, Slots, Time, Token};
use crate::rules::{Answer, Decision, Facts, Operation, Request, decide};

/// What of a lock its past can be told by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum State {
    /// There is none.
    Missing,
    /// There is one.
    There {
        /// Whether it is enabled.
        enabled: bool,
        /// How many may hold it.
        slots: u32,
        /// Who holds it.
        holders: BTreeSet<HostName>,
    },
}

impl State {
    /// A free and enabled lock with so many slots.
    pub fn free(slots: u32) -> State {
        State::There { enabled: true, slots, holders: BTreeSet::new() }
    }

    /// The state after this request, and what it answers.
    pub fn after(&self, request: &Request) -> (State, Saw) {
        let lock = self.lock(&request.name);
        let request = Request { operation: timeless(&request.operation), ..request.clone() };
        let facts = Facts {
            now: Time::new(0, 0),
            group: 0,
            next_id: LockId(1),
            next_token: Token(1),
            name_taken: false,
            may_acquire: true,
        };
        let decision = decide(lock.as_ref(), &request, &facts);
        let after = State::of(decision.lock(lock.as_ref()));
        let saw = saw(&decision, &after);
        (after, saw)
    }

    fn of(lock: Option<&Lock>) -> State {
        let Some(lock) = lock else { return State::Missing };
        State::There {
            enabled: lock.enabled,
            slots: u32::try_from(lock.policy.slots.of(0)).unwrap_or(u32::MAX),
            holders: lock.holders.iter().map(|holder| holder.host.clone()).collect(),
        }
    }

    /// A lock in this state: any will do, for the rest makes no difference without time.
    fn lock(&self, name: &LockName) -> Option<Lock> {
        let State::There { enabled, slots, holders } = self else { return None };
        let now = Time::new(0, 0);
        let mut lock = Lock::new(LockId(1), name.clone(), Kind::Update, now);
        lock.enabled = *enabled;
        lock.policy.slots = Slots::Number(*slots);
        lock.holders = (1u64..)
            .zip(holders)
            .map(|(token, host)| Holder {
                host: host.clone(),
                since: now,
                renewed: now,
                token: Token(token),
                note: String::new(),
            })
            .collect();
        lock.last_token = Token(holders.len() as u64);
        Some(lock)
    }
}

/// The operation without what depends on time, or on tokens, which are another check.
fn timeless(operation: &Operation) -> Operation {
    let slots_of = |policy: &Policy| Policy { slots: policy.slots, ..Policy::default() };
    match operation {
        Operation::SetPolicy(policy) => Operation::SetPolicy(slots_of(policy)),
        Operation::SwapPolicy { from, to } => {
            Operation::SwapPolicy { from: Box::new(slots_of(from)), to: Box::new(slots_of(to)) }
        }
        Operation::Define { kind, enabled, policy } => {
            Operation::Define { kind: *kind, enabled: *enabled, policy: Box::new(slots_of(policy)) }
        }
        Operation::Release { outcome, not_held, .. } => {
            Operation::Release { outcome: outcome.clone(), token: None, not_held: *not_held }
        }
        other => other.clone(),
    }
}

fn saw(decision: &Decision, after: &State) -> Saw {
    match &decision.answer {
        Answer::Granted { .. } => Saw::Granted,
        Answer::Released { .. } => Saw::Released,
        Answer::Refused(_)
        | Answer::NameTaken
        | Answer::BadPolicy(_)
        | Answer::HostsOnly
        | Answer::UsersOnly => Saw::Refused,
        Answer::Missing => Saw::Missing,
        Answer::Created | Answer::Updated | Answer::Deleted => Saw::Done,
        Answer::Shown => match after {
            State::Missing => Saw::Missing,
            State::There { enabled, holders, .. } => {
                Saw::Shown { enabled: *enabled, holders: holders.clone() }
            }
        },
    }
}
