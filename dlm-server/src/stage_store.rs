//! For tests: a store in memory in whose way something comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use disco_dlm::model::{HostName, Lock, LockId, Requester, Time, UserName};
use disco_dlm::rules::Operation;
use tokio::sync::watch;

use crate::access::{Host, HostChange, HostId, User};
use crate::search::{Filter, Order};
use crate::store::memory::MemoryStore;
use crate::store::{Ask, EventQuery, Logged, Page, Paging, Store, StoreError, Told};

/// What comes in the way of a question.
pub enum Meanwhile {
    /// Nothing.
    Nothing,
    /// Somebody else does this to the same lock before.
    Other(Operation),
    /// The store fails.
    Fails,
}

/// A store that asks this function before each question.
pub struct Between {
    pub inner: Arc<MemoryStore>,
    pub meanwhile: Box<dyn Fn(&Ask) -> Meanwhile + Send + Sync>,
}

pub fn failure() -> StoreError {
    let source = Box::new(std::io::Error::from(std::io::ErrorKind::StorageFull));
    StoreError::Unavailable { store: String::from("memory"), source }
}

#[async_trait]
impl Store for Between {
    async fn ask(&self, ask: Ask) -> Result<Told, StoreError> {
        match (self.meanwhile)(&ask) {
            Meanwhile::Nothing => {}
            Meanwhile::Other(operation) => {
                let requester = Requester::User(UserName::new("other").unwrap());
                self.inner.ask(Ask { which: ask.which.clone(), requester, operation }).await?;
            }
            Meanwhile::Fails => return Err(failure()),
        }
        self.inner.ask(ask).await
    }

    async fn locks(&self, filter: &Filter, order: Order, paging: Paging) -> Result<Page<Lock>, StoreError> {
        self.inner.locks(filter, order, paging).await
    }

    async fn events(&self, of: Option<LockId>, query: EventQuery) -> Result<Page<Logged>, StoreError> {
        self.inner.events(of, query).await
    }

    async fn host(&self, name: &HostName) -> Result<Option<Host>, StoreError> {
        self.inner.host(name).await
    }

    async fn host_of(&self, id: HostId) -> Result<Option<Host>, StoreError> {
        self.inner.host_of(id).await
    }

    async fn host_ids(&self, names: &[HostName]) -> Result<BTreeMap<HostName, HostId>, StoreError> {
        self.inner.host_ids(names).await
    }

    async fn hosts(&self, paging: Paging) -> Result<Page<Host>, StoreError> {
        self.inner.hosts(paging).await
    }

    async fn put_host(&self, name: &HostName, change: HostChange) -> Result<Host, StoreError> {
        self.inner.put_host(name, change).await
    }

    async fn remove_host(&self, name: &HostName, by: &Requester) -> Result<bool, StoreError> {
        self.inner.remove_host(name, by).await
    }

    async fn check_in(&self, name: &HostName) -> Result<(), StoreError> {
        self.inner.check_in(name).await
    }

    async fn user(&self, login: &UserName) -> Result<Option<User>, StoreError> {
        self.inner.user(login).await
    }

    async fn users(&self) -> Result<Vec<User>, StoreError> {
        self.inner.users().await
    }

    async fn put_user(&self, user: &User) -> Result<(), StoreError> {
        self.inner.put_user(user).await
    }

    async fn remove_user(&self, login: &UserName) -> Result<bool, StoreError> {
        self.inner.remove_user(login).await
    }

    async fn sweep(&self, events_before: Time) -> Result<u64, StoreError> {
        self.inner.sweep(events_before).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        let ask = Ask {
            which: crate::store::Which::Numbered(LockId(0)),
            requester: Requester::Server,
            operation: Operation::Show,
        };
        if matches!((self.meanwhile)(&ask), Meanwhile::Fails) {
            return Err(failure());
        }
        self.inner.ready().await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes()
    }
}
