//! The protocol as its clients speak it, and whatever else may come.

use axum::body::Body;
use axum::http::Request;
use disco_dlm::model::{Policy, Slots};
use proptest::prelude::*;

use super::{parse, routes};
use crate::access::HostChange;
use crate::app::FleetLock;
use crate::stage::*;
use crate::stage_store::Meanwhile;
use crate::store::Store;

async fn post(stage: &Stage, path: &str, id: &str, group: &str) -> Reply {
    let body = serde_json::json!({"client_params": {"id": id, "group": group}}).to_string();
    send(stage, "POST", path, Some("true"), &body).await
}

async fn send(stage: &Stage, method: &str, path: &str, protocol: Option<&str>, body: &str) -> Reply {
    let mut request = Request::builder().method(method).uri(format!("/v1/{path}"));
    if let Some(protocol) = protocol {
        request = request.header("fleet-lock-protocol", protocol);
    }
    // Zincati says no content type, and has no certificate.
    stage.send(&nobody(), request.body(Body::from(body.to_owned())).unwrap()).await
}

fn outcome(reply: &Reply) -> String {
    if reply.text.is_empty() {
        return reply.status.as_u16().to_string();
    }
    let json = reply.json();
    assert!(json["value"].as_str().is_some_and(|words| !words.is_empty()), "{json}");
    format!("{} {}", reply.status.as_u16(), json["kind"].as_str().unwrap())
}

const A: &str = "35ba2101ae3f4d45b96e9c51461bbc21";
const B: &str = "a3e6f1c0b5d24f6f8f4f6ddc8a8f3b0c";

#[tokio::test]
async fn two_nodes_reboot_one_after_another() {
    let stage = Stage::with(FleetLock::Anybody, routes);
    for (path, id, expected) in [
        ("steady-state", A, "200"),
        ("pre-reboot", A, "200"),
        ("pre-reboot", A, "200"),
        ("pre-reboot", B, "423 lock_held"),
        ("steady-state", B, "200"),
        ("pre-reboot", B, "423 lock_held"),
        ("steady-state", A, "200"),
        ("steady-state", A, "200"),
        ("pre-reboot", B, "200"),
        ("pre-reboot", &A.to_uppercase(), "423 lock_held"),
    ] {
        let reply = post(&stage, path, id, "workers").await;
        assert_eq!(outcome(&reply), expected, "{path} {id}");
        assert_eq!(reply.header("retry-after").is_empty(), expected == "200");
    }
    assert_eq!(outcome(&post(&stage, "pre-reboot", A, "controllers.eu-1").await), "200");
    let host = stage.store.host(&host(A)).await.unwrap().unwrap();
    assert!(host.last_checkin.is_some(), "who asked is known, and when");
}

#[tokio::test]
async fn refusals_have_few_kinds() {
    use disco_dlm::model::Requester;
    use disco_dlm::rules::Operation;
    let stage = Stage::with(FleetLock::Anybody, routes);
    stage.acquire("g", "x").await;
    let by = || Requester::User("admin".parse().unwrap());
    let blackout = disco_dlm::model::Blackout {
        from: "2026-11-22".parse().unwrap(),
        to: "2026-11-22".parse().unwrap(),
        reason: "holiday".into(),
    };
    let calendar = disco_dlm::model::Calendar { blackouts: vec![blackout], ..Default::default() };
    let frozen = Policy { freeze_after: std::num::NonZeroU32::new(1), ..Policy::default() };
    stage.policy("g", frozen).await;
    let failed = disco_dlm::rules::Outcome::Failed("no boot".into());
    let release =
        Operation::Release { outcome: failed, token: None, not_held: disco_dlm::rules::NotHeld::Refuse };
    stage.ask("g", Requester::Host(host("x")), release).await;
    assert_eq!(outcome(&post(&stage, "pre-reboot", A, "g").await), "423 lock_frozen");
    stage.policy("g", Policy { calendar, slots: Slots::Number(2), ..Policy::default() }).await;
    let reply = post(&stage, "pre-reboot", A, "g").await;
    assert_eq!((outcome(&reply).as_str(), reply.header("retry-after")), ("423 lock_closed", "57600"));
    stage.ask("g", by(), Operation::Disable).await;
    assert_eq!(outcome(&post(&stage, "pre-reboot", A, "g").await), "423 lock_disabled");
    assert_eq!(outcome(&post(&stage, "steady-state", A, "g").await), "423 lock_disabled");
    let change = HostChange { may_acquire: Some(false), ..HostChange::default() };
    stage.store.put_host(&host(B), change).await.unwrap();
    assert_eq!(outcome(&post(&stage, "pre-reboot", B, "free").await), "403 not_permitted");
}

