//! Who the server knows and what they may do: plain data. Names of permissions are Foreman's, so that its users know them.

use std::collections::{BTreeMap, BTreeSet};

use disco_dlm::model::{HostName, Time, UserName};
use serde::{Deserialize, Serialize};

/// The number of a host, Foreman's `host_id`. Given once, never again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostId(pub u64);

/// A host that the server knows, by hand or by its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its number.
    pub id: HostId,
    /// Its name.
    pub name: HostName,
    /// The groups that it belongs to. A lock's group has the lock's name; where no host is in it, all hosts are.
    pub groups: BTreeSet<String>,
    /// Foreman's host parameter `can_acquire_update_locks`.
    pub may_acquire: bool,
    /// Since when it is known.
    pub enrolled: Time,
    /// When it asked for anything last.
    pub last_checkin: Option<Time>,
}

/// What is said of a host when it is added or changed. What is `None` stays, or is as for a new host: no groups, may acquire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostChange {
    /// All its groups.
    pub groups: Option<BTreeSet<String>>,
    /// Whether it may acquire locks.
    pub may_acquire: Option<bool>,
}

/// What users can be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// See locks.
    ViewDlmlocks,
    /// Make them.
    CreateDlmlocks,
    /// Change, enable, disable, force.
    EditDlmlocks,
    /// Remove them.
    DestroyDlmlocks,
    /// See their logs.
    ViewDlmlockEvents,
    /// See hosts.
    ViewHosts,
}

impl Permission {
    /// All of them.
    pub const ALL: [Permission; 6] = [
        Permission::ViewDlmlocks,
        Permission::CreateDlmlocks,
        Permission::EditDlmlocks,
        Permission::DestroyDlmlocks,
        Permission::ViewDlmlockEvents,
        Permission::ViewHosts,
    ];

    /// Its name on Foreman's wire.
    pub fn name(self) -> &'static str {
        match self {
            Permission::ViewDlmlocks => "view_dlmlocks",
            Permission::CreateDlmlocks => "create_dlmlocks",
            Permission::EditDlmlocks => "edit_dlmlocks",
            Permission::DestroyDlmlocks => "destroy_dlmlocks",
            Permission::ViewDlmlockEvents => "view_dlmlock_events",
            Permission::ViewHosts => "view_hosts",
        }
    }
}

/// The roles that are always there: Foreman's own, and its plugin's. More can be set.
pub fn roles() -> BTreeMap<String, BTreeSet<Permission>> {
    let plugin = Permission::ALL.into_iter().filter(|permission| *permission != Permission::ViewHosts);
    let views = [Permission::ViewDlmlocks, Permission::ViewDlmlockEvents, Permission::ViewHosts];
    BTreeMap::from([
        (String::from("Distributed Lock Manager"), plugin.collect()),
        (String::from("Manager"), Permission::ALL.into_iter().collect()),
        (String::from("Viewer"), views.into_iter().collect()),
    ])
}

/// A token that stands for a user's password, as Foreman's personal access tokens do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// What its user calls it.
    pub name: String,
    /// SHA-256 of it, in hex: a token is 256 random bits, so nothing slower is needed.
    pub sha256: String,
    /// When it was made.
    pub created: Time,
    /// When it ends; `None` is never.
    pub expires: Option<Time>,
}

/// Somebody with a login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The login.
    pub login: UserName,
    /// The password as a PHC string of Argon2id; `None` where only tokens log in.
    pub password: Option<String>,
    /// May do everything.
    pub admin: bool,
    /// The roles, by name. One that there is not allows nothing.
    pub roles: BTreeSet<String>,
    /// The tokens, by name.
    pub tokens: Vec<ApiToken>,
}

impl User {
    /// What this user may do, given all roles.
    pub fn permissions(&self, roles: &BTreeMap<String, BTreeSet<Permission>>) -> BTreeSet<Permission> {
        if self.admin {
            return Permission::ALL.into_iter().collect();
        }
        self.roles.iter().filter_map(|role| roles.get(role)).flatten().copied().collect()
    }
}
