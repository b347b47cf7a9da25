//! A store in memory: what the real ones are compared with in tests, and what tests of wires stand on. Nothing of it is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use disco_dlm::model::{Event, HostName, Lock, LockId, LockName, Requester, Time, Token, UserName};
use disco_dlm::rules::{After, Answer, Facts, Operation, Request, decide};
use tokio::sync::watch;

use super::{Ask, EventQuery, Logged, Page, Paging, Store, StoreError, Told, Which};
use crate::access::{Host, HostChange, HostId, User};
use crate::search::{Filter, Order, compare, passes};

/// All of it.
pub struct MemoryStore {
    held: Mutex<Held>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Held {
    now: Time,
    locks: BTreeMap<LockId, Lock>,
    events: Vec<Logged>,
    hosts: BTreeMap<HostName, Host>,
    users: BTreeMap<UserName, User>,
    last_lock: u64,
    last_host: u64,
    last_token: u64,
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore { held: Mutex::new(Held::default()), changes: watch::Sender::new(0) }
    }
}

impl MemoryStore {
    /// An empty store, whose clock stands at this time.
    pub fn at(now: Time) -> MemoryStore {
        let store = MemoryStore::default();
        store.set_now(now);
        store
    }

    /// Puts its clock to this time.
    pub fn set_now(&self, now: Time) {
        self.held().now = now;
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn find(&self, which: &Which) -> Option<&Lock> {
        let named = |name: &LockName| self.locks.values().find(|lock| lock.name == *name);
        match which {
            Which::Named(name) => named(name),
            Which::Numbered(id) => self.locks.get(id),
            Which::NumberedOrNamed(id, name) => self.locks.get(id).or_else(|| named(name)),
        }
    }

    fn group(&self, name: &LockName) -> u64 {
        let own = self.hosts.values().filter(|host| host.groups.contains(name.as_str())).count();
        if own > 0 { own as u64 } else { self.hosts.len() as u64 }
    }

    fn ask(&mut self, ask: &Ask) -> Told {
        let before = self.find(&ask.which).cloned();
        let name = before.as_ref().map(|lock| &lock.name).or(ask.which.name());
        let Some(name) = name.cloned() else {
            return Told { answer: Answer::Missing, before: None, after: None, group: 0, at: self.now };
        };
        let new_name = match &ask.operation {
            Operation::Update { name: Some(new), .. } => Some(new),
            _ => None,
        };
        let name_taken = new_name.is_some_and(|new| {
            self.locks
                .values()
                .any(|lock| lock.name == *new && Some(lock.id) != before.as_ref().map(|lock| lock.id))
        });
        let may_acquire = match &ask.requester {
            Requester::Host(host) => self.hosts.get(host).is_none_or(|host| host.may_acquire),
            Requester::User(_) | Requester::Server => true,
        };
        let group = self.group(&name);
        let facts = Facts {
            now: self.now,
            group,
            next_id: LockId(self.last_lock + 1),
            next_token: Token(self.last_token + 1),
            name_taken,
            may_acquire,
        };
        let request = Request {
            requester: ask.requester.clone(),
            name: name.clone(),
            operation: ask.operation.clone(),
        };
        let decision = decide(before.as_ref(), &request, &facts);
        let after = decision.lock(before.as_ref()).cloned();
        match &decision.after {
            After::Unchanged => {}
            After::Saved(lock) => {
                self.last_lock = self.last_lock.max(lock.id.0);
                self.last_token = self.last_token.max(lock.last_token.0);
                self.locks.insert(lock.id, lock.as_ref().clone());
            }
            After::Removed => {
                if let Some(lock) = &before {
                    self.locks.remove(&lock.id);
                }
            }
        }
        for event in decision.events {
            self.log(&name, event);
        }
        Told { answer: decision.answer, before, after, group, at: self.now }
    }

    fn log(&mut self, lock: &LockName, event: Event) {
        let id = self.events.last().map_or(1, |last| last.id + 1);
        self.events.push(Logged { id, lock: lock.clone(), event });
    }
}

/// That page of all of them.
pub(super) fn page<T>(items: Vec<T>, paging: Paging) -> Page<T> {
    let total = items.len() as u64;
    let items = match paging.per_page {
        None => items,
        Some(per_page) => {
            let skip = paging.page.saturating_sub(1).saturating_mul(per_page);
            let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
            items.into_iter().skip(number(skip)).take(number(per_page)).collect()
        }
    };
    Page { items, total }
}

#[async_trait]
impl Store for MemoryStore {
    async fn ask(&self, ask: Ask) -> Result<Told, StoreError> {
        let (told, changed) = {
            let mut held = self.held();
            let before = held.events.len();
            let told = held.ask(&ask);
            let changed = told.before != told.after || held.events.len() != before;
            (told, changed)
        };
        if changed {
            self.changes.send_modify(|count| *count += 1);
        }
        Ok(told)
    }

