//! Locks: the list, one, and what users do with them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use disco_dlm::model::{Kind, LockName, Policy, Requester};
use disco_dlm::native::ask::{Because, Create, ForceRelease, Rename};
use disco_dlm::native::say::{LockSaid, LocksSaid};
use disco_dlm::rules::{Answer, NewHolder, Operation};
use serde::Deserialize;

use super::Native;
use super::asked::{Asked, Body, Named, Who, short};
use super::error::Problem;
use super::policy;
use super::said::{View, lapsed, lock_said, needs_group};
use crate::access::Permission;
use crate::app::Caller;
use crate::search::{Filter, Order, OrderField, parse};
use crate::store::{Page, Paging, StoreError, Told, Which};

/// The most items on a page.
pub const LARGEST_PAGE: u64 = 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListAsked {
    search: String,
    order: String,
    page: Option<u64>,
    per_page: Option<u64>,
}

/// `GET /locks`
pub async fn list(
    State(native): State<Native>,
    who: Who,
    asked: Result<Asked<ListAsked>, Problem>,
) -> Result<Json<LocksSaid>, Problem> {
    let by = who.host_or(Permission::ViewDlmlocks)?;
    let Asked(asked) = asked?;
    let (filter, order) = (filter(&asked.search)?, order(&asked.order)?);
    let paging = paging(asked.page, asked.per_page, native.app.set.per_page)?;
    let page = native.app.store.locks(&filter, order, paging).await?;
    let total = page.total;
    Ok(Json(LocksSaid { locks: native.page_said(page, by).await?, total }))
}

impl Native {
    /// What is said of a page of locks as they are kept. The store's clock, and groups whose size matters, are asked for.
    pub(super) async fn page_said(
        &self,
        page: Page<disco_dlm::model::Lock>,
        by: Requester,
    ) -> Result<Vec<LockSaid>, StoreError> {
        let mut said = vec![];
        let mut view = None;
        for lock in page.items {
            let known = view.filter(|_| !needs_group(&lock));
            let (lock, seen) = match known {
                Some(view) => (lapsed(&lock, view), view),
                None => {
                    let told = self.ask(Which::Numbered(lock.id), by.clone(), Operation::Show).await?;
                    // One that was removed meanwhile is shown as it was on the page.
                    (told.after.clone().unwrap_or(lock), self.view(&told))
                }
            };
            view = Some(View { group: 0, ..seen });
            said.push(lock_said(&lock, seen));
        }
        Ok(said)
    }
}

/// Which locks are meant, in Foreman's search language; an empty search is all.
pub(super) fn filter(search: &str) -> Result<Filter, Problem> {
    parse::filter(search).map_err(|error| Problem::Bad(format!("the search: {error}")))
}

/// By what a list is ordered: `FIELD`, `FIELD ASC` or `FIELD DESC`; nothing is by name.
pub(super) fn order(text: &str) -> Result<Order, Problem> {
    let bad = || {
        Problem::Bad(format!(
            "order {text:?}: use name, host, type, enabled, id, created or updated, and ASC or DESC"
        ))
    };
    let mut words = text.split_whitespace();
    let Some(field) = words.next() else { return Ok(Order::default()) };
    let by = match field.to_ascii_lowercase().as_str() {
        "name" => OrderField::Name,
        "host" => OrderField::Host,
        "type" => OrderField::Type,
        "enabled" => OrderField::Enabled,
        "id" => OrderField::Id,
        "created" | "created_at" => OrderField::Created,
        "updated" | "updated_at" => OrderField::Updated,
        _ => return Err(bad()),
    };
    let descending = match words.next().map(str::to_ascii_lowercase).as_deref() {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(bad()),
    };
    if words.next().is_some() { Err(bad()) } else { Ok(Order { by, descending }) }
}

/// Which page; what is not said is the first, of the size that the server is set to.
pub(super) fn paging(page: Option<u64>, per_page: Option<u64>, set: u64) -> Result<Paging, Problem> {
    let per_page = per_page.unwrap_or(set.clamp(1, LARGEST_PAGE));
    let page = page.unwrap_or(1);
    if page == 0 || per_page == 0 || per_page > LARGEST_PAGE {
        return Err(Problem::Bad(format!(
            "page {page} of {per_page}: pages begin at 1, and have 1 to {LARGEST_PAGE} items"
        )));
    }
    Ok(Paging { page, per_page: Some(per_page) })
}

/// `GET /locks/NAME`
pub async fn show(
    State(native): State<Native>,
    who: Who,
    Named(name): Named,
) -> Result<Json<LockSaid>, Problem> {
    let by = who.host_or(Permission::ViewDlmlocks)?;
    if let Caller::Host(host) = &who.0 {
        native.check_in(host).await;
    }
    let told = native.look(&name, by).await?;
    Ok(Json(native.said(&name, &told)?))
}

/// `PUT /locks/NAME`
pub async fn create(
    State(native): State<Native>,
    who: Who,
    Named(name): Named,
    body: Body,
) -> Result<Response, Problem> {
    let by = who.user(Permission::CreateDlmlocks)?;
    let (Create { kind, enabled, .. }, policy) = policy::read_create(&body)?;
    let kind = kind_of(kind.as_deref())?;
    let operation = if policy == Policy::default() {
        Operation::Create { kind, enabled, holder: None }
    } else {
        Operation::Define { kind, enabled, policy: Box::new(policy) }
    };
    let told = native.ask(Which::Named(name.clone()), by, operation).await?;
    native.rooms.poke(&name);
    let said = done(&native, &name, &name, &told)?;
    Ok((StatusCode::CREATED, Json(said)).into_response())
}

