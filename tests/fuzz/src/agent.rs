//! The agent's listener, to which the input speaks: to its own interface with a smart proxy's face, or to puppet-twitch's paths. Nobody
//! answers at the helper's socket: what is asked of it ends in saying so.
//!
//! The first byte says where and by whom; the rest is a request as in [`crate::request`].

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::OnceLock;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use disco_agent::listener::config::{self, Auth, Rate};
use disco_agent::listener::keys::Keys;
use disco_agent::listener::parts::Parts;
use disco_listen::{Certificate, Log, LogLevel, Over, Peer};
use http_body_util::BodyExt;
use tower::ServiceExt;

/// What may be asked without a name.
const OPEN: [&str; 4] = ["/healthz", "/version", "/features", "/features/"];

/// As often as anybody likes.
const MANY: NonZeroU32 = NonZeroU32::new(1_000_000_000).expect("not zero");

struct Stage {
    own: Router,
    twitch: Router,
    key: String,
    _folder: tempfile::TempDir,
}

/// Has the listener answer it, and stops where the answer cannot be right.
pub fn speak(input: &[u8]) {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    let stage = STAGE.get_or_init(|| stage().expect("a listener"));
    let Some((byte, said)) = input.split_first() else { return };
    let Some(mut request) = crate::request(said) else { return };
    let over = match byte % 4 {
        0 | 1 => Over::Plain,
        2 => Over::Tls(Certificate::Named("ci.example.com".to_owned())),
        _ => Over::Tls(Certificate::Named("stranger.example.com".to_owned())),
    };
    let known = *byte % 4 == 2 || request.headers().get_all("authorization").iter().any(|said| said.as_bytes().ends_with(b"KEY"));
    if known && *byte % 4 != 2 {
        let value = format!("Bearer {}", stage.key).parse().expect("a header's value");
        request.headers_mut().insert("authorization", value);
    }
    // Each from an address of its own, so that nobody is refused for what others said.
    let last: [u8; 4] = std::array::from_fn(|at| said.iter().skip(at).step_by(4).fold(1, |sum: u8, byte| sum.rotate_left(1) ^ byte));
    request.extensions_mut().insert(Peer { address: SocketAddr::new(IpAddr::from(last), 4711), over });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        if byte & 0x80 == 0 { own(&stage.own, request, known).await } else { as_twitch(&stage.twitch, request).await }
    });
}

fn stage() -> Result<Stage, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let mut keys = Keys::default();
    let key = keys.add("ci".parse()?, 0, None)?;
    std::fs::write(at("keys"), keys.text())?;
    std::fs::create_dir(at("settings.d"))?;
    std::fs::write(at("settings.yml"), "---\n:http_port: 8000\n")?;
    for name in ["dance", "noop", "lock", "trigger", "logs", "facts"] {
        std::fs::write(at("settings.d").join(format!("{name}.yml")), "---\n:enabled: true\n")?;
    }
    let mut config = config::parse("")?;
    config.helper = Path::new("/nonexistent/agent.sock").to_owned();
    config.keys = at("keys");
    config.proxy = folder.path().to_owned();
    config.auth = Auth::Needed(["ci.example.com".to_owned()].into_iter().collect());
    config.rate = Rate { client_per_second: MANY, client_burst: MANY, all_per_second: MANY, all_burst: MANY };
    config.twitch.wait_seconds = 1;
    let parts = Parts::new(&config, &Log::to(LogLevel::Error, std::io::sink()))?;
    let (own, twitch) = (parts.own(), parts.twitch());
    Ok(Stage { own, twitch, key, _folder: folder })
}

async fn own(routes: &Router, request: Request<Body>, known: bool) {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (status, json, text) = answer(routes, request).await;
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{method} {path}: {text}");
    // A smart proxy says its refusals in plain text, and that they are JSON.
    if json && status.is_success() && !text.is_empty() {
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON is said to be JSON");
    }
    let open = OPEN.contains(&&*path) || path.starts_with("/v2/") || path.starts_with("/logs");
    // That the helper is not there is heard by those alone who may ask it.
    let heard = status.is_success() || status.is_server_error();
    assert!(known || open || !heard, "{method} {path}: {status} {text}");
}

async fn as_twitch(routes: &Router, request: Request<Body>) {
    let (head, path) = (request.method() == "HEAD", request.uri().path().to_owned());
    let (status, _, text) = answer(routes, request).await;
    let said = text.strip_suffix('\n').unwrap_or(&text);
    let right = match status.as_u16() {
        200 => matches!(&*path, "/version" | "/info"),
        400 => said == format!("Unrecognised endpoint: {path}") || said.contains("One Host header"),
        // Nobody answers at the helper's socket.
        500 => matches!(said, "Error running puppet" | "Unexpected error"),
        _ => false,
    };
    assert!(right || head, "{path}: {status} {text}");
}

async fn answer(routes: &Router, request: Request<Body>) -> (StatusCode, bool, String) {
    let (parts, body) = routes.clone().oneshot(request).await.expect("a router cannot fail").into_parts();
    let body = body.collect().await.expect("a body that ends").to_bytes();
    let json = parts.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    (parts.status, json, String::from_utf8(body.to_vec()).expect("text"))
}
