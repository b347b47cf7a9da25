//! Proxies that answer well, badly and not at all, over real sockets.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use crate::client::ask::{features, plain_url};
use crate::client::http::Http;
use crate::client::reply::Protocol;
use crate::register::stand_in::Server;

fn ask(router: Router) -> Result<(Protocol, Vec<String>), String> {
    let server = Server::of(router);
    let http = Http::new(None, None).expect("no certificates");
    let reply = features(&http, &format!("{}/", server.url())).map_err(|error| error.to_string())?;
    Ok((reply.protocol, reply.features.into_keys().collect()))
}

#[test]
fn only_a_404_leads_to_the_older_way() {
    let v2 = r#"{"logs":{"http_enabled":true,"https_enabled":false,"settings":{},"state":"running","capabilities":[]},"odd":{}}"#;
    let with = |status: StatusCode, body: &'static str| {
        Router::new()
            .route("/v2/features", get(move || async move { (status, body) }))
            .route("/features", get(|| async { r#"["facts","logs"]"# }))
    };
    assert_eq!(ask(with(StatusCode::OK, v2)), Ok((Protocol::V2, vec!["logs".into(), "odd".into()])));
    let old = Ok((Protocol::V1, vec!["facts".into(), "logs".into()]));
    assert_eq!(ask(with(StatusCode::NOT_FOUND, "Requested url was not found")), old);
    for status in [400, 401, 403, 410, 500, 502, 503, 301, 204] {
        let status = StatusCode::from_u16(status).expect("a status");
        let told = ask(with(status, "why")).expect_err("no fallback");
        let number = status.as_u16();
        assert!(
            told.starts_with("unable to communicate with the proxy: http://127.0.0.1:")
                && told.contains(&format!("/v2/features answered {number}")),
            "{told}"
        );
    }
    for body in ["", "nothing", "[]", r#"{"logs":1}"#, r#"{"logs":{"state":1}}"#] {
        assert!(ask(with(StatusCode::OK, body)).is_err(), "{body:?}");
    }
    let neither = ask(Router::new()).expect_err("neither");
    assert!(neither.contains("/features answered 404"), "{neither}");
    let http = Http::new(None, None).expect("no certificates");
    let nobody = features(&http, "http://127.0.0.1:1").expect_err("nobody there");
    assert_eq!(nobody.to_string(), "unable to communicate with the proxy");
}

#[test]
fn one_slash_is_taken_off() {
    for (url, plain) in
        [("https://a:8443/", "https://a:8443"), ("https://a", "https://a"), ("https://a//", "https://a/")]
    {
        assert_eq!(plain_url(url), plain);
    }
}
