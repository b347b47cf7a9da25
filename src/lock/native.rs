//! disco's own wire: questions as JSON, and answers as `disco_dlm::native` has them (docs/dlm-api.md).

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use disco_dlm::native::ask::{Acquire, Because, LONGEST_NOTE, LONGEST_WAIT, Release};
use disco_dlm::native::route::{self, BASE, encoded};
use disco_dlm::native::say::{ErrorSaid, EventsSaid, LockSaid, LocksSaid, WhoSaid};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::lock::error::ServerError;
use crate::lock::server::{Acquired, Order, Released, Server, Which};
use crate::lock::words::{apply, takes_stale_away};
use crate::sys::http::Answer;

/// Locks on one page of a list.
const PAGE: u64 = 200;
/// Events of one answer.
const EVENTS: u64 = 500;

pub(super) fn who(server: &Server) -> Result<WhoSaid, ServerError> {
    let answer = server.exchange("GET", &format!("{BASE}/whoami"), None, Duration::ZERO, None)?;
    good(server, &answer, "who asks", "")
}

pub(super) fn get<T: DeserializeOwned>(server: &Server, name: &str, below: &str) -> Result<T, ServerError> {
    let answer = server.exchange("GET", &route::lock(name, below), None, Duration::ZERO, None)?;
    good(server, &answer, "a lock", name)
}

/// All pages of them.
pub(super) fn locks(server: &Server, search: &str) -> Result<LocksSaid, ServerError> {
    let mut all = LocksSaid { locks: Vec::new(), total: 0 };
    for page in 1_u64.. {
        let path = format!("{BASE}/locks?search={}&page={page}&per_page={PAGE}", encoded(search));
        let answer = server.exchange("GET", &path, None, Duration::ZERO, None)?;
        let LocksSaid { locks, total } = good(server, &answer, "its locks", "")?;
        let last = (locks.len() as u64) < PAGE;
        all.locks.extend(locks);
        all.total = total;
        if last || all.locks.len() as u64 >= total {
            break;
        }
    }
    Ok(all)
}

pub(super) fn acquire(
    server: &Server,
    name: &str,
    note: &str,
    wait: u64,
    stop: Option<&AtomicBool>,
) -> Result<Acquired, ServerError> {
    let wait = wait.min(LONGEST_WAIT);
    let body = text(&Acquire { note: cut(note), wait });
    let path = route::lock(name, "/acquire");
    let answer = server.exchange("POST", &path, Some(&body), Duration::from_secs(wait), stop)?;
    match answer.status {
        412 => refusal(server, &answer).map(|said| Acquired::Refused(Box::new(said))),
        _ => good(server, &answer, "a lock", name).map(|said| Acquired::Granted(Box::new(said))),
    }
}

pub(super) fn release(server: &Server, name: &str, release: &Release) -> Result<Released, ServerError> {
    let body = text(&Release { note: cut(&release.note), ..release.clone() });
    let answer =
        server.exchange("POST", &route::lock(name, "/release"), Some(&body), Duration::ZERO, None)?;
    match answer.status {
        412 => refusal(server, &answer).map(|said| Released::Refused(Box::new(said))),
        _ => good(server, &answer, "a release", name).map(|said| Released::Done(Box::new(said))),
    }
}

pub(super) fn order(server: &Server, name: &str, order: &Order) -> Result<LockSaid, ServerError> {
    let because = |reason: &String| Some(text(&Because { reason: cut(reason) }));
    let (method, below, body) = match order {
        Order::Create(create) => ("PUT", "", Some(text(create))),
        Order::Delete => ("DELETE", "", None),
        Order::Enable(reason) => ("POST", "/enable", because(reason)),
        Order::Disable(reason) => ("POST", "/disable", because(reason)),
        Order::Thaw(reason) => ("POST", "/thaw", because(reason)),
        Order::Force(force) => ("POST", "/force-release", Some(text(force))),
    };
    let answer = server.exchange(method, &route::lock(name, below), body.as_deref(), Duration::ZERO, None)?;
    good(server, &answer, "a change", name)
}

