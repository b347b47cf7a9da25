//! What every handler of every wire has: the store, what the server is set to, and who asks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use disco_dlm::model::{HostName, Requester, UserName};

use crate::access::Permission;
use crate::store::Store;

/// What every handler has; cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// What the server is set to.
    pub set: Arc<Set>,
}

/// What the server is set to, as far as its wires need to know.
#[derive(Debug, Clone)]
pub struct Set {
    /// All roles, those of the configuration too.
    pub roles: BTreeMap<String, BTreeSet<Permission>>,
    /// Whether a host with a good certificate that is not known is added (`hosts.auto_create = "cert"`).
    pub auto_create: bool,
    /// Whether FleetLock is served, and for whom.
    pub fleetlock: FleetLock,
    /// Items on a page where the client says nothing (Foreman's setting `entries_per_page`).
    pub per_page: u64,
    /// After how many hours a holder is shown as stale where the policy says nothing (Foreman's `dlm_stale_time`).
    pub stale_hours: u64,
}

/// For whom FleetLock is served: its clients say who they are, and nothing proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetLock {
    /// For nobody.
    Off,
    /// For ids that are enrolled as hosts.
    Enrolled,
    /// For any id; it is enrolled.
    Anybody,
}

/// Who asks, as found before a handler runs: an extension of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A host that is known, by its certificate (or just added by it).
    Host(HostName),
    /// Somebody with a login, and what they may do.
    User {
        /// The login.
        login: UserName,
        /// What they may do.
        permissions: BTreeSet<Permission>,
        /// Whether a browser's session says so and no header: then a form must carry its token.
        session: bool,
    },
    /// Nobody, and why.
    Nobody(NotKnown),
}

/// Why nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotKnown {
    /// Neither certificate nor login.
    Silent,
    /// A certificate of a host that is not known.
    Host(HostName),
    /// A certificate without a name that a host can have.
    Nameless,
    /// A login that is wrong, as it was said.
    Login(String),
    /// Too many wrong logins from that address.
    Throttled,
}

impl Caller {
    /// As the rules have it; `None` for nobody.
    pub fn requester(&self) -> Option<Requester> {
        match self {
            Caller::Host(host) => Some(Requester::Host(host.clone())),
            Caller::User { login, .. } => Some(Requester::User(login.clone())),
            Caller::Nobody(_) => None,
        }
    }

    /// Whether it is a user who may do that.
    pub fn may(&self, permission: Permission) -> bool {
        matches!(self, Caller::User { permissions, .. } if permissions.contains(&permission))
    }
}
