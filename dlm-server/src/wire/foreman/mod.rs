//! Foreman's wire, as its plugin foreman_dlm speaks it: so that its clients work as they are. docs/dlm-foreman.md has each row of it, what is
//! done here, and the test of it.
//!
//! - [`path`]: which route a path is.
//! - [`asked`]: parameters and bodies in.
//! - [`say`], [`fail`]: bodies out.
//! - [`locks`]: what users do with locks; [`hold`]: what hosts do; [`lists`]: events and hosts.

mod asked;
mod fail;
mod hold;
mod lists;
mod locks;
mod path;
mod say;

#[cfg(test)]
mod conformance_tests;

use std::collections::BTreeMap;

use axum::body::{Bytes, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::any};
use disco_dlm::model::{HostName, Lock, LockId, Requester, UserName};
use disco_dlm::rules::Operation;

use crate::access::{HostId, Permission};
use crate::app::{App, Caller, NotKnown};
use crate::identity::AsUser;
use crate::store::{Ask, StoreError, Told, Which};
use crate::wire::failure::Failure;
use asked::lock_name;
use fail::Fail;
use path::Route;

/// The longest body that is read here, where the server in front of it has no limit of its own.
const LONGEST_BODY: usize = 64 * 1024;

/// All that is below `/api`.
pub fn routes(app: App) -> Router {
    let all = any(answer);
    Router::new()
        .route("/api", all.clone())
        .route("/api/", all.clone())
        .route("/api/{*rest}", all)
        .with_state(app)
}

/// A request, as far as the routes look at it.
struct Asked {
    caller: Caller,
    as_user: Caller,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

async fn answer(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        let message = format!("The body has more than {LONGEST_BODY} bytes, or ends too early.");
        return Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "bad-request", message).into_response();
    };
    let silent = || Caller::Nobody(NotKnown::Silent);
    let caller = parts.extensions.get::<Caller>().cloned().unwrap_or_else(silent);
    let as_user = parts.extensions.get::<AsUser>().map_or_else(|| caller.clone(), |user| user.0.clone());
    let asked = Asked { caller, as_user, method: parts.method, uri: parts.uri, headers: parts.headers, body };
    let Some(route) = path::route(&asked.method, asked.uri.path()) else {
        return Fail::NoRoute.into_response();
    };
    let said = match route {
        Route::List => locks::list(&app, &asked).await,
        Route::Create => locks::create(&app, &asked).await,
        Route::Update(id) => locks::update(&app, &asked, &id).await,
        Route::Destroy(id) => locks::destroy(&app, &asked, &id).await,
        Route::Show(id) => hold::show(&app, &asked, &id).await,
        Route::Acquire(id) => hold::acquire(&app, &asked, &id).await,
        Route::Release(id) => hold::release(&app, &asked, &id).await,
        Route::Events(id) => lists::events(&app, &asked, &id).await,
        Route::Hosts => lists::hosts(&app, &asked).await,
        Route::Host(id) => lists::host(&app, &asked, &id).await,
    };
    said.unwrap_or_else(IntoResponse::into_response)
}

impl Asked {
    /// The user who asks, if they may do this. A host's certificate counts for nothing here.
    fn user(&self, permission: Permission) -> Result<Requester, Fail> {
        allowed(&self.as_user, permission)
    }

    /// That the body is JSON, as POST and PUT must say. Foreman lets PATCH say anything, and then reads nothing: here it must say so too.
    fn is_json(&self) -> Result<(), Fail> {
        if ![Method::POST, Method::PUT, Method::PATCH].contains(&self.method) {
            return Ok(());
        }
        let given =
            self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = given.split(';').next().unwrap_or_default().trim();
        if media.eq_ignore_ascii_case("application/json") {
            Ok(())
        } else {
            Err(Fail::MediaType(given.to_owned()))
        }
    }

    /// The parameters of the query.
    fn parameters(&self) -> Result<Vec<(String, String)>, Fail> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&self.uri);
        query.map(|query| query.0).map_err(|error| Fail::Parameter(error.to_string()))
    }
}

/// A user, if they may do this.
fn allowed(caller: &Caller, permission: Permission) -> Result<Requester, Fail> {
    match caller {
        Caller::User { .. } if !caller.may(permission) => Err(Fail::Forbidden(permission)),
        Caller::User { login, .. } => Ok(requester(login)),
        Caller::Host(_) | Caller::Nobody(_) => Err(Fail::nobody(caller)),
    }
}

fn requester(login: &UserName) -> Requester {
    Requester::User(login.clone())
}

/// The lock that an id means: all digits are a number first and a name then, all else is a name. Rails would take `12abc` for 12.
fn which(id: &str) -> Option<Which> {
    let number = number(id).map(LockId);
    let name = lock_name(id).ok()?;
    Some(match number {
        Some(number) => Which::NumberedOrNamed(number, name),
        None => Which::Named(name),
    })
}

/// An id that is all digits, as far as numbers go.
fn number(id: &str) -> Option<u64> {
    if id.bytes().all(|byte| byte.is_ascii_digit()) { id.parse().ok() } else { None }
}

fn no_lock(id: &str) -> Fail {
    Fail::NotFound { resource: "dlmlock", id: id.to_owned() }
}

async fn ask(app: &App, which: Which, requester: Requester, operation: Operation) -> Result<Told, Fail> {
    Ok(app.store.ask(Ask { which, requester, operation }).await?)
}

/// The numbers of the hosts that hold these locks.
async fn ids<'a>(
    app: &App,
    locks: impl IntoIterator<Item = &'a Lock>,
) -> Result<BTreeMap<HostName, HostId>, StoreError> {
    let holders = locks.into_iter().flat_map(|lock| &lock.holders);
    let mut names: Vec<HostName> = holders.map(|holder| holder.host.clone()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { Ok(BTreeMap::new()) } else { app.store.host_ids(&names).await }
}
