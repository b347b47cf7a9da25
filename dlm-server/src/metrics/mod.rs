//! What Prometheus is told: requests, the store, and the locks. Three parts, each where it can see what it counts: a layer around all
//! routes, a store around the store, and the route `/metrics`, which looks at the locks when it is asked.
//!
//! What is told of each lock by its name is for those who may see locks, and of [`locks::MOST_NAMED`] locks at most, held and
//! waited-for ones first: 10,000 locks make no scrape longer than that. The sums over all locks are for everybody.

pub mod locks;
mod requests;
mod store;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use disco_dlm::model::Requester;
use disco_dlm::rules::Operation;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::access::Permission;
use crate::app::{App, Caller};
use crate::search::{Filter, Order};
use crate::store::{Ask, Paging, StoreError, Which};
use crate::wire::native::said::{View, needs_group};

pub use requests::layer;
pub use store::around;

/// The form that is told: OpenMetrics, which Prometheus reads.
const FORM: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// For so long a store may think about whether it is ready.
const PATIENCE: Duration = Duration::from_secs(5);
/// For so long a look at all locks is told again, so that nobody can keep the store busy with it.
const FRESH: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRequest {
    class: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfClass {
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfResult {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOperation {
    operation: &'static str,
}

type Times<Label> = Family<Label, Histogram, fn() -> Histogram>;

/// All that is counted; clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    requests: Family<OfRequest, Counter>,
    request_seconds: Times<OfClass>,
    acquires: Family<OfResult, Counter>,
    hold_seconds: Histogram,
    store_seconds: Times<OfOperation>,
    store_errors: Family<OfOperation, Counter>,
    seen: Mutex<Option<(Instant, Arc<locks::Sums>)>>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let quick: fn() -> Histogram =
            || Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        let mut registry = Registry::with_prefix("disco");
        let requests = Family::default();
        registry.register("http_requests", "Requests, by kind of route and status", requests.clone());
        let request_seconds = Times::new_with_constructor(quick);
        registry.register(
            "http_request_seconds",
            "How long requests took that were not held back on purpose",
            request_seconds.clone(),
        );
        let acquires = Family::default();
        registry.register("lock_acquire", "What hosts were told that asked for a lock", acquires.clone());
        let hold_seconds = Histogram::new([
            10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0,
        ]);
        registry.register(
            "lock_hold_seconds",
            "How long locks were held that are not any more",
            hold_seconds.clone(),
        );
        let store_seconds = Times::new_with_constructor(quick);
        registry.register(
            "store_seconds",
            "How long the store took to decide or to read",
            store_seconds.clone(),
        );
        let store_errors = Family::default();
        registry.register("store_errors", "How often the store failed", store_errors.clone());
        let seen = Mutex::new(None);
        Metrics(Arc::new(Inner {
            registry,
            requests,
            request_seconds,
            acquires,
            hold_seconds,
            store_seconds,
            store_errors,
            seen,
        }))
    }
}

#[derive(Clone)]
struct Scraped {
    app: App,
    metrics: Metrics,
}

/// The routes `/metrics` and `/healthz`.
pub fn routes(app: App, metrics: Metrics) -> Router {
    Router::new()
        .route("/metrics", get(scrape))
        .route("/healthz", get(health))
        .with_state(Scraped { app, metrics })
}

/// Whether the store can decide something now; why not is in the log.
async fn health(State(scraped): State<Scraped>) -> Response {
    match tokio::time::timeout(PATIENCE, scraped.app.store.ready()).await {
        Ok(Ok(())) => "ok\n".into_response(),
        Ok(Err(_)) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the store of locks is not available\n").into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store of locks does not answer\n").into_response(),
    }
}

async fn scrape(State(scraped): State<Scraped>, caller: Option<Extension<Caller>>) -> Response {
    let named = caller.is_some_and(|Extension(caller)| {
        matches!(caller, Caller::Host(_)) || caller.may(Permission::ViewDlmlocks)
    });
    let inner = &scraped.metrics.0;
    let sums = inner.sums(&scraped.app).await;
    let mut text = String::new();
    let written = encode_registry(&mut text, &inner.registry)
        .and_then(|()| encode_registry(&mut text, &locks::registry(sums.as_deref(), named)))
        .and_then(|()| encode_eof(&mut text));
    match written {
        Ok(()) => ([(header::CONTENT_TYPE, FORM)], text).into_response(),
        // A string is always long enough; what is half is never told.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Inner {
    /// The locks as they were seen lately; `None` where the store does not answer, which its own metrics say.
    async fn sums(&self, app: &App) -> Option<Arc<locks::Sums>> {
        // Whoever comes meanwhile waits for this look, and takes no other.
        let mut seen = self.seen.lock().await;
        if let Some((at, sums)) = &*seen
            && at.elapsed() < FRESH
        {
            return Some(Arc::clone(sums));
        }
        let sums = Arc::new(look(app).await.ok()?);
        *seen = Some((Instant::now(), Arc::clone(&sums)));
        Some(sums)
    }
}

/// All locks, counted; of those that are named, what their group makes of them.
async fn look(app: &App) -> Result<locks::Sums, StoreError> {
    let all = Paging { page: 1, per_page: None };
    let kept = app.store.locks(&Filter::All, Order::default(), all).await?.items;
    let Some(first) = kept.first() else { return Ok(locks::Sums::default()) };
    let stale_hours = app.set.stale_hours;
    let view = async |id| -> Result<View, StoreError> {
        let ask =
            Ask { which: Which::Numbered(id), requester: Requester::Server, operation: Operation::Show };
        let told = app.store.ask(ask).await?;
        Ok(View { now: told.at, group: told.group, stale_hours })
    };
    let now = view(first.id).await?;
    let mut sums = locks::Sums::of(&kept, now);
    for lock in kept.iter().filter(|lock| needs_group(lock)) {
        if sums.names(lock) {
            sums.put_slots(lock, lock.policy.slots.of(view(lock.id).await?.group));
        }
    }
    Ok(sums)
}
