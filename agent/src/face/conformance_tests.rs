//! One row for every statement of the wire on the serving side: docs/proxy.md has the same rows. What a real smart proxy answered
//! to the same requests is what stands here.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;

use crate::face::builtin::Subsystem;
use crate::face::peer::Shown;
use crate::face::router::router;
use crate::face::stage::{
    Got, Told, ask_all, back_end, board, face, feature, get, http, https, load, owned, provider, spec,
};
use crate::face::trust::Trust;
use crate::face::{Board, Feature, Known, Peer, Standing};
use crate::settings::Value;

/// The features of the real smart proxy that was asked, in its order, as far as its reply rests on them.
fn features() -> Vec<Arc<dyn Feature>> {
    let mut dns = spec("dns", &[]);
    dns.providers = Some(vec![provider("dns_nsupdate", &[])]);
    let mut tftp = spec("tftp", &[]);
    tftp.settings = vec![Known::exposed("tftp_servername")];
    let mut dhcp = spec("dhcp", &[]);
    dhcp.providers = Some(vec![provider("dhcp_isc", &["leases"])]);
    let mut puppetca = spec("puppetca", &[]);
    puppetca.providers = Some(vec![
        provider("puppetca_http_api", &["puppet_url"]),
        provider("puppetca_hostname_whitelisting", &[]),
    ]);
    let mut logs = spec("logs", &[]);
    logs.enabled = Value::Bool(true);
    vec![
        feature(spec("facts", &[]), Standing::Running),
        feature(dns, Standing::Running),
        feature(tftp, Standing::Running),
        feature(dhcp, Standing::Running),
        feature(
            puppetca,
            Standing::Failed(String::from("Setting 'puppet_url' is expected to contain a url")),
        ),
        feature(spec("bmc", &["ssh", "redfish", "shell"]), Standing::Running),
        feature(logs, Standing::Running),
        feature(spec("httpboot", &["boot"]), Standing::Running),
    ]
}

const FILES: [(&str, &str); 7] = [
    ("facts", ":enabled: https\n"),
    ("dns", "---\n:enabled: true\n:use_provider: dns_nothing\n"),
    ("tftp", "---\n:enabled: https\n:tftp_servername: 10.0.0.1\n:tftproot: /tmp\n"),
    ("dhcp", "---\n:enabled: false\n:use_provider: dhcp_isc\n"),
    (
        "puppetca",
        "---\n:enabled: https\n:use_provider: [puppetca_hostname_whitelisting, :puppetca_http_api]\n",
    ),
    ("bmc", "---\n:enabled: maybe\n"),
    ("httpboot", "---\n:enabled: [1\n"),
];

fn up(trust: Trust) -> (Arc<Board>, Router) {
    let board = board(features(), trust);
    load(&board, &FILES);
    ask_all(&board);
    let router = face(&board);
    (board, router)
}

fn trusting(hosts: &[&str]) -> Trust {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    Trust { hosts: Some(hosts), forward_verify: true }
}

fn client() -> Option<Peer> {
    https(Shown::Named(String::from("client.example.com")))
}

fn other() -> Option<Peer> {
    https(Shown::Named(String::from("other.example.com")))
}

