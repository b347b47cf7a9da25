//! What happened to a lock, for its log. Foreman's five types keep their meaning; the others are disco's.

use serde::{Deserialize, Serialize};

use super::names::{HostName, LockId, UserName};
use super::time::Time;

/// Who asked. The server itself asks when it looks for what has expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Requester {
    /// A host, by its certificate.
    Host(HostName),
    /// A person or a program with a login.
    User(UserName),
    /// This server.
    Server,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// Granted to `host`.
    Acquire,
    /// Released by `host`, or taken away by a user over Foreman's wire.
    Release,
    /// Released by `host`, which said that its work had failed.
    ReleaseFailed,
    /// Taken away from `host` by a user, with a reason.
    Force,
    /// Taken away from `host` by the policy's expiry.
    Expire,
    /// Acquire or release refused. `host` is the holder, as in Foreman; who was refused is the requester.
    Fail,
    /// Enabled.
    Enable,
    /// Disabled.
    Disable,
    /// Made.
    Create,
    /// Its name or type changed.
    Update,
    /// Removed.
    Delete,
    /// Its policy changed.
    Policy,
    /// Grants nothing any more, for as many hosts failed as the policy allows.
    Freeze,
    /// Its failures are forgotten.
    Thaw,
}

impl EventKind {
    /// The type that Foreman's log has for it; `None` where Foreman logs nothing.
    pub fn foreman(self) -> Option<&'static str> {
        match self {
            EventKind::Acquire => Some("acquire"),
            EventKind::Release | EventKind::ReleaseFailed | EventKind::Force | EventKind::Expire => {
                Some("release")
            }
            EventKind::Fail => Some("fail"),
            EventKind::Enable => Some("enable"),
            EventKind::Disable => Some("disable"),
            EventKind::Create
            | EventKind::Update
            | EventKind::Delete
            | EventKind::Policy
            | EventKind::Freeze
            | EventKind::Thaw => None,
        }
    }
}

/// One line of a lock's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The lock.
    pub lock: LockId,
    /// What happened.
    pub kind: EventKind,
    /// The host that it happened to: who holds the lock, or held it.
    pub host: Option<HostName>,
    /// Who asked for it.
    pub requester: Requester,
    /// Why, in words; may be empty.
    pub detail: String,
    /// When.
    pub at: Time,
}
