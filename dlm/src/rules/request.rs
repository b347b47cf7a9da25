//! What is asked of a lock, and what has to be known to answer.

use serde::{Deserialize, Serialize};

use crate::model::{HostName, Kind, LockId, LockName, Policy, Requester, Time, Token};

/// One question to one lock. Whether a user may ask it is decided before, by permissions; that acquire and release are for
/// hosts, and the rest for users, is decided here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who asks.
    pub requester: Requester,
    /// The name that was asked for: the name of the lock where this request makes it.
    pub name: LockName,
    /// What is asked.
    pub operation: Operation,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// The lock as it is. Never makes one.
    Show,
    /// Nothing but that what has lapsed lapses, and is logged.
    Sweep,
    /// A new lock of the request's name.
    Create {
        /// Its type.
        kind: Kind,
        /// Whether it is enabled.
        enabled: bool,
        /// Who holds it from the start.
        holder: Option<HostName>,
    },
    /// A new lock of the request's name that has its policy from the start.
    Define {
        /// Its type.
        kind: Kind,
        /// Whether it is enabled.
        enabled: bool,
        /// What governs it.
        policy: Box<Policy>,
    },
    /// Other values for what Foreman lets users change. What is `None` stays.
    Update {
        /// The new name; `Facts::name_taken` is about this one.
        name: Option<LockName>,
        /// The new type.
        kind: Option<Kind>,
        /// Who holds it from now on.
        holder: NewHolder,
        /// Whether it is enabled.
        enabled: Option<bool>,
    },
    /// No such lock any more.
    Delete,
    /// A slot for the asking host; who has one renews it.
    Acquire {
        /// What the host says it will do; may be empty.
        note: String,
    },
    /// The slot of the asking host back.
    Release {
        /// How its work ended.
        outcome: Outcome,
        /// The token of the grant that is meant; another one's is not released.
        token: Option<Token>,
        /// What if it holds nothing while others do.
        not_held: NotHeld,
    },
    /// The slot of a host, or of all, back without being asked.
    ForceRelease {
        /// The host; `None` is every holder.
        host: Option<HostName>,
        /// Why.
        reason: String,
    },
    /// Enabled, if it was not.
    Enable,
    /// Disabled, if it was not.
    Disable,
    /// Enabled or disabled, if it was not, with why.
    Switch {
        /// Whether it is enabled from now on.
        enabled: bool,
        /// Why; may be empty.
        reason: String,
    },
    /// Another policy, at once, for who holds it too.
    SetPolicy(Policy),
    /// Another policy, if it still has the one that the change was made from; if not, the lock as it is, to begin again.
    SwapPolicy {
        /// What it was made from.
        from: Box<Policy>,
        /// What it becomes.
        to: Box<Policy>,
    },
    /// The failures forgotten.
    Thaw {
        /// Why.
        reason: String,
    },
}

/// What an update says about the holder (`host_id` on Foreman's wire).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewHolder {
    /// Nothing.
    Same,
    /// Nobody: a force release (`null`).
    Nobody,
    /// This host, and nobody else: given by a user, so neither the switch nor the policy's times are asked.
    Host(HostName),
}

/// How the work ended for which a lock was held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Well, or nothing was said.
    Ok,
    /// Not well, and this was said about it; may be empty.
    Failed(String),
}

/// What a release means for a host that holds nothing while others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotHeld {
    /// It is refused (Foreman).
    Refuse,
    /// All is well (FleetLock's UnlockIfHeld).
    Accept,
}

/// What has to be known besides the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The time, by the one clock of the store where several servers share it.
    pub now: Time,
    /// How many hosts the lock's group has, for slots that are a share of it.
    pub group: u64,
    /// The number of a lock that this request makes.
    pub next_id: LockId,
    /// The token of a grant that this request makes, larger than that of any grant of a lock of this name before, deleted ones
    /// too. A lock's own tokens grow whatever is said here.
    pub next_token: Token,
    /// Whether the name that a create or an update asks for belongs to another lock.
    pub name_taken: bool,
    /// What the host's parameter `can_acquire_update_locks` says; `true` where there is none.
    pub may_acquire: bool,
}