/// Every path for every peer: status and body.
#[test]
fn who_gets_what() {
    let names = "[\"facts\",\"logs\",\"tftp\"]";
    let none = "Requested url was not found";
    let no_certificate = "No client SSL certificate supplied";
    let untrusted = |who: &str, at: &str| {
        format!("Untrusted client {who} attempted to access {at}. Check :trusted_hosts: in settings.yml")
    };
    let plain = || http("192.0.2.1");
    let bare = || https(Shown::Nothing);
    type Row<'a> = (&'a str, &'a str, Option<Peer>, Option<Trust>, u16, String);
    let rows: Vec<Row<'_>> = vec![
        // /features is for everybody, on every port, and tells of features of the other port too.
        ("GET", "/features", plain(), None, 200, names.into()),
        ("GET", "/features", bare(), None, 200, names.into()),
        ("GET", "/features", client(), None, 200, names.into()),
        ("GET", "/features", plain(), Some(trusting(&["nobody"])), 200, names.into()),
        ("GET", "/features", bare(), Some(trusting(&["nobody"])), 200, names.into()),
        ("GET", "/features?x=1", plain(), None, 200, names.into()),
        ("GET", "/%66eatures", plain(), None, 200, names.into()),
        ("GET", "//features", plain(), None, 200, names.into()),
        ("HEAD", "/features", plain(), None, 200, names.into()),
        // Not for everybody.
        ("GET", "/v2/features", bare(), None, 403, no_certificate.into()),
        ("GET", "/logs", bare(), None, 403, no_certificate.into()),
        ("GET", "/v2/nothing", bare(), None, 403, no_certificate.into()),
        ("GET", "/v2/features", None, None, 403, "could not get remote address from environment".into()),
        // Who is trusted, by certificate.
        (
            "GET",
            "/v2/features",
            bare(),
            Some(trusting(&[])),
            403,
            "could not read client cert from environment".into(),
        ),
        (
            "GET",
            "/v2/features",
            https(Shown::Nameless),
            Some(trusting(&[])),
            403,
            "could not read CN from the client certificate".into(),
        ),
        (
            "GET",
            "/v2/features",
            other(),
            Some(trusting(&["client.example.com"])),
            403,
            untrusted("other.example.com", "/features"),
        ),
        (
            "GET",
            "/v2/features",
            other(),
            Some(trusting(&[])),
            403,
            untrusted("other.example.com", "/features"),
        ),
        (
            "GET",
            "/v2/features",
            other(),
            Some(trusting(&["Other.example.com"])),
            403,
            untrusted("other.example.com", "/features"),
        ),
        (
            "GET",
            "/v2/features/",
            other(),
            Some(trusting(&[])),
            403,
            untrusted("other.example.com", "/features/"),
        ),
        ("GET", "/v2/nothing", other(), Some(trusting(&[])), 403, untrusted("other.example.com", "/nothing")),
        ("GET", "/v2", other(), Some(trusting(&[])), 403, untrusted("other.example.com", "")),
        ("GET", "/v2/", other(), Some(trusting(&[])), 403, untrusted("other.example.com", "/")),
        (
            "DELETE",
            "/v2/features",
            other(),
            Some(trusting(&[])),
            403,
            untrusted("other.example.com", "/features"),
        ),
        ("GET", "/logs", other(), Some(trusting(&[])), 403, untrusted("other.example.com", "")),
        ("GET", "/logs/", other(), Some(trusting(&[])), 403, untrusted("other.example.com", "/")),
        ("GET", "/nothing", other(), Some(trusting(&[])), 404, none.into()),
        // What there is not.
        ("GET", "/nothing", plain(), None, 404, none.into()),
        ("GET", "/", plain(), None, 404, none.into()),
        ("GET", "/v2", plain(), None, 404, none.into()),
        ("GET", "/v2/", plain(), None, 404, none.into()),
        ("GET", "/features/", plain(), None, 404, none.into()),
        ("GET", "/v2/features/", plain(), None, 404, none.into()),
        ("GET", "/logsx", plain(), None, 404, none.into()),
        ("GET", "/logs/x", plain(), None, 404, none.into()),
        ("GET", "/facts", plain(), None, 404, none.into()),
        ("POST", "/features", plain(), None, 404, none.into()),
        ("POST", "/v2/features", plain(), None, 404, none.into()),
        ("OPTIONS", "/features", plain(), None, 404, none.into()),
        ("DELETE", "/logs", plain(), None, 404, none.into()),
    ];
    for (method, path, peer, trust, status, body) in rows {
        let row = format!("{method} {path} {peer:?} {trust:?}");
        let (_, router) = up(trust.unwrap_or_default());
        let got = get(&router, method, path, peer, &[]);
        let shown = if method == "HEAD" { "" } else { &*body };
        assert_eq!((got.status, &*got.body), (status, shown), "{row}");
        assert_eq!(got.header("content-type"), Some("application/json"), "{row}");
        assert_eq!(got.header("server"), Some("foreman-proxy/9.8.7"), "{row}");
        assert_eq!(got.header("x-content-type-options"), Some("nosniff"), "{row}");
        assert_eq!(got.header("x-cascade"), (status == 404).then_some("pass"), "{row}");
        assert_eq!(got.header("content-length"), Some(&*body.len().to_string()), "{row}");
    }
}

#[test]
fn plain_http_shows_all_to_anybody_where_nobody_is_named() {
    let (_, router) = up(Trust::default());
    let over_http = get(&router, "GET", "/v2/features", http("192.0.2.1"), &[]);
    let over_https = get(&router, "GET", "/v2/features", client(), &[]);
    assert_eq!((over_http.status, over_https.status), (200, 200));
    assert_eq!(over_http.body, over_https.body);
}

