//! For tests: a proxy that serves a router over plain HTTP, and a stand-in for a Foreman, which verifies signatures by its own
//! reckoning, asks the proxy back while it makes it, and says no as a Foreman does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};

use crate::client::http::Http;
use crate::client::known::foreman_name;
use crate::client::reply::RUNNING;
use crate::client::{ask, known};

/// A server on a free port of the loopback, on a thread of its own, until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    pub fn of(router: Router) -> Server {
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
                tell.send(listener.local_addr().expect("an address")).expect("somebody waits");
                tokio::select! {
                    served = axum::serve(listener, router) => served.expect("it serves"),
                    _ = stopped => {}
                }
            });
        });
        Server { address: told.recv().expect("it listens"), stop: Some(stop), thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the stand-in knows and has seen.
#[derive(Default)]
pub struct Seen {
    /// Smart proxies: number, name, url, features.
    pub proxies: Vec<(u64, String, String, Vec<String>)>,
    /// Each request: method and path.
    pub requests: Vec<String>,
    /// As whom it was asked.
    pub users: Vec<String>,
    nonces: Vec<String>,
}

#[derive(Clone)]
struct Stage {
    seen: Arc<Mutex<Seen>>,
    secret: &'static str,
}

/// The stand-in, and what it sees. Its consumer is `key`, with that secret; its user `admin` has the password `changeme`.
pub fn foreman(secret: &'static str) -> (Server, Arc<Mutex<Seen>>) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let stage = Stage { seen: Arc::clone(&seen), secret };
    (Server::of(Router::new().fallback(answer).with_state(stage)), seen)
}

async fn answer(State(stage): State<Stage>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    let method = parts.method.to_string();
    let path = parts.uri.path().to_owned();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let host = header("host").to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    {
        let mut seen = stage.seen.lock().expect("not poisoned");
        seen.requests.push(format!("{method} {path}"));
        seen.users.push(header("foreman-user").to_owned());
        let authorization = header("authorization");
        if authorization != "Basic YWRtaW46Y2hhbmdlbWU="
            && let Err(why) = verify(authorization, &method, &host, &path, &query, stage.secret, &mut seen)
        {
            let error = json!({ "error": { "message": format!("Unable to authenticate user: {why}") } });
            return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
        }
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    // Asking back blocks.
    let done = tokio::task::spawn_blocking(move || perform(&stage, &method, &path, &query, &body)).await;
    let (status, said) = done.expect("no panic");
    (StatusCode::from_u16(status).expect("a status"), Json(said)).into_response()
}

fn perform(stage: &Stage, method: &str, path: &str, query: &str, body: &Value) -> (u16, Value) {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let text = |key: &str| body["smart_proxy"][key].as_str().unwrap_or_default().to_owned();
    match (method, &parts[..]) {
        ("GET", ["api", "v2", "smart_proxies"]) => {
            let seen = stage.seen.lock().expect("not poisoned");
            let found: Vec<Value> = seen
                .proxies
                .iter()
                .filter(|proxy| query == format!("search={}", encoded(&format!("name=\"{}\"", proxy.1))))
                .map(shown)
                .collect();
            (200, json!({ "total": found.len(), "results": found }))
        }
        ("POST", ["api", "v2", "smart_proxies"]) => {
            let features = match ask_back(&text("url")) {
                Ok(features) => features,
                Err(why) => return (422, refused(&why)),
            };
            let mut seen = stage.seen.lock().expect("not poisoned");
            if seen.proxies.iter().any(|proxy| proxy.2 == text("url")) {
                return (422, refused("URL has already been taken"));
            }
            let proxy = (seen.proxies.len() as u64 + 1, text("name"), text("url"), features);
            seen.proxies.push(proxy.clone());
            (201, shown(&proxy))
        }
        ("PUT", ["api", "v2", "smart_proxies", id, rest @ ..]) => {
            let id: u64 = id.parse().expect("a number");
            let url = {
                let mut seen = stage.seen.lock().expect("not poisoned");
                let Some(proxy) = seen.proxies.iter_mut().find(|proxy| proxy.0 == id) else {
                    return (404, json!({ "error": { "message": "Resource smart_proxy not found" } }));
                };
                if rest.is_empty() {
                    proxy.2 = text("url");
                }
                proxy.2.clone()
            };
            match ask_back(&url) {
                Err(why) => (422, refused(&why)),
                Ok(features) => {
                    let mut seen = stage.seen.lock().expect("not poisoned");
                    let proxy = seen.proxies.iter_mut().find(|proxy| proxy.0 == id).expect("it is there");
                    proxy.3 = features;
                    (200, shown(proxy))
                }
            }
        }
        _ => (404, json!({ "error": { "message": "no such path" } })),
    }
}

/// Foreman's names of what runs there.
fn ask_back(url: &str) -> Result<Vec<String>, String> {
    let http = Http::new(None, None).expect("no certificates");
    let reply = ask::features(&http, url)
        .map_err(|error| format!("Unable to communicate with the proxy: {error}"))?;
    if let Some(why) = known::refusal(&reply) {
        return Err(why);
    }
    let running = reply.features.iter().filter(|(_, said)| said.state == RUNNING);
    Ok(running.filter_map(|(name, _)| foreman_name(name)).map(str::to_owned).collect())
}

fn refused(why: &str) -> Value {
    json!({ "error": { "id": null, "errors": { "base": [why] }, "full_messages": [why] } })
}

fn shown((id, name, url, features): &(u64, String, String, Vec<String>)) -> Value {
    let features: Vec<Value> = features
        .iter()
        .enumerate()
        .map(|(id, name)| json!({ "capabilities": [], "name": name, "id": id }))
        .collect();
    json!({ "id": id, "name": name, "url": url, "hosts_count": 0, "features": features, "locations": [], "organizations": [] })
}

/// RFC 3986, by the bytes: not the code that is tested.
fn encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (vec![], text.as_bytes());
    while let [first, tail @ ..] = rest {
        let hex = (*first == b'%').then(|| std::str::from_utf8(&tail[..2]).expect("text"));
        bytes.push(hex.map_or(*first, |hex| u8::from_str_radix(hex, 16).expect("hex")));
        rest = if hex.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).expect("text")
}

fn verify(
    header: &str,
    method: &str,
    host: &str,
    path: &str,
    query: &str,
    secret: &str,
    seen: &mut Seen,
) -> Result<(), String> {
    let fields = header.strip_prefix("OAuth ").ok_or("no OAuth")?;
    let mut parameters: Vec<(String, String)> = fields
        .split(", ")
        .map(|field| {
            let (name, value) = field.split_once('=').expect("a field");
            (name.to_owned(), decoded(value.trim_matches('"')))
        })
        .collect();
    let at = parameters.iter().position(|(name, _)| name == "oauth_signature").ok_or("no signature")?;
    let signature = parameters.remove(at).1;
    let field = |name: &str| {
        parameters.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    if field("oauth_consumer_key") != "key" || field("oauth_signature_method") != "HMAC-SHA1" {
        return Err("another consumer, or another method".into());
    }
    let nonce = field("oauth_nonce");
    if nonce.len() < 8 || seen.nonces.contains(&nonce) {
        return Err("a nonce twice".into());
    }
    seen.nonces.push(nonce);
    let now = crate::face::clock::system()().0 / 1_000_000;
    if field("oauth_timestamp").parse::<u64>().map_or(true, |at| at.abs_diff(now) > 300) {
        return Err("another time".into());
    }
    parameters.extend(query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').expect("a pair");
        (decoded(name), decoded(value))
    }));
    let mut pairs: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    pairs.sort();
    let base = format!("{method}&{}&{}", encoded(&format!("http://{host}{path}")), encoded(&pairs.join("&")));
    let mut mac =
        Hmac::<sha1::Sha1>::new_from_slice(format!("{}&", encoded(secret)).as_bytes()).expect("a key");
    mac.update(base.as_bytes());
    use base64::Engine as _;
    let expected = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    if expected == signature { Ok(()) } else { Err("a wrong signature".into()) }
}