pub(super) fn set_policy(server: &Server, name: &str, part: &Value) -> Result<LockSaid, ServerError> {
    let path = route::lock(name, "/policy");
    let (method, body) = if takes_stale_away(part) {
        let whole = apply(&get(server, name, "/policy")?, part.clone());
        let bad = |error: serde_json::Error| ServerError::Bad {
            url: server.place.clone(),
            message: error.to_string(),
            hint: String::new(),
        };
        ("PUT", text(&whole.map_err(bad)?))
    } else {
        ("PATCH", part.to_string())
    };
    let answer = server.exchange(method, &path, Some(&body), Duration::ZERO, None)?;
    good(server, &answer, "a policy", name)
}

pub(super) fn events(
    server: &Server,
    name: Option<&str>,
    which: Which,
    stop: Option<&AtomicBool>,
) -> Result<EventsSaid, ServerError> {
    let path = name.map_or_else(|| format!("{BASE}/events"), |name| route::lock(name, "/events"));
    let (query, wait) = match which {
        Which::Newest(limit) => (format!("limit={limit}"), 0),
        Which::After(id, wait) => {
            let wait = wait.min(LONGEST_WAIT);
            (format!("after={id}&limit={EVENTS}&wait={wait}"), wait)
        }
    };
    let answer = server.exchange("GET", &format!("{path}?{query}"), None, Duration::from_secs(wait), stop)?;
    good(server, &answer, "events", name.unwrap_or_default())
}

/// A body as text. It is plain data with text for keys, which always has a form in JSON.
fn text(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

/// No longer than the server takes it.
fn cut(note: &str) -> String {
    let mut end = note.len().min(LONGEST_NOTE);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    note[..end].to_owned()
}

fn refusal<T: DeserializeOwned>(server: &Server, answer: &Answer) -> Result<T, ServerError> {
    let what = "a lock with a refusal".to_owned();
    serde_json::from_str(&answer.body).map_err(|_| ServerError::Unexpected {
        url: server.place.clone(),
        status: answer.status,
        what,
    })
}

/// What was asked for, or why it is not there.
fn good<T: DeserializeOwned>(
    server: &Server,
    answer: &Answer,
    what: &str,
    lock: &str,
) -> Result<T, ServerError> {
    let parsed = match answer.status {
        200 | 201 => serde_json::from_str(&answer.body).ok(),
        _ => return Err(error(server, answer, what, lock)),
    };
    parsed.ok_or_else(|| ServerError::Unexpected {
        url: server.place.clone(),
        status: answer.status,
        what: what.to_owned(),
    })
}

/// What an answer says that is no success.
pub(super) fn error(server: &Server, answer: &Answer, what: &str, lock: &str) -> ServerError {
    let (url, status, lock) = (server.place.clone(), answer.status, lock.to_owned());
    let said =
        serde_json::from_str(&answer.body).map(|said: ErrorSaid| (said.error.message, said.error.hint));
    let is_ours = said.is_ok();
    // What stands before the server, such as a proxy, may answer in any form.
    let (message, hint) = said.unwrap_or_default();
    match status {
        401 => {
            let name = server.identity.name().map(str::to_owned);
            ServerError::Unknown { url, shown: server.shown(), name, message, hint }
        }
        403 => ServerError::Forbidden { url, message, hint },
        404 if is_ours && !lock.is_empty() => ServerError::Missing { url, lock },
        409 => ServerError::Taken { url, lock },
        400 | 405 | 413 | 415 | 422 | 431 if is_ours => ServerError::Bad { url, message, hint },
        429 | 500..=599 => ServerError::Unavailable { url, status, message },
        _ => ServerError::Unexpected { url, status, what: what.to_owned() },
    }
}
