//! What the server answers. Times are RFC 3339 in UTC, spans are seconds.

use serde::{Deserialize, Serialize};

use crate::model::{EventKind, HostName, LockId, LockName, Policy, Requester, Token};

/// A lock, with what the policy makes of it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockSaid {
    /// Its number.
    pub id: LockId,
    /// Its name.
    pub name: LockName,
    /// Foreman's type; `null` is its base class.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Whether it can be acquired and released.
    pub enabled: bool,
    /// How many may hold it now, a share of a group worked out.
    pub slots: u64,
    /// Who holds it, the oldest grant first.
    pub holders: Vec<HolderSaid>,
    /// Who waits, the first to come first.
    pub waiting: Vec<WaitingSaid>,
    /// Who failed since the last thaw.
    pub failures: Vec<FailureSaid>,
    /// Whether so many failed that nothing is granted.
    pub frozen: bool,
    /// When its calendar lets it be granted next, where it does not now; `null` where it does, or never will.
    pub opens: Option<String>,
    /// What governs it.
    pub policy: Policy,
    /// When it was made.
    pub created: String,
    /// When it was last changed.
    pub updated: String,
}

/// A host that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderSaid {
    /// The host.
    pub host: HostName,
    /// Since when.
    pub since: String,
    /// When it asked last.
    pub renewed: String,
    /// When the grant ends by itself, if it does.
    pub expires: Option<String>,
    /// Whether it has not asked for longer than the policy finds good.
    pub stale: bool,
    /// The fencing token.
    pub token: Token,
    /// What it said that it does.
    pub note: String,
}

/// A host that waits for a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingSaid {
    /// The host.
    pub host: HostName,
    /// Since when.
    pub since: String,
    /// Its place, 1 the first.
    pub place: usize,
}

/// A host that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureSaid {
    /// The host.
    pub host: HostName,
    /// When it said so.
    pub at: String,
    /// What it said.
    pub note: String,
}

/// `GET /disco/v1/locks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocksSaid {
    /// This page of them.
    pub locks: Vec<LockSaid>,
    /// How many there are in all.
    pub total: u64,
}

/// 200 of acquire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantSaid {
    /// The fencing token.
    pub token: Token,
    /// Whether the host held it already.
    pub renewed: bool,
    /// The lock afterwards.
    pub lock: LockSaid,
}

/// 200 of release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseSaid {
    /// Whether the host held it.
    pub held: bool,
    /// The lock afterwards.
    pub lock: LockSaid,
}

/// 412 of acquire and release: no, for now or for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalSaid {
    /// Why, for programs.
    pub code: RefusalCode,
    /// Why, in words.
    pub reason: String,
    /// In how many seconds it is worth asking again; `null` where it never is. Also the header `Retry-After`.
    pub retry_after: Option<u64>,
    /// Its place in a fair queue, 1 the first.
    pub place: Option<usize>,
    /// The lock, with those who hold it.
    pub lock: LockSaid,
}

/// Why something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// All slots are held.
    Full,
    /// Others came before.
    Queued,
    /// No window is open, or it is a blackout.
    Closed,
    /// Too soon after the last grant.
    Gap,
    /// Too many failed.
    Frozen,
    /// The lock is disabled.
    Disabled,
    /// The host may not acquire locks.
    NotPermitted,
    /// To release: another host holds it.
    HeldByOther,
    /// To release: the host holds it by another grant.
    OtherGrant,
    /// There are no larger tokens.
    NoToken,
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSaid {
    /// Its number; larger ones are later.
    pub id: u64,
    /// The lock's number.
    pub lock_id: LockId,
    /// The lock's name when it happened.
    pub lock: Option<LockName>,
    /// What happened.
    pub kind: EventKind,
    /// The host that it happened to.
    pub host: Option<HostName>,
    /// Who asked for it.
    pub requester: Requester,
    /// Why, in words.
    pub detail: String,
    /// When.
    pub at: String,
}

/// `GET …/events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsSaid {
    /// Oldest first where `after` was given, else newest first.
    pub events: Vec<EventSaid>,
    /// What to give as `after` to have what comes later.
    pub next: u64,
}

/// A host that the server knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSaid {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: HostName,
    /// The groups that it belongs to.
    pub groups: Vec<String>,
    /// Whether it may acquire locks.
    pub may_acquire: bool,
    /// Since when it is known.
    pub enrolled: String,
    /// When it asked for anything last.
    pub last_checkin: Option<String>,
    /// The names of the locks that it holds.
    pub holds: Vec<LockName>,
}

/// `GET /disco/v1/hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostsSaid {
    /// This page of them.
    pub hosts: Vec<HostSaid>,
    /// How many there are in all.
    pub total: u64,
}

/// `GET /disco/v1/whoami`: who the server takes the client for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoSaid {
    /// Who asks.
    pub requester: Requester,
    /// What a user may do, by Foreman's names of permissions; empty for hosts.
    pub permissions: Vec<String>,
    /// The server's version.
    pub server: String,
}

/// Any error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorSaid {
    /// What is wrong.
    pub error: ErrorBody,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// For programs, such as `forbidden`; docs/dlm-api.md has all of them.
    pub code: String,
    /// In words, with the name of what it is about.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}
