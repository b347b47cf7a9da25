//! A store in etcd, for any number of servers. Every decision is an optimistic transaction: a linearizable read, the rules, and a write
//! that is done only if nothing that was read has changed. Without a majority of etcd's members there is no answer but an error.
//!
//! Pure are [`address`], [`keys`], [`wire`] (etcd's JSON gateway), [`record`] (what values look like), [`ages`] (for how long holders have
//! not renewed) and [`asking`] (one question). What acts: [`client`] (requests to members, one after the other), [`optimistic`]
//! (snapshots and guarded writes), `locks`, `events`, `hosts`, and `watch`.
//!
//! Why it is as it is, and why tokens grow and grants never end early: ARCHITECTURE.md, "Locks in etcd".

pub mod address;
mod ages;
mod asking;
mod chance;
mod client;
pub mod clock;
mod events;
mod hosts;
mod keys;
mod locks;
mod optimistic;
pub mod options;
mod queue;
mod recent;
mod record;
#[cfg(test)]
mod tests;
mod turns;
mod watch;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use disco_dlm::model::{HostName, Lock, LockId, LockName, Requester, Time, UserName};
use serde::de::DeserializeOwned;
use tokio::sync::watch as channel;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use self::ages::Ages;
use self::client::{Client, MemberError};
use self::clock::{Clock, SystemClock};
use self::keys::Keys;
use self::optimistic::{Snapshot, Writes};
use self::queue::Queues;
use self::recent::Recent;
use self::turns::{Turn, Turns};
use self::wire::{Entry, Wanted};
use super::{Ask, EventQuery, Logged, Page, Paging, Store, StoreError, Told};
use crate::access::{Host, HostChange, HostId, User};
use crate::search::{Filter, Order};

pub use self::address::{Address, AddressError};
pub use self::options::Options;

/// How long check-ins are only in a server.
const CHECK_INS: Duration = Duration::from_secs(3);

/// The store. Dropping it ends its two tasks; check-ins of the last seconds are lost with it.
pub struct EtcdStore {
    parts: Arc<Parts>,
    tasks: Vec<JoinHandle<()>>,
}

/// All that requests need.
struct Parts {
    client: Arc<Client>,
    keys: Keys,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    turns: Turns,
    queues: Queues,
    recent: Recent,
    ages: Mutex<Ages>,
    names: Mutex<HashMap<LockId, LockName>>,
    check_ins: Mutex<BTreeMap<HostName, Time>>,
    changes: channel::Sender<u64>,
}

impl EtcdStore {
    /// The store in this cluster, which must have a majority now. A cluster without anything of disco's is made one that has.
    pub async fn connect(address: &Address, options: &Options) -> Result<EtcdStore, StoreError> {
        EtcdStore::connect_at(address, options, Arc::new(SystemClock::default())).await
    }

    /// The same for a server with this clock.
    pub async fn connect_at(
        address: &Address,
        options: &Options,
        clock: Arc<dyn Clock>,
    ) -> Result<EtcdStore, StoreError> {
        let unusable = |source| StoreError::Unavailable { store: address.to_string(), source };
        let client = Client::new(address, options).map_err(|error| unusable(error.into()))?;
        let parts = Arc::new(Parts {
            client: Arc::new(client),
            keys: Keys::new(&address.prefix),
            clock,
            deadline: options.deadline,
            turns: Turns::default(),
            queues: Queues::default(),
            recent: Recent::default(),
            ages: Mutex::default(),
            names: Mutex::default(),
            check_ins: Mutex::default(),
            changes: channel::Sender::new(0),
        });
        parts.check_form().await?;
        // From here on this server, too, knows who does not renew.
        parts.lapse().await?;
        let watching = watch::watch_changes(
            parts.client.clone(),
            parts.keys.clone(),
            parts.changes.clone(),
            options.patience,
        );
        let tasks = vec![tokio::spawn(watching), tokio::spawn(flush(parts.clone()))];
        Ok(EtcdStore { parts, tasks })
    }
}