    async fn locks(&self, filter: &Filter, order: Order, paging: Paging) -> Result<Page<Lock>, StoreError> {
        let mut locks: Vec<Lock> =
            self.held().locks.values().filter(|lock| passes(filter, lock)).cloned().collect();
        locks.sort_by(|a, b| compare(order, a, b));
        Ok(page(locks, paging))
    }

    async fn events(&self, of: Option<LockId>, query: EventQuery) -> Result<Page<Logged>, StoreError> {
        let held = self.held();
        let ours = |logged: &&Logged| of.is_none_or(|of| logged.event.lock == of);
        Ok(match query {
            EventQuery::Newest(paging) => {
                page(held.events.iter().filter(ours).rev().cloned().collect(), paging)
            }
            EventQuery::After(after, most) => {
                let later = held.events.iter().filter(ours).filter(|logged| logged.id > after).cloned();
                page(later.collect(), Paging { page: 1, per_page: Some(most) })
            }
        })
    }

    async fn host(&self, name: &HostName) -> Result<Option<Host>, StoreError> {
        Ok(self.held().hosts.get(name).cloned())
    }

    async fn host_of(&self, id: HostId) -> Result<Option<Host>, StoreError> {
        Ok(self.held().hosts.values().find(|host| host.id == id).cloned())
    }

    async fn host_ids(&self, names: &[HostName]) -> Result<BTreeMap<HostName, HostId>, StoreError> {
        let held = self.held();
        Ok(names
            .iter()
            .filter_map(|name| held.hosts.get(name))
            .map(|host| (host.name.clone(), host.id))
            .collect())
    }

    async fn hosts(&self, paging: Paging) -> Result<Page<Host>, StoreError> {
        Ok(page(self.held().hosts.values().cloned().collect(), paging))
    }

    async fn put_host(&self, name: &HostName, change: HostChange) -> Result<Host, StoreError> {
        let held = &mut *self.held();
        let host = held.hosts.entry(name.clone()).or_insert_with(|| {
            held.last_host += 1;
            Host {
                id: HostId(held.last_host),
                name: name.clone(),
                groups: BTreeSet::new(),
                may_acquire: true,
                enrolled: held.now,
                last_checkin: None,
            }
        });
        host.groups = change.groups.unwrap_or_else(|| host.groups.clone());
        host.may_acquire = change.may_acquire.unwrap_or(host.may_acquire);
        Ok(host.clone())
    }

    async fn remove_host(&self, name: &HostName, by: &Requester) -> Result<bool, StoreError> {
        let mut held = self.held();
        let holds: Vec<LockId> =
            held.locks.values().filter(|lock| lock.holder(name).is_some()).map(|lock| lock.id).collect();
        for lock in holds {
            let operation =
                Operation::ForceRelease { host: Some(name.clone()), reason: String::from("host removed") };
            held.ask(&Ask { which: Which::Numbered(lock), requester: by.clone(), operation });
        }
        Ok(held.hosts.remove(name).is_some())
    }

    async fn check_in(&self, name: &HostName) -> Result<(), StoreError> {
        let mut held = self.held();
        let now = held.now;
        if let Some(host) = held.hosts.get_mut(name) {
            host.last_checkin = Some(now);
        }
        Ok(())
    }

    async fn user(&self, login: &UserName) -> Result<Option<User>, StoreError> {
        Ok(self.held().users.get(login).cloned())
    }

    async fn users(&self) -> Result<Vec<User>, StoreError> {
        Ok(self.held().users.values().cloned().collect())
    }

    async fn put_user(&self, user: &User) -> Result<(), StoreError> {
        self.held().users.insert(user.login.clone(), user.clone());
        Ok(())
    }

    async fn remove_user(&self, login: &UserName) -> Result<bool, StoreError> {
        Ok(self.held().users.remove(login).is_some())
    }

    async fn sweep(&self, events_before: Time) -> Result<u64, StoreError> {
        let mut held = self.held();
        let locks: Vec<LockId> = held.locks.keys().copied().collect();
        for lock in locks {
            held.ask(&Ask {
                which: Which::Numbered(lock),
                requester: Requester::Server,
                operation: Operation::Sweep,
            });
        }
        let before = held.events.len();
        held.events.retain(|logged| logged.event.at >= events_before);
        Ok((before - held.events.len()) as u64)
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
