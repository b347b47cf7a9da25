//! Foreman's wire, as its plugin for locks speaks it: its answers in the form of disco's own. What it does not say is as in a
//! server without policies: one slot, no queue, no token.

use std::time::Duration;

use disco_dlm::model::{EventKind, HostName, LockId, LockName, Policy, Requester, Token};
use disco_dlm::native::ask::{Release, WorkResult};
use disco_dlm::native::route::encoded;
use disco_dlm::native::say::{
    EventSaid, EventsSaid, GrantSaid, HolderSaid, LockSaid, LocksSaid, RefusalCode, RefusalSaid, ReleaseSaid,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::lock::error::ServerError;
use crate::lock::server::{Acquired, Order, Released, Server, Which};
use crate::sys::http::Answer;

/// How long its clients wait until they ask again, in seconds.
const POLL: u64 = 60;

/// A lock as Foreman says it.
#[derive(Debug, Deserialize)]
struct Lock {
    id: u64,
    name: LockName,
    enabled: bool,
    #[serde(rename = "type")]
    kind: Option<String>,
    created_at: String,
    updated_at: String,
    host: Option<Host>,
}

#[derive(Debug, Deserialize)]
struct Host {
    name: HostName,
    #[serde(rename = "self", default)]
    is_self: bool,
}

#[derive(Debug, Deserialize)]
struct Page<T> {
    total: u64,
    results: Vec<T>,
}

#[derive(Debug, Deserialize)]
struct Event {
    id: u64,
    event_type: String,
    created_at: String,
}

/// A lock, and whether we hold it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) lock: LockSaid,
    ours: bool,
}

pub(super) fn lock(server: &Server, name: &str) -> Result<Shown, ServerError> {
    let lock: Lock = ask(server, "GET", &path(name, "/lock"), None, name)?;
    let ours = lock.host.as_ref().is_some_and(|host| host.is_self);
    Ok(Shown { lock: said(lock), ours })
}

pub(super) fn locks(server: &Server, search: &str) -> Result<LocksSaid, ServerError> {
    let path = format!("/api/dlmlocks?per_page=all&search={}", encoded(search));
    let page: Page<Lock> = ask(server, "GET", &path, None, "")?;
    Ok(LocksSaid { total: page.total, locks: page.results.into_iter().map(said).collect() })
}

/// Asks for it. Whether we hold it already is asked first: the answer would not say it.
pub(super) fn acquire(server: &Server, name: &str) -> Result<Acquired, ServerError> {
    let renewed = match lock(server, name) {
        Ok(shown) => shown.ours,
        Err(ServerError::Missing { .. }) => false,
        Err(error) => return Err(error),
    };
    let answer = exchange(server, "PUT", &path(name, "/lock"), None)?;
    if answer.status == 412 {
        return refused(server, name, false).map(|said| Acquired::Refused(Box::new(said)));
    }
    let lock = said(good(server, &answer, name)?);
    Ok(Acquired::Granted(Box::new(GrantSaid { token: Token(0), renewed, lock })))
}

pub(super) fn release(server: &Server, name: &str, release: &Release) -> Result<Released, ServerError> {
    if release.result == WorkResult::Failed {
        return Err(server.is_foreman("be told that the work failed: keep the lock, or release it as it is"));
    }
    let answer = exchange(server, "DELETE", &path(name, "/lock"), None)?;
    if answer.status == 412 {
        return refused(server, name, true).map(|said| Released::Refused(Box::new(said)));
    }
    let lock = said(good(server, &answer, name)?);
    Ok(Released::Done(Box::new(ReleaseSaid { held: true, lock })))
}

/// Why it said no: it does not say that, but the lock does.
fn refused(server: &Server, name: &str, release: bool) -> Result<RefusalSaid, ServerError> {
    let lock = lock(server, name)?.lock;
    let (code, reason) = match lock.holders.first() {
        _ if !lock.enabled => (RefusalCode::Disabled, "disabled".to_owned()),
        Some(holder) if release => (RefusalCode::HeldByOther, format!("held by {}", holder.host)),
        Some(_) => (RefusalCode::Full, "1 of 1 slots held".to_owned()),
        None => (
            RefusalCode::NotPermitted,
            "free now; or the host's parameter can_acquire_update_locks forbids it".to_owned(),
        ),
    };
    let retry_after = (!release).then_some(POLL);
    Ok(RefusalSaid { code, reason, retry_after, place: None, lock })
}

pub(super) fn order(server: &Server, name: &str, order: &Order) -> Result<LockSaid, ServerError> {
    let update = |what: Value| -> Result<LockSaid, ServerError> {
        let body = json!({"dlmlock": what}).to_string();
        ask(server, "PUT", &path(name, ""), Some(&body), name).map(said)
    };
    match order {
        Order::Create(create) if create.policy != Policy::default() => {
            Err(server.is_foreman("have policies"))
        }
        Order::Create(create) => {
            let lock = json!({"name": name, "type": create.kind, "enabled": create.enabled});
            let body = json!({"dlmlock": lock}).to_string();
            ask(server, "POST", "/api/dlmlocks", Some(&body), name).map(said)
        }
        Order::Enable(_) => update(json!({"enabled": true})),
        Order::Disable(_) => update(json!({"enabled": false})),
        Order::Thaw(_) => Err(server.is_foreman("freeze a lock, nor thaw it")),
        Order::Force(force) => match &force.host {
            Some(_) => Err(server.is_foreman("release one host's slot: it has one slot, leave --host out")),
            None => update(json!({"host_id": null})),
        },
        Order::Delete => {
            // Its answer has no holder, and no type.
            let before = lock(server, name)?.lock;
            let answer = exchange(server, "DELETE", &path(name, ""), None)?;
            good::<Value>(server, &answer, name).map(|_| before)
        }
    }
}

