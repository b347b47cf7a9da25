//! What is read from a request: who asks, which lock, which parameters, which body. All of it is refused in the wire's own words.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use disco_dlm::model::{HostName, LockName, Requester};
use disco_dlm::native::ask::LONGEST_NOTE;
use serde::de::DeserializeOwned;

use super::error::Problem;
use crate::access::Permission;
use crate::app::{Caller, NotKnown};

/// Who asks.
pub struct Who(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Who, Problem> {
        // Where nothing was found out about the caller, it is nobody.
        let caller = parts.extensions.get::<Caller>().cloned();
        Ok(Who(caller.unwrap_or(Caller::Nobody(NotKnown::Silent))))
    }
}

impl Who {
    /// A host, or why not.
    pub fn host(&self) -> Result<HostName, Problem> {
        match &self.0 {
            Caller::Host(host) => Ok(host.clone()),
            Caller::User { .. } => Err(Problem::HostsOnly),
            Caller::Nobody(why) => Err(Problem::NotKnown(why.clone())),
        }
    }

    /// A user who may do that, or why not.
    pub fn user(&self, permission: Permission) -> Result<Requester, Problem> {
        let looks = matches!(
            permission,
            Permission::ViewDlmlocks | Permission::ViewDlmlockEvents | Permission::ViewHosts
        );
        match &self.0 {
            Caller::Host(host) => Err(Problem::UsersOnly(host.clone())),
            // A page of another site could send it along; only forms carry what proves that it did not.
            Caller::User { session: true, .. } if !looks => Err(Problem::Session),
            Caller::User { login, permissions, .. } if permissions.contains(&permission) => {
                Ok(Requester::User(login.clone()))
            }
            Caller::User { .. } => Err(Problem::Denied(permission)),
            Caller::Nobody(why) => Err(Problem::NotKnown(why.clone())),
        }
    }

    /// Any host, or a user who may do that, or why not.
    pub fn host_or(&self, permission: Permission) -> Result<Requester, Problem> {
        match &self.0 {
            Caller::Host(host) => Ok(Requester::Host(host.clone())),
            _ => self.user(permission),
        }
    }
}

/// The lock of the path.
pub struct Named(pub LockName);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Named, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state).await.map_err(bad)?;
        LockName::new(name).map(Named).map_err(bad)
    }
}

/// The host of the path.
pub struct NamedHost(pub HostName);

impl<S: Send + Sync> FromRequestParts<S> for NamedHost {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<NamedHost, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state).await.map_err(bad)?;
        HostName::new(name).map(NamedHost).map_err(bad)
    }
}

/// The parameters of the query.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Asked<T>, Problem> {
        let Query(asked) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|error| Problem::Bad(error.body_text()))?;
        Ok(Asked(asked))
    }
}

/// A body, read and not yet looked at: who may not ask is told that, and not what is wrong with the body.
pub struct Body {
    media: Option<String>,
    bytes: Result<Bytes, StatusCode>,
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body, Problem> {
        let media = media_type(request.headers());
        let bytes = Bytes::from_request(request, state).await.map_err(|error| error.into_response().status());
        Ok(Body { media, bytes })
    }
}

/// What the body is said to be, without parameters.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

impl Body {
    /// What it says. Nothing at all is `{}`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        self.read_as(&["application/json"])
    }

    /// What it says, if it is said to be one of these.
    pub fn read_as<T: DeserializeOwned>(&self, media: &[&str]) -> Result<T, Problem> {
        if !self.media.as_deref().is_some_and(|ours| media.contains(&ours)) {
            return Err(Problem::MediaType);
        }
        let bytes = match &self.bytes {
            Ok(bytes) => bytes,
            Err(StatusCode::PAYLOAD_TOO_LARGE) => return Err(Problem::TooLarge),
            Err(_) => return Err(Problem::Bad(String::from("the body ended too soon"))),
        };
        parse(bytes)
    }
}

/// What these bytes say. Nothing at all is `{}`.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    // Serde would take a list for a struct, field by field.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::Bad(String::from("the body is no JSON object")));
    }
    serde_json::from_slice(bytes).map_err(|error| Problem::Bad(format!("the body: {error}")))
}

/// A text that is short enough to be kept, or why not.
pub fn short(what: &'static str, text: &str) -> Result<(), Problem> {
    if text.len() > LONGEST_NOTE { Err(Problem::LongText { what, length: text.len() }) } else { Ok(()) }
}

fn bad(error: impl std::fmt::Display) -> Problem {
    Problem::Bad(error.to_string())
}
