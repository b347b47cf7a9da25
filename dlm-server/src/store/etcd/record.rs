//! What values look like: JSON, with a form where another one may come.

use std::collections::BTreeMap;

use disco_dlm::model::{Event, HostName, Lock, LockName};
use serde::{Deserialize, Serialize};

/// The form of all that is stored.
pub const FORM: u32 = 1;

/// A lock as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockRecord {
    /// The lock.
    pub lock: Lock,
    /// By which renewal each holder holds it: a number that no other renewal of this lock has, larger than those of earlier ones.
    /// Times cannot say it, for clocks can stand still, or be put back.
    pub stamps: BTreeMap<HostName, u64>,
}

/// An event as it is kept; its number comes from the revision at which it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// The name of the lock when it happened.
    pub name: LockName,
    /// Which event of its decision it is.
    pub number: u64,
    /// What happened.
    pub event: Event,
}

/// How many hosts there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// In all.
    pub hosts: u64,
    /// In each group that has any.
    pub groups: BTreeMap<String, u64>,
}

impl Groups {
    /// The size of the group of a lock: of the group of its name, or of all hosts where none is in that.
    pub fn of(&self, lock: &LockName) -> u64 {
        self.groups.get(lock.as_str()).copied().filter(|hosts| *hosts > 0).unwrap_or(self.hosts)
    }

    /// With one host more, in these groups.
    pub fn add<'a>(&mut self, groups: impl IntoIterator<Item = &'a String>) {
        self.hosts += 1;
        for group in groups {
            *self.groups.entry(group.clone()).or_default() += 1;
        }
    }

    /// With one host less, of these groups.
    pub fn take<'a>(&mut self, groups: impl IntoIterator<Item = &'a String>) {
        self.hosts = self.hosts.saturating_sub(1);
        for group in groups {
            if let Some(hosts) = self.groups.get_mut(group) {
                *hosts = hosts.saturating_sub(1);
            }
        }
        self.groups.retain(|_, hosts| *hosts > 0);
    }
}

/// For how long, at least, each holder has not renewed: the stamp of the renewal, and milliseconds.
pub type AgesRecord = BTreeMap<HostName, (u64, u64)>;
