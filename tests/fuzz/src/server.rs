//! A lock server in memory, to which the input speaks: requests one after the other, to every wire, by anybody.
//!
//! A request is `BYTE METHOD PATH`, header lines, an empty line, a body; 0x1e ends it. The byte says who asks.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use disco_dlm::model::{HostName, Time, UserName};
use disco_dlm_server::access::{HostChange, Permission, roles};
use disco_dlm_server::app::{App, Caller, FleetLock, NotKnown, Set};
use disco_dlm_server::identity::AsUser;
use disco_dlm_server::search::{Filter, Order, parse};
use disco_dlm_server::store::memory::MemoryStore;
use disco_dlm_server::store::{Paging, Store};
use disco_dlm_server::wire::{fleetlock, foreman, native};
use http_body_util::BodyExt;
use tower::ServiceExt;

const HOSTS: [&str; 3] = ["web1", "web2", "db.example.com"];

/// Has a new server answer all of it, and stops where an answer cannot be right.
pub fn speak(input: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let store = Arc::new(MemoryStore::at(Time::new(1_795_334_400, 0)));
        for host in HOSTS {
            let name = HostName::new(host).expect("a name");
            store.put_host(&name, HostChange::default()).await.expect("memory never fails");
        }
        let set = Set { roles: roles(), auto_create: false, fleetlock: FleetLock::Enrolled, per_page: 20, stale_hours: 4 };
        let app = App { store: Arc::<MemoryStore>::clone(&store), set: Arc::new(set) };
        let routes = Router::new()
            .merge(foreman::routes(app.clone()))
            .merge(native::routes(app.clone()))
            .merge(fleetlock::routes(app));
        for (at, said) in input.split(|byte| *byte == 0x1e).take(8).enumerate() {
            store.set_now(Time::new(1_795_334_400 + 700 * at as i64, 0));
            if let Some(request) = request(said) {
                one(&routes, request).await;
            }
            never_held_twice(&store).await;
        }
    });
}

fn caller(byte: u8) -> Caller {
    match byte % 5 {
        0 => Caller::Nobody(NotKnown::Silent),
        1..=3 => Caller::Host(HostName::new(HOSTS[usize::from(byte % 5) - 1]).expect("a name")),
        _ => Caller::User {
            login: UserName::new("alice").expect("a name"),
            permissions: Permission::ALL.into_iter().collect(),
            session: false,
        },
    }
}

/// A request, with who asks.
fn request(said: &[u8]) -> Option<Request<Body>> {
    let (who, rest) = said.split_first()?;
    // A request that waits would wait for ever: nobody else is here.
    if rest.windows(4).any(|four| four == b"wait") {
        return None;
    }
    let mut request = crate::request(rest)?;
    let who = caller(*who);
    let as_user = if matches!(who, Caller::Host(_)) { Caller::Nobody(NotKnown::Silent) } else { who.clone() };
    request.extensions_mut().insert(who);
    request.extensions_mut().insert(AsUser(as_user));
    Some(request)
}

async fn one(routes: &Router, request: Request<Body>) {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
    let (method, caller) = (request.method().clone(), request.extensions().get::<Caller>().cloned());
    let answer = routes.clone().oneshot(request).await.expect("a router cannot fail");
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.expect("a body that ends").to_bytes();
    let text = std::str::from_utf8(&body).expect("text");
    assert_ne!(parts.status, StatusCode::INTERNAL_SERVER_ERROR, "{method} {path}?{query}: {text}");
    let json = parts.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if json && !body.is_empty() {
        serde_json::from_str::<serde_json::Value>(text).expect("JSON is said to be JSON");
    }
    // What a stranger asks changes nothing and shows nothing: but for what says that there is a server.
    if matches!(caller, Some(Caller::Nobody(_))) && parts.status.is_success() {
        assert!(path.contains("pre-reboot") || path.contains("steady-state") || path.contains("whoami") || path.contains("version"), "{method} {path}: {text}");
    }
}

/// No host holds a lock twice.
async fn never_held_twice(store: &MemoryStore) {
    let all = store.locks(&Filter::All, Order::default(), Paging { page: 1, per_page: None }).await.expect("memory never fails");
    for lock in all.items {
        let mut names: Vec<_> = lock.holders.iter().map(|holder| format!("{:?}", holder.host)).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), lock.holders.len(), "a host holds {} twice", lock.name);
    }
}

/// A filter that cannot be read is an error, and never all there is.
pub fn search(text: &str) {
    drop(parse::order(text));
    if let Ok(filter) = parse::filter(text) {
        assert!(!matches!(filter, Filter::All) || text.trim().is_empty(), "{text:?} matches all");
    }
}
