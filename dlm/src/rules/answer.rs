//! What is decided: the lock afterwards, what to log, and what to say.

use thiserror::Error;

use crate::model::{Event, HostName, Lock, PolicyError, Time, Token};

/// All that a request does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of the lock.
    pub after: After,
    /// What to log, in order, whether the lock changes or not. Written together with the lock, or not at all.
    pub events: Vec<Event>,
    /// What to say.
    pub answer: Answer,
}

/// What becomes of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// It is as it was, or there is still none.
    Unchanged,
    /// It is this.
    Saved(Box<Lock>),
    /// It is gone.
    Removed,
}

impl Decision {
    /// The decision that nothing happens.
    pub(super) fn unchanged(answer: Answer) -> Decision {
        Decision { after: After::Unchanged, events: vec![], answer }
    }

    /// The lock as it is after this, given what it was.
    pub fn lock<'a>(&'a self, before: Option<&'a Lock>) -> Option<&'a Lock> {
        match &self.after {
            After::Unchanged => before,
            After::Saved(lock) => Some(lock),
            After::Removed => None,
        }
    }
}

/// How a host came to hold a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// By this request.
    New,
    /// By an earlier one.
    Renewed,
}

/// What to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The lock as it is after this.
    Shown,
    /// There is a new lock.
    Created,
    /// It is as was asked.
    Updated,
    /// It is gone.
    Deleted,
    /// The host holds the lock.
    Granted {
        /// The fencing token.
        token: Token,
        /// Since when.
        grant: Grant,
    },
    /// The host does not hold the lock.
    Released {
        /// Whether it did.
        held: bool,
    },
    /// No, for now or for ever.
    Refused(Refusal),
    /// There is no such lock.
    Missing,
    /// There is such a lock already.
    NameTaken,
    /// No such policy can be.
    BadPolicy(PolicyError),
    /// A user asked what hosts alone may ask.
    HostsOnly,
    /// A host asked what users alone may ask.
    UsersOnly,
}

/// A refusal, with what helps the host that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// When it is worth asking again; `None` where asking again is no use.
    pub retry_at: Option<Time>,
    /// Where it stands in a fair queue, 1 the first; `None` where it has no place.
    pub place: Option<usize>,
}

/// Why the calendar says no.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Closed {
    /// No window is open.
    #[error("outside of its windows")]
    NoWindow,
    /// A blackout, with its reason.
    #[error("blackout: {0}")]
    Blackout(String),
    /// A time or a zone that no calendar has.
    #[error("the calendar does not reach to this time")]
    Beyond,
}

/// Why something was refused. As text it is the detail of the event `fail`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Reason {
    /// The host's parameter `can_acquire_update_locks` is false.
    #[error("the host may not acquire locks")]
    NotPermitted,
    /// The lock is disabled.
    #[error("disabled")]
    Disabled,
    /// As many as may hold it, or more.
    #[error("{holders} of {slots} slots held")]
    Full {
        /// How many hold it.
        holders: u64,
        /// How many may.
        slots: u64,
    },
    /// There are slots, but for those who came before.
    #[error("{0} waited longer")]
    Queued(usize),
    /// Not now, by the calendar.
    #[error("{0}")]
    Closed(Closed),
    /// Too soon after the last grant.
    #[error("too soon after the last grant")]
    Gap,
    /// So many hosts failed that somebody has to look.
    #[error("frozen after {0} failures")]
    Frozen(usize),
    /// To release: another host holds it.
    #[error("held by {0}")]
    HeldBy(HostName),
    /// To release: the host holds it by another grant than the one that it means.
    #[error("held by another grant than that of token {}", .0.0)]
    OtherGrant(Token),
    /// There are no larger tokens.
    #[error("no fencing token is left")]
    NoToken,
}
