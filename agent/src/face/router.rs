//! The face as an axum router, for any listener: each request carries a [`Peer`] as an extension. A request without it is nobody's.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use axum::routing::any;
use serde::Serialize;

use crate::face::board::Board;
use crate::face::names::{LookUp, Names};
use crate::face::peer::{Over, Peer};
use crate::face::ring::Level;
use crate::face::route::{Route, from_timestamp, takes_json};
use crate::face::trust::{self, First};

/// The paths of the face, for a router that has others too; whatever else starts with them, and what they say of paths that
/// there are not, comes with [`router`].
pub const PATHS: [&str; 7] = ["/features", "/version", "/v2", "/v2/", "/v2/{*inside}", "/logs", "/logs/"];

const NOT_FOUND: &str = "Requested url was not found";

#[derive(Clone)]
struct Face {
    board: Arc<Board>,
    names: LookUp,
}

/// Only the paths of the face.
pub fn routes(board: Arc<Board>, names: Arc<dyn Names>) -> Router {
    let face = Face { board, names: LookUp::new(names) };
    let router = PATHS.iter().fold(Router::new(), |router, path| router.route(path, any(answer)));
    router.with_state(face)
}

/// The whole face: whatever path it does not have is not found.
pub fn router(board: Arc<Board>, names: Arc<dyn Names>) -> Router {
    let face = Face { board, names: LookUp::new(names) };
    Router::new().fallback(any(answer)).with_state(face)
}

async fn answer(State(face): State<Face>, request: Request<Body>) -> Response<Body> {
    let from = Instant::now();
    // Nothing here reads a body.
    let (request, _) = request.into_parts();
    let id = request_id(&request);
    let asked = format!("{} {}", request.method, request.uri.path());
    let query = request.uri.query().unwrap_or_default();
    face.board.log.of_request(Level::Info, format!("Started {asked} {query}"), &id);
    let reply = face.reply(&request, &id).await;
    let status = reply.status.as_u16();
    let took = from.elapsed().as_secs_f64() * 1000.0;
    face.board.log.of_request(Level::Info, format!("Finished {asked} with {status} ({took:.2} ms)"), &id);
    reply.into_response(&face.board.set.version)
}

/// What the log calls a request: what the client calls it, or chance.
fn request_id(request: &Parts) -> String {
    let named = request.headers.get("x-request-id").and_then(|id| id.to_str().ok());
    match named.filter(|id| !id.is_empty()) {
        Some(id) => id.chars().take(8).collect(),
        None => {
            let mut chance = [0; 4];
            // Without chance all requests have one name; nothing else rests on it.
            let _ = getrandom::fill(&mut chance);
            format!("{:08x}", u32::from_be_bytes(chance))
        }
    }
}

struct Reply {
    status: StatusCode,
    body: Vec<u8>,
    kind: Kind,
}

/// The content type, and what goes with it.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Json,
    Html,
    /// JSON by its type, for a path that there is not.
    NotFound,
}

impl Face {
    async fn reply(&self, request: &Parts, id: &str) -> Reply {
        let board = &self.board;
        let peer = request.extensions.get::<Peer>();
        let reads = matches!(request.method, Method::GET | Method::HEAD);
        match Route::of(request.uri.path()) {
            Route::Features if reads => json(&board.features()),
            Route::Version if reads => json(&board.version()),
            Route::V2(inside) => match self.may(peer, &inside).await {
                Err(why) => self.refuse(&why, request, id),
                Ok(()) if reads && inside == "/features" => json(&board.v2()),
                Ok(()) => not_found(),
            },
            Route::Logs(inside) if board.is_offered("logs", is_https(peer)) => {
                match self.may(peer, &inside).await {
                    Err(why) => self.refuse(&why, request, id),
                    Ok(()) if reads && inside.len() < 2 => {
                        let query = request.uri.query().unwrap_or_default();
                        made(board.logs(from_timestamp(query)))
                    }
                    Ok(()) => not_found(),
                }
            }
            Route::Features | Route::Version | Route::Logs(_) | Route::Nothing => not_found(),
        }
    }

    async fn may(&self, peer: Option<&Peer>, inside: &str) -> Result<(), String> {
        let trust = &self.board.set.trust;
        match trust::first(trust, peer, inside) {
            First::Welcome => Ok(()),
            First::Refuse(why) => Err(why),
            First::LookUp(address) => {
                let name = self.names.name(address, trust.forward_verify).await?;
                trust::named(trust.hosts.as_deref().unwrap_or_default(), &name, inside)
            }
        }
    }

    fn refuse(&self, why: &str, request: &Parts, id: &str) -> Reply {
        self.board.log.refused(why, id);
        let accept = request.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let kind = if takes_json(accept) { Kind::Json } else { Kind::Html };
        Reply { status: StatusCode::FORBIDDEN, body: why.as_bytes().to_vec(), kind }
    }
}

fn is_https(peer: Option<&Peer>) -> bool {
    peer.is_some_and(|peer| matches!(peer.over, Over::Https(_)))
}

fn json(said: &impl Serialize) -> Reply {
    made(serde_json::to_vec(said))
}

fn made(body: serde_json::Result<Vec<u8>>) -> Reply {
    match body {
        Ok(body) => Reply { status: StatusCode::OK, body, kind: Kind::Json },
        // Nothing that goes out here can fail to be JSON; if it does, that is told and not hidden.
        Err(error) => {
            let body = error.to_string().into_bytes();
            Reply { status: StatusCode::INTERNAL_SERVER_ERROR, body, kind: Kind::Json }
        }
    }
}

fn not_found() -> Reply {
    Reply { status: StatusCode::NOT_FOUND, body: NOT_FOUND.as_bytes().to_vec(), kind: Kind::NotFound }
}

impl Reply {
    fn into_response(self, version: &str) -> Response<Body> {
        let length = self.body.len();
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let mut say = |name: &'static str, value: &'static str| {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        };
        match self.kind {
            Kind::Json => say("content-type", "application/json"),
            Kind::NotFound => {
                say("x-cascade", "pass");
                say("content-type", "application/json");
            }
            Kind::Html => {
                say("content-type", "text/html;charset=utf-8");
                say("x-xss-protection", "1; mode=block");
                say("x-frame-options", "SAMEORIGIN");
            }
        }
        say("x-content-type-options", "nosniff");
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if let Ok(server) = HeaderValue::from_str(&format!("foreman-proxy/{version}")) {
            headers.insert(header::SERVER, server);
        }
        response
    }
}
