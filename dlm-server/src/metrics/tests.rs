//! A scrape, as Prometheus would read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use disco_dlm::model::{Percent, Policy, Slots};
use disco_dlm::rules::{NotHeld, Operation, Outcome};

use super::locks::MOST_NAMED;
use super::requests::class;
use super::{Metrics, around, layer, routes};
use crate::access::{HostChange, Permission};
use crate::app::{App, FleetLock};
use crate::listen::LogLevel;
use crate::stage::*;
use crate::stage_store::Meanwhile;
use crate::store::{Ask, Store, Which};
use disco_listen::Log;

fn quiet() -> Log {
    Log::to(LogLevel::Debug, std::io::sink())
}

fn all(app: App) -> Router {
    let metrics = Metrics::default();
    let app = App { store: around(Arc::clone(&app.store), metrics.clone(), quiet()), ..app };
    let routes = Router::new()
        .merge(crate::wire::native::routes(app.clone()))
        .merge(crate::wire::fleetlock::routes(app.clone()))
        .merge(routes(app, metrics.clone()))
        .route("/secret/{name}", get(async || "x"));
    layer(routes, metrics)
}

/// What is told, by name and labels.
async fn scrape(stage: &Stage, caller: &crate::app::Caller) -> BTreeMap<String, String> {
    let reply = stage.get(caller, "/metrics").await;
    assert_eq!(reply.header("content-type"), super::FORM);
    assert!(reply.text.ends_with("# EOF\n") && reply.text.matches("# EOF").count() == 1);
    let lines = reply.text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(key, value)| (key.into(), value.into())).collect()
}

#[tokio::test]
async fn locks_are_told_by_name_to_who_may_see_them() {
    let stage = Stage::new(all);
    for n in 0..8 {
        stage.store.put_host(&host(&format!("h{n}")), HostChange::default()).await.unwrap();
    }
    stage.acquire("web", "a").await;
    stage.acquire("web", "b").await;
    stage.acquire("a\"b\\c", "a").await;
    let half = Policy { slots: Slots::Percent(Percent::try_from(50).unwrap()), ..Policy::default() };
    stage.policy("web", half).await;
    stage
        .ask(
            "off",
            user_requester(),
            Operation::Create { kind: disco_dlm::model::Kind::Update, enabled: false, holder: None },
        )
        .await;
    stage.later(5 * 3600);
    let seen = scrape(&stage, &user(&[Permission::ViewDlmlocks])).await;
    for (key, value) in [
        ("disco_lock_slots{lock=\"web\"}", "4"),
        ("disco_lock_holders{lock=\"web\"}", "1"),
        ("disco_lock_waiters{lock=\"web\"}", "0"),
        ("disco_lock_stale{lock=\"web\"}", "1"),
        ("disco_lock_oldest_hold_seconds{lock=\"web\"}", "18000"),
        ("disco_lock_holders{lock=\"a\\\"b\\\\c\"}", "1"),
        ("disco_locks{state=\"held\"}", "2"),
        ("disco_locks{state=\"disabled\"}", "1"),
        ("disco_locks_holders", "2"),
        ("disco_locks_stale", "2"),
        ("disco_locks_unnamed", "0"),
        ("disco_store_answers", "1"),
    ] {
        assert_eq!(seen.get(key).map(String::as_str), Some(value), "{key}");
    }
    for caller in [nobody(), user(&[Permission::ViewHosts])] {
        let seen = scrape(&stage, &caller).await;
        assert_eq!(seen["disco_locks_holders"], "2");
        assert!(!seen.keys().any(|key| key.contains("lock=\"")), "no name is told to {caller:?}");
    }
    assert!(scrape(&stage, &by_host("a")).await.contains_key("disco_lock_slots{lock=\"web\"}"));
}

fn user_requester() -> disco_dlm::model::Requester {
    disco_dlm::model::Requester::User("admin".parse().unwrap())
}

