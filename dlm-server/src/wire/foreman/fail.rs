//! Foreman's errors: status, and the one object in `error`, keys in its order. What each of them is for is in wire terms in
//! docs/dlm-foreman.md.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use disco_dlm::model::LockId;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::say;
use crate::access::Permission;
use crate::app::{Caller, NotKnown};
use crate::search::parse::ParseError;
use crate::store::StoreError;
use crate::wire::failure;

/// Why a request has no good answer.
#[derive(Debug)]
pub enum Fail {
    /// 401
    Unknown(NotKnown),
    /// 403: a permission is missing.
    Forbidden(Permission),
    /// 403: a user asked for what is a host's.
    NoHost,
    /// 404
    NotFound {
        /// What was looked for: `dlmlock`, `host`.
        resource: &'static str,
        /// By what.
        id: String,
    },
    /// 404: no such path, or not by this method.
    NoRoute,
    /// 412
    Refused {
        /// The lock.
        id: LockId,
        /// In how many seconds to ask again.
        retry_after: Option<u64>,
        /// The place in a fair queue.
        position: Option<usize>,
    },
    /// 415, and what there was instead.
    MediaType(String),
    /// 422
    Invalid {
        /// The lock, where there is one.
        id: Option<LockId>,
        /// What is wrong, by attribute.
        errors: Vec<Wrong>,
    },
    /// 400: the search.
    Search(ParseError),
    /// 400: a body that is no JSON, and what the parser says.
    Json(String),
    /// 400: a parameter.
    Parameter(String),
    /// 503, 500
    Store(StoreError),
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Fail {
        Fail::Store(error)
    }
}

/// An attribute, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The attribute.
    pub attribute: &'static str,
    /// What is wrong, as in `can't be blank`.
    pub what: String,
}

impl Wrong {
    /// This attribute, this wrong.
    pub fn new(attribute: &'static str, what: impl Into<String>) -> Wrong {
        Wrong { attribute, what: what.into() }
    }
}

#[derive(Serialize)]
struct Denied<'a> {
    message: &'a str,
    details: &'a str,
    missing_permissions: Option<[&'a str; 1]>,
}

#[derive(Serialize)]
struct Precondition {
    id: LockId,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
}

#[derive(Serialize)]
struct Unread {
    status: u16,
    error: String,
}

/// What is wrong, by attribute, in the order in which it was found.
struct ByAttribute<'a>(Vec<(&'a str, Vec<&'a str>)>);

impl Serialize for ByAttribute<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(attribute, whats)| (attribute, whats)))
    }
}

#[derive(Serialize)]
struct Unprocessable<'a> {
    id: Option<LockId>,
    errors: ByAttribute<'a>,
    full_messages: Vec<String>,
}

#[derive(Serialize)]
struct NotSupported {
    message: String,
    class: &'static str,
}

impl Fail {
    /// Nobody, as the caller's middleware says it.
    pub fn nobody(caller: &Caller) -> Fail {
        match caller {
            Caller::Nobody(why) => Fail::Unknown(why.clone()),
            // A host, where users alone may ask: it has logged in as nobody.
            Caller::Host(_) | Caller::User { .. } => Fail::Unknown(NotKnown::Silent),
        }
    }
}

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        match self {
            Fail::Unknown(NotKnown::Throttled) => {
                message(StatusCode::UNAUTHORIZED, "Too many tries, please try again in a few minutes.")
            }
            Fail::Unknown(NotKnown::Login(login)) => {
                message(StatusCode::UNAUTHORIZED, &format!("Unable to authenticate user {login}"))
            }
            Fail::Unknown(NotKnown::Silent | NotKnown::Host(_) | NotKnown::Nameless) => {
                message(StatusCode::UNAUTHORIZED, "Unable to authenticate user ")
            }
            Fail::Forbidden(permission) => {
                let details = format!("Missing one of the required permissions: {}", permission.name());
                denied(&details, Some([permission.name()]))
            }
            Fail::NoHost => denied(
                "You need to authenticate with a valid client cert. The DN has to match a known host.",
                None,
            ),
            Fail::NotFound { resource, id } => {
                message(StatusCode::NOT_FOUND, &format!("Resource {resource} not found by id '{id}'"))
            }
            Fail::NoRoute => failure::no_route().into_response(),
            Fail::Refused { id, retry_after, position } => refused(id, retry_after, position),
            Fail::MediaType(given) => message(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                &format!(
                    "Media type in 'Content-Type: {given}' is unsupported in API v2 for POST and PUT requests. \
                     Please use 'Content-Type: application/json'."
                ),
            ),
            Fail::Invalid { id, errors } => invalid(id, &errors),
            Fail::Search(error) => {
                let body =
                    NotSupported { message: error.to_string(), class: "ScopedSearch::QueryNotSupported" };
                said(StatusCode::BAD_REQUEST, &body)
            }
            Fail::Json(what) => {
                // Foreman's one error without the envelope.
                let error = format!("There was a problem in the JSON you submitted: {what}");
                say::json(StatusCode::BAD_REQUEST, &Unread { status: 400, error })
            }
            Fail::Parameter(what) => message(StatusCode::BAD_REQUEST, &what),
            Fail::Store(error) => failure::of_store(&error).into_response(),
        }
    }
}

/// An error in its envelope.
fn said(status: StatusCode, error: &impl Serialize) -> Response {
    #[derive(Serialize)]
    struct Envelope<'a, T> {
        error: &'a T,
    }
    say::json(status, &Envelope { error })
}

fn message(status: StatusCode, message: &str) -> Response {
    said(status, &json!({ "message": message }))
}

fn denied(details: &str, missing_permissions: Option<[&str; 1]>) -> Response {
    said(StatusCode::FORBIDDEN, &Denied { message: "Access denied", details, missing_permissions })
}

fn refused(id: LockId, retry_after: Option<u64>, position: Option<usize>) -> Response {
    let message = "Precondition failed. Lock is in invalid state for this operation.";
    let body = Precondition { id, message, retry_after, position };
    let mut response = said(StatusCode::PRECONDITION_FAILED, &body);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn invalid(id: Option<LockId>, wrongs: &[Wrong]) -> Response {
    let mut errors: Vec<(&str, Vec<&str>)> = vec![];
    for Wrong { attribute, what } in wrongs {
        match errors.iter_mut().find(|(found, _)| found == attribute) {
            Some((_, whats)) => whats.push(what),
            None => errors.push((attribute, vec![what])),
        }
    }
    let full_messages =
        wrongs.iter().map(|wrong| format!("{} {}", human(wrong.attribute), wrong.what)).collect();
    said(StatusCode::UNPROCESSABLE_ENTITY, &Unprocessable { id, errors: ByAttribute(errors), full_messages })
}

/// An attribute as a sentence begins with it.
fn human(attribute: &str) -> String {
    let mut letters = attribute.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
