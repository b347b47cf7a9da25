//! The paths of puppet-twitch, as its users know them: three paths, fixed texts, no login. What differs is written in docs/agent-api.md:
//! a run that has changed something has succeeded, and nobody holds the server by saying nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use disco_listen::{Asked, Log, Peer};
use tokio::time::Instant;

use super::asked::MOST_WAIT;
use super::helper::{Helper, HelperError};
use super::metrics::Metrics;
use crate::runs::{Answer, Ask, Refusal, RunState};
use disco_listen::log::causes;

const INFO: &str = "Puppet Twitch - A simple endpoint for triggering puppet";

#[derive(Clone)]
struct App {
    helper: Arc<Helper>,
    metrics: Metrics,
    log: Log,
    longest: Duration,
}

/// All of it; `longest` is how long `async=false` waits.
pub fn router(helper: Arc<Helper>, metrics: Metrics, log: Log, longest: Duration) -> Router {
    Router::new().fallback(answer).with_state(App { helper, metrics, log, longest })
}

/// An answer in puppet-twitch's form: text, its length, a line's end behind it, and the connection ends.
fn text(status: u16, text: &str) -> Response {
    let mut response = format!("{text}\n").into_response();
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Somebody asks too often, in this form.
pub fn too_often(seconds: u64) -> Response {
    let mut response = text(429, "Too many requests");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

async fn answer(State(app): State<App>, request: Request) -> Response {
    let unexpected = || text(500, "Unexpected error");
    if let Some(sign) = sign_of_a_browser(request.headers()) {
        let from = request.extensions().get::<Peer>().map(|peer| peer.address.ip().to_canonical());
        let from = from.map_or_else(|| String::from("-"), |from| from.to_string());
        app.log.warn(format_args!("{from}: taken for a browser by its {sign}, and not answered"));
        return text(403, "Requests of pages in a browser are not answered");
    }
    let uri = request.extensions().get::<Asked>().map_or_else(|| request.uri(), |asked| &asked.0);
    let Some((path, background)) = understood(request.method(), uri) else { return unexpected() };
    match path {
        "/puppet/twitch" | "/disco/twitch" => {
            let Some(peer) = request.extensions().get::<Peer>() else { return unexpected() };
            let by = format!("twitch {}", peer.address.ip().to_canonical());
            let (status, said) = app.trigger(by, background).await;
            text(status, said)
        }
        "/version" => text(200, env!("CARGO_PKG_VERSION")),
        "/info" => text(200, INFO),
        other => text(400, &format!("Unrecognised endpoint: {other}")),
    }
}

/// By what a request is known as a browser's, which puppet-twitch let start a run for every page: an image or a link of one asks
/// without an `Origin`. Whoever is no browser can say none of it.
fn sign_of_a_browser(headers: &HeaderMap) -> Option<&'static str> {
    let is_browser = |agent: &HeaderValue| {
        agent.as_bytes().get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"Mozilla/"))
    };
    if headers.contains_key(header::ORIGIN) {
        Some("Origin")
    } else if headers.contains_key(header::REFERER) {
        Some("Referer")
    } else if headers.keys().any(|name| name.as_str().starts_with("sec-fetch-")) {
        Some("Sec-Fetch-*")
    } else if headers.get_all(header::USER_AGENT).iter().any(is_browser) {
        Some("User-Agent")
    } else {
        None
    }
}

/// The path, and whether the answer does not wait for the end; `None` for what puppet-twitch does not understand.
fn understood<'a>(method: &Method, uri: &'a Uri) -> Option<(&'a str, bool)> {
    let known = matches!(*method, Method::GET | Method::POST | Method::PUT | Method::DELETE);
    let path = uri.path();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/');
    if !known || uri.scheme().is_some() || uri.authority().is_some() || !path.chars().all(plain) {
        return None;
    }
    Some((path, background(uri.query().unwrap_or_default())?))
}

