//! Errors that no wire has for itself: a body too large, a path that there is not, a store that is away. One JSON object in one line, in
//! which both Foreman's clients (`error.message`) and disco's own (`error.code`, `error.hint`) find what they look for.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use disco_dlm::native::say::{ErrorBody, ErrorSaid};

use crate::store::StoreError;

/// An answer that says what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: &'static str,
}

impl Failure {
    /// One without a hint.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Failure {
        Failure { status, code, message: message.into(), hint: "" }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error =
            ErrorBody { code: self.code.to_owned(), message: self.message, hint: self.hint.to_owned() };
        // Strings alone: this cannot fail.
        let body = serde_json::to_vec(&ErrorSaid { error }).unwrap_or_default();
        let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))];
        let mut response = (self.status, json, body).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// What a client is told of a store that could not: never more than that, for the rest is the administrator's.
pub fn of_store(error: &StoreError) -> Failure {
    match error {
        StoreError::Unavailable { .. } => Failure {
            hint: "ask again: it is not known whether anything was changed, and to acquire or release twice does no harm",
            ..Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The store of locks is not available.",
            )
        },
        StoreError::Damaged { .. } | StoreError::Newer { .. } => Failure {
            hint: "the server's log says why",
            ..Failure::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "unavailable",
                "The store of locks cannot be read.",
            )
        },
    }
}

/// There is nothing there.
pub fn no_route() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "missing", "There is nothing at this path.")
}
