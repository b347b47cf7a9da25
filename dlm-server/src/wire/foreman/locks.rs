//! What users do with locks: list, create, update, destroy. The order of what is looked at is Foreman's: login, permission, media type,
//! whether the lock is there, its attributes.

use axum::http::StatusCode;
use axum::response::Response;
use disco_dlm::model::{HostName, Kind, Lock, LockId, Requester};
use disco_dlm::rules::{Answer, NewHolder, Operation};

use super::asked::{Attributes, Listing, attributes};
use super::fail::{Fail, Wrong};
use super::hold::{named, shown};
use super::say::{self, Envelope, Own};
use super::{Asked, ask, ids, no_lock};
use crate::access::{HostId, Permission};
use crate::app::App;
use crate::store::{Told, Which};

/// `GET /api/dlmlocks`
pub async fn list(app: &App, asked: &Asked) -> Result<Response, Fail> {
    asked.user(Permission::ViewDlmlocks)?;
    let listing = Listing::of(&asked.parameters()?, app.set.per_page)?;
    let page = app.store.locks(&listing.filter()?, listing.ordered()?, listing.paging).await?;
    let ids = ids(app, &page.items).await?;
    let results: Vec<_> = page.items.iter().map(|lock| say::lock(lock, &ids, None, Own::Unsaid)).collect();
    let body = Envelope {
        // The plugin counts what was found for both.
        total: page.total,
        subtotal: page.total,
        page: listing.paging.page,
        per_page: listing.paging.per_page.unwrap_or(page.total),
        sort: listing.sort(),
        search: Some(listing.search.unwrap_or_default()),
        results,
    };
    Ok(say::json(StatusCode::OK, &body))
}

/// `POST /api/dlmlocks`
pub async fn create(app: &App, asked: &Asked) -> Result<Response, Fail> {
    let user = asked.user(Permission::CreateDlmlocks)?;
    asked.is_json()?;
    let given = attributes(&asked.body)?.map_err(|errors| Fail::Invalid { id: None, errors })?;
    let blank = || Fail::Invalid { id: None, errors: vec![Wrong::new("name", "can't be blank")] };
    let name = given.name.ok_or_else(blank)?;
    let holder = match given.host_id.flatten() {
        Some(id) => Some(holder(app, None, id).await?),
        None => None,
    };
    let operation = Operation::Create {
        kind: given.kind.unwrap_or(Kind::Generic),
        enabled: given.enabled.unwrap_or(true),
        holder,
    };
    let told = ask(app, Which::Named(name), user, operation).await?;
    changed(app, StatusCode::CREATED, None, told).await
}

/// `PUT`, `PATCH /api/dlmlocks/:id`
pub async fn update(app: &App, asked: &Asked, id: &str) -> Result<Response, Fail> {
    let user = asked.user(Permission::EditDlmlocks)?;
    asked.is_json()?;
    let given = attributes(&asked.body)?;
    // Which lock it is, once: an id that is a number of one lock and the name of another must not change its meaning midway.
    let lock = look(app, user.clone(), id).await?;
    let Attributes { name, kind, enabled, host_id } =
        given.map_err(|errors| Fail::Invalid { id: Some(lock), errors })?;
    let holder = match host_id {
        None => NewHolder::Same,
        Some(None) => NewHolder::Nobody,
        Some(Some(host)) => NewHolder::Host(holder(app, Some(lock), host).await?),
    };
    let operation = Operation::Update { name, kind, holder, enabled };
    let told = ask(app, Which::Numbered(lock), user, operation).await?;
    changed(app, StatusCode::OK, Some(id), told).await
}

/// `DELETE /api/dlmlocks/:id`
pub async fn destroy(app: &App, asked: &Asked, id: &str) -> Result<Response, Fail> {
    let user = asked.user(Permission::DestroyDlmlocks)?;
    let told = ask(app, named(id)?, user, Operation::Delete).await?;
    let lock = told.before.ok_or_else(|| no_lock(id))?;
    let ids = ids(app, [&lock]).await?;
    Ok(say::json(StatusCode::OK, &say::removed(&lock, &ids)))
}

/// The number of the lock that an id means.
pub async fn look(app: &App, user: Requester, id: &str) -> Result<LockId, Fail> {
    let told = ask(app, named(id)?, user, Operation::Show).await?;
    told.after.map(|lock: Lock| lock.id).ok_or_else(|| no_lock(id))
}

/// The host of a number that is to hold a lock.
async fn holder(app: &App, lock: Option<LockId>, id: HostId) -> Result<HostName, Fail> {
    let nobody = || Fail::Invalid { id: lock, errors: vec![Wrong::new("host", "must exist")] };
    app.store.host_of(id).await?.map(|host| host.name).ok_or_else(nobody)
}

/// The lock after a change, or why there was none.
async fn changed(app: &App, status: StatusCode, id: Option<&str>, told: Told) -> Result<Response, Fail> {
    // What is there already is no part of what could not be made.
    let lock = told.before.as_ref().map(|lock| lock.id).filter(|_| id.is_some());
    let invalid =
        |attribute, what: String| Fail::Invalid { id: lock, errors: vec![Wrong::new(attribute, what)] };
    match (told.answer, &told.after) {
        (Answer::Created | Answer::Updated, Some(lock)) => shown(app, status, lock, None, Own::Unsaid).await,
        (Answer::NameTaken, _) => Err(invalid("name", String::from("has already been taken"))),
        (Answer::Refused(refusal), _) => Err(invalid("host", refusal.reason.to_string())),
        _ => Err(no_lock(id.unwrap_or_default())),
    }
}
