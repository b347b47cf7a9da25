//! Who looks at a page, and as what: by a browser's session, or by what the request says beside it.

use std::collections::BTreeSet;
use std::time::Instant;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use disco_dlm::model::{Requester, UserName};

use super::session::Secret;
use super::{Pages, guard, trouble};
use crate::access::Permission;
use crate::app::Caller;
use crate::identity::AsUser;
use crate::store::StoreError;

/// The cookie of a session.
pub const COOKIE: &str = "__Host-disco";

/// Somebody who may look at pages.
#[derive(Clone)]
pub struct Visitor {
    /// Who.
    pub login: UserName,
    /// What they may do.
    pub permissions: BTreeSet<Permission>,
    /// What their forms carry; without it they have none.
    pub csrf: Option<Secret>,
}

impl Visitor {
    /// Whether they may do that.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// Whether there are forms that change locks for them.
    pub fn edits(&self) -> Option<&Secret> {
        self.csrf.as_ref().filter(|_| self.may(Permission::EditDlmlocks))
    }

    /// As the rules have it.
    pub fn requester(&self) -> Requester {
        Requester::User(self.login.clone())
    }

    /// The page that says what is missing; `None` for who may do that.
    pub fn lacks(&self, permission: Permission) -> Option<Response> {
        if self.may(permission) {
            return None;
        }
        let what =
            format!("{} may not do this: the permission {} is missing.", self.login, permission.name());
        Some(trouble(StatusCode::FORBIDDEN, &what))
    }
}

impl FromRequestParts<Pages> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Visitor, Response> {
        if let Some(visitor) = by_session(parts, pages).await.map_err(away)? {
            return Ok(visitor);
        }
        // A browser may have a host's certificate, too: that is nobody who looks at pages.
        let said = parts.extensions.get::<AsUser>().map(|AsUser(caller)| caller);
        match said.or(parts.extensions.get::<Caller>()) {
            Some(Caller::User { login, permissions, .. }) => {
                Ok(Visitor { login: login.clone(), permissions: permissions.clone(), csrf: None })
            }
            _ => Err(log_in_first(&parts.uri)),
        }
    }
}

async fn by_session(parts: &Parts, pages: &Pages) -> Result<Option<Visitor>, StoreError> {
    let Some(secret) = guard::cookie(&parts.headers, COOKIE) else { return Ok(None) };
    let Some(session) = pages.sessions.find(secret, Instant::now()) else { return Ok(None) };
    // What they may do may have changed since, and whether they are anybody.
    match pages.app.store.user(&session.login).await? {
        Some(user) if session.holds_for(&user) => Ok(Some(Visitor {
            permissions: user.permissions(&pages.app.set.roles),
            login: user.login,
            csrf: Some(session.csrf),
        })),
        _ => {
            pages.sessions.end(secret);
            Ok(None)
        }
    }
}

fn log_in_first(uri: &Uri) -> Response {
    let path = uri.path_and_query().map_or("/locks", |path| path.as_str());
    let next = disco_dlm::native::route::encoded(guard::next(path));
    Redirect::to(&format!("/login?next={next}")).into_response()
}

/// What is shown while the store does not answer. Why is the administrator's to know, and in the log.
pub fn away(_: StoreError) -> Response {
    trouble(StatusCode::SERVICE_UNAVAILABLE, "The store of locks is not available. Try again soon.")
}
