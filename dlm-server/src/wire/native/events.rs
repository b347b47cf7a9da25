//! Logs: the newest lines, or those after one, and waiting for the next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use disco_dlm::model::{LockId, Requester};
use disco_dlm::native::ask::LONGEST_WAIT;
use disco_dlm::native::say::EventsSaid;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};

use super::asked::{Asked, Named, Who};
use super::error::Problem;
use super::said::event_said;
use super::{Native, Waited};
use crate::access::Permission;
use crate::store::{EventQuery, Paging};

/// How many are told where nothing is said, and at most.
const LIMITS: (u64, u64) = (100, 1000);
/// The most requests that wait for events at once, and the most of one caller.
const MOST_WATCHERS: (usize, usize) = (256, 8);
/// How long a request that waits lets changes pass before it looks again: after the first that were not its, and after many.
const GAPS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EventsAsked {
    after: Option<u64>,
    limit: Option<u64>,
    wait: Option<u64>,
}

/// Who waits for events: counted, so that they cannot be too many.
#[derive(Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<BTreeMap<String, usize>>>);

struct Watching(Watchers, String);

impl Watchers {
    fn enter(&self, who: &Requester) -> Result<Watching, Problem> {
        let who = format!("{who:?}");
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = held.get(&who).copied().unwrap_or(0);
        if held.values().sum::<usize>() >= MOST_WATCHERS.0 || ours >= MOST_WATCHERS.1 {
            return Err(Problem::TooMany);
        }
        held.insert(who.clone(), ours + 1);
        Ok(Watching(self.clone(), who))
    }
}

impl Drop for Watching {
    /// Waits for nothing.
    fn drop(&mut self) {
        let mut held = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(&self.1) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                held.remove(&self.1);
            }
        }
    }
}

/// `GET /locks/NAME/events`
pub async fn of_lock(
    State(native): State<Native>,
    who: Who,
    Named(name): Named,
    asked: Result<Asked<EventsAsked>, Problem>,
) -> Result<Response, Problem> {
    let by = who.host_or(Permission::ViewDlmlockEvents)?;
    let Asked(asked) = asked?;
    let told = native.look(&name, by.clone()).await?;
    let Some(lock) = told.after else { return Err(Problem::NoLock(name)) };
    answer(&native, &by, Some(lock.id), &asked).await
}

/// `GET /events`
pub async fn of_all(
    State(native): State<Native>,
    who: Who,
    asked: Result<Asked<EventsAsked>, Problem>,
) -> Result<Response, Problem> {
    let by = who.user(Permission::ViewDlmlockEvents)?;
    let Asked(asked) = asked?;
    answer(&native, &by, None, &asked).await
}

async fn answer(
    native: &Native,
    by: &Requester,
    of: Option<LockId>,
    asked: &EventsAsked,
) -> Result<Response, Problem> {
    let limit = asked.limit.unwrap_or(LIMITS.0);
    if limit == 0 || limit > LIMITS.1 {
        return Err(Problem::Bad(format!("limit {limit}: use 1 to {}", LIMITS.1)));
    }
    let wait = asked.wait.unwrap_or(0).min(LONGEST_WAIT);
    let Some(after) = asked.after else {
        if wait > 0 {
            return Err(Problem::Bad(String::from("wait is for what comes after something: say after, too")));
        }
        let paging = Paging { page: 1, per_page: Some(limit) };
        let page = native.app.store.events(of, EventQuery::Newest(paging)).await?;
        let next = page.items.first().map_or(0, |logged| logged.id);
        let events = page.items.iter().map(event_said).collect();
        return Ok(Json(EventsSaid { events, next }).into_response());
    };
    let seat = if wait > 0 { Some(native.watchers.enter(by)?) } else { None };
    let said = later(native, of, (after, limit), Instant::now() + Duration::from_secs(wait)).await?;
    drop(seat);
    let mut response = Json(said).into_response();
    if wait > 0 {
        response.extensions_mut().insert(Waited);
    }
    Ok(response)
}

/// What comes after `after`, as soon as there is something, or nothing when the time is over.
async fn later(
    native: &Native,
    of: Option<LockId>,
    (after, limit): (u64, u64),
    until: Instant,
) -> Result<EventsSaid, Problem> {
    let mut changes = native.app.store.changes();
    let mut gap = GAPS.0;
    loop {
        changes.borrow_and_update();
        let page = native.app.store.events(of, EventQuery::After(after, limit)).await?;
        if !page.items.is_empty() || Instant::now() >= until {
            let next = page.items.last().map_or(after, |logged| logged.id);
            return Ok(EventsSaid { events: page.items.iter().map(event_said).collect(), next });
        }
        let looked = Instant::now();
        tokio::select! {
            changed = changes.changed() => if changed.is_err() {
                // A store that is gone changes no more.
                sleep_until(until).await;
            },
            () = sleep_until(until) => {}
        }
        sleep_until(until.min(looked + gap)).await;
        gap = (gap * 2).min(GAPS.1);
    }
}
