//! What every request goes through before a wire sees it: its path with single slashes, one host, a body that is short and comes soon;
//! and a line in the log after it.

use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, Version, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;

use crate::config::Limits;
use crate::log::Log;
use crate::peer::Peer;
use crate::refusal::closing;

/// Who asks, as whoever knows it puts it on an answer: for the line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who(pub String);

/// What was asked for to the letter, where its path had several slashes in a row: an extension of such a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked(pub Uri);

/// Put on an answer whose body goes on for a while: its connection does something until that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams;

/// These routes with bounds around them: they see whole bodies, of a length and in a time that is within the limits. What is found out
/// about who asks goes around this, so that nothing is read of somebody whom nobody knows.
pub fn bounded(routes: Router, limits: Limits) -> Router {
    routes.layer(from_fn_with_state(limits, whole))
}

/// A path with single slashes; `updatelock` sends two.
pub fn squeezed(uri: &Uri) -> Option<Uri> {
    if !uri.path().contains("//") {
        return None;
    }
    let mut path = String::from("/");
    path.push_str(&uri.path().split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"));
    if uri.path().ends_with('/') && path.len() > 1 {
        path.push('/');
    }
    if let Some(query) = uri.query() {
        path = format!("{path}?{query}");
    }
    path.parse().ok()
}

/// A line for each request: who, what, what came of it, how long it took. The query is left out: somebody may have put a secret there.
pub(crate) async fn told(State(log): State<Log>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let peer =
        request.extensions().get::<Peer>().map_or_else(|| String::from("-"), |peer| peer.address.to_string());
    let asked = request.extensions().get::<Asked>().map_or_else(|| request.uri(), |asked| &asked.0);
    let (method, uri) = (request.method().clone(), asked.clone());
    let (version, chunked) = (request.version(), request.headers().contains_key(header::TRANSFER_ENCODING));
    let mut response = next.run(request).await;
    if chunked && version < Version::HTTP_2 {
        // Where a body's length was said in chunks it may have been said otherwise too, and a proxy in between may have read that:
        // what comes behind it is not read (RFC 9112, 6.1).
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let who = response.extensions().get::<Who>().map_or("-", |who| &who.0);
    let bytes =
        response.body().size_hint().exact().map_or_else(|| String::from("-"), |bytes| bytes.to_string());
    let took = start.elapsed().as_secs_f64() * 1000.0;
    log.info(format_args!(
        "{peer} {who} \"{method} {}\" {} {bytes} {took:.1} ms",
        uri.path(),
        response.status().as_u16()
    ));
    response
}

/// The request with its whole body, or why not.
async fn whole(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let version = request.version();
    if version == Version::HTTP_11 && request.headers().get_all(header::HOST).iter().count() != 1 {
        return closing(version, StatusCode::BAD_REQUEST, "One Host header is needed.");
    }
    let (parts, body) = request.into_parts();
    let most = limits.body_bytes;
    let too_long = || {
        let message = format!("The body has more than {most} bytes.");
        closing(version, StatusCode::PAYLOAD_TOO_LARGE, &message)
    };
    if body.size_hint().lower() > most as u64 {
        return too_long();
    }
    let body = match tokio::time::timeout(limits.body, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return too_long(),
        Ok(Err(_)) => {
            let message = "The body ends too early, or cannot be read.";
            return closing(version, StatusCode::BAD_REQUEST, message);
        }
        Err(_) => {
            return closing(version, StatusCode::REQUEST_TIMEOUT, "The body took too long.");
        }
    };
    let head = parts.method == Method::HEAD;
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if head { without_body(response) } else { response }
}

/// What is answered to HEAD: all but the body, whose length is said where it is known (RFC 9110, 8.6).
fn without_body(mut response: Response) -> Response {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    response.map(|_| Body::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_are_squeezed_and_nothing_else() {
        let table = [
            ("/api//dlmlocks//test/lock", Some("/api/dlmlocks/test/lock")),
            ("//api/dlmlocks?search=a//b", Some("/api/dlmlocks?search=a//b")),
            ("/api/dlmlocks//", Some("/api/dlmlocks/")),
            ("//", Some("/")),
            ("/api/dlmlocks/a%2F%2Fb", None),
            ("/api?x=//", None),
        ];
        for (uri, expected) in table {
            // A path that begins with two slashes is no URI of itself, but is one in a request.
            let uri = Uri::builder().path_and_query(uri).build().unwrap();
            let found = squeezed(&uri).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), expected, "{uri}");
        }
    }
}