#[tokio::test]
async fn it_is_served_for_whom_the_server_is_set_to() {
    for (set, stranger, enrolled) in [
        (FleetLock::Off, "404 not_served", "404 not_served"),
        (FleetLock::Enrolled, "403 unknown_id", "200"),
        (FleetLock::Anybody, "200", "200"),
    ] {
        let stage = Stage::with(set, routes);
        stage.store.put_host(&host(B), HostChange::default()).await.unwrap();
        assert_eq!(outcome(&post(&stage, "pre-reboot", A, "a").await), stranger, "{set:?}");
        assert_eq!(outcome(&post(&stage, "pre-reboot", B, "b").await), enrolled, "{set:?}");
        assert_eq!(stage.store.host(&host(A)).await.unwrap().is_some(), set == FleetLock::Anybody);
    }
}

#[tokio::test]
async fn what_is_not_the_protocol_is_refused() {
    let stage = Stage::with(FleetLock::Anybody, routes);
    let params =
        |id: &str, group: &str| serde_json::json!({"client_params": {"id": id, "group": group}}).to_string();
    let (good, large) = (params(A, "g"), params(&"x".repeat(70_000), "g"));
    for (method, protocol, body, expected) in [
        ("POST", Some("true"), good.clone(), "200"),
        ("GET", Some("true"), good.clone(), "405 method"),
        ("PUT", Some("true"), good.clone(), "405 method"),
        ("POST", None, good.clone(), "400 bad_header"),
        ("POST", Some("false"), good.clone(), "400 bad_header"),
        ("POST", Some("TRUE"), good, "400 bad_header"),
        ("POST", Some("true"), String::new(), "400 bad_body"),
        ("POST", Some("true"), "{}".into(), "400 bad_body"),
        ("POST", Some("true"), r#"{"client_params":{"id":"a"}}"#.into(), "400 bad_body"),
        ("POST", Some("true"), r#"{"client_params":{"id":1,"group":"g"}}"#.into(), "400 bad_body"),
        ("POST", Some("true"), params("", "g"), "400 bad_id"),
        ("POST", Some("true"), params("a\nb", "g"), "400 bad_id"),
        ("POST", Some("true"), params(&"x".repeat(256), "g"), "400 bad_id"),
        ("POST", Some("true"), params(A, ""), "400 bad_group"),
        ("POST", Some("true"), params(A, "a/b"), "400 bad_group"),
        ("POST", Some("true"), params(A, "a b"), "400 bad_group"),
        ("POST", Some("true"), params(A, "ä"), "400 bad_group"),
        ("POST", Some("true"), params(A, &"g".repeat(256)), "400 bad_group"),
        ("POST", Some("true"), large, "413 bad_body"),
    ] {
        for path in ["pre-reboot", "steady-state"] {
            let reply = send(&stage, method, path, protocol, &body).await;
            assert_eq!(outcome(&reply), expected, "{method} {path} {protocol:?} {body:.80}");
        }
    }
    let extra = r#"{"client_params":{"id":"a","group":"g","x":1},"y":2}"#;
    assert_eq!(outcome(&send(&stage, "POST", "steady-state", Some("true"), extra).await), "200");
}

#[tokio::test]
async fn a_store_that_fails_is_no_grant() {
    let stage = Stage::between(|_| Meanwhile::Fails, routes);
    let reply = post(&stage, "pre-reboot", A, "g").await;
    assert_eq!((outcome(&reply).as_str(), reply.header("retry-after")), ("503 unavailable", "5"));
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        if let Err(fault) = parse(&bytes) {
            prop_assert_eq!(fault.status.as_u16(), 400);
        }
    }

    #[test]
    fn what_is_read_is_what_was_said(id in "[ -~]{1,300}", group in "[a-zA-Z0-9./ -]{0,10}") {
        let body = serde_json::json!({"client_params": {"id": id, "group": group}}).to_string();
        let good = !group.is_empty() && !group.contains(['/', ' ']) && !id.trim().is_empty() && id.len() <= 255;
        match parse(body.as_bytes()) {
            Ok((host, lock)) => prop_assert!(good && host.as_str() == id && lock.as_str() == group),
            Err(fault) => prop_assert!(!good, "{}", fault.value),
        }
    }
}
