//! Registration with the stand-in, by a proxy that really listens.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use axum::Extension;

use crate::client::http::Http;
use crate::face::names::System;
use crate::face::peer::Over;
use crate::face::router::router;
use crate::face::stage::{ask_all, board, feature, load, spec};
use crate::face::trust::Trust;
use crate::face::{Board, Peer, Standing, clock};
use crate::register::foreman::{Foreman, RegisterError};
use crate::register::login::Login;
use crate::register::oauth::Consumer;
use crate::register::print::{Registered, is_stale, print};
use crate::register::stand_in::{Seen, Server, foreman};
use crate::register::steps::Step;
use crate::register::tend::{Offer, tend};

pub const SECRET: &str = "s3cr&t ü";

pub fn consumer(secret: &str) -> Login {
    let consumer = Consumer { key: "key".into(), secret: secret.into() };
    Login::OAuth { consumer, user: Some("admin".into()) }
}

pub fn proxy(names: &[&str]) -> (Server, Arc<Board>) {
    let features = names.iter().map(|name| feature(spec(name, &[]), Standing::Running)).collect();
    let board = board(features, Trust::default());
    let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, ":enabled: true\n")).collect();
    load(&board, &files);
    ask_all(&board);
    let peer = Peer { address: IpAddr::from([127, 0, 0, 1]), over: Over::Http };
    let router = router(Arc::clone(&board), Arc::new(System)).layer(Extension(peer));
    (Server::of(router), board)
}

pub fn to(server: &Server, login: Login) -> Foreman {
    let http = Http::new(None, None).expect("no certificates");
    Foreman::new(&server.url(), http, login, clock::system()).expect("an address")
}

fn requests(seen: &Mutex<Seen>) -> Vec<String> {
    std::mem::take(&mut seen.lock().expect("not poisoned").requests)
}

#[test]
fn it_is_created_updated_refreshed_and_compared() {
    for login in [consumer(SECRET), Login::Basic { user: "admin".into(), password: "changeme".into() }] {
        let (server, seen) = foreman(SECRET);
        let (proxy_server, board) = proxy(&["dance", "facts", "logs"]);
        let foreman = to(&server, login.clone());
        let first =
            foreman.register("node.example.com", &proxy_server.url(), &board.features()).expect("created");
        assert_eq!((first.id, first.done), (1, Step::Create));
        assert_eq!((first.compared.missing, first.compared.extra), (vec![], Vec::<String>::new()));
        assert_eq!(first.compared.foreign, ["dance"]);
        let path = "/api/v2/smart_proxies";
        assert_eq!(
            requests(&seen),
            [format!("GET {path}"), format!("POST {path}"), format!("PUT {path}/1/refresh")]
        );
        // Again: nothing new, with a slash at the end of the url too.
        let again =
            foreman.register("node.example.com", &format!("{}/", proxy_server.url()), &board.features());
        assert_eq!(again.expect("known").done, Step::Refresh(1));
        assert_eq!(requests(&seen), [format!("GET {path}"), format!("PUT {path}/1/refresh")]);
        // Elsewhere now, and with less.
        let (moved, fewer) = proxy(&["logs"]);
        let after = foreman.register("node.example.com", &moved.url(), &fewer.features()).expect("updated");
        assert_eq!(after.done, Step::Update(1));
        assert_eq!(
            requests(&seen),
            [format!("GET {path}"), format!("PUT {path}/1"), format!("PUT {path}/1/refresh")]
        );
        let seen = seen.lock().expect("not poisoned");
        assert_eq!(seen.proxies, [(1, "node.example.com".into(), moved.url(), vec!["Logs".into()])]);
        let user = if matches!(login, Login::OAuth { .. }) { "admin" } else { "" };
        assert!(seen.users.iter().all(|one| one == user), "{:?}", seen.users);
    }
}

