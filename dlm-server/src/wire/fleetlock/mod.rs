//! FleetLock, which Fedora CoreOS and Flatcar speak: two routes, a group that is a lock's name, and an id that is a host's name. Nothing
//! proves the id, so it is served only where the server is set to: whoever can connect can release what any id holds that is served.

#[cfg(test)]
mod tests;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, extract::rejection::BytesRejection};
use disco_dlm::model::{HostName, LockName, Requester};
use disco_dlm::rules::{Answer, NotHeld, Operation, Outcome, Reason};
use serde::{Deserialize, Serialize};

use crate::access::HostChange;
use crate::app::{App, FleetLock};
use crate::store::{Ask, StoreError, Told, Which};

/// The most bytes of a body.
const LARGEST_BODY: usize = 64 * 1024;

/// The routes, below `/v1`; they answer 404 where FleetLock is not served.
pub fn routes(app: App) -> Router {
    let wrong = || async { Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method", "use POST") };
    Router::new()
        .route("/v1/pre-reboot", post(pre_reboot))
        .route("/v1/steady-state", post(steady_state))
        .method_not_allowed_fallback(wrong)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(app)
}

/// Why not: a kind, of which there are few, for clients count them; and words.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Fault {
    #[serde(skip)]
    status: StatusCode,
    #[serde(skip)]
    retry_after: Option<u64>,
    kind: &'static str,
    value: String,
}

impl Fault {
    fn new(status: StatusCode, kind: &'static str, value: impl Into<String>) -> Fault {
        Fault { status, retry_after: None, kind, value: value.into() }
    }

    fn bad(kind: &'static str, value: impl Into<String>) -> Fault {
        Fault::new(StatusCode::BAD_REQUEST, kind, value)
    }
}

impl From<StoreError> for Fault {
    fn from(_: StoreError) -> Fault {
        // Why is the administrator's to know, and in the log.
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Fault {
            retry_after: Some(5),
            ..Fault::new(status, "unavailable", "the store of locks is not available")
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        let mut response = (status, Json(self)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(Method::POST.as_str()));
        }
        response
    }
}

/// `RecursiveLock`: a slot, also for who has one.
async fn pre_reboot(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Fault> {
    let operation = Operation::Acquire { note: String::from("reboot") };
    ask(&app, &headers, body, operation).await
}

/// `UnlockIfHeld`: no slot, also for who has none.
async fn steady_state(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Fault> {
    let operation = Operation::Release { outcome: Outcome::Ok, token: None, not_held: NotHeld::Accept };
    ask(&app, &headers, body, operation).await
}

async fn ask(
    app: &App,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    operation: Operation,
) -> Result<StatusCode, Fault> {
    if app.set.fleetlock == FleetLock::Off {
        return Err(Fault::new(StatusCode::NOT_FOUND, "not_served", "FleetLock is not served here"));
    }
    if headers.get("fleet-lock-protocol").is_none_or(|value| value != "true") {
        return Err(Fault::bad("bad_header", "the header fleet-lock-protocol must be true"));
    }
    let body = body.map_err(|error| {
        let status = error.into_response().status();
        Fault::new(status, "bad_body", "the body is too large, or ended too soon")
    })?;
    let (host, lock) = parse(&body)?;
    known(app, &host).await?;
    app.store.check_in(&host).await?;
    let ask = Ask { which: Which::Named(lock), requester: Requester::Host(host), operation };
    said(app.store.ask(ask).await?)
}

#[derive(Deserialize)]
struct Said {
    client_params: Params,
}

#[derive(Deserialize)]
struct Params {
    id: String,
    group: String,
}

/// Who asks for which lock. What else a client sends is its own, as the protocol says.
fn parse(body: &[u8]) -> Result<(HostName, LockName), Fault> {
    let said: Said =
        serde_json::from_slice(body).map_err(|error| Fault::bad("bad_body", error.to_string()))?;
    let Params { id, group } = said.client_params;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if group.is_empty() || !group.chars().all(plain) {
        return Err(Fault::bad(
            "bad_group",
            "the group has letters, digits, dots and dashes, and at least one",
        ));
    }
    let group = LockName::new(group).map_err(|error| Fault::bad("bad_group", error.to_string()))?;
    let id = HostName::new(id).map_err(|error| Fault::bad("bad_id", error.to_string()))?;
    Ok((id, group))
}

/// Whether this id is served.
async fn known(app: &App, host: &HostName) -> Result<(), Fault> {
    if app.store.host(host).await?.is_some() {
        return Ok(());
    }
    if app.set.fleetlock == FleetLock::Anybody {
        app.store.put_host(host, HostChange::default()).await?;
        return Ok(());
    }
    let words = format!("the id is not known; on the server: disco dlm host add {host}");
    Err(Fault::new(StatusCode::FORBIDDEN, "unknown_id", words))
}

fn said(told: Told) -> Result<StatusCode, Fault> {
    let refusal = match told.answer {
        Answer::Granted { .. } | Answer::Released { .. } => return Ok(StatusCode::OK),
        Answer::Refused(refusal) => refusal,
        // A host's acquire and release have no other answers.
        _ => return Err(Fault::new(StatusCode::FORBIDDEN, "not_permitted", "this is for hosts")),
    };
    let (status, kind) = match &refusal.reason {
        Reason::Full { .. } | Reason::Queued(_) | Reason::HeldBy(_) | Reason::OtherGrant(_) => {
            (StatusCode::LOCKED, "lock_held")
        }
        Reason::Closed(_) | Reason::Gap => (StatusCode::LOCKED, "lock_closed"),
        Reason::Frozen(_) => (StatusCode::LOCKED, "lock_frozen"),
        Reason::Disabled => (StatusCode::LOCKED, "lock_disabled"),
        Reason::NotPermitted => (StatusCode::FORBIDDEN, "not_permitted"),
        Reason::NoToken => (StatusCode::LOCKED, "no_token"),
    };
    let retry_after = refusal.retry_at.map(|at| super::native::said::seconds_until(at, told.at));
    Err(Fault { retry_after, ..Fault::new(status, kind, refusal.reason.to_string()) })
}