pub(super) fn events(server: &Server, name: Option<&str>, which: Which) -> Result<EventsSaid, ServerError> {
    let name = name.ok_or_else(|| server.is_foreman("give the events of all locks: name one"))?;
    let Which::Newest(limit) = which else {
        return Err(server.is_foreman("tell events as they come: ask for those that are there"));
    };
    let lock = lock(server, name)?.lock;
    let path = format!("/api/dlmlocks/{}/dlmlock_events?per_page=all", lock.id.0);
    let page: Page<Event> = ask(server, "GET", &path, None, name)?;
    let mut events: Vec<EventSaid> =
        page.results.into_iter().filter_map(|event| event_of(&lock, event)).collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.id));
    let next = events.first().map_or(0, |event| event.id);
    events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(EventsSaid { events, next })
}

/// An event; `None` for a type that Foreman did not have when this was written.
fn event_of(lock: &LockSaid, event: Event) -> Option<EventSaid> {
    let kind: EventKind = serde_json::from_value(Value::String(event.event_type)).ok()?;
    Some(EventSaid {
        id: event.id,
        lock_id: lock.id,
        lock: Some(lock.name.clone()),
        kind,
        host: None,
        requester: Requester::Server,
        detail: String::new(),
        at: time(&event.created_at),
    })
}

fn said(lock: Lock) -> LockSaid {
    let updated = time(&lock.updated_at);
    let holder = |host: Host| HolderSaid {
        host: host.name,
        // It keeps one time alone: that of the last change.
        since: updated.clone(),
        renewed: updated.clone(),
        expires: None,
        stale: false,
        token: Token(0),
        note: String::new(),
    };
    LockSaid {
        id: LockId(lock.id),
        name: lock.name,
        kind: lock.kind,
        enabled: lock.enabled,
        slots: 1,
        holders: lock.host.map(holder).into_iter().collect(),
        waiting: Vec::new(),
        failures: Vec::new(),
        frozen: false,
        opens: None,
        policy: Policy::default(),
        created: time(&lock.created_at),
        updated,
    }
}

/// `2026-11-22 07:40:12 UTC` as RFC 3339; another form as it is.
fn time(text: &str) -> String {
    match text.strip_suffix(" UTC").and_then(|text| text.split_once(' ')) {
        Some((day, time)) => format!("{day}T{time}Z"),
        None => text.to_owned(),
    }
}

fn path(name: &str, below: &str) -> String {
    format!("/api/dlmlocks/{}{below}", encoded(name))
}

fn exchange(server: &Server, method: &str, path: &str, body: Option<&str>) -> Result<Answer, ServerError> {
    server.exchange(method, path, body, Duration::ZERO, None)
}

fn ask<T: DeserializeOwned>(
    server: &Server,
    method: &str,
    path: &str,
    body: Option<&str>,
    lock: &str,
) -> Result<T, ServerError> {
    good(server, &exchange(server, method, path, body)?, lock)
}

/// What was asked for, or why it is not there.
fn good<T: DeserializeOwned>(server: &Server, answer: &Answer, lock: &str) -> Result<T, ServerError> {
    let (url, status) = (server.place.clone(), answer.status);
    let body: Option<Value> = serde_json::from_str(&answer.body).ok();
    let part = |name: &str| {
        body.as_ref().and_then(|body| body["error"][name].as_str()).unwrap_or_default().to_owned()
    };
    let message = [part("message"), part("details")].join(" ").trim().to_owned();
    let hint = String::new();
    Err(match status {
        200 | 201 => {
            let parsed = body.clone().and_then(|body| serde_json::from_value(body).ok());
            let what = "a lock".to_owned();
            return parsed.ok_or(ServerError::Unexpected { url, status, what });
        }
        401 => {
            let name = server.identity.name().map(str::to_owned);
            ServerError::Unknown { url, shown: server.shown(), name, message, hint }
        }
        403 => ServerError::Forbidden { url, message, hint },
        // A Foreman without the plugin, or no Foreman at all, has no such body.
        404 if !message.is_empty() && !lock.is_empty() => ServerError::Missing { url, lock: lock.to_owned() },
        422 if answer.body.contains("already been taken") => {
            ServerError::Taken { url, lock: lock.to_owned() }
        }
        400 | 415 | 422 if body.is_some() => ServerError::Bad { url, message, hint },
        429 | 500..=599 => ServerError::Unavailable { url, status, message },
        _ => ServerError::Unexpected { url, status, what: "a lock on Foreman's wire".to_owned() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_of_foreman_is_one_of_ours() {
        let text = r#"{"id":7,"host_id":3,"name":"web","enabled":true,"type":"ForemanDlm::Dlmlock::Update",
            "created_at":"2026-11-20 07:40:12 UTC","updated_at":"2026-11-22 07:40:12 UTC","host":{"name":"web1","self":true}}"#;
        let lock: Lock = serde_json::from_str(text).unwrap();
        assert!(lock.host.as_ref().unwrap().is_self);
        let said = said(lock);
        assert_eq!((said.id, said.slots, said.holders.len()), (LockId(7), 1, 1));
        assert_eq!(said.holders[0].since, "2026-11-22T07:40:12Z");
        assert_eq!(time("2026-11-22T07:40:12Z"), "2026-11-22T07:40:12Z");
    }
}