#[test]
fn what_a_foreman_says_against_it_is_told() {
    let (server, _seen) = foreman(SECRET);
    let told = |login: Login, url: &str| {
        let error = to(&server, login).register("n.example.com", url, &[]).expect_err(url);
        error.to_string()
    };
    let (unknown, _board) = proxy(&["dance", "noop"]);
    assert_eq!(
        told(consumer(SECRET), &unknown.url()),
        "the Foreman refuses to create it: Features \"dance and noop\" in this proxy are not recognized by Foreman. If these \
         features come from a Smart Proxy plugin, make sure Foreman has the plugin installed too."
    );
    let (empty, _board) = proxy(&[]);
    assert!(told(consumer(SECRET), &empty.url()).contains("No features found on this proxy"));
    let nobody = told(consumer(SECRET), "http://127.0.0.1:1");
    assert!(
        nobody.starts_with("the Foreman refuses to create it: Unable to communicate with the proxy"),
        "{nobody}"
    );
    let wrong = told(consumer("wrong"), &unknown.url());
    assert_eq!(
        wrong,
        "the Foreman does not let us search for it (401): Unable to authenticate user: a wrong signature"
    );
    let (known, _board) = proxy(&["logs"]);
    to(&server, consumer(SECRET)).register("one.example.com", &known.url(), &[]).expect("created");
    assert_eq!(
        told(consumer(SECRET), &known.url()),
        "the Foreman refuses to create it: URL has already been taken"
    );
    let http = Http::new(None, None).expect("no certificates");
    let gone = Foreman::new("http://127.0.0.1:1", http, consumer(""), clock::system()).expect("an address");
    assert!(matches!(gone.register("n", "u", &[]), Err(RegisterError::Unreachable(_))));
}

#[test]
fn a_changed_offer_is_seen_by_its_hash() {
    let (_server, board) = proxy(&["facts", "logs"]);
    let hash = || print(&board.v2()).expect("JSON");
    let before = hash();
    assert_eq!(before.len(), 64);
    assert_eq!(before, hash(), "nothing has changed");
    let kept = Registered {
        schema: 1,
        foreman: "f".into(),
        name: "n".into(),
        url: "u".into(),
        id: 1,
        print: before.clone(),
    };
    assert!(!is_stale(Some(&kept), "f", "n", "u", &before));
    for (foreman, name, url, print) in
        [("g", "n", "u", &*before), ("f", "m", "u", &before), ("f", "n", "v", &before), ("f", "n", "u", "x")]
    {
        assert!(is_stale(Some(&kept), foreman, name, url, print));
    }
    assert!(is_stale(None, "f", "n", "u", &before));
    assert!(is_stale(Some(&Registered { schema: 2, ..kept }), "f", "n", "u", &before));
    load(&board, &[("facts", ":enabled: https\n"), ("logs", ":enabled: true\n")]);
    ask_all(&board);
    assert_ne!(before, hash(), "facts is offered elsewhere");
}

#[test]
fn it_goes_to_the_foreman_only_when_something_has_changed() {
    let (server, seen) = foreman(SECRET);
    let (proxy_server, board) = proxy(&["facts", "logs"]);
    let foreman = to(&server, consumer(SECRET));
    let url = proxy_server.url();
    let go = |foreman: &Foreman, kept: Option<&Registered>| {
        let offer = Offer { name: "n.example.com", url: &url, running: &board.features(), v2: &board.v2() };
        tend(foreman, kept, &offer)
    };
    let (kept, done) = go(&foreman, None).expect("registered").expect("it was new");
    assert_eq!(done.done, Step::Create);
    requests(&seen);
    assert!(go(&foreman, Some(&kept)).expect("fine").is_none());
    assert_eq!(requests(&seen), Vec::<String>::new(), "nothing has changed");
    load(&board, &[("facts", ":enabled: false\n"), ("logs", ":enabled: true\n")]);
    ask_all(&board);
    let error = go(&to(&server, consumer("wrong")), Some(&kept)).expect_err("not allowed");
    assert_eq!(error.to_string(), "n.example.com is not registered");
    let (later, done) = go(&foreman, Some(&kept)).expect("refreshed").expect("it has changed");
    assert_eq!((done.done, done.compared.extra), (Step::Refresh(1), vec![]));
    assert_ne!(later.print, kept.print);
    assert_eq!(seen.lock().expect("not poisoned").proxies[0].3, ["Logs"]);
}
