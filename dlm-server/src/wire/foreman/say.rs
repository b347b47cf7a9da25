//! Foreman's answers: keys in its order, its times, JSON in one line (`updatelock` reads the first line alone).

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;

use disco_dlm::model::{HostName, Lock, LockId, Slots, Time};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::access::{Host, HostId};
use crate::store::Logged;

/// The version of Foreman that this wire is like, in a header of every answer.
const LIKE_FOREMAN: &str = "3.13.0";

/// A lock.
#[derive(Serialize)]
pub struct LockSaid<'a> {
    id: LockId,
    host_id: Option<HostId>,
    name: &'a str,
    enabled: bool,
    #[serde(rename = "type")]
    kind: Option<&'static str>,
    created_at: String,
    updated_at: String,
    host: Option<HolderSaid<'a>>,
    /// All holders: disco's, and only of locks that more than one may hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts: Option<Vec<HolderSaid<'a>>>,
}

/// Who holds a lock.
#[derive(Serialize)]
struct HolderSaid<'a> {
    name: &'a str,
    /// Whether it is who asks; only where a host asks.
    #[serde(rename = "self", skip_serializing_if = "Option::is_none")]
    own: Option<bool>,
}

/// Whether `host.self` is said: by show, to hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// It is.
    Said,
    /// It is not.
    Unsaid,
}

/// A lock as `asking` is told of it.
pub fn lock<'a>(
    lock: &'a Lock,
    ids: &BTreeMap<HostName, HostId>,
    asking: Option<&HostName>,
    own: Own,
) -> LockSaid<'a> {
    let shown = lock.shown_holder(asking).map(|holder| &holder.host);
    let said = |host: &'a HostName| HolderSaid {
        name: host.as_str(),
        own: asking.filter(|_| own == Own::Said).map(|asking| asking == host),
    };
    let many = lock.policy.slots != Slots::Number(1) || lock.holders.len() > 1;
    LockSaid {
        id: lock.id,
        host_id: shown.and_then(|host| ids.get(host)).copied(),
        name: lock.name.as_str(),
        enabled: lock.enabled,
        kind: lock.kind.sti(),
        created_at: time(lock.created),
        updated_at: time(lock.updated),
        host: shown.map(said),
        hosts: many.then(|| lock.holders.iter().map(|holder| said(&holder.host)).collect()),
    }
}

/// What is left of a lock that was removed: the bare record, as Rails prints one.
#[derive(Serialize)]
pub struct Removed<'a> {
    id: LockId,
    name: &'a str,
    enabled: bool,
    host_id: Option<HostId>,
    created_at: String,
    updated_at: String,
}

/// The lock that was removed.
pub fn removed<'a>(lock: &'a Lock, ids: &BTreeMap<HostName, HostId>) -> Removed<'a> {
    let holder = lock.holders.first().map(|holder| &holder.host);
    Removed {
        id: lock.id,
        name: lock.name.as_str(),
        enabled: lock.enabled,
        host_id: holder.and_then(|host| ids.get(host)).copied(),
        created_at: iso(lock.created),
        updated_at: iso(lock.updated),
    }
}

/// An event, in Foreman's types.
#[derive(Serialize)]
pub struct EventSaid {
    id: u64,
    event_type: &'static str,
    created_at: String,
    updated_at: String,
}

/// An event; `None` where Foreman logs nothing.
pub fn event(logged: &Logged) -> Option<EventSaid> {
    let at = time(logged.event.at);
    let event_type = logged.event.kind.foreman()?;
    Some(EventSaid { id: logged.id, event_type, created_at: at.clone(), updated_at: at })
}

/// A host, as far as disco knows of it what Foreman does.
#[derive(Serialize)]
pub struct HostSaid<'a> {
    id: HostId,
    name: &'a str,
    certname: &'a str,
    created_at: String,
    dlm_facet_attributes: Option<FacetSaid>,
}

#[derive(Serialize)]
struct FacetSaid {
    id: HostId,
    last_checkin_at: String,
}

/// A host.
pub fn host(host: &Host) -> HostSaid<'_> {
    HostSaid {
        id: host.id,
        name: host.name.as_str(),
        certname: host.name.as_str(),
        created_at: time(host.enrolled),
        // Foreman makes a host's facet when it asks for the first time.
        dlm_facet_attributes: host
            .last_checkin
            .map(|at| FacetSaid { id: host.id, last_checkin_at: time(at) }),
    }
}

/// A list of something, in its envelope.
#[derive(Serialize)]
pub struct Envelope<T> {
    /// How many there are.
    pub total: u64,
    /// How many were found.
    pub subtotal: u64,
    /// Which page this is.
    pub page: u64,
    /// How many are on one.
    pub per_page: u64,
    /// What was searched for.
    pub search: Option<String>,
    /// By what it is ordered, if that was asked for.
    pub sort: Sort,
    /// This page.
    pub results: Vec<T>,
}

/// By what a list is ordered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sort {
    /// The field.
    pub by: Option<String>,
    /// `ASC`, or what was said.
    pub order: Option<String>,
}

/// An answer, with Foreman's headers.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Structs with text keys: this cannot fail.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let name = HeaderName::from_static;
    let value = HeaderValue::from_static;
    let headers = [
        (header::CONTENT_TYPE, value("application/json; charset=utf-8")),
        (header::CACHE_CONTROL, value("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, value("nosniff")),
        (name("foreman_version"), value(LIKE_FOREMAN)),
        (name("foreman_api_version"), value("2")),
        (name("foreman_current_organization"), value("; ANY")),
        (name("foreman_current_location"), value("; ANY")),
    ];
    (status, headers, body).into_response()
}

/// A time as Rails' `TimeWithZone#to_s` has it: `2026-11-22 07:43:39 UTC`.
pub fn time(time: Time) -> String {
    formed(time, "%Y-%m-%d %H:%M:%S UTC")
}

/// A time as Rails puts it into JSON by itself: `2026-11-22T07:43:39.000Z`.
fn iso(time: Time) -> String {
    formed(time, &format!("%Y-%m-%dT%H:%M:%S.{:03}Z", time.nanoseconds() / 1_000_000))
}

fn formed(time: Time, form: &str) -> String {
    // A store whose clock is beyond the calendar's end is shown at its end.
    let last = if time.seconds() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let at = Timestamp::from_second(time.seconds()).unwrap_or(last);
    at.to_zoned(TimeZone::UTC).strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_rails() {
        let at = Time::new(1_795_333_419, 12_000_000);
        assert_eq!(time(at), "2026-11-22 07:43:39 UTC");
        assert_eq!(iso(at), "2026-11-22T07:43:39.012Z");
        assert_eq!(time(Time::new(-1, 0)), "1969-12-31 23:59:59 UTC");
        assert_eq!(time(Time::new(i64::MAX, 0)), "9999-12-30 22:00:00 UTC");
    }
}
