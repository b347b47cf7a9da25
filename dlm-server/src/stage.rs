//! For tests of wires: a store in memory, callers by name, and requests to routers without a network.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use disco_dlm::model::{HostName, LockName, Policy, Requester, Seconds, Time, UserName};
use disco_dlm::rules::Operation;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::access::{Permission, roles};
use crate::app::{App, Caller, FleetLock, NotKnown, Set};
use crate::stage_store::{Between, Meanwhile};
use crate::store::memory::MemoryStore;
use crate::store::{Ask, Store, Told, Which};

/// 2026-11-22T08:00:00Z, a Sunday.
pub fn now() -> Time {
    Time::new(1_795_334_400, 0)
}

pub fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

pub fn name(name: &str) -> LockName {
    LockName::new(name).unwrap()
}

pub fn by_host(name: &str) -> Caller {
    Caller::Host(host(name))
}

pub fn user(permissions: &[Permission]) -> Caller {
    let permissions: BTreeSet<Permission> = permissions.iter().copied().collect();
    Caller::User { login: UserName::new("alice").unwrap(), permissions, session: false }
}

pub fn admin() -> Caller {
    user(&Permission::ALL)
}

pub fn nobody() -> Caller {
    Caller::Nobody(NotKnown::Silent)
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `STATUS CODE` of an error, `STATUS` of anything else.
    pub fn outcome(&self) -> String {
        let code = serde_json::from_str::<Value>(&self.text).ok();
        let code = code.and_then(|body| body["error"]["code"].as_str().map(str::to_owned));
        code.map_or(self.status.as_u16().to_string(), |code| format!("{} {code}", self.status.as_u16()))
    }
}

/// A server without a network.
#[derive(Clone)]
pub struct Stage {
    pub store: Arc<MemoryStore>,
    pub app: App,
    pub router: Router,
}

impl Stage {
    pub fn new(routes: impl Fn(App) -> Router) -> Stage {
        Stage::with(FleetLock::Off, routes)
    }

    pub fn with(fleetlock: FleetLock, routes: impl Fn(App) -> Router) -> Stage {
        let store = Arc::new(MemoryStore::at(now()));
        Stage::over(Arc::<MemoryStore>::clone(&store), store, fleetlock, routes)
    }

    /// A server whose store has this coming in its way.
    pub fn between(
        meanwhile: impl Fn(&Ask) -> Meanwhile + Send + Sync + 'static,
        routes: impl Fn(App) -> Router,
    ) -> Stage {
        let inner = Arc::new(MemoryStore::at(now()));
        let store = Between { inner: Arc::clone(&inner), meanwhile: Box::new(meanwhile) };
        Stage::over(Arc::new(store), inner, FleetLock::Anybody, routes)
    }

    fn over(
        store: Arc<dyn Store>,
        memory: Arc<MemoryStore>,
        fleetlock: FleetLock,
        routes: impl Fn(App) -> Router,
    ) -> Stage {
        let set = Set { roles: roles(), auto_create: false, fleetlock, per_page: 20, stale_hours: 4 };
        let app = App { store, set: Arc::new(set) };
        Stage { store: memory, router: routes(app.clone()), app }
    }

    pub fn later(&self, seconds: u64) {
        self.store.set_now(now().after(Seconds(seconds)));
    }

    pub async fn send(&self, caller: &Caller, mut request: Request<Body>) -> Reply {
        request.extensions_mut().insert(caller.clone());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Reply { status: parts.status, headers: parts.headers, text }
    }

    /// A request with a JSON body, or with none where that is empty.
    pub async fn call(&self, caller: &Caller, method: &str, path: &str, body: &str) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            request = request.header("content-type", "application/json");
        }
        self.send(caller, request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub async fn get(&self, caller: &Caller, path: &str) -> Reply {
        self.call(caller, "GET", path, "").await
    }

    pub async fn ask(&self, lock: &str, requester: Requester, operation: Operation) -> Told {
        self.store.ask(Ask { which: Which::Named(name(lock)), requester, operation }).await.unwrap()
    }

    /// Has a host ask for a lock, past all wires.
    pub async fn acquire(&self, lock: &str, by: &str) -> Told {
        self.ask(lock, Requester::Host(host(by)), Operation::Acquire { note: String::new() }).await
    }

    pub async fn policy(&self, lock: &str, policy: Policy) {
        let by = Requester::User(UserName::new("admin").unwrap());
        self.ask(lock, by, Operation::SetPolicy(policy)).await;
    }
}
