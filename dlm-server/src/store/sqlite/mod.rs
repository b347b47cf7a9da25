//! A store in one file, by SQLite: for one machine. Several processes there may share it; SQLite's lock of the file says whose
//! turn it is, and nothing is decided on what was read before that.
//!
//! - [`writer`]: one thread writes, many requests in one transaction; [`work`] is what it does within one, [`hosts`] too.
//! - [`readers`]: some connections read; [`reads`], [`filter`] and [`hosts`] say what.
//! - [`file`], [`schema`], [`rows`]: the file, its tables, and what stands in them.
//! - [`clock`]: the time, which never goes back. [`trouble`]: what can go wrong.
//!
//! What it promises of faults is tried by `scripts/lock-kills`; docs/lock-proof.md has what was found.

mod clock;
mod file;
mod filter;
mod hosts;
mod readers;
mod reads;
mod rows;
mod schema;
mod tidy;
mod trouble;
mod work;
mod writer;

#[cfg(test)]
mod compare_tests;
#[cfg(test)]
mod sqlite_tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use async_trait::async_trait;
use disco_dlm::model::{HostName, Lock, LockId, Requester, Time, UserName};
use disco_dlm::rules::Operation;
use tokio::sync::{Semaphore, oneshot, watch};

use self::clock::Clock;
use self::hosts::Seen;
use self::readers::Readers;
use self::trouble::{Done, Trouble};
use self::work::Work;
use self::writer::{Call, Message, Writer};
use super::{Ask, EventQuery, Logged, Page, Paging, Store, StoreError, Told, Which};
use crate::access::{Host, HostChange, HostId, User};
use crate::search::{Filter, Order};

/// How many requests wait for the writer; who comes later waits before the door.
const QUEUE: usize = 4096;
/// How many rows are removed, or locks looked through, in one transaction.
const AT_ONCE: u64 = 1000;

/// Everything in one file.
pub struct SqliteStore {
    path: PathBuf,
    /// Taken when the store is dropped: the writer ends when nobody can send to it.
    queue: Option<Sender<Message>>,
    writer: Option<JoinHandle<()>>,
    room: Semaphore,
    readers: Arc<Readers>,
    clock: Arc<Clock>,
    seen: Arc<Seen>,
    changes: watch::Sender<u64>,
}

impl SqliteStore {
    /// Opens the file, or makes it: for its owner alone, in a folder that is for its owner alone where that is made, too.
    pub fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        SqliteStore::with(path, Clock::new())
    }

    /// The same with another clock.
    fn with(path: &Path, clock: Clock) -> Result<SqliteStore, StoreError> {
        let said = |trouble: Trouble| trouble.of_store(path, schema::FORM);
        let connection = file::writing(path).map_err(said)?;
        let (clock, seen, changes) = (Arc::new(clock), Arc::new(Seen::default()), watch::Sender::new(0));
        let writer = Writer {
            path: path.to_owned(),
            connection,
            clock: clock.clone(),
            seen: seen.clone(),
            changes: changes.clone(),
        };
        let (queue, jobs) = channel();
        let thread = std::thread::Builder::new().name(String::from("lock-writer"));
        let writer = thread.spawn(move || writer.run(&jobs)).map_err(|error| said(error.into()))?;
        Ok(SqliteStore {
            path: path.to_owned(),
            queue: Some(queue),
            writer: Some(writer),
            room: Semaphore::new(QUEUE),
            readers: Arc::new(Readers::new(path.to_owned())),
            clock,
            seen,
            changes,
        })
    }

    /// Has this done by the writer, and says what came of it when that is on the disk.
    async fn write<T: Send + 'static>(
        &self,
        function: impl FnMut(&mut Work<'_>) -> Done<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.said(self.written(function).await)
    }

    async fn written<T: Send + 'static>(
        &self,
        function: impl FnMut(&mut Work<'_>) -> Done<T> + Send + 'static,
    ) -> Done<T> {
        let _room = self.room.acquire().await.map_err(|_| Trouble::Closed)?;
        let (reply, told) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(Trouble::Closed)?;
        queue.send(Message::Job(Box::new(Call::new(function, reply)))).map_err(|_| Trouble::Closed)?;
        told.await.map_err(|_| Trouble::Closed)?
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> Done<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.said(self.readers.read(read).await)
    }

    fn said<T>(&self, done: Done<T>) -> Result<T, StoreError> {
        done.map_err(|trouble| trouble.of_store(&self.path, schema::FORM))
    }
}

