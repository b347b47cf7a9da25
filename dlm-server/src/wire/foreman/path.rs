//! Which of Foreman's routes a path and a method are. Pure. Not by the router, for what Foreman takes here is more than its patterns: any
//! number of slashes in a row (the shipped `updatelock` sends two), the version or none.

use axum::http::Method;

/// One of Foreman's routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `GET /api/dlmlocks`
    List,
    /// `POST /api/dlmlocks`
    Create,
    /// `GET /api/dlmlocks/:id` and `…/lock`
    Show(String),
    /// `PUT`, `PATCH /api/dlmlocks/:id`
    Update(String),
    /// `DELETE /api/dlmlocks/:id`
    Destroy(String),
    /// `PUT /api/dlmlocks/:id/lock`
    Acquire(String),
    /// `DELETE /api/dlmlocks/:id/lock`
    Release(String),
    /// `GET /api/dlmlocks/:dlmlock_id/dlmlock_events`
    Events(String),
    /// `GET /api/hosts`
    Hosts,
    /// `GET /api/hosts/:id`
    Host(String),
}

/// The route; `None` where Foreman has none. The path is as it was sent, with its `%XX`.
pub fn route(method: &Method, path: &str) -> Option<Route> {
    let mut parts = vec![];
    for part in path.split('/').filter(|part| !part.is_empty()) {
        parts.push(decoded(part)?);
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let rest = match &parts[..] {
        ["api", "v1" | "v2", rest @ ..] | ["api", rest @ ..] => rest,
        _ => return None,
    };
    // As Rails: HEAD is GET without its body.
    let verb = match method.as_str() {
        "HEAD" => "GET",
        "PATCH" => "PUT",
        verb => verb,
    };
    Some(match (verb, rest) {
        ("GET", ["dlmlocks"]) => Route::List,
        ("POST", ["dlmlocks"]) => Route::Create,
        ("GET", ["dlmlocks", id] | ["dlmlocks", id, "lock"]) => Route::Show((*id).to_owned()),
        ("PUT", ["dlmlocks", id]) => Route::Update((*id).to_owned()),
        ("DELETE", ["dlmlocks", id]) => Route::Destroy((*id).to_owned()),
        // Acquire is PUT alone in the plugin's routes.
        ("PUT", ["dlmlocks", id, "lock"]) if method == Method::PUT => Route::Acquire((*id).to_owned()),
        ("DELETE", ["dlmlocks", id, "lock"]) => Route::Release((*id).to_owned()),
        ("GET", ["dlmlocks", id, "dlmlock_events"]) => Route::Events((*id).to_owned()),
        ("GET", ["hosts"]) => Route::Hosts,
        ("GET", ["hosts", id]) => Route::Host((*id).to_owned()),
        _ => return None,
    })
}

/// A part of a path without its `%XX`; `None` where that is no text.
fn decoded(part: &str) -> Option<String> {
    let (mut bytes, mut rest) = (vec![], part.bytes());
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (high, low) = (digit()?, digit()?);
        bytes.push(high << 4 | low);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_routes_of_foreman() {
        let id = || String::from("test");
        let table = [
            ("GET", "/api/dlmlocks", Some(Route::List)),
            ("HEAD", "/api/dlmlocks", Some(Route::List)),
            ("GET", "/api/v1/dlmlocks", Some(Route::List)),
            ("GET", "/api/v2/dlmlocks", Some(Route::List)),
            ("GET", "/api/v3/dlmlocks", None),
            ("GET", "/api/dlmlocks/", Some(Route::List)),
            ("POST", "/api/dlmlocks", Some(Route::Create)),
            ("GET", "/api/dlmlocks/test", Some(Route::Show(id()))),
            ("GET", "/api/dlmlocks/test/lock", Some(Route::Show(id()))),
            ("PUT", "/api/dlmlocks/test", Some(Route::Update(id()))),
            ("PATCH", "/api/dlmlocks/test", Some(Route::Update(id()))),
            ("DELETE", "/api/dlmlocks/test", Some(Route::Destroy(id()))),
            ("PUT", "/api/dlmlocks/test/lock", Some(Route::Acquire(id()))),
            ("PATCH", "/api/dlmlocks/test/lock", None),
            ("POST", "/api/dlmlocks/test/lock", None),
            ("DELETE", "/api/dlmlocks/test/lock", Some(Route::Release(id()))),
            ("PUT", "/api/dlmlocks//test/lock", Some(Route::Acquire(id()))),
            ("PUT", "//api///v2//dlmlocks//test//lock/", Some(Route::Acquire(id()))),
            ("PUT", "/api/dlmlocks/Test%20Lock/lock", Some(Route::Acquire("Test Lock".into()))),
            ("PUT", "/api/dlmlocks/web.example.com/lock", Some(Route::Acquire("web.example.com".into()))),
            ("PUT", "/api/dlmlocks/a%2Fb/lock", Some(Route::Acquire("a/b".into()))),
            ("PUT", "/api/dlmlocks/a%2flock/lock", Some(Route::Acquire("a/lock".into()))),
            ("PUT", "/api/dlmlocks/%C3%A4/lock", Some(Route::Acquire("ä".into()))),
            ("PUT", "/api/dlmlocks/a+b/lock", Some(Route::Acquire("a+b".into()))),
            ("GET", "/api/dlmlocks/lock", Some(Route::Show("lock".into()))),
            ("GET", "/api/dlmlocks/lock/lock", Some(Route::Show("lock".into()))),
            ("GET", "/api/dlmlocks/v2/lock", Some(Route::Show("v2".into()))),
            ("PUT", "/api/dlmlocks/%FF/lock", None),
            ("PUT", "/api/dlmlocks/%4/lock", None),
            ("PUT", "/api/dlmlocks/%zz/lock", None),
            ("GET", "/api/dlmlocks/7/dlmlock_events", Some(Route::Events("7".into()))),
            ("GET", "/api/hosts", Some(Route::Hosts)),
            ("GET", "/api/v2/hosts/web1.example.com", Some(Route::Host("web1.example.com".into()))),
            ("POST", "/api/hosts", None),
            ("GET", "/api", None),
            ("GET", "/", None),
            ("GET", "/api/dlmlocks/a/b/lock", None),
        ];
        for (method, path, expected) in table {
            let found = route(&method.parse().unwrap(), path);
            assert_eq!(found, expected, "{method} {path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_name_comes_through(name in "[^\\x00]{1,60}") {
            let path = format!("/api/dlmlocks/{}/lock", disco_dlm::native::route::encoded(&name));
            proptest::prop_assert_eq!(route(&Method::DELETE, &path), Some(Route::Release(name)));
        }

        #[test]
        fn no_path_panics(path in "[/%a-zA-Z0-9\\PC]{0,80}") {
            let _ = route(&Method::GET, &path);
        }
    }
}