/// The whole reply, byte for byte as a real smart proxy gave it for the same settings, apart from two features whose reasons to
/// fail are not disco's.
#[test]
fn all_of_all_features() {
    let (_, router) = up(Trust::default());
    let got = get(&router, "GET", "/v2/features", client(), &[]);
    let expected = concat!(
        r#"{"facts":{"http_enabled":false,"https_enabled":true,"settings":{},"state":"running","capabilities":[]},"#,
        r#""dns":{"http_enabled":false,"https_enabled":false,"settings":{"use_provider":"dns_nothing"},"state":"failed","capabilities":[]},"#,
        r#""tftp":{"http_enabled":false,"https_enabled":true,"settings":{"tftp_servername":"10.0.0.1"},"state":"running","capabilities":[]},"#,
        r#""dhcp":{"http_enabled":false,"https_enabled":false,"settings":{"use_provider":null},"state":"disabled","capabilities":[]},"#,
        r#""puppetca":{"http_enabled":false,"https_enabled":false,"settings":{"puppet_url":null,"use_provider":["puppetca_hostname_whitelisting","puppetca_http_api"]},"state":"failed","capabilities":[]},"#,
        r#""bmc":{"http_enabled":false,"https_enabled":false,"settings":{},"state":"disabled","capabilities":["redfish","shell","ssh"]},"#,
        r#""logs":{"http_enabled":true,"https_enabled":true,"settings":{},"state":"running","capabilities":[]},"#,
        r#""httpboot":{"http_enabled":false,"https_enabled":false,"settings":{},"state":"failed","capabilities":["boot"]}}"#,
    );
    assert_eq!(got.body, expected);
}

#[test]
fn failures_are_told_in_the_words_of_a_smart_proxy() {
    let (_, router) = up(Trust::default());
    let got = get(&router, "GET", "/logs?from_timestamp=99999999999", client(), &[]);
    let expected = concat!(
        r#"{"info":{"size":2000,"tail_size":1000,"level":null,"level_tail":3,"failed_modules":{"#,
        r#""dns":"Disabling all modules in the group ['dns']: following providers are not available ['dns_nothing']","#,
        r#""puppetca_http_api":"Disabling all modules in the group ['puppetca_http_api', 'puppetca_hostname_whitelisting', 'puppetca'] due to a failure in one of them: Setting 'puppet_url' is expected to contain a url","#,
        r#""puppetca_hostname_whitelisting":"Disabling all modules in the group ['puppetca_http_api', 'puppetca_hostname_whitelisting', 'puppetca'] due to a failure in one of them: Setting 'puppet_url' is expected to contain a url","#,
        r#""puppetca":"Disabling all modules in the group ['puppetca_http_api', 'puppetca_hostname_whitelisting', 'puppetca'] due to a failure in one of them: Setting 'puppet_url' is expected to contain a url","#,
        r#""httpboot":"Disabling all modules in the group ['httpboot'] due to a failure in one of them: httpboot.yml:3: no valid YAML: "#,
    );
    assert!(got.body.starts_with(expected), "{}", got.body);
    assert!(got.body.ends_with("}},\"logs\":[]}"), "{}", got.body);
}

#[test]
fn versions_of_what_is_running_in_their_order() {
    let (_, router) = up(Trust::default());
    let got = get(&router, "GET", "/version", http("192.0.2.1"), &[]);
    let expected = r#"{"version":"9.8.7","modules":{"facts":"1.2.3","tftp":"1.2.3","logs":"1.2.3"}}"#;
    assert_eq!((got.status, &*got.body), (200, expected));
}

#[test]
fn a_refusal_has_the_type_that_the_client_takes() {
    let (_, router) = up(Trust::default());
    for (accept, json) in [
        ("*/*", true),
        ("application/json", true),
        ("application/*;q=0.3", true),
        ("text/html, application/json;q=0.1", true),
        ("text/html", false),
        ("text/*;q=0.5", false),
        ("text/plain", false),
    ] {
        let got = get(&router, "GET", "/v2/features", https(Shown::Nothing), &[("Accept", accept)]);
        assert_eq!((got.status, &*got.body), (403, "No client SSL certificate supplied"));
        let expected = if json { "application/json" } else { "text/html;charset=utf-8" };
        assert_eq!(got.header("content-type"), Some(expected), "{accept}");
        assert_eq!(got.header("x-frame-options"), (!json).then_some("SAMEORIGIN"), "{accept}");
        assert_eq!(got.header("x-xss-protection"), (!json).then_some("1; mode=block"), "{accept}");
    }
}

