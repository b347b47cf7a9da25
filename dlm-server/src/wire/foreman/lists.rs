//! The lists beside that of locks: a lock's events, and hosts with their check-ins.

use axum::http::StatusCode;
use axum::response::Response;
use disco_dlm::model::HostName;

use super::asked::Listing;
use super::fail::Fail;
use super::locks::look;
use super::say::{self, Envelope, EventSaid};
use super::{Asked, no_lock, number};
use crate::access::{HostId, Permission};
use crate::app::App;
use crate::search::parse::ParseError;
use crate::store::{EventQuery, Paging};

/// So many events are read at once to be counted.
const BATCH: u64 = 1000;

/// `GET /api/dlmlocks/:dlmlock_id/dlmlock_events`, the oldest first. The id is a number, as in Foreman.
pub async fn events(app: &App, asked: &Asked, id: &str) -> Result<Response, Fail> {
    let user = asked.user(Permission::ViewDlmlockEvents)?;
    // Foreman looks for the lock among those that the user may see.
    if number(id).is_none() || !asked.as_user.may(Permission::ViewDlmlocks) {
        return Err(no_lock(id));
    }
    let listing = Listing::of(&asked.parameters()?, app.set.per_page)?;
    unsearched(&listing, "events", &[])?;
    let lock = look(app, user, id).await?;
    let (mut total, mut results, mut last) = (0, vec![], 0);
    // disco logs more than Foreman does, and total counts what Foreman would have; so all are looked at, some at a time.
    loop {
        let batch = app.store.events(Some(lock), EventQuery::After(last, BATCH)).await?.items;
        let Some(newest) = batch.last().map(|logged| logged.id) else { break };
        for said in batch.iter().filter_map(say::event) {
            if is_on(listing.paging, total) {
                results.push(said);
            }
            total += 1;
        }
        last = newest;
    }
    Ok(say::json(StatusCode::OK, &enveloped(listing, total, results)))
}

/// Whether what comes after so many is on this page.
fn is_on(paging: Paging, before: u64) -> bool {
    let Some(per_page) = paging.per_page else { return true };
    let from = (paging.page - 1).saturating_mul(per_page);
    (from..from.saturating_add(per_page)).contains(&before)
}

fn enveloped(listing: Listing, total: u64, results: Vec<EventSaid>) -> Envelope<EventSaid> {
    Envelope {
        total,
        subtotal: total,
        page: listing.paging.page,
        per_page: listing.paging.per_page.unwrap_or(total),
        sort: listing.sort(),
        search: listing.search,
        results,
    }
}

/// `GET /api/hosts`
pub async fn hosts(app: &App, asked: &Asked) -> Result<Response, Fail> {
    asked.user(Permission::ViewHosts)?;
    let listing = Listing::of(&asked.parameters()?, app.set.per_page)?;
    unsearched(&listing, "hosts", &["name", "name ASC"])?;
    let page = app.store.hosts(listing.paging).await?;
    let body = Envelope {
        total: page.total,
        subtotal: page.total,
        page: listing.paging.page,
        per_page: listing.paging.per_page.unwrap_or(page.total),
        sort: listing.sort(),
        search: listing.search,
        results: page.items.iter().map(say::host).collect(),
    };
    Ok(say::json(StatusCode::OK, &body))
}

/// `GET /api/hosts/:id`: a number, or else a name.
pub async fn host(app: &App, asked: &Asked, id: &str) -> Result<Response, Fail> {
    asked.user(Permission::ViewHosts)?;
    let mut found = match number(id) {
        Some(number) => app.store.host_of(HostId(number)).await?,
        None => None,
    };
    if let (None, Ok(name)) = (&found, HostName::new(id.to_lowercase())) {
        found = app.store.host(&name).await?;
    }
    let host = found.ok_or_else(|| Fail::NotFound { resource: "host", id: id.to_owned() })?;
    Ok(say::json(StatusCode::OK, &say::host(&host)))
}

/// That nothing is searched for or ordered by, where that is not done here: an answer that leaves it out would say more than was asked.
fn unsearched(listing: &Listing, what: &'static str, orders: &[&str]) -> Result<(), Fail> {
    if listing.search.as_ref().is_some_and(|search| !search.trim().is_empty()) {
        return Err(Fail::Search(ParseError::NoSearch(what)));
    }
    match &listing.order {
        Some(order) if !orders.contains(&order.as_str()) => {
            let field = order.split_whitespace().next().unwrap_or_default();
            Err(Fail::Search(ParseError::OrderField(field.to_owned())))
        }
        _ => Ok(()),
    }
}
