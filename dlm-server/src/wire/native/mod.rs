//! disco's own wire: the routes of docs/dlm-api.md, with the bodies of [`disco_dlm::native`].
//!
//! - `asked`: what is read from a request; `error`: everything that can be wrong with it
//! - `said`: what is said of a lock, pure; `rehearse`: who would be let in now, pure
//! - `work`: acquire and release; `waiting`: those who wait for a lock with their request open
//! - `locks`, `policy`, `events`, `hosts`: the rest of the routes

mod asked;
mod error;
mod events;
mod hosts;
mod locks;
mod policy;
mod rehearse;
pub mod said;
mod waiting;
mod work;

#[cfg(test)]
mod parse_tests;
#[cfg(test)]
mod routes_tests;
#[cfg(test)]
mod said_tests;
#[cfg(test)]
mod waiting_tests;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::routing::{get, post};
use disco_dlm::model::{HostName, Lock, LockName, Requester};
use disco_dlm::native::route::BASE;
use disco_dlm::native::say::LockSaid;
use disco_dlm::rules::Operation;

use crate::app::App;
use crate::store::{Ask, StoreError, Told, Which};
use error::Problem;
use events::Watchers;
use said::{View, lock_said};
use waiting::Rooms;

/// The most bytes of a body.
pub const LARGEST_BODY: usize = 64 * 1024;

/// Says of a response that it may have been held back on purpose: how long it took says nothing of the server.
#[derive(Debug, Clone, Copy)]
pub struct Waited;

/// What the handlers of this wire have.
#[derive(Clone)]
struct Native {
    app: App,
    rooms: Rooms,
    watchers: Watchers,
}

/// The routes, below `/disco/v1`. Who asks is found out before, as the request's extension [`crate::app::Caller`].
pub fn routes(app: App) -> Router {
    let rooms = Rooms::new(app.store.clone());
    let native = Native { app, rooms, watchers: Watchers::default() };
    let lock = get(locks::show).put(locks::create).patch(locks::rename).delete(locks::delete);
    let routes = Router::new()
        .route("/whoami", get(hosts::whoami))
        .route("/locks", get(locks::list))
        .route("/locks/{name}", lock)
        .route("/locks/{name}/acquire", post(work::acquire))
        .route("/locks/{name}/release", post(work::release))
        .route("/locks/{name}/force-release", post(locks::force_release))
        .route("/locks/{name}/enable", post(locks::enable))
        .route("/locks/{name}/disable", post(locks::disable))
        .route("/locks/{name}/thaw", post(locks::thaw))
        .route("/locks/{name}/policy", get(policy::show).put(policy::replace).patch(policy::change))
        .route("/locks/{name}/events", get(events::of_lock))
        .route("/events", get(events::of_all))
        .route("/hosts", get(hosts::list))
        .route("/hosts/{name}", get(hosts::show))
        .fallback(|uri: Uri| async move { Problem::NoPath(uri.path().to_owned()) })
        .method_not_allowed_fallback(|method: Method| async move { Problem::Method(method.to_string()) })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(native);
    Router::new().nest(BASE, routes)
}

impl Native {
    async fn ask(
        &self,
        which: Which,
        requester: Requester,
        operation: Operation,
    ) -> Result<Told, StoreError> {
        self.app.store.ask(Ask { which, requester, operation }).await
    }

    async fn look(&self, name: &LockName, requester: Requester) -> Result<Told, StoreError> {
        self.ask(Which::Named(name.clone()), requester, Operation::Show).await
    }

    /// What is said of the lock as it is after that.
    fn said(&self, name: &LockName, told: &Told) -> Result<LockSaid, Problem> {
        match &told.after {
            Some(lock) => Ok(lock_said(lock, self.view(told))),
            None => Err(Problem::NoLock(name.clone())),
        }
    }

    /// What is said of a lock that was just asked.
    fn said_of(&self, lock: &Lock, told: &Told) -> LockSaid {
        lock_said(lock, self.view(told))
    }

    fn view(&self, told: &Told) -> View {
        View { now: told.at, group: told.group, stale_hours: self.app.set.stale_hours }
    }

    /// Notes that a host asked. No lock depends on it, so a store that cannot do it now is no reason to stop: what is asked next says so.
    async fn check_in(&self, host: &HostName) {
        let _: Result<(), StoreError> = self.app.store.check_in(host).await;
    }
}
