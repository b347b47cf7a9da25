//! Everything that can be wrong with a request, and the one table of what is said about it: status, code, words, and what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use disco_dlm::model::{HostName, LockName, PolicyError};
use disco_dlm::native::ask::LONGEST_NOTE;
use disco_dlm::native::say::{ErrorBody, ErrorSaid};
use thiserror::Error;

use crate::access::Permission;
use crate::app::NotKnown;
use crate::store::StoreError;

/// Why a request is not answered as it hoped.
#[derive(Debug, Error)]
pub enum Problem {
    /// Nobody that the server knows.
    #[error("{}", not_known(.0))]
    NotKnown(NotKnown),
    /// A user without the permission.
    #[error("access denied: {} is missing", .0.name())]
    Denied(Permission),
    /// A browser's session, where only a header says who asks.
    #[error("access denied: a browser's session changes nothing here")]
    Session,
    /// A host, where users ask.
    #[error("access denied: this is for users, and {0} is a host")]
    UsersOnly(HostName),
    /// A user, where hosts ask.
    #[error("access denied: acquire and release are for hosts")]
    HostsOnly,
    /// What is asked makes no sense; in words.
    #[error("{0}")]
    Bad(String),
    /// A text that is too long to be kept.
    #[error("the {what} has {length} bytes: use {LONGEST_NOTE} at most")]
    LongText {
        /// Which.
        what: &'static str,
        /// Its length.
        length: usize,
    },
    /// A policy that makes no sense; in words.
    #[error("the policy: {0}")]
    Policy(String),
    /// A policy that cannot be.
    #[error("the policy: {0}")]
    ImpossiblePolicy(#[from] PolicyError),
    /// No such lock.
    #[error("there is no lock {:?}", .0.as_str())]
    NoLock(LockName),
    /// No such host.
    #[error("the host {:?} is not known", .0.as_str())]
    NoHost(HostName),
    /// No such path.
    #[error("there is nothing at {0}")]
    NoPath(String),
    /// Not by this method.
    #[error("{0} does not do here")]
    Method(String),
    /// A lock of that name is there already.
    #[error("there is a lock {:?} already", .0.as_str())]
    Taken(LockName),
    /// More than is read.
    #[error("the body is too large")]
    TooLarge,
    /// Not JSON, by its own saying.
    #[error("the body is not said to be JSON")]
    MediaType,
    /// Too many wait already.
    #[error("too many requests wait already")]
    TooMany,
    /// Too many others changed it meanwhile.
    #[error("others change the policy of {:?} all the time", .0.as_str())]
    Contended(LockName),
    /// The store does not answer. Why is the administrator's to know, and in the log.
    #[error("the store of locks is not available")]
    Store(#[from] StoreError),
}

fn not_known(why: &NotKnown) -> String {
    match why {
        NotKnown::Silent => String::from("neither a client certificate nor a login"),
        NotKnown::Host(host) => format!("the host {:?} is not known", host.as_str()),
        NotKnown::Nameless => String::from("the client certificate has no name that a host can have"),
        NotKnown::Login(login) => format!("wrong login or password for {login:?}"),
        NotKnown::Throttled => String::from("too many wrong logins from this address"),
    }
}

/// How many seconds somebody is told to stay away after too many wrong logins.
const THROTTLED: u64 = 300;
/// And where too many wait, or the store does not answer.
const SOON: u64 = 5;

impl Problem {
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Problem::NotKnown(NotKnown::Throttled) | Problem::TooMany => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many")
            }
            Problem::NotKnown(_) => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Problem::Denied(_) | Problem::Session | Problem::UsersOnly(_) | Problem::HostsOnly => {
                (StatusCode::FORBIDDEN, "forbidden")
            }
            Problem::Bad(_) | Problem::LongText { .. } => (StatusCode::BAD_REQUEST, "bad-request"),
            Problem::Policy(_) | Problem::ImpossiblePolicy(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "bad-policy")
            }
            Problem::NoLock(_) | Problem::NoHost(_) | Problem::NoPath(_) => {
                (StatusCode::NOT_FOUND, "missing")
            }
            Problem::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "method"),
            Problem::Taken(_) => (StatusCode::CONFLICT, "taken"),
            Problem::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            Problem::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type"),
            Problem::Contended(_) | Problem::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        }
    }

    fn hint(&self) -> String {
        let plain = match self {
            Problem::NotKnown(NotKnown::Silent) => {
                "show a client certificate, or log in with a password or a token"
            }
            Problem::NotKnown(NotKnown::Host(host)) => {
                return format!("on the server: disco dlm host add '{host}'");
            }
            Problem::NotKnown(NotKnown::Nameless) => "a host is named by the last CN of its subject",
            Problem::NotKnown(NotKnown::Login(_)) => {
                "look at the login, the password, and when the token ends"
            }
            Problem::NotKnown(NotKnown::Throttled) => "try again in a few minutes",
            Problem::Denied(_) => "a role that has it can be given on the server: disco dlm user set",
            Problem::Session | Problem::UsersOnly(_) => "log in with a password or a token",
            Problem::HostsOnly => "show the client certificate of a host that is known",
            Problem::Policy(_) => "docs/dlm-api.md and docs/lock.md have the form of a policy",
            Problem::NoLock(_) => "a lock is made by the first acquire, or by PUT",
            Problem::NoHost(_) => "on the server: disco dlm host ls",
            Problem::MediaType => "say Content-Type: application/json",
            Problem::TooMany | Problem::Contended(_) => "ask again later",
            Problem::Store(_) => {
                "what became of the request is not known: acquire and release can be repeated"
            }
            Problem::Bad(_)
            | Problem::LongText { .. }
            | Problem::ImpossiblePolicy(_)
            | Problem::NoPath(_)
            | Problem::Method(_)
            | Problem::Taken(_)
            | Problem::TooLarge => "",
        };
        plain.to_owned()
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Problem::NotKnown(NotKnown::Throttled) => Some(THROTTLED),
            Problem::TooMany | Problem::Contended(_) | Problem::Store(_) => Some(SOON),
            _ => None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let error = ErrorBody { code: code.to_owned(), message: self.to_string(), hint: self.hint() };
        let mut response = (status, Json(ErrorSaid { error })).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"disco\""));
        }
        response
    }
}
