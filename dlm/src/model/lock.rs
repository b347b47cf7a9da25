//! A lock: what is stored of it, whole. Whether somebody still holds it at a time is said by the policy as it is now
//! ([`Lock::expires`]), never by what was so when it was granted.

use serde::{Deserialize, Serialize};

use super::names::{HostName, LockId, LockName, Token};
use super::policy::Policy;
use super::time::Time;

/// What a lock is for, as Foreman's `type` says it (its single-table inheritance).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Of no kind: Foreman's base class, `null` on its wire.
    #[serde(rename = "ForemanDlm::Dlmlock")]
    Generic,
    /// For updates: what a lock is that was made by asking for it.
    #[serde(rename = "ForemanDlm::Dlmlock::Update")]
    Update,
}

impl Kind {
    /// What Foreman has in its column `type`; `None` is its `null`.
    pub fn sti(self) -> Option<&'static str> {
        match self {
            Kind::Generic => None,
            Kind::Update => Some("ForemanDlm::Dlmlock::Update"),
        }
    }
}

/// A host that has one of the slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The host.
    pub host: HostName,
    /// When it was granted.
    pub since: Time,
    /// When the holder last asked for it again.
    pub renewed: Time,
    /// The fencing token of the grant; renewing keeps it.
    pub token: Token,
    /// What the holder says it is doing; may be empty.
    pub note: String,
}

/// The place of a host that asked and was refused. The order of tickets in the lock is the order of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The host.
    pub host: HostName,
    /// When it first asked.
    pub since: Time,
    /// When it was told to ask again. The ticket lives until three polls after that were missed.
    pub due: Time,
}

/// A host that released the lock and said that its work had failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The host.
    pub host: HostName,
    /// When it released.
    pub at: Time,
    /// The token that it held.
    pub token: Token,
    /// What it said; may be empty.
    pub note: String,
}

/// A lock, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Its number.
    pub id: LockId,
    /// Its name, unique among locks.
    pub name: LockName,
    /// Foreman's type.
    pub kind: Kind,
    /// Whether it can be acquired and released at all.
    pub enabled: bool,
    /// When it was made.
    pub created: Time,
    /// When it was last changed, a renewal counted, a refusal not.
    pub updated: Time,
    /// What governs it, beyond Foreman's rules.
    pub policy: Policy,
    /// Who has it, the oldest grant first; no host twice.
    pub holders: Vec<Holder>,
    /// Who waits, the first to come first; no host twice, and no holder.
    pub tickets: Vec<Ticket>,
    /// Who failed since the last thaw, each host's last failure; a success of the same host takes it away.
    pub failures: Vec<Failure>,
    /// The token of the last grant.
    pub last_token: Token,
    /// When the last grant was made.
    pub last_grant: Option<Time>,
}

impl Lock {
    /// A new lock, free and enabled, under the default policy.
    pub fn new(id: LockId, name: LockName, kind: Kind, now: Time) -> Lock {
        Lock {
            id,
            name,
            kind,
            enabled: true,
            created: now,
            updated: now,
            policy: Policy::default(),
            holders: vec![],
            tickets: vec![],
            failures: vec![],
            last_token: Token(0),
            last_grant: None,
        }
    }

    /// The grant of this host, if it holds the lock.
    pub fn holder(&self, host: &HostName) -> Option<&Holder> {
        self.holders.iter().find(|holder| holder.host == *host)
    }

    /// Who answers for the lock on a wire that knows one holder only: the asking host where it is one, else the first.
    pub fn shown_holder(&self, asking: Option<&HostName>) -> Option<&Holder> {
        asking.and_then(|host| self.holder(host)).or_else(|| self.holders.first())
    }

    /// When this grant ends by itself, under the policy as it is now; `None` is never.
    pub fn expires(&self, holder: &Holder) -> Option<Time> {
        self.policy.expires_after.map(|span| holder.renewed.after(span))
    }

    /// Who has not renewed for longer than the policy finds good. They hold it all the same.
    pub fn stale(&self, now: Time) -> impl Iterator<Item = &Holder> {
        let limit = self.policy.stale_after;
        self.holders.iter().filter(move |holder| limit.is_some_and(|span| now > holder.renewed.after(span)))
    }

    /// Whether so many hosts have failed that the policy grants nothing until somebody thaws it.
    pub fn frozen(&self) -> bool {
        self.policy.freeze_after.is_some_and(|limit| self.failures.len() >= limit.get() as usize)
    }
}
