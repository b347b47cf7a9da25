//! For tests: features that stand as they are told, a board of them, and requests to it without a network.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use tower::ServiceExt;

use crate::face::board::{Found, Set};
use crate::face::builtin::Subsystem;
use crate::face::clock::{Clock, Time};
use crate::face::log::Log;
use crate::face::names::Names;
use crate::face::peer::{Over, Shown};
use crate::face::ring::{Level, Ring};
use crate::face::router::router;
use crate::face::trust::Trust;
use crate::face::{Board, Feature, FeatureName, Known, Peer, Provider, Spec, Standing};
use crate::settings::yaml::parse;

/// A feature of that name, with what it can always do.
pub fn spec(name: &str, capabilities: &[&str]) -> Spec {
    let mut spec = Spec::new(FeatureName::new(name).expect("a name"));
    spec.version = String::from("1.2.3");
    spec.capabilities = capabilities.iter().map(|one| (*one).to_owned()).collect();
    spec
}

/// A provider with these shown settings.
pub fn provider(name: &str, exposed: &[&str]) -> Provider {
    let settings = exposed.iter().map(|key| Known::exposed(key)).collect();
    Provider { name: FeatureName::new(name).expect("a name"), settings, capabilities: vec![] }
}

/// A feature that always stands so.
pub fn feature(spec: Spec, standing: Standing) -> Arc<dyn Feature> {
    Arc::new(Subsystem::new(spec, Box::new(move || standing.clone())))
}

/// A clock that goes on by a millisecond whenever somebody looks.
pub fn clock() -> Clock {
    let now = AtomicU64::new(1_700_000_000_000_000);
    Arc::new(move || Time(now.fetch_add(1000, Ordering::SeqCst)))
}

/// A board with that trust, nothing read yet.
pub fn board(features: Vec<Arc<dyn Feature>>, trust: Trust) -> Arc<Board> {
    let log = Log::new(Ring::new(2000, 1000), Level::Info, clock(), Box::new(|_| {}));
    let set = Set { version: String::from("9.8.7"), trust };
    Arc::new(Board::new(set, log, clock(), features))
}

/// Reads these settings, `(name, text)`.
pub fn load(board: &Board, files: &[(&str, &str)]) {
    board.load(|name| {
        let file = files.iter().find(|(file, _)| *file == name.as_str());
        file.map(|(name, text)| parse(&format!("{name}.yml"), text)).transpose()
    });
}

/// Asks each feature how it stands and what it can do, once.
pub fn ask_all(board: &Board) {
    for number in 0..board.len() {
        let Some(wanted) = board.wanted(number) else { continue };
        let standing = wanted.feature.standing();
        let asked = standing == Standing::Running;
        let capabilities = wanted.asks.iter().map(|ask| asked.then(|| ask.ask())).collect();
        board.take(number, &wanted, Found { standing, capabilities });
    }
}

/// Names as they are told: of each address one, and of each name some.
pub struct Told(pub Vec<(IpAddr, &'static str, Vec<IpAddr>)>);

impl Names for Told {
    fn name_of(&self, address: IpAddr) -> io::Result<String> {
        let found = self.0.iter().find(|(one, _, _)| *one == address);
        found
            .map(|(_, name, _)| (*name).to_owned())
            .ok_or_else(|| io::Error::other(format!("no name for {address}")))
    }

    fn addresses_of(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = self.0.iter().find(|(_, one, _)| *one == name);
        Ok(found.map(|(_, _, addresses)| addresses.clone()).unwrap_or_default())
    }
}

/// Over plain HTTP, from that address.
pub fn http(address: &str) -> Option<Peer> {
    Some(Peer { address: address.parse().expect("an address"), over: Over::Http })
}

/// Over HTTPS, with that shown.
pub fn https(shown: Shown) -> Option<Peer> {
    Some(Peer { address: [127, 0, 0, 1].into(), over: Over::Https(shown) })
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// A request to the face, and its answer.
pub fn get(router: &Router, method: &str, path: &str, peer: Option<Peer>, headers: &[(&str, &str)]) -> Got {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).expect("a request");
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let response = router.clone().oneshot(request).await.expect("no failure");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        Got {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).expect("text"),
        }
    })
}

/// The face of that board, with names that nobody has.
pub fn face(board: &Arc<Board>) -> Router {
    router(Arc::clone(board), Arc::new(Told(vec![])))
}

/// A back end that answers what it is told to.
pub struct BackEnd {
    pub name: String,
    pub says: Mutex<Result<Vec<String>, String>>,
}

impl crate::face::Ask for BackEnd {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask(&self) -> Result<Vec<String>, String> {
        self.says.lock().expect("not poisoned").clone()
    }
}

/// A back end that says so at first.
pub fn back_end(name: &str, says: Result<&[&str], &str>) -> Arc<BackEnd> {
    Arc::new(BackEnd { name: name.to_owned(), says: Mutex::new(owned(says)) })
}

/// What a back end says.
pub fn owned(says: Result<&[&str], &str>) -> Result<Vec<String>, String> {
    says.map(|all| all.iter().map(|one| (*one).to_owned()).collect()).map_err(str::to_owned)
}
