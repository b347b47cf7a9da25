//! A store around a store, which counts what is asked of it, and writes down why it fails. So every wire is counted alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use disco_dlm::model::{HostName, Lock, LockId, Requester, Time, UserName};
use disco_dlm::rules::{Answer, Grant, Operation, Reason};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Metrics, OfOperation, OfResult};
use crate::access::{Host, HostChange, HostId, User};
use crate::search::{Filter, Order};
use crate::store::{Ask, EventQuery, Logged, Page, Paging, Store, StoreError, Told};
use disco_listen::log::{Log, causes};

/// The store, counted.
pub fn around(inner: Arc<dyn Store>, metrics: Metrics, log: Log) -> Arc<dyn Store> {
    Arc::new(Counted { inner, metrics, log })
}

struct Counted {
    inner: Arc<dyn Store>,
    metrics: Metrics,
    log: Log,
}

impl Counted {
    async fn timed<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let begin = Instant::now();
        let done = work.await;
        let label = OfOperation { operation };
        self.metrics.0.store_seconds.get_or_create(&label).observe(begin.elapsed().as_secs_f64());
        if let Err(error) = &done {
            self.metrics.0.store_errors.get_or_create(&label).inc();
            self.log.error(format_args!("{operation}: {}", causes(error)));
        }
        done
    }

    fn count(&self, acquires: bool, told: &Told) {
        if acquires {
            self.metrics.0.acquires.get_or_create(&OfResult { result: result(&told.answer) }).inc();
        }
        for seconds in ended(told) {
            self.metrics.0.hold_seconds.observe(seconds);
        }
    }
}

/// What a host is told that asked for a lock, in one word.
fn result(answer: &Answer) -> &'static str {
    match answer {
        Answer::Granted { grant: Grant::New, .. } => "granted",
        Answer::Granted { grant: Grant::Renewed, .. } => "renewed",
        Answer::Refused(refusal) => match &refusal.reason {
            Reason::Full { .. } => "full",
            Reason::Queued(_) => "queued",
            Reason::Closed(_) => "closed",
            Reason::Gap => "gap",
            Reason::Frozen(_) => "frozen",
            Reason::Disabled => "disabled",
            Reason::NotPermitted => "not-permitted",
            Reason::HeldBy(_) | Reason::OtherGrant(_) | Reason::NoToken => "other",
        },
        _ => "other",
    }
}

/// How long those held it who do not any more.
fn ended(told: &Told) -> Vec<f64> {
    let still = |token| {
        told.after.as_ref().is_some_and(|lock| lock.holders.iter().any(|holder| holder.token == token))
    };
    let before = told.before.iter().flat_map(|lock| &lock.holders);
    // Below 2^53 seconds there is nothing to be lost.
    #[allow(clippy::cast_precision_loss, reason = "a histogram has no more precision")]
    before.filter(|holder| !still(holder.token)).map(|holder| told.at.since(holder.since).0 as f64).collect()
}

#[async_trait]
impl Store for Counted {
    async fn ask(&self, ask: Ask) -> Result<Told, StoreError> {
        let acquires = matches!(ask.operation, Operation::Acquire { .. });
        let told = self.timed("decide", self.inner.ask(ask)).await?;
        self.count(acquires, &told);
        Ok(told)
    }

    async fn locks(&self, filter: &Filter, order: Order, paging: Paging) -> Result<Page<Lock>, StoreError> {
        self.timed("read", self.inner.locks(filter, order, paging)).await
    }

    async fn events(&self, of: Option<LockId>, query: EventQuery) -> Result<Page<Logged>, StoreError> {
        self.timed("read", self.inner.events(of, query)).await
    }

    async fn host(&self, name: &HostName) -> Result<Option<Host>, StoreError> {
        self.timed("read", self.inner.host(name)).await
    }

    async fn host_of(&self, id: HostId) -> Result<Option<Host>, StoreError> {
        self.timed("read", self.inner.host_of(id)).await
    }

    async fn host_ids(&self, names: &[HostName]) -> Result<BTreeMap<HostName, HostId>, StoreError> {
        self.timed("read", self.inner.host_ids(names)).await
    }

    async fn hosts(&self, paging: Paging) -> Result<Page<Host>, StoreError> {
        self.timed("read", self.inner.hosts(paging)).await
    }

    async fn put_host(&self, name: &HostName, change: HostChange) -> Result<Host, StoreError> {
        self.timed("write", self.inner.put_host(name, change)).await
    }

    async fn remove_host(&self, name: &HostName, by: &Requester) -> Result<bool, StoreError> {
        self.timed("write", self.inner.remove_host(name, by)).await
    }

    async fn check_in(&self, name: &HostName) -> Result<(), StoreError> {
        self.timed("write", self.inner.check_in(name)).await
    }

    async fn user(&self, login: &UserName) -> Result<Option<User>, StoreError> {
        self.timed("read", self.inner.user(login)).await
    }

    async fn users(&self) -> Result<Vec<User>, StoreError> {
        self.timed("read", self.inner.users()).await
    }

    async fn put_user(&self, user: &User) -> Result<(), StoreError> {
        self.timed("write", self.inner.put_user(user)).await
    }

    async fn remove_user(&self, login: &UserName) -> Result<bool, StoreError> {
        self.timed("write", self.inner.remove_user(login)).await
    }

    async fn sweep(&self, events_before: Time) -> Result<u64, StoreError> {
        self.timed("sweep", self.inner.sweep(events_before)).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.timed("ready", self.inner.ready()).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes()
    }
}
