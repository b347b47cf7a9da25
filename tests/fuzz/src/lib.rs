//! What is held against any input.

pub mod agent;
pub mod server;

use axum::body::Body;
use axum::http::Request;

/// A request as hyper would give it to us, where it would: `METHOD PATH`, header lines, an empty line, a body.
fn request(said: &[u8]) -> Option<Request<Body>> {
    let end = said.windows(2).position(|two| two == b"\n\n")?;
    let head = std::str::from_utf8(&said[..end]).ok()?;
    let mut lines = head.split('\n');
    let (method, path) = lines.next()?.split_once(' ')?;
    if !path.starts_with('/') {
        return None;
    }
    let mut request = Request::builder().method(method).uri(path);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        request = request.header(name, value.trim());
    }
    request.body(Body::from(said[end + 2..].to_vec())).ok()
}