impl Drop for EtcdStore {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Writes check-ins down, for ever.
async fn flush(parts: Arc<Parts>) {
    loop {
        sleep(CHECK_INS).await;
        // What could not be written is kept and tried again; nobody's lock depends on it.
        let _tried = parts.flush_check_ins().await;
    }
}

impl Parts {
    /// Whether what is there can be read by this server; nothing there becomes this form.
    async fn check_form(&self) -> Result<(), StoreError> {
        let (until, key) = (self.deadline(), self.keys.form());
        let snapshot = self.client.snapshot(std::slice::from_ref(&key), until).await?;
        match self.in_snapshot::<u32>(&snapshot, &key)? {
            None => {
                let then = vec![wire::Operation::put(key.clone(), &record::FORM)];
                let writes = Writes { guards: vec![snapshot.guard(key)], then, mark: None };
                // Where another server was faster it is there now.
                self.client.write(writes, &[], until).await.map(|_| ())
            }
            Some(found) if found > record::FORM => {
                Err(StoreError::Newer { store: self.client.name().to_owned(), found, known: record::FORM })
            }
            Some(_) => Ok(()),
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.deadline
    }

    /// The turn of a request at this key.
    async fn turn(&self, key: &str, until: Instant) -> Result<Turn<'_>, StoreError> {
        let turn = self.turns.take(key, until).await;
        turn.ok_or_else(|| self.client.unavailable(MemberError::Queue))
    }

    /// All values of one kind, by key.
    async fn all<T: DeserializeOwned>(&self, kind: &str, until: Instant) -> Result<Vec<T>, StoreError> {
        let said = self.client.range(&Wanted::all(self.keys.all(kind)), until).await?;
        said.kvs.iter().map(|entry| self.parse(entry)).collect()
    }

    fn parse<T: DeserializeOwned>(&self, entry: &Entry) -> Result<T, StoreError> {
        serde_json::from_slice(&entry.value).map_err(|source| self.client.damaged(&entry.key, source))
    }

    fn in_snapshot<T: DeserializeOwned>(
        &self,
        snapshot: &Snapshot,
        key: &str,
    ) -> Result<Option<T>, StoreError> {
        asking::parse(snapshot, key).map_err(|damage| self.damage(damage))
    }

    fn damage(&self, damage: asking::Damage) -> StoreError {
        self.client.damaged(&damage.key, damage.source)
    }

    fn ages(&self) -> MutexGuard<'_, Ages> {
        self.ages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> MutexGuard<'_, HashMap<LockId, LockName>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_ins(&self) -> MutexGuard<'_, BTreeMap<HostName, Time>> {
        self.check_ins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn ask(&self, ask: Ask) -> Result<Told, StoreError> {
        self.parts.ask_lock(ask).await
    }

    async fn locks(&self, filter: &Filter, order: Order, paging: Paging) -> Result<Page<Lock>, StoreError> {
        self.parts.list_locks(filter, order, paging).await
    }

    async fn events(&self, of: Option<LockId>, query: EventQuery) -> Result<Page<Logged>, StoreError> {
        self.parts.list_events(of, query).await
    }

    async fn host(&self, name: &HostName) -> Result<Option<Host>, StoreError> {
        self.parts.find_host(name).await
    }

    async fn host_of(&self, id: HostId) -> Result<Option<Host>, StoreError> {
        self.parts.find_host_of(id).await
    }

    async fn host_ids(&self, names: &[HostName]) -> Result<BTreeMap<HostName, HostId>, StoreError> {
        self.parts.find_host_ids(names).await
    }

    async fn hosts(&self, paging: Paging) -> Result<Page<Host>, StoreError> {
        self.parts.list_hosts(paging).await
    }

    async fn put_host(&self, name: &HostName, change: HostChange) -> Result<Host, StoreError> {
        self.parts.change_host(name, &change).await
    }

    async fn remove_host(&self, name: &HostName, by: &Requester) -> Result<bool, StoreError> {
        self.parts.drop_host(name, by).await
    }

    async fn check_in(&self, name: &HostName) -> Result<(), StoreError> {
        self.parts.check_ins().insert(name.clone(), self.parts.clock.now());
        Ok(())
    }

    async fn user(&self, login: &UserName) -> Result<Option<User>, StoreError> {
        self.parts.find_user(login).await
    }

    async fn users(&self) -> Result<Vec<User>, StoreError> {
        self.parts.list_users().await
    }

    async fn put_user(&self, user: &User) -> Result<(), StoreError> {
        self.parts.save_user(user).await
    }

    async fn remove_user(&self, login: &UserName) -> Result<bool, StoreError> {
        self.parts.drop_user(login).await
    }

    async fn sweep(&self, events_before: Time) -> Result<u64, StoreError> {
        self.parts.lapse().await?;
        self.parts.forget_events(events_before).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.parts.check_form().await
    }

    fn changes(&self) -> channel::Receiver<u64> {
        self.parts.changes.subscribe()
    }
}