#[test]
fn over_plain_http_a_host_is_known_by_its_name_that_leads_back() {
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    let names = Arc::new(Told(vec![
        (address("192.0.2.1"), "Good.example.com", vec![]),
        (address("192.0.2.2"), "good.example.com", vec![address("192.0.2.9"), address("192.0.2.2")]),
        (address("192.0.2.3"), "good.example.com.", vec![]),
        (address("192.0.2.4"), "bad.example.com", vec![address("192.0.2.4")]),
        (address("2001:db8::1"), "six.example.com", vec![address("2001:db8::1")]),
    ]));
    let untrusted = "Untrusted client bad.example.com attempted to access /features. Check :trusted_hosts: in settings.yml";
    for (from, forward, status, told) in [
        (
            "192.0.2.1",
            true,
            403,
            "untrusted client has no matching forward DNS lookup - Good.example.com (192.0.2.1)",
        ),
        ("192.0.2.1", false, 200, ""),
        ("192.0.2.2", true, 200, ""),
        ("::ffff:192.0.2.2", true, 200, ""),
        ("192.0.2.3", false, 200, ""),
        ("192.0.2.4", true, 403, untrusted),
        ("2001:db8::1", true, 200, ""),
        (
            "192.0.2.5",
            true,
            403,
            "unable to resolve hostname for ip address 192.0.2.5\n\nno name for 192.0.2.5",
        ),
    ] {
        let hosts = vec![String::from("good.example.com"), String::from("six.example.com")];
        let board = board(features(), Trust { hosts: Some(hosts), forward_verify: forward });
        load(&board, &FILES);
        let router = router(board, Arc::clone(&names) as Arc<dyn crate::face::names::Names>);
        let got = get(&router, "GET", "/v2/features", http(from), &[]);
        assert_eq!(got.status, status, "{from} {forward}: {}", got.body);
        if status != 200 {
            assert_eq!(got.body, told, "{from} {forward}");
        }
    }
}

#[test]
fn the_log_has_requests_with_their_ids_and_is_cut_by_time() {
    let (_, router) = up(Trust::default());
    let before = get(&router, "GET", "/logs", client(), &[("X-Request-Id", "0123456789abcdef")]).json();
    let last = before["logs"].as_array().expect("records").last().expect("one").clone();
    let all = before["logs"].as_array().expect("records");
    let no_file = "Couldn't find settings file logs.yml. Using default settings.";
    assert!(all.iter().any(|one| one["message"] == no_file && one["level"] == "WARN"), "{all:?}");
    assert_eq!(last["message"], "Started GET /logs ");
    assert_eq!(last["level"], "INFO");
    assert_eq!(last["request_id"], "01234567");
    let keys: Vec<&String> = last.as_object().expect("a record").keys().collect();
    assert_eq!(keys, ["level", "message", "request_id", "timestamp"]);

    let refused = get(&router, "GET", "/v2/features?a=b", https(Shown::Nothing), &[]);
    assert_eq!(refused.status, 403);
    let from = last["timestamp"].as_f64().expect("a number") + 0.0005;
    let got = get(&router, "GET", &format!("/logs?from_timestamp={from}"), client(), &[]).json();
    let messages: Vec<&str> =
        got["logs"].as_array().expect("records").iter().filter_map(|one| one["message"].as_str()).collect();
    assert!(messages[0].starts_with("Finished GET /logs with 200 ("), "{messages:?}");
    assert_eq!(messages[1..3], ["Started GET /v2/features a=b", "No client SSL certificate supplied"]);
    assert!(messages[3].starts_with("Finished GET /v2/features with 403 ("), "{messages:?}");
    assert_eq!(got["logs"][2]["backtrace"], "No client SSL certificate supplied");
    assert_eq!(got["logs"][2]["level"], "ERROR");
    // What is no number is 0, which is all.
    let all = get(&router, "GET", "/logs?from_timestamp=abc&x", client(), &[]).json();
    assert!(all["logs"].as_array().expect("records").len() > messages.len());
}

#[test]
fn logs_are_where_the_feature_is_offered() {
    for (enabled, over_http, over_https) in
        [("true", 200, 200), ("http", 200, 404), ("https", 404, 200), ("false", 404, 404)]
    {
        let board = board(features(), Trust::default());
        load(&board, &[("logs", &format!(":enabled: {enabled}\n"))]);
        ask_all(&board);
        let router = face(&board);
        let status = |peer: Option<Peer>| get(&router, "GET", "/logs", peer, &[]).status;
        assert_eq!((status(http("192.0.2.1")), status(client())), (over_http, over_https), "{enabled}");
    }
}

