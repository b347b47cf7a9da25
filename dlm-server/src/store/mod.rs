//! Where locks, hosts, users and logs are kept. A store reads a lock, lets [`disco_dlm::rules::decide`] decide, and writes what came
//! out if the lock is still what it read. It decides nothing itself. Everything here is linearizable: what is answered is
//! durable, and what is read is what was answered last, whichever server of the store is asked.

pub mod etcd;
pub mod memory;
pub mod sqlite;

use std::collections::BTreeMap;

use async_trait::async_trait;
use disco_dlm::model::{Event, HostName, Lock, LockId, LockName, Requester, UserName};
use disco_dlm::rules::{Answer, Operation};
use thiserror::Error;
use tokio::sync::watch;

use crate::access::{Host, HostChange, HostId, User};
use crate::search::{Filter, Order};

/// Which lock is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one of this name.
    Named(LockName),
    /// The one of this number.
    Numbered(LockId),
    /// The one of this number, or else of this name, which is all digits (Foreman's lookup).
    NumberedOrNamed(LockId, LockName),
}

impl Which {
    /// The name of a lock that is made where there is none; `None` where only a number was said.
    pub fn name(&self) -> Option<&LockName> {
        match self {
            Which::Named(name) | Which::NumberedOrNamed(_, name) => Some(name),
            Which::Numbered(_) => None,
        }
    }
}

/// One question to one lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The lock.
    pub which: Which,
    /// Who asks; permissions were looked at before.
    pub requester: Requester,
    /// What is asked.
    pub operation: Operation,
}

/// What came of it; all of it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The answer. `Missing` also where only a number was said, and there is no such lock.
    pub answer: Answer,
    /// The lock as it was, if there was one.
    pub before: Option<Lock>,
    /// The lock as it is now, if there is one.
    pub after: Option<Lock>,
    /// How many hosts its group has.
    pub group: u64,
    /// When it was decided, by the store's clock.
    pub at: disco_dlm::model::Time,
}

/// One page of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: u64,
}

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// Its number, 1 the first.
    pub page: u64,
    /// How many are on one; `None` is all.
    pub per_page: Option<u64>,
}

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventQuery {
    /// The newest first, page by page.
    Newest(Paging),
    /// Those later than this number, the oldest first, at most so many.
    After(u64, u64),
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its number; larger ones are later. Given once.
    pub id: u64,
    /// The name of the lock when it happened.
    pub lock: LockName,
    /// What happened.
    pub event: Event,
}

/// A store that could not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// It cannot be reached, or has no majority, or its disk is full. Whether a change was made is not known: ask again.
    #[error("the store {store} is not available")]
    Unavailable {
        /// The file or the cluster.
        store: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What it holds makes no sense.
    #[error("{what} in the store {store} is damaged")]
    Damaged {
        /// What.
        what: String,
        /// The file or the cluster.
        store: String,
        /// How.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A newer disco made it.
    #[error("the store {store} has form {found}, and this server reads up to {known}")]
    Newer {
        /// The file or the cluster.
        store: String,
        /// Its form.
        found: u32,
        /// The newest form that this server knows.
        known: u32,
    },
}

/// What every store does. Clones of one store, and other servers on the same store, see the same.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Decides one request and answers when what came of it is durable. The group's size, the host's `may_acquire`, the clock, numbers and
    /// tokens are the store's to know.
    async fn ask(&self, ask: Ask) -> Result<Told, StoreError>;

    /// The locks that pass, as they are kept: what has lapsed since is not taken away.
    async fn locks(&self, filter: &Filter, order: Order, paging: Paging) -> Result<Page<Lock>, StoreError>;

    /// The events of one lock (also of one that is gone), or of all.
    async fn events(&self, of: Option<LockId>, query: EventQuery) -> Result<Page<Logged>, StoreError>;

    /// A host, if it is known.
    async fn host(&self, name: &HostName) -> Result<Option<Host>, StoreError>;

    /// The host of this number.
    async fn host_of(&self, id: HostId) -> Result<Option<Host>, StoreError>;

    /// The numbers of those of these hosts that are known.
    async fn host_ids(&self, names: &[HostName]) -> Result<BTreeMap<HostName, HostId>, StoreError>;

    /// All hosts, by name.
    async fn hosts(&self, paging: Paging) -> Result<Page<Host>, StoreError>;

    /// Adds a host, or changes one, and gives it as it is now.
    async fn put_host(&self, name: &HostName, change: HostChange) -> Result<Host, StoreError>;

    /// Removes a host; its slots are released first, in the name of `by`. Whether there was one.
    async fn remove_host(&self, name: &HostName, by: &Requester) -> Result<bool, StoreError>;

    /// Notes that a host asked for something. It is durable some seconds later; nobody's lock depends on it.
    async fn check_in(&self, name: &HostName) -> Result<(), StoreError>;

    /// A user, if there is one.
    async fn user(&self, login: &UserName) -> Result<Option<User>, StoreError>;

    /// All users, by login.
    async fn users(&self) -> Result<Vec<User>, StoreError>;

    /// Adds a user, or replaces one.
    async fn put_user(&self, user: &User) -> Result<(), StoreError>;

    /// Removes a user. Whether there was one.
    async fn remove_user(&self, login: &UserName) -> Result<bool, StoreError>;

    /// Lapses what has lapsed, and removes events of before `events_before`. How many events went.
    async fn sweep(&self, events_before: disco_dlm::model::Time) -> Result<u64, StoreError>;

    /// Whether it can decide something now.
    async fn ready(&self) -> Result<(), StoreError>;

    /// Changes whenever a lock or a log may have, by this server or another one; the number means nothing.
    fn changes(&self) -> watch::Receiver<u64>;
}