impl Drop for SqliteStore {
    /// Waits until what was asked is done, and check-ins are written.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // It panicked: whoever had asked was told that nothing is known.
            let _ = writer.join();
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn ask(&self, ask: Ask) -> Result<Told, StoreError> {
        self.write(move |work| work.ask(&ask)).await
    }

    async fn locks(&self, filter: &Filter, order: Order, paging: Paging) -> Result<Page<Lock>, StoreError> {
        let filter = filter.clone();
        self.read(move |connection| reads::locks(connection, &filter, order, paging)).await
    }

    async fn events(&self, of: Option<LockId>, query: EventQuery) -> Result<Page<Logged>, StoreError> {
        self.read(move |connection| reads::events(connection, of, &query)).await
    }

    async fn host(&self, name: &HostName) -> Result<Option<Host>, StoreError> {
        let name = name.clone();
        let host = self.read(move |connection| hosts::named(connection, &name)).await?;
        Ok(host.map(|host| self.seen.shown(host)))
    }

    async fn host_of(&self, id: HostId) -> Result<Option<Host>, StoreError> {
        let host = self.read(move |connection| hosts::numbered(connection, id)).await?;
        Ok(host.map(|host| self.seen.shown(host)))
    }

    async fn host_ids(&self, names: &[HostName]) -> Result<BTreeMap<HostName, HostId>, StoreError> {
        let names = names.to_vec();
        self.read(move |connection| hosts::ids(connection, &names)).await
    }

    async fn hosts(&self, paging: Paging) -> Result<Page<Host>, StoreError> {
        let (most, skip) = reads::limits(paging);
        let (hosts, total) = self.read(move |connection| hosts::page(connection, most, skip)).await?;
        Ok(Page { items: hosts.into_iter().map(|host| self.seen.shown(host)).collect(), total })
    }

    async fn put_host(&self, name: &HostName, change: HostChange) -> Result<Host, StoreError> {
        let (name, seen) = (name.clone(), self.seen.clone());
        let host = self.write(move |work| work.put_host(&name, &change, &seen)).await?;
        Ok(self.seen.shown(host))
    }

    async fn remove_host(&self, name: &HostName, by: &Requester) -> Result<bool, StoreError> {
        loop {
            // A host that was there for years may have many: nobody waits for all of them at once.
            let of = name.clone();
            if self.write(move |work| work.forget_events_of(&of, AT_ONCE)).await? < AT_ONCE {
                break;
            }
        }
        let (name, by, seen) = (name.clone(), by.clone(), self.seen.clone());
        self.write(move |work| work.remove_host(&name, &by, &seen)).await
    }

    async fn check_in(&self, name: &HostName) -> Result<(), StoreError> {
        self.seen.note(name, self.clock.now(Time::default()));
        Ok(())
    }

    async fn user(&self, login: &UserName) -> Result<Option<User>, StoreError> {
        let login = login.clone();
        self.read(move |connection| reads::user(connection, &login)).await
    }

    async fn users(&self) -> Result<Vec<User>, StoreError> {
        self.read(reads::users).await
    }

    async fn put_user(&self, user: &User) -> Result<(), StoreError> {
        let user = user.clone();
        self.write(move |work| work.put_user(&user)).await
    }

    async fn remove_user(&self, login: &UserName) -> Result<bool, StoreError> {
        let login = login.clone();
        self.write(move |work| work.remove_user(&login)).await
    }

    async fn sweep(&self, events_before: Time) -> Result<u64, StoreError> {
        let mut last = 0;
        loop {
            // Each transaction is short, so that others come between.
            let locks = self.write(move |work| work.lapsed(last, AT_ONCE / 10)).await?;
            let Some(end) = locks.last() else { break };
            last = end.0;
            self.write(move |work| {
                locks.iter().try_for_each(|lock| {
                    let which = Which::Numbered(*lock);
                    work.ask(&Ask { which, requester: Requester::Server, operation: Operation::Sweep })
                        .map(|_| ())
                })
            })
            .await?;
        }
        let mut gone = 0;
        loop {
            let now = self.write(move |work| work.forget_events(events_before, AT_ONCE)).await?;
            gone += now;
            if now < AT_ONCE {
                return Ok(gone);
            }
        }
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.write(|_| Ok(())).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        let changes = self.changes.subscribe();
        if let Some(queue) = &self.queue {
            // Where the writer is gone, requests say so.
            let _ = queue.send(Message::Listened);
        }
        changes
    }
}
