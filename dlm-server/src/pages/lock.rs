//! One lock: who holds it, who waits, what governs it, and what happened.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use disco_dlm::model::{LockId, LockName};
use disco_dlm::native::route::encoded;
use serde::Deserialize;

use super::visit::{Visitor, away};
use super::{Pages, page, trouble, view};
use crate::access::Permission;
use crate::store::{EventQuery, Paging, StoreError, Told, Which};

/// Events on a page.
const EVENTS: u64 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    page: Option<u64>,
    done: String,
}

/// `GET /locks/NAME`
pub async fn show(
    State(pages): State<Pages>,
    visitor: Visitor,
    name: Result<Path<String>, PathRejection>,
    asked: Result<Query<Shown>, QueryRejection>,
) -> Response {
    if let Some(refused) = visitor.lacks(Permission::ViewDlmlocks) {
        return refused;
    }
    let Some(name) = name.ok().and_then(|Path(name)| LockName::new(name).ok()) else {
        return trouble(StatusCode::BAD_REQUEST, "No lock can have such a name.");
    };
    let Query(asked) = asked.unwrap_or_default();
    let done = view::lock::done(&asked.done);
    shown(&pages, &visitor, &name, StatusCode::OK, done, asked.page.unwrap_or(1)).await
}

/// The page of a lock, with what is to be said first.
pub async fn shown(
    pages: &Pages,
    visitor: &Visitor,
    name: &LockName,
    status: StatusCode,
    said: view::lock::Said<'_>,
    events: u64,
) -> Response {
    match pages.look(Which::Named(name.clone())).await {
        Ok(told) if told.after.is_some() => match whole(pages, visitor, told, said, events.max(1)).await {
            Ok(markup) => page(status, markup),
            Err(error) => away(error),
        },
        Ok(_) => trouble(
            StatusCode::NOT_FOUND,
            "There is no lock of this name. Locks are made by the first acquire.",
        ),
        Err(error) => away(error),
    }
}

async fn whole(
    pages: &Pages,
    visitor: &Visitor,
    told: Told,
    said: view::lock::Said<'_>,
    number: u64,
) -> Result<maud::Markup, StoreError> {
    let view = pages.view(&told);
    let Some(lock) = told.after else { return Ok(view::layout::trouble("There is no such lock.")) };
    let paging = Paging { page: number, per_page: Some(EVENTS) };
    let events = if visitor.may(Permission::ViewDlmlockEvents) {
        Some(pages.app.store.events(Some(lock.id), EventQuery::Newest(paging)).await?)
    } else {
        None
    };
    Ok(view::lock::page(&view::lock::Page {
        visitor,
        lock: &lock,
        view,
        said,
        events: events.as_ref(),
        paging,
    }))
}

/// `GET /foreman_dlm/dlmlocks/ID`, where Foreman had this page: a number, or a name.
pub async fn by_number(
    State(pages): State<Pages>,
    visitor: Visitor,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    if let Some(refused) = visitor.lacks(Permission::ViewDlmlocks) {
        return refused;
    }
    let Some(name) = id.ok().and_then(|Path(id)| LockName::new(id).ok()) else {
        return Redirect::to("/locks").into_response();
    };
    let which = match name.as_str().parse() {
        Ok(number) => Which::NumberedOrNamed(LockId(number), name),
        Err(_) => Which::Named(name),
    };
    match pages.look(which).await {
        Ok(Told { after: Some(lock), .. }) => {
            Redirect::to(&format!("/locks/{}", encoded(lock.name.as_str()))).into_response()
        }
        Ok(_) => trouble(StatusCode::NOT_FOUND, "There is no such lock."),
        Err(error) => away(error),
    }
}
