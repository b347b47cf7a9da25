//! What Prometheus is told.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::standing::{Known, Seen};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Turned {
    why: &'static str,
}

/// What is counted; clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    requests: Family<Answered, Counter>,
    turned_away: Family<Turned, Counter>,
    triggers: Counter,
    helper: Gauge,
    running: Gauge,
    disabled: Gauge,
    seen: Seen,
}

impl Metrics {
    /// What is known of how the helper answers.
    pub fn seen(&self) -> &Seen {
        &self.0.seen
    }

    /// Nothing counted yet.
    pub fn new(seen: Seen) -> Metrics {
        let mut inner = Inner {
            registry: Registry::default(),
            requests: Family::default(),
            turned_away: Family::default(),
            triggers: Counter::default(),
            helper: Gauge::default(),
            running: Gauge::default(),
            disabled: Gauge::default(),
            seen,
        };
        let mut registry = Registry::with_prefix("disco_agent");
        registry.register("requests", "Requests that were answered", inner.requests.clone());
        registry.register("turned_away", "Requests that were not looked at", inner.turned_away.clone());
        registry.register("triggers", "Runs that were asked for, and taken", inner.triggers.clone());
        registry.register("helper_up", "Whether the helper answered last", inner.helper.clone());
        registry.register("run_under_way", "Whether a run was under way then", inner.running.clone());
        registry.register(
            "live_runs_disabled",
            "Whether live runs were disabled then",
            inner.disabled.clone(),
        );
        inner.registry = registry;
        Metrics(Arc::new(inner))
    }

    /// A run was asked for, and taken.
    pub fn triggered(&self) {
        self.0.triggers.inc();
    }

    /// A request was not looked at.
    pub fn turned_away(&self, why: &'static str) {
        self.0.turned_away.get_or_create(&Turned { why }).inc();
    }

    /// All of it, in Prometheus' text.
    pub fn text(&self) -> Response {
        let (up, running, disabled) = match self.0.seen.now() {
            Known::Said(standing) => (1, standing.running.is_some(), standing.disabled.is_some()),
            Known::Nothing | Known::Silent(_) => (0, false, false),
        };
        self.0.helper.set(up);
        self.0.running.set(running.into());
        self.0.disabled.set(disabled.into());
        let mut text = String::new();
        match encode(&mut text, &self.0.registry) {
            Ok(()) => {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                ([(header::CONTENT_TYPE, kind)], text).into_response()
            }
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// Counts what these routes answer.
pub fn around(routes: Router, metrics: Metrics) -> Router {
    routes.layer(from_fn_with_state(metrics, count))
}

async fn count(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    // The route and not the path, of which there are as many as clients can think of.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let answered = Answered { route, code: response.status().as_u16() };
    metrics.0.requests.get_or_create(&answered).inc();
    response
}