fn kind_of(kind: Option<&str>) -> Result<Kind, Problem> {
    [Kind::Generic, Kind::Update].into_iter().find(|known| known.sti() == kind).ok_or_else(|| {
        Problem::Bad(format!(
            "type {:?}: use null or \"ForemanDlm::Dlmlock::Update\"",
            kind.unwrap_or_default()
        ))
    })
}

/// `PATCH /locks/NAME`
pub async fn rename(
    State(native): State<Native>,
    who: Who,
    Named(name): Named,
    body: Body,
) -> Result<Json<LockSaid>, Problem> {
    let by = who.user(Permission::EditDlmlocks)?;
    let Rename { name: new } = body.read()?;
    let wanted = new.clone().unwrap_or_else(|| name.clone());
    let operation = Operation::Update { name: new, kind: None, holder: NewHolder::Same, enabled: None };
    let told = native.ask(Which::Named(name.clone()), by, operation).await?;
    native.rooms.poke(&name);
    native.rooms.poke(&wanted);
    Ok(Json(done(&native, &name, &wanted, &told)?))
}

/// `DELETE /locks/NAME`
pub async fn delete(
    State(native): State<Native>,
    who: Who,
    Named(name): Named,
) -> Result<Json<LockSaid>, Problem> {
    let by = who.user(Permission::DestroyDlmlocks)?;
    let told = native.ask(Which::Named(name.clone()), by, Operation::Delete).await?;
    native.rooms.poke(&name);
    match (&told.answer, &told.before) {
        (Answer::Deleted, Some(lock)) => Ok(Json(native.said_of(lock, &told))),
        _ => Err(Problem::NoLock(name)),
    }
}

/// `POST /locks/NAME/force-release`
pub async fn force_release(
    State(native): State<Native>,
    who: Who,
    Named(name): Named,
    body: Body,
) -> Result<Json<LockSaid>, Problem> {
    let by = who.user(Permission::EditDlmlocks)?;
    let ForceRelease { host, reason } = body.read()?;
    if reason.trim().is_empty() {
        return Err(Problem::Bad(String::from("a force release needs a reason")));
    }
    short("reason", &reason)?;
    manage(&native, name, by, Operation::ForceRelease { host, reason }).await
}

/// `POST /locks/NAME/enable`
pub async fn enable(
    state: State<Native>,
    who: Who,
    name: Named,
    body: Body,
) -> Result<Json<LockSaid>, Problem> {
    because(state, who, name, &body, |reason| Operation::Switch { enabled: true, reason }).await
}

/// `POST /locks/NAME/disable`
pub async fn disable(
    state: State<Native>,
    who: Who,
    name: Named,
    body: Body,
) -> Result<Json<LockSaid>, Problem> {
    because(state, who, name, &body, |reason| Operation::Switch { enabled: false, reason }).await
}

/// `POST /locks/NAME/thaw`
pub async fn thaw(
    state: State<Native>,
    who: Who,
    name: Named,
    body: Body,
) -> Result<Json<LockSaid>, Problem> {
    because(state, who, name, &body, |reason| Operation::Thaw { reason }).await
}

async fn because(
    State(native): State<Native>,
    who: Who,
    Named(name): Named,
    body: &Body,
    operation: impl Fn(String) -> Operation,
) -> Result<Json<LockSaid>, Problem> {
    let by = who.user(Permission::EditDlmlocks)?;
    let Because { reason } = body.read()?;
    short("reason", &reason)?;
    manage(&native, name, by, operation(reason)).await
}

async fn manage(
    native: &Native,
    name: LockName,
    by: Requester,
    operation: Operation,
) -> Result<Json<LockSaid>, Problem> {
    let told = native.ask(Which::Named(name.clone()), by, operation).await?;
    native.rooms.poke(&name);
    Ok(Json(done(native, &name, &name, &told)?))
}

/// The lock as it is after what a user did with it, or why that was not done. `wanted` is the name that can be taken.
pub(super) fn done(
    native: &Native,
    name: &LockName,
    wanted: &LockName,
    told: &Told,
) -> Result<LockSaid, Problem> {
    match &told.answer {
        Answer::Missing | Answer::Deleted => Err(Problem::NoLock(name.clone())),
        Answer::NameTaken => Err(Problem::Taken(wanted.clone())),
        Answer::BadPolicy(error) => Err(Problem::ImpossiblePolicy(error.clone())),
        Answer::HostsOnly => Err(Problem::HostsOnly),
        // No operation of a user's is refused here, and none of a host's comes here.
        Answer::Refused(refusal) => Err(Problem::Bad(refusal.reason.to_string())),
        Answer::UsersOnly => Err(Problem::Denied(Permission::EditDlmlocks)),
        Answer::Shown
        | Answer::Created
        | Answer::Updated
        | Answer::Granted { .. }
        | Answer::Released { .. } => native.said(name, told),
    }
}