#[tokio::test]
async fn what_hosts_are_told_is_counted_on_every_wire() {
    let stage = Stage::with(FleetLock::Anybody, all);
    let acquire = async |by: &str| {
        stage.call(&by_host(by), "POST", "/disco/v1/locks/web/acquire", "").await;
    };
    acquire("a").await;
    acquire("a").await;
    acquire("b").await;
    let fleet = axum::http::Request::post("/v1/pre-reboot")
        .header("fleet-lock-protocol", "true")
        .body(axum::body::Body::from(r#"{"client_params":{"id":"c","group":"web"}}"#))
        .unwrap();
    stage.send(&nobody(), fleet).await;
    stage.later(90);
    stage.call(&by_host("a"), "POST", "/disco/v1/locks/web/release", "").await;
    stage.get(&nobody(), "/secret/a").await;
    stage.get(&nobody(), "/disco/v1/whoami").await;
    let seen = scrape(&stage, &nobody()).await;
    for (key, value) in [
        ("disco_lock_acquire_total{result=\"granted\"}", "1"),
        ("disco_lock_acquire_total{result=\"renewed\"}", "1"),
        ("disco_lock_acquire_total{result=\"full\"}", "2"),
        ("disco_lock_hold_seconds_count", "1"),
        ("disco_lock_hold_seconds_sum", "90.0"),
        ("disco_lock_hold_seconds_bucket{le=\"60.0\"}", "0"),
        ("disco_lock_hold_seconds_bucket{le=\"120.0\"}", "1"),
        ("disco_http_requests_total{class=\"native\",status=\"200\"}", "3"),
        ("disco_http_requests_total{class=\"native\",status=\"412\"}", "1"),
        ("disco_http_requests_total{class=\"native\",status=\"401\"}", "1"),
        ("disco_http_requests_total{class=\"fleetlock\",status=\"423\"}", "1"),
        ("disco_http_requests_total{class=\"other\",status=\"200\"}", "1"),
        ("disco_http_request_seconds_count{class=\"native\"}", "5"),
        ("disco_locks{state=\"free\"}", "1"),
    ] {
        assert_eq!(seen.get(key).map(String::as_str), Some(value), "{key} of {seen:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_on_purpose_is_not_slow() {
    let stage = Stage::new(all);
    stage.acquire("web", "a").await;
    let reply = stage.call(&by_host("b"), "POST", "/disco/v1/locks/web/acquire", r#"{"wait":30}"#).await;
    assert_eq!(reply.status, 412);
    let seen = scrape(&stage, &nobody()).await;
    assert_eq!(seen["disco_http_requests_total{class=\"native\",status=\"412\"}"], "1");
    assert!(!seen.contains_key("disco_http_request_seconds_count{class=\"native\"}"));
}

#[tokio::test]
async fn a_store_that_fails_is_counted_and_written_down() {
    #[derive(Clone, Default)]
    struct Kept(Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let kept = Kept::default();
    let log = kept.clone();
    let stage = Stage::between(
        |ask| if ask.which == Which::Named(name("bad")) { Meanwhile::Fails } else { Meanwhile::Nothing },
        move |app| {
            let metrics = Metrics::default();
            let log = Log::to(LogLevel::Error, log.clone());
            let app = App { store: around(Arc::clone(&app.store), metrics.clone(), log), ..app };
            crate::wire::native::routes(app.clone()).merge(routes(app, metrics))
        },
    );
    stage.call(&by_host("a"), "POST", "/disco/v1/locks/bad/acquire", "").await;
    let seen = scrape(&stage, &nobody()).await;
    assert_eq!(seen["disco_store_errors_total{operation=\"decide\"}"], "1");
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("error: decide: the store memory is not available: "), "{text}");
}

#[tokio::test]
async fn ten_thousand_locks_are_no_long_scrape_and_those_that_matter_are_in_it() {
    let stage = Stage::new(all);
    let long = "x".repeat(80);
    for n in 0..10_000 {
        stage
            .ask(
                &format!("{n:05}{long}"),
                user_requester(),
                Operation::Create { kind: disco_dlm::model::Kind::Update, enabled: true, holder: None },
            )
            .await;
    }
    stage.acquire("zz-waited-for", "a").await;
    stage.acquire("zz-waited-for", "b").await;
    let reply = stage.get(&admin(), "/metrics").await;
    assert!(reply.text.len() < 1_000_000, "{} bytes", reply.text.len());
    assert_eq!(reply.text.matches("disco_lock_holders{").count(), MOST_NAMED);
    assert!(reply.text.contains("disco_lock_waiters{lock=\"zz-waited-for\"} 1"));
    assert!(reply.text.contains(&format!("disco_locks_unnamed {}", 10_001 - MOST_NAMED)));
}

#[tokio::test(start_paused = true)]
async fn the_store_is_looked_through_once_in_a_while_whoever_asks() {
    let looks = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&looks);
    let stage = Stage::between(
        move |ask| {
            if ask.operation == Operation::Show {
                count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            Meanwhile::Nothing
        },
        all,
    );
    stage.acquire("web", "a").await;
    for _ in 0..50 {
        scrape(&stage, &nobody()).await;
    }
    assert_eq!(looks.load(std::sync::atomic::Ordering::SeqCst), 1);
    tokio::time::sleep(super::FRESH).await;
    scrape(&stage, &nobody()).await;
    assert_eq!(looks.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_hold_ends_however_it_ends() {
    let metrics = Metrics::default();
    let stage = Stage::new(all);
    let store = around(Arc::clone(&stage.app.store), metrics.clone(), quiet());
    let ask = async |requester, operation| {
        store.ask(Ask { which: Which::Named(name("web")), requester, operation }).await.unwrap();
    };
    let by = || disco_dlm::model::Requester::Host(host("a"));
    for (ends, operation) in [
        (
            by(),
            Operation::Release {
                outcome: Outcome::Failed(String::new()),
                token: None,
                not_held: NotHeld::Refuse,
            },
        ),
        (user_requester(), Operation::ForceRelease { host: None, reason: "gone".into() }),
        (user_requester(), Operation::Delete),
    ] {
        ask(by(), Operation::Acquire { note: String::new() }).await;
        ask(ends, operation).await;
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode_registry(&mut text, &metrics.0.registry).unwrap();
    assert!(text.contains("disco_lock_hold_seconds_count 3"), "{text}");
}

#[test]
fn routes_are_of_few_kinds() {
    for (path, kind) in [
        ("/disco/v1/locks/a%2Fb", "native"),
        ("/disco/v1", "native"),
        ("/api/v2/dlmlocks", "foreman"),
        ("/apis", "other"),
        ("/v1/pre-reboot", "fleetlock"),
        ("/metrics", "monitoring"),
        ("/locks/x", "pages"),
        ("/", "pages"),
        ("/foreman_dlm/dlmlocks", "pages"),
        ("/wp-login.php", "other"),
        ("//api", "other"),
    ] {
        assert_eq!(class(path), kind, "{path}");
    }
}

#[tokio::test]
async fn health_is_that_of_the_store() {
    for (fails, status, text) in [(false, 200, "ok\n"), (true, 503, "the store of locks is not available\n")]
    {
        let stage = Stage::between(move |_| if fails { Meanwhile::Fails } else { Meanwhile::Nothing }, all);
        let reply = stage.get(&nobody(), "/healthz").await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (status, text));
    }
}
