//! Answers: JSON in one line, errors too, as `{"error":{"code":…,"message":…,"hint":…}}`.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use disco_listen::log::causes;
use disco_listen::refusal::code;
use serde::Serialize;

use super::helper::HelperError;
use crate::runs::{Refusal, RunState};

/// An answer that says what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The status.
    pub status: StatusCode,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: &'static str,
    /// After how many seconds to ask again.
    pub again: Option<u64>,
}

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

impl Failure {
    /// One without a hint.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into(), hint: "", again: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(self, hint: &'static str) -> Failure {
        Failure { hint, ..self }
    }

    /// The same, for who asks again after so many seconds.
    #[must_use]
    pub fn again(self, seconds: u64) -> Failure {
        Failure { again: Some(seconds), ..self }
    }

    /// A helper that has said no.
    pub fn refused(why: Refusal, message: String) -> Failure {
        let (status, hint) = match why {
            Refusal::Busy => (StatusCode::CONFLICT, "ask again when that one has ended"),
            Refusal::Disabled => (StatusCode::CONFLICT, "dry runs go on: \"noop\": true"),
            Refusal::Unknown => (StatusCode::NOT_FOUND, "GET /v1/runs lists those that are kept"),
            Refusal::Ended => (StatusCode::CONFLICT, ""),
            Refusal::Differs => {
                (StatusCode::UNPROCESSABLE_ENTITY, "another idempotency_key, or the same noop and modules")
            }
            Refusal::TooManyKeys => (StatusCode::TOO_MANY_REQUESTS, "the same without an idempotency_key"),
            Refusal::Malformed => (StatusCode::BAD_REQUEST, ""),
            Refusal::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "the helper's log says more"),
        };
        Failure::new(status, message).hint(hint)
    }
}

impl From<HelperError> for Failure {
    fn from(error: HelperError) -> Failure {
        let message = causes(&error);
        match error {
            HelperError::Unreachable { .. } | HelperError::Silent { .. } => {
                Failure::new(StatusCode::SERVICE_UNAVAILABLE, message)
                    .hint("on that node: disco agent status")
                    .again(5)
            }
            HelperError::Crowded => Failure::new(StatusCode::SERVICE_UNAVAILABLE, message).again(5),
            HelperError::Unexpected { .. } => Failure::new(StatusCode::BAD_GATEWAY, message),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let said = Said { error: Told { code: &code(self.status), message: &self.message, hint: self.hint } };
        let mut response = json(self.status, &said);
        let headers = response.headers_mut();
        if let Some(seconds) = self.again {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An answer in JSON.
pub fn json(status: StatusCode, said: &impl Serialize) -> Response {
    // Plain data with names for keys: it has a form in JSON.
    let mut body = serde_json::to_vec(said).unwrap_or_default();
    body.push(b'\n');
    let mut response = (status, Body::from(body)).into_response();
    let mut say =
        |name: HeaderName, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
    say(header::CONTENT_TYPE, "application/json");
    say(header::CACHE_CONTROL, "no-store");
    response
}

/// A run, with where it is found.
#[derive(Debug, Serialize)]
pub struct Run {
    #[serde(flatten)]
    state: RunState,
    /// Whether it has ended well; nothing before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    success: Option<bool>,
    href: String,
}

impl From<RunState> for Run {
    fn from(state: RunState) -> Run {
        let success = state.state.is_end().then(|| state.state.is_success());
        Run { success, href: format!("/v1/runs/{}", state.id), state }
    }
}
