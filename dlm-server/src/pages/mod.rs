//! The pages for people: locks, one lock, hosts, and the forms that change a lock. Made here, whole, without scripts; nothing of them
//! comes from elsewhere. What is shown was often said by strangers (names, notes, reasons): `maud` escapes it, and what nobody would
//! see is shown as its number.
//!
//! Somebody logs in by a form and has a session; a login in a header may look, too, but has no forms. Each form carries its session's
//! token, and is taken only from this site's own pages ([`guard`]).
//!
//! - `session`: who is logged in; `guard`: whether a form is ours; `visit`: who asks, and as what
//! - `login`, `lists`, `lock`, `act`: the routes; `view`: the pages themselves, pure

mod act;
mod guard;
mod lists;
mod lock;
mod login;
mod session;
mod view;
mod visit;

#[cfg(test)]
mod forms_tests;
#[cfg(test)]
mod pages_tests;
#[cfg(test)]
mod stage;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::Markup;

use crate::app::App;
use session::Sessions;

/// The most bytes of a form.
const LARGEST_FORM: usize = 16 * 1024;
const STYLE: &str = include_str!("style.css");

/// What may be on a page: its own style and its own forms. No script, nothing from elsewhere, in nobody's frame.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What the handlers of pages have.
#[derive(Clone)]
struct Pages {
    app: App,
    sessions: Sessions,
}

/// The routes. [`crate::identity`] is in front of them: it logs people in.
pub fn routes(app: App) -> Router {
    let pages = Pages { app, sessions: Sessions::default() };
    Router::new()
        .route("/", get(async || Redirect::to("/locks")))
        .route("/locks", get(lists::locks))
        .route("/locks/{name}", get(lock::show))
        .route("/locks/{name}/{action}", post(act::act))
        .route("/hosts", get(lists::hosts))
        .route("/login", get(login::form).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/pages/style.css", get(style))
        .route("/foreman_dlm/dlmlocks", get(async || Redirect::to("/locks")))
        .route("/foreman_dlm/dlmlocks/auto_complete_search", get(async || Redirect::to("/locks")))
        .route("/foreman_dlm/dlmlocks/{id}", get(lock::by_number))
        .method_not_allowed_fallback(async || {
            trouble(StatusCode::METHOD_NOT_ALLOWED, "That does not do here.")
        })
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(from_fn(guarded))
        .with_state(pages)
}

/// What every answer says to the browser.
async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Without any, a browser would not say from which site a form comes.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let kept = HeaderValue::from_static("no-store");
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(kept);
    response
}

async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=300")];
    (headers, STYLE).into_response()
}

/// A page of this status.
fn page(status: StatusCode, page: Markup) -> Response {
    (status, Html(page.into_string())).into_response()
}

/// A page that says what is wrong, and nothing else.
fn trouble(status: StatusCode, what: &str) -> Response {
    page(status, view::layout::trouble(what))
}
