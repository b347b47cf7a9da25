//! disco's own interface: runs that are asked for, looked at, followed and aborted. docs/agent-api.md has every statement of it.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, body::Bytes};
use disco_listen::Log;
use serde::Serialize;

use super::asked::{MOST_WAIT, Wanted, id, number};
use super::follow;
use super::guard::By;
use super::helper::{Helper, HelperError};
use super::metrics::Metrics;
use super::said::{Failure, Run, json};
use super::standing::{self, Known};
use crate::runs::{Answer, Ask, RunState};

/// What every handler has.
#[derive(Clone)]
pub struct App {
    /// The way to the helper.
    pub helper: Arc<Helper>,
    /// What is counted.
    pub metrics: Metrics,
    /// Where lines go.
    pub log: Log,
}

/// The routes for those who may ask.
pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/runs", get(list).post(begin))
        .route("/v1/runs/{id}", get(status))
        .route("/v1/runs/{id}/log", get(log))
        .route("/v1/runs/{id}/abort", post(abort))
        .route("/v1/status", get(stands))
        .route("/metrics", get(async |State(app): State<App>| app.metrics.text()))
        .method_not_allowed_fallback(no_method)
        .with_state(app)
}

/// The routes for everybody: whether this answers, and whether runs can be asked for.
pub fn health(app: App) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async |State(app): State<App>| ready(&app.metrics.seen().first().await)))
        .method_not_allowed_fallback(no_method)
        .with_state(app)
}

/// Why not stands in the log and in `/v1/status`: who asks here may be anybody.
fn ready(helper: &Known) -> (StatusCode, &'static str) {
    match helper {
        Known::Said(_) => (StatusCode::OK, "ok\n"),
        Known::Nothing | Known::Silent(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the agent's helper does not answer\n")
        }
    }
}

async fn no_method() -> Failure {
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "that cannot be done with this path")
        .hint("GET /v1/runs, POST /v1/runs, GET /v1/runs/ID, GET /v1/runs/ID/log, POST /v1/runs/ID/abort, GET /v1/status")
}

/// What no route has.
pub async fn no_route() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "there is nothing at this path")
        .hint("disco's own paths begin with /v1/")
}

async fn begin(
    State(app): State<App>,
    Extension(By(by)): Extension<By>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    number(query.as_deref(), "nothing", 0)?;
    let wanted = Wanted::of(&headers, &body)?;
    let Wanted { noop, modules, wait, idempotency_key: key } = wanted;
    let mut state = run(&app, &Ask::Run { noop, modules, by, key, alone: false }).await?;
    app.metrics.triggered();
    if wait > 0 && !state.state.is_end() {
        match run(&app, &Ask::Status { id: state.id.clone(), wait }).await {
            Ok(now) => state = now,
            // It was taken: without its id whoever asks would ask again, and get a second one.
            Err(failure) => {
                let (id, why) = (&state.id, failure.message);
                app.log.warn(format_args!("the end of run {id} is not waited for: {why}"));
            }
        }
    }
    let status = if wait > 0 && state.state.is_end() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let at = HeaderValue::from_str(&format!("/v1/runs/{}", state.id));
    let mut response = json(status, &Run::from(state));
    // Letters and digits alone: an id is always a value of a header.
    at.map(|at| response.headers_mut().insert(header::LOCATION, at)).ok();
    Ok(response)
}

async fn status(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let wait = number(query.as_deref(), "wait", MOST_WAIT)?.unwrap_or(0);
    let state = run(&app, &Ask::Status { id: id(path)?, wait }).await?;
    Ok(json(StatusCode::OK, &Run::from(state)))
}

async fn log(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let from = number(query.as_deref(), "from", u64::MAX)?.unwrap_or(0);
    follow::log(app.helper, id(path)?, from).await
}

async fn abort(
    State(app): State<App>,
    Extension(By(by)): Extension<By>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Failure> {
    let state = run(&app, &Ask::Abort { id: id(path)?, by }).await?;
    Ok(json(StatusCode::OK, &Run::from(state)))
}

#[derive(Serialize)]
struct Listed {
    runs: Vec<Run>,
}

async fn list(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    let most = number(query.as_deref(), "limit", u64::MAX)?.map_or(usize::MAX, clamped);
    match app.helper.ask(&Ask::List {}).await? {
        Answer::Runs { runs } => {
            let runs = runs.into_iter().take(most).map(Run::from).collect();
            Ok(json(StatusCode::OK, &Listed { runs }))
        }
        other => Err(no_run(other, &app)),
    }
}

fn clamped(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

async fn stands(State(app): State<App>) -> Result<Response, Failure> {
    Ok(json(StatusCode::OK, &standing::ask(&app.helper).await?).into_response())
}

async fn run(app: &App, ask: &Ask) -> Result<RunState, Failure> {
    match app.helper.ask(ask).await? {
        Answer::Run(state) => Ok(state),
        other => Err(no_run(other, app)),
    }
}

fn no_run(answer: Answer, app: &App) -> Failure {
    match answer {
        Answer::Refused { why, message } => Failure::refused(why, message),
        Answer::Run(_) | Answer::Runs { .. } | Answer::Standing(_) => {
            HelperError::Unexpected { path: app.helper.path().to_owned() }.into()
        }
    }
}