fn v2(router: &Router) -> serde_json::Value {
    let got: Got = get(router, "GET", "/v2/features", client(), &[]);
    assert_eq!(got.status, 200);
    got.json()
}

#[test]
fn capabilities_are_told_flat_once_and_sorted_and_by_state() {
    let back = back_end("pulp", Ok(&["file", "deb", "static", "deb"]));
    let dynamic: Arc<dyn Feature> = Arc::new(
        Subsystem::new(spec("pulp", &["static"]), Box::new(|| Standing::Running)).asking(back.clone()),
    );
    let board = board(vec![dynamic], Trust::default());
    let router = face(&board);
    assert_eq!(v2(&router)["pulp"]["capabilities"], serde_json::json!([]), "uninitialized");
    assert_eq!(v2(&router)["pulp"]["state"], "uninitialized");
    load(&board, &[("pulp", ":enabled: true\n")]);
    assert_eq!(v2(&router)["pulp"]["state"], "loaded");
    assert!(board.wanted(0).is_some());
    assert_eq!(v2(&router)["pulp"]["state"], "starting");
    assert_eq!(v2(&router)["pulp"]["capabilities"], serde_json::json!(["static"]));
    ask_all(&board);
    assert_eq!(v2(&router)["pulp"]["state"], "running");
    assert_eq!(v2(&router)["pulp"]["capabilities"], serde_json::json!(["deb", "file", "static"]));
    load(&board, &[("pulp", ":enabled: https\n")]);
    assert_eq!(v2(&router)["pulp"]["state"], "running", "what runs does not stop because a file was read");
    assert_eq!(v2(&router)["pulp"]["http_enabled"], false);
    load(&board, &[("pulp", ":enabled: false\n")]);
    assert_eq!(v2(&router)["pulp"]["state"], "disabled");
    assert_eq!(v2(&router)["pulp"]["capabilities"], serde_json::json!(["static"]));
}

/// Not as in a smart proxy, whose whole reply is a 500 then.
#[test]
fn a_back_end_that_fails_is_marked_and_keeps_what_it_said() {
    let back = back_end("pulp", Ok(&["deb"]));
    let never = back_end("other", Err("connection refused"));
    let subsystem = Subsystem::new(spec("pulp", &["static"]), Box::new(|| Standing::Running));
    let dynamic: Arc<dyn Feature> = Arc::new(subsystem.asking(back.clone()).asking(never));
    let logs = feature(spec("logs", &[]), Standing::Running);
    let board = board(vec![dynamic, logs], Trust::default());
    load(&board, &[("pulp", ":enabled: true\n"), ("logs", ":enabled: true\n")]);
    ask_all(&board);
    *back.says.lock().expect("not poisoned") = owned(Err("timed out"));
    ask_all(&board);
    let router = face(&board);
    assert_eq!(v2(&router)["pulp"]["capabilities"], serde_json::json!(["deb", "static"]));
    assert_eq!(v2(&router)["pulp"]["state"], "running");
    let logs = get(&router, "GET", "/logs", client(), &[]).json();
    assert_eq!(
        logs["info"]["failed_modules"]["pulp"],
        "capabilities of `pulp` cannot be had for 0 s: timed out; its last good answer, 0 s old, is kept: deb; \
         capabilities of `other` cannot be had for 0 s: connection refused; it has never answered"
    );
    let errors: Vec<&str> = logs["logs"]
        .as_array()
        .expect("records")
        .iter()
        .filter(|record| record["level"] == "ERROR")
        .filter_map(|record| record["message"].as_str())
        .collect();
    // The other one fails as it did before: that is told once.
    assert_eq!(
        errors,
        [
            "capabilities of 'pulp' from `other` cannot be had: connection refused",
            "capabilities of 'pulp' from `pulp` cannot be had: timed out"
        ]
    );
    *back.says.lock().expect("not poisoned") = owned(Ok(&["rpm"]));
    ask_all(&board);
    assert_eq!(v2(&router)["pulp"]["capabilities"], serde_json::json!(["rpm", "static"]));
    let logs = get(&router, "GET", "/logs", client(), &[]).json();
    assert!(!logs["info"]["failed_modules"]["pulp"].as_str().expect("the other").contains("`pulp`"));
}
