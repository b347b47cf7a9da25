//! Logging in and out. Passwords are looked at, and guessing is throttled, by [`crate::identity`], as for every wire.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use axum::Extension;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, OriginalUri, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::session::{ENDS, Secret};
use super::visit::{COOKIE, Visitor, away};
use super::{Pages, guard, page, trouble, view};
use crate::app::{Caller, NotKnown};
use crate::identity::{ClientAddress, Identity};

/// The cookie that a login form is known by, before there is a session.
const FORM_COOKIE: &str = "__Host-disco-form";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Next {
    next: String,
}

/// `GET /login`
pub async fn form(asked: Result<Query<Next>, QueryRejection>) -> Response {
    let next = asked.map(|Query(asked)| asked.next).unwrap_or_default();
    shown(StatusCode::OK, guard::next(&next), "")
}

/// The form, with a new secret in it and in a cookie: no other site can send it.
fn shown(status: StatusCode, next: &str, what: &str) -> Response {
    let Some(secret) = Secret::new() else { return no_chance() };
    let mut response = page(status, view::login::form(&secret, next, what));
    set_cookie(&mut response, FORM_COOKIE, secret.text(), 3600);
    response
}

fn no_chance() -> Response {
    trouble(StatusCode::SERVICE_UNAVAILABLE, "This machine has no random numbers now.")
}

fn set_cookie(response: &mut Response, name: &str, value: &str, seconds: u64) {
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict");
    // Names and values are ours, and plain.
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

#[derive(Deserialize)]
pub struct LogIn {
    csrf: String,
    login: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /login`
pub async fn log_in(
    State(pages): State<Pages>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    identity: Option<Extension<Identity>>,
    from: Option<Extension<ClientAddress>>,
    form: Result<Form<LogIn>, FormRejection>,
) -> Response {
    let Ok(Form(LogIn { csrf, login, password, next })) = form else {
        return shown(StatusCode::BAD_REQUEST, "/locks", "The form was not whole. Try again.");
    };
    let next = guard::next(&next);
    let ours = guard::cookie(&headers, FORM_COOKIE)
        .is_some_and(|secret| !secret.is_empty() && bool::from(secret.as_bytes().ct_eq(csrf.as_bytes())));
    if !guard::same_origin(&uri, &headers) || !ours {
        return shown(
            StatusCode::FORBIDDEN,
            next,
            "The form was too old, or came from another site. Try again.",
        );
    }
    let Some(Extension(identity)) = identity else {
        return trouble(StatusCode::SERVICE_UNAVAILABLE, "Nobody can log in here.");
    };
    let from = from.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(ClientAddress(from))| from);
    match identity.log_in(from, &login, &password).await {
        Ok(Caller::User { login, .. }) => begin(&pages, &headers, &login, next).await,
        Ok(Caller::Nobody(NotKnown::Throttled)) => {
            let mut response = shown(
                StatusCode::TOO_MANY_REQUESTS,
                next,
                "Too many tries, please try again in a few minutes.",
            );
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("300"));
            response
        }
        Ok(_) => shown(StatusCode::UNAUTHORIZED, next, "Wrong login or password."),
        Err(error) => away(error),
    }
}

async fn begin(
    pages: &Pages,
    headers: &HeaderMap,
    login: &disco_dlm::model::UserName,
    next: &str,
) -> Response {
    let user = match pages.app.store.user(login).await {
        Ok(Some(user)) => user,
        Ok(None) => return shown(StatusCode::UNAUTHORIZED, next, "Wrong login or password."),
        Err(error) => return away(error),
    };
    // A session that there was is not gone on with: whoever knew it before knows nothing now.
    if let Some(old) = guard::cookie(headers, COOKIE) {
        pages.sessions.end(old);
    }
    let Some(secret) = pages.sessions.begin(&user, Instant::now()) else { return no_chance() };
    let mut response = Redirect::to(next).into_response();
    set_cookie(&mut response, COOKIE, secret.text(), ENDS.0.as_secs());
    set_cookie(&mut response, FORM_COOKIE, "", 0);
    response
}

#[derive(Deserialize)]
pub struct LogOut {
    csrf: String,
}

/// `POST /logout`
pub async fn log_out(
    State(pages): State<Pages>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    visitor: Visitor,
    form: Result<Form<LogOut>, FormRejection>,
) -> Response {
    let csrf = form.map(|Form(form)| form.csrf).unwrap_or_default();
    let ours = visitor.csrf.is_some_and(|secret| secret.is(&csrf));
    if !ours || !guard::same_origin(&uri, &headers) {
        return trouble(StatusCode::FORBIDDEN, "The form was too old, or came from another site.");
    }
    if let Some(secret) = guard::cookie(&headers, COOKIE) {
        pages.sessions.end(secret);
    }
    let mut response = Redirect::to("/login").into_response();
    set_cookie(&mut response, COOKIE, "", 0);
    response
}