/// Whether the query has anything but `async=false`; `None` where it is none, as Ruby's `split` reads it.
fn background(query: &str) -> Option<bool> {
    let mut background = true;
    // Ruby drops what is empty at the end, and nothing else.
    for pair in query.trim_end_matches('&').split('&').filter(|_| !query.trim_end_matches('&').is_empty()) {
        if pair.is_empty() || pair.ends_with('=') {
            return None;
        }
        let mut parts = pair.split('=');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(_), Some(_), Some(_)) => return None,
            (Some("async"), value, None) => background = value != Some("false"),
            _ => {}
        }
    }
    Some(background)
}

impl App {
    async fn trigger(&self, by: String, background: bool) -> (u16, &'static str) {
        const FAILED: (u16, &str) = (500, "Error running puppet");
        let ask = Ask::Run { noop: false, modules: vec![], by, key: None, alone: true };
        let state = match self.helper.ask(&ask).await {
            Ok(Answer::Run(state)) => state,
            Ok(Answer::Refused { why: Refusal::Busy, .. }) => return (409, "Puppet already running"),
            Ok(Answer::Refused { message, .. }) => {
                self.log.warn(format_args!("no run was started: {message}"));
                return FAILED;
            }
            Ok(Answer::Runs { .. } | Answer::Standing(_)) => return FAILED,
            Err(error) => {
                self.log.error(format_args!("no run was started: {}", causes(&error)));
                return FAILED;
            }
        };
        self.metrics.triggered();
        if background {
            return (202, "Triggered puppet run");
        }
        match self.ended(state).await {
            Ok(state) if state.state.is_success() => (200, "Puppet run complete"),
            Ok(state) if state.state.is_end() => {
                let id = &state.id;
                self.log.warn(format_args!(
                    "run {id} has not succeeded: agent/runs/{id}.log in disco's home has why"
                ));
                FAILED
            }
            Ok(state) => {
                let longest = self.longest.as_secs();
                self.log.warn(format_args!("run {} has not ended within {longest} s, and goes on", state.id));
                FAILED
            }
            Err(error) => {
                self.log.error(format_args!("the end of a run is not known: {}", causes(&error)));
                FAILED
            }
        }
    }

    /// The run at its end, or as it is when that took too long. A helper that starts again meanwhile is asked again.
    async fn ended(&self, mut state: RunState) -> Result<RunState, HelperError> {
        let until = Instant::now() + self.longest;
        let mut misses = 0;
        while !state.state.is_end() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            // Whole seconds, the last one begun counts.
            let left = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            match self.helper.ask(&Ask::Status { id: state.id.clone(), wait: left.min(MOST_WAIT) }).await {
                Ok(Answer::Run(now)) => (state, misses) = (now, 0),
                Ok(Answer::Refused { .. } | Answer::Runs { .. } | Answer::Standing(_)) => {
                    return Err(HelperError::Unexpected { path: self.helper.path().to_owned() });
                }
                Err(error) if misses >= 10 => return Err(error),
                Err(_) => {
                    misses += 1;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_ruby_reads_it() {
        for (query, expected) in [
            ("", Some(true)),
            ("async", Some(true)),
            ("async=false", Some(false)),
            ("async=False", Some(true)),
            ("async=0", Some(true)),
            ("async=true", Some(true)),
            ("x=y&async=false", Some(false)),
            ("async=false&async=true", Some(true)),
            ("async=false&async", Some(true)),
            ("async=false&", Some(false)),
            ("&", Some(true)),
            ("=b", Some(true)),
            ("&async=false", None),
            ("a&&b", None),
            ("a=b=c", None),
            ("a=", None),
            ("a==", None),
            ("=", None),
            ("async=false=", None),
        ] {
            assert_eq!(background(query), expected, "{query:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_query_panics(query in "[ab=&%\u{e4} ]{0,30}") {
            background(&query);
        }
    }
}
