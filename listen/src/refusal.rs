//! What a client is told that no wire has heard: its head or its body is no good. One JSON object in one line.

use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

#[derive(Serialize)]
struct Said<'a> {
    error: Told<'a>,
}

#[derive(Serialize)]
struct Told<'a> {
    code: &'a str,
    message: &'a str,
    hint: &'a str,
}

/// A status as a word for programs: `bad-request`, `payload-too-large`.
pub fn code(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("error").to_lowercase().replace(' ', "-")
}

/// An answer after which nothing is read from that connection any more.
pub fn closing(version: Version, status: StatusCode, message: &str) -> Response {
    let said = Said { error: Told { code: &code(status), message, hint: "" } };
    // Strings alone: this cannot fail.
    let body = serde_json::to_vec(&said).unwrap_or_default();
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))];
    let mut response = (status, json, body).into_response();
    if version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
