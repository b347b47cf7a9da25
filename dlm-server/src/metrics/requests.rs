//! Requests, counted from outside of all routes: by kind of route, of which there are few, never by path.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tokio::time::Instant;

use super::{Metrics, OfClass, OfRequest};
use crate::wire::native::Waited;

/// Counts what these routes are asked.
pub fn layer(routes: Router, metrics: Metrics) -> Router {
    routes.layer(from_fn_with_state(metrics, count))
}

async fn count(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let class = class(request.uri().path());
    let begin = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    metrics.0.requests.get_or_create(&OfRequest { class, status }).inc();
    if response.extensions().get::<Waited>().is_none() {
        metrics.0.request_seconds.get_or_create(&OfClass { class }).observe(begin.elapsed().as_secs_f64());
    }
    response
}

/// The kind of a route.
pub(super) fn class(path: &str) -> &'static str {
    let below =
        |base: &str| path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match () {
        () if below("/disco/v1") => "native",
        () if below("/api") => "foreman",
        () if below("/v1") => "fleetlock",
        () if below("/metrics") || below("/healthz") => "monitoring",
        () if below("/locks") || below("/hosts") || below("/login") || below("/logout") => "pages",
        () if below("/foreman_dlm") || path == "/" => "pages",
        () => "other",
    }
}
