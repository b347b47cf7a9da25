//! Every row of docs/dlm-api.md, and every way to be refused.

use disco_dlm::model::{Percent, Policy, Seconds, Slots};
use disco_dlm::native::route;
use disco_dlm::rules::Operation;
use serde_json::{Value, json};

use super::routes;
use crate::access::{HostChange, Permission};
use crate::app::{Caller, NotKnown};
use crate::stage::*;
use crate::stage_store::Meanwhile;
use crate::store::Store;

fn stage() -> Stage {
    Stage::new(routes)
}

#[tokio::test]
async fn a_lock_from_its_making_to_its_end() {
    let stage = stage();
    let (a, b) = (by_host("a"), by_host("b"));
    let lock = "/disco/v1/locks/web";
    for (caller, method, path, body, outcome, seen) in [
        (&a, "GET", "", "", "404 missing", ""),
        (&a, "POST", "/acquire", r#"{"note":"kernel"}"#, "200", r#"token=1 renewed=false"#),
        (&a, "POST", "/acquire", "", "200", r#"token=1 renewed=true"#),
        (
            &b,
            "POST",
            "/acquire",
            "{}",
            "412",
            r#"code="full" place=null reason="1 of 1 slots held" retry_after=60"#,
        ),
        (
            &b,
            "POST",
            "/release",
            "",
            "412",
            r#"code="held-by-other" place=null reason="held by a" retry_after=null"#,
        ),
        (
            &a,
            "POST",
            "/release",
            r#"{"token":9}"#,
            "412",
            r#"code="other-grant" place=null reason="held by another grant than that of token 9" retry_after=null"#,
        ),
        (&a, "POST", "/release", r#"{"token":1}"#, "200", "held=true"),
        (&a, "POST", "/release", "", "200", "held=false"),
        (&admin(), "POST", "/disable", r#"{"reason":"audit"}"#, "200", "enabled=false"),
        (&a, "POST", "/acquire", "", "412", r#"code="disabled" place=null reason="disabled" retry_after=60"#),
        (&admin(), "POST", "/enable", "", "200", "enabled=true"),
        (&admin(), "PATCH", "/policy", r#"{"freeze_after":1}"#, "200", "slots=1"),
        (&a, "POST", "/acquire", "", "200", "token=2 renewed=false"),
        (&admin(), "PATCH", "/policy", r#"{"queue":{"order":"fair"}}"#, "200", "slots=1"),
        (
            &b,
            "POST",
            "/acquire",
            "",
            "412",
            r#"code="full" place=1 reason="1 of 1 slots held" retry_after=60"#,
        ),
        (&a, "POST", "/release", r#"{"result":"failed","note":"no boot"}"#, "200", "held=true"),
        (
            &b,
            "POST",
            "/acquire",
            "",
            "412",
            r#"code="frozen" place=1 reason="frozen after 1 failures" retry_after=60"#,
        ),
        (&admin(), "POST", "/thaw", r#"{"reason":"mended"}"#, "200", "frozen=false"),
        (&b, "POST", "/acquire", "", "200", "token=3 renewed=false"),
        (&admin(), "POST", "/force-release", r#"{"host":"x","reason":"gone"}"#, "200", "slots=1"),
        (&b, "POST", "/acquire", "", "200", "token=3 renewed=true"),
        (&admin(), "POST", "/force-release", r#"{"reason":" "}"#, "400 bad-request", ""),
        (&admin(), "POST", "/force-release", r#"{"reason":"gone"}"#, "200", "slots=1"),
        (&admin(), "PUT", "", "", "409 taken", ""),
        (&admin(), "PATCH", "", r#"{"name":"db"}"#, "200", r#"name="db""#),
        (&admin(), "GET", "", "", "404 missing", ""),
        (
            &admin(),
            "PUT",
            "",
            r#"{"type":null,"enabled":false,"policy":{"slots":{"number":2}}}"#,
            "201",
            "enabled=false slots=2 type=null",
        ),
        (&admin(), "PATCH", "", r#"{"name":"db"}"#, "409 taken", ""),
        (&admin(), "PATCH", "", "", "200", r#"name="web""#),
        (&admin(), "DELETE", "", "", "200", r#"name="web""#),
        (&admin(), "DELETE", "", "", "404 missing", ""),
        (&admin(), "POST", "/thaw", "", "404 missing", ""),
        (&admin(), "PUT", "/policy", "", "404 missing", ""),
        (&admin(), "PATCH", "/policy", "", "404 missing", ""),
        (&admin(), "GET", "/policy", "", "404 missing", ""),
        (&admin(), "GET", "/events", "", "404 missing", ""),
    ] {
        let reply = stage.call(caller, method, &format!("{lock}{path}"), body).await;
        let case = format!("{method} {path} {body}: {}", reply.text);
        assert_eq!(reply.outcome(), outcome, "{case}");
        let json = reply.json();
        for field in seen.split_whitespace().filter(|word| word.contains('=')) {
            let (key, _) = field.split_once('=').unwrap();
            let value = format!("{key}={}", json[key]);
            assert!(seen.contains(&value), "{case}: {value} is not {seen}");
        }
        let retry_after = json["retry_after"].as_u64().map_or(String::new(), |n| n.to_string());
        assert_eq!(reply.header("retry-after"), retry_after, "{case}");
    }
}

/// Each route, and which callers it lets in: a host, a user with every permission, a user with each single one, nobody.
#[tokio::test]
async fn each_route_is_for_whom_it_is_for() {
    use Permission::{
        CreateDlmlocks, DestroyDlmlocks, EditDlmlocks, ViewDlmlockEvents, ViewDlmlocks, ViewHosts,
    };
    let reason = r#"{"reason":"r"}"#;
    for (method, path, body, hosts, permission) in [
        ("GET", "/locks", "", true, Some(ViewDlmlocks)),
        ("GET", "/locks/web", "", true, Some(ViewDlmlocks)),
        ("PUT", "/locks/new", "{}", false, Some(CreateDlmlocks)),
        ("PATCH", "/locks/web", "{}", false, Some(EditDlmlocks)),
        ("DELETE", "/locks/web", "", false, Some(DestroyDlmlocks)),
        ("POST", "/locks/web/acquire", "{}", true, None),
        ("POST", "/locks/web/release", "{}", true, None),
        ("POST", "/locks/web/force-release", reason, false, Some(EditDlmlocks)),
        ("POST", "/locks/web/enable", reason, false, Some(EditDlmlocks)),
        ("POST", "/locks/web/disable", reason, false, Some(EditDlmlocks)),
        ("POST", "/locks/web/thaw", reason, false, Some(EditDlmlocks)),
        ("GET", "/locks/web/policy", "", true, Some(ViewDlmlocks)),
        ("PUT", "/locks/web/policy", "{}", false, Some(EditDlmlocks)),
        ("PATCH", "/locks/web/policy", "{}", false, Some(EditDlmlocks)),
        ("GET", "/locks/web/events", "", true, Some(ViewDlmlockEvents)),
        ("GET", "/events", "", false, Some(ViewDlmlockEvents)),
        ("GET", "/hosts", "", false, Some(ViewHosts)),
        ("GET", "/hosts/a", "", true, Some(ViewHosts)),
        ("GET", "/hosts/b", "", false, Some(ViewHosts)),
    ] {
        let ask = async |caller: Caller| {
            let stage = stage();
            stage.store.put_host(&host("a"), HostChange::default()).await.unwrap();
            stage.store.put_host(&host("b"), HostChange::default()).await.unwrap();
            stage.acquire("web", "a").await;
            let before = stage.acquire("web", "b").await.after;
            let reply = stage.call(&caller, method, &format!("/disco/v1{path}"), body).await;
            if !reply.status.is_success() {
                assert_eq!(
                    stage.acquire("web", "b").await.before,
                    before,
                    "{method} {path}: refused, and done"
                );
            }
            reply.outcome()
        };
        let let_in = if method == "PUT" && path == "/locks/new" { "201" } else { "200" };
        let expected = |is: bool| if is { let_in } else { "403 forbidden" };
        assert_eq!(ask(by_host("a")).await, expected(hosts), "{method} {path} by a host");
        assert_eq!(ask(admin()).await, expected(permission.is_some()), "{method} {path} by an admin");
        for one in Permission::ALL {
            assert_eq!(
                ask(user(&[one])).await,
                expected(permission == Some(one)),
                "{method} {path} with {one:?}"
            );
            let others: Vec<Permission> = Permission::ALL.into_iter().filter(|other| *other != one).collect();
            let allowed = permission.is_some_and(|needed| needed != one);
            assert_eq!(ask(user(&others)).await, expected(allowed), "{method} {path} without {one:?}");
        }
        assert_eq!(ask(nobody()).await, "401 unauthenticated", "{method} {path} by nobody");
        let session = Caller::User {
            login: "alice".parse().unwrap(),
            permissions: Permission::ALL.into(),
            session: true,
        };
        let looks = permission.is_some() && method == "GET";
        assert_eq!(ask(session).await, expected(looks), "{method} {path} by a browser's session");
    }
}

#[tokio::test]
async fn nobody_is_told_why() {
    let stage = stage();
    for (why, outcome, message, hint) in [
        (NotKnown::Silent, "401 unauthenticated", "neither", "certificate"),
        (
            NotKnown::Host(host("x.example")),
            "401 unauthenticated",
            "\"x.example\" is not known",
            "disco dlm host add 'x.example'",
        ),
        (NotKnown::Nameless, "401 unauthenticated", "no name", "last CN"),
        (
            NotKnown::Login("bob".into()),
            "401 unauthenticated",
            "wrong login or password for \"bob\"",
            "token",
        ),
        (NotKnown::Throttled, "429 too-many", "too many", "minutes"),
    ] {
        let reply = stage.get(&Caller::Nobody(why.clone()), "/disco/v1/whoami").await;
        let error = &reply.json()["error"];
        assert_eq!(reply.outcome(), outcome);
        assert!(error["message"].as_str().unwrap().contains(message), "{error}");
        assert!(error["hint"].as_str().unwrap().contains(hint), "{error}");
        assert_eq!(reply.header("retry-after") == "300", why == NotKnown::Throttled);
        assert_eq!(reply.header("www-authenticate").is_empty(), why == NotKnown::Throttled);
    }
}

#[tokio::test]
async fn who_asks_is_told_who_it_is() {
    let stage = stage();
    let said = async |caller: Caller| stage.get(&caller, "/disco/v1/whoami").await.json();
    let server = env!("CARGO_PKG_VERSION");
    assert_eq!(
        said(by_host("a")).await,
        json!({"requester": {"host": "a"}, "permissions": [], "server": server})
    );
    assert_eq!(
        said(user(&[Permission::ViewHosts, Permission::EditDlmlocks])).await,
        json!({"requester": {"user": "alice"}, "permissions": ["edit_dlmlocks", "view_hosts"], "server": server})
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_the_wires_own_words() {
    let stage = stage();
    stage.acquire("web", "a").await;
    let long = format!(r#"{{"note":"{}"}}"#, "x".repeat(1001));
    let long_reason = format!(r#"{{"reason":"{}"}}"#, "ä".repeat(501));
    let large = format!(r#"{{"note":"{}"}}"#, "x".repeat(70_000));
    for (caller, method, path, body, outcome) in [
        (by_host("a"), "POST", "/locks/web/acquire", r#"{"notes":"x"}"#, "400 bad-request"),
        (by_host("a"), "POST", "/locks/web/acquire", "{", "400 bad-request"),
        (by_host("a"), "POST", "/locks/web/acquire", long.as_str(), "400 bad-request"),
        (by_host("a"), "POST", "/locks/web/release", long.as_str(), "400 bad-request"),
        (by_host("a"), "POST", "/locks/web/acquire", large.as_str(), "413 too-large"),
        (admin(), "POST", "/locks/web/force-release", long_reason.as_str(), "400 bad-request"),
        (admin(), "POST", "/locks/web/thaw", long_reason.as_str(), "400 bad-request"),
        (admin(), "PUT", "/locks/new", r#"{"type":"Dog"}"#, "400 bad-request"),
        (admin(), "PUT", "/locks/new", r#"{"policy":{"slot":{}}}"#, "400 bad-request"),
        (admin(), "PUT", "/locks/new", r#"{"policy":{"slots":{"percent":0}}}"#, "422 bad-policy"),
        (admin(), "PUT", "/locks/new", r#"{"policy":null}"#, "422 bad-policy"),
        (admin(), "PUT", "/locks/web/policy", r#"{"queue":{"order":"fair","poll":0}}"#, "422 bad-policy"),
        (admin(), "PUT", "/locks/web/policy", r#"{"queue":{"order":"fair"}}"#, "422 bad-policy"),
        (admin(), "PUT", "/locks/web/policy", r#"{"slots":{"number":2},"extra":1}"#, "400 bad-request"),
        (admin(), "PATCH", "/locks/web/policy", r#"{"extra":1}"#, "400 bad-request"),
        (admin(), "PATCH", "/locks/web/policy", "[]", "400 bad-request"),
        (admin(), "GET", "/locks?pages=1", "", "400 bad-request"),
        (admin(), "GET", "/locks?page=0", "", "400 bad-request"),
        (admin(), "GET", "/locks?per_page=1001", "", "400 bad-request"),
        (admin(), "GET", "/locks?page=x", "", "400 bad-request"),
        (admin(), "GET", "/locks?order=size", "", "400 bad-request"),
        (admin(), "GET", "/locks?order=name+up", "", "400 bad-request"),
        (admin(), "GET", "/events?limit=0", "", "400 bad-request"),
        (admin(), "GET", "/events?limit=1001", "", "400 bad-request"),
        (admin(), "GET", "/events?wait=1", "", "400 bad-request"),
        (admin(), "GET", "/events?after=1&after=2", "", "400 bad-request"),
        (admin(), "GET", "/hosts?per_page=0", "", "400 bad-request"),
        (admin(), "GET", "/locks/%FF", "", "400 bad-request"),
        (admin(), "GET", "/locks/%0A", "", "400 bad-request"),
        (admin(), "GET", "/locks/%20", "", "400 bad-request"),
        (admin(), "GET", "/hosts/nobody", "", "404 missing"),
        (admin(), "GET", "/lock", "", "404 missing"),
        (admin(), "GET", "/locks/web/x/y", "", "404 missing"),
        (admin(), "POST", "/locks", "{}", "405 method"),
        (admin(), "DELETE", "/locks/web/acquire", "", "405 method"),
        // Who may not ask is told that, whatever is wrong beside.
        (nobody(), "POST", "/locks/web/acquire", "{", "401 unauthenticated"),
        (user(&[]), "POST", "/locks/web/thaw", "{", "403 forbidden"),
        (nobody(), "GET", "/locks?page=x", "", "401 unauthenticated"),
    ] {
        let reply = stage.call(&caller, method, &format!("/disco/v1{path}"), body).await;
        assert_eq!(reply.outcome(), outcome, "{method} {path}: {}", reply.text);
        assert_eq!(reply.header("content-type"), "application/json", "{method} {path}");
        let error = &reply.json()["error"];
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
        assert!(error["hint"].is_string(), "{error}");
    }
}

#[tokio::test]
async fn a_body_says_that_it_is_json() {
    use axum::body::Body;
    use axum::http::Request;
    let stage = stage();
    for (method, path, said, outcome) in [
        ("POST", "acquire", None, "415 media-type"),
        ("POST", "acquire", Some("text/plain"), "415 media-type"),
        ("POST", "acquire", Some("application/x-www-form-urlencoded"), "415 media-type"),
        ("POST", "acquire", Some("application/merge-patch+json"), "415 media-type"),
        ("POST", "acquire", Some("application/json"), "200"),
        ("POST", "acquire", Some("Application/JSON; charset=utf-8"), "200"),
        ("PATCH", "policy", Some("application/merge-patch+json"), "200"),
        ("PUT", "policy", Some("application/merge-patch+json"), "415 media-type"),
    ] {
        let caller = if path == "acquire" { by_host("a") } else { admin() };
        let mut request = Request::builder().method(method).uri(format!("/disco/v1/locks/web/{path}"));
        if let Some(said) = said {
            request = request.header("content-type", said);
        }
        let reply = stage.send(&caller, request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(reply.outcome(), outcome, "{method} {path} as {said:?}");
    }
}

#[tokio::test]
async fn a_name_is_whatever_it_is() {
    let stage = stage();
    let long = "x".repeat(255);
    for lock in
        ["a/b", "..", ".", "ä ö", "%2F", "a%20b", "a?b#c", "acquire", "日本", "a//b", "<b>", "+", &long]
    {
        let acquire = stage.call(&by_host("a"), "POST", &route::lock(lock, "/acquire"), "").await;
        assert_eq!(acquire.json()["lock"]["name"], *lock, "{}", acquire.text);
        let shown = stage.get(&admin(), &route::lock(lock, "")).await;
        assert_eq!(shown.json()["name"], *lock, "{}", shown.text);
    }
    assert_eq!(stage.get(&admin(), &route::lock(&"x".repeat(256), "")).await.outcome(), "400 bad-request");
    let list = stage.get(&admin(), "/disco/v1/locks?per_page=100").await.json();
    assert_eq!(list["total"], 13);
}

#[tokio::test]
async fn a_list_comes_in_pages_and_in_order() {
    let stage = stage();
    for n in 0..25 {
        stage.acquire(&format!("lock-{n:02}"), &format!("host-{:02}", 24 - n)).await;
    }
    let names = async |query: &str| {
        let list = stage.get(&by_host("a"), &format!("/disco/v1/locks?{query}")).await.json();
        assert_eq!(list["total"], 25, "{list}");
        let names: Vec<String> = list["locks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|lock| lock["name"].as_str().unwrap().trim_start_matches("lock-").to_owned())
            .collect();
        (names.len(), names.first().cloned().unwrap_or_default())
    };
    assert_eq!(names("").await, (20, "00".into()), "the server's size of a page");
    assert_eq!(names("page=2").await, (5, "20".into()));
    assert_eq!(names("page=9").await, (0, String::new()));
    assert_eq!(names("per_page=3&page=2").await, (3, "03".into()));
    assert_eq!(names("order=name+desc").await.1, "24");
    let found = stage
        .get(&admin(), "/disco/v1/locks?search=name+%3D+lock-07+or+host+%3D+host-01&order=name")
        .await
        .json();
    assert_eq!((&found["total"], &found["locks"][0]["name"]), (&json!(2), &json!("lock-07")));
    for bad in ["size+%3D+1", "%28", "not"] {
        let reply = stage.get(&admin(), &format!("/disco/v1/locks?search={bad}")).await;
        assert_eq!(reply.outcome(), "400 bad-request", "{bad} is never all of them");
    }
    assert_eq!(names("order=host").await.1, "24");
    assert_eq!(names("order=id+DESC&per_page=1000").await, (25, "24".into()));
}

#[tokio::test]
async fn a_list_shows_what_is_so_now_and_stores_nothing() {
    let stage = stage();
    let soon = Policy { expires_after: Some(Seconds(60)), ..Policy::default() };
    let half = Policy { slots: Slots::Percent(Percent::try_from(50).unwrap()), ..Policy::default() };
    for lock in ["a", "b", "c"] {
        stage.acquire(lock, "x").await;
    }
    stage.policy("b", soon).await;
    stage.policy("c", half).await;
    for n in 0..6 {
        stage.store.put_host(&host(&format!("h{n}")), HostChange::default()).await.unwrap();
    }
    stage.later(5 * 3600);
    let list = stage.get(&admin(), "/disco/v1/locks").await.json();
    let seen =
        |n: usize| (list["locks"][n]["holders"].as_array().unwrap().len(), list["locks"][n]["slots"].clone());
    assert_eq!([seen(0), seen(1), seen(2)], [(1, json!(1)), (0, json!(1)), (1, json!(3))]);
    assert_eq!(list["locks"][0]["holders"][0]["stale"], true);
}

#[tokio::test]
async fn hosts_say_what_they_hold_and_when_they_came() {
    let stage = stage();
    for name in ["a", "b"] {
        stage.store.put_host(&host(name), HostChange::default()).await.unwrap();
    }
    stage.call(&by_host("a"), "POST", &route::lock("x/y", "/acquire"), "").await;
    stage.policy("x/y", Policy { expires_after: Some(Seconds(60)), ..Policy::default() }).await;
    let a = stage.get(&by_host("a"), "/disco/v1/hosts/a").await.json();
    let expected = json!({
        "id": 1, "name": "a", "groups": [], "may_acquire": true, "enrolled": "2026-11-22T08:00:00Z",
        "last_checkin": "2026-11-22T08:00:00Z", "holds": ["x/y"]
    });
    assert_eq!(a, expected);
    let all = stage.get(&admin(), "/disco/v1/hosts").await.json();
    assert_eq!(
        (&all["total"], &all["hosts"][0], &all["hosts"][1]["holds"]),
        (&json!(2), &expected, &json!([]))
    );
    assert_eq!(all["hosts"][1]["last_checkin"], Value::Null);
    stage.later(60);
    let a = stage.get(&admin(), "/disco/v1/hosts/a").await.json();
    assert_eq!(a["holds"], json!([]), "the grant has ended");
    let all = stage.get(&admin(), "/disco/v1/hosts").await.json();
    assert_eq!(all["hosts"][0]["holds"], json!([]));
}

#[tokio::test]
async fn hosts_check_in_whatever_they_are_told() {
    for (method, path) in
        [("GET", "/locks/no"), ("POST", "/locks/web/acquire"), ("POST", "/locks/web/release")]
    {
        let stage = stage();
        stage.acquire("web", "x").await;
        stage.store.put_host(&host("a"), HostChange::default()).await.unwrap();
        stage.later(9);
        let reply = stage.call(&by_host("a"), method, &format!("/disco/v1{path}"), "").await;
        assert!(!reply.status.is_success(), "{method} {path}");
        let seen = stage.store.host(&host("a")).await.unwrap().unwrap().last_checkin;
        assert_eq!(seen, Some(now().after(Seconds(9))), "{method} {path}");
    }
}

#[tokio::test]
async fn of_two_changes_of_a_policy_at_once_none_is_lost() {
    use std::sync::atomic::{AtomicU64, Ordering};
    for (times, outcome, gap) in
        [(0, "200", Value::Null), (3, "200", json!(1)), (1000, "503 unavailable", json!(981))]
    {
        let left = AtomicU64::new(times);
        let stage = Stage::between(
            move |ask| {
                let more = left.load(Ordering::SeqCst);
                if !matches!(ask.operation, Operation::SwapPolicy { .. }) || more == 0 {
                    return Meanwhile::Nothing;
                }
                left.store(more - 1, Ordering::SeqCst);
                Meanwhile::Other(Operation::SetPolicy(Policy {
                    gap: Some(Seconds(more)),
                    ..Policy::default()
                }))
            },
            routes,
        );
        stage.acquire("web", "a").await;
        let part = r#"{"slots":{"number":7}}"#;
        let reply = stage.call(&admin(), "PATCH", &route::lock("web", "/policy"), part).await;
        assert_eq!(reply.outcome(), outcome);
        let policy = stage.get(&admin(), &route::lock("web", "/policy")).await.json();
        assert_eq!(policy["gap"], gap, "the other one's change is there, too");
        assert_eq!(policy["slots"]["number"], if outcome == "200" { 7 } else { 1 });
    }
}

#[tokio::test]
async fn a_store_that_fails_is_said_so_and_grants_nothing() {
    let stage = Stage::between(|_| Meanwhile::Fails, routes);
    for (caller, method, path, body) in [
        (by_host("a"), "POST", "/locks/web/acquire", r#"{"wait":60}"#),
        (by_host("a"), "POST", "/locks/web/release", ""),
        (by_host("a"), "GET", "/locks/web", ""),
        (admin(), "PUT", "/locks/web", ""),
        (admin(), "PATCH", "/locks/web/policy", ""),
        (admin(), "DELETE", "/locks/web", ""),
        (admin(), "GET", "/locks/web/events", ""),
    ] {
        let reply = stage.call(&caller, method, &format!("/disco/v1{path}"), body).await;
        assert_eq!(reply.outcome(), "503 unavailable", "{method} {path}");
        assert_eq!(reply.header("retry-after"), "5");
        let message = reply.json()["error"]["message"].to_string();
        assert_eq!(message, "\"the store of locks is not available\"", "no path, no address");
    }
}

#[tokio::test]
async fn a_log_is_newest_first_or_what_comes_after() {
    let stage = stage();
    for host in ["a", "b"] {
        stage.acquire("web", host).await;
        stage.acquire("db", host).await;
    }
    let ids = |json: &Value| -> Vec<u64> {
        json["events"].as_array().unwrap().iter().map(|event| event["id"].as_u64().unwrap()).collect()
    };
    for (path, seen, next) in [
        ("/events", vec![6, 5, 4, 3, 2, 1], 6),
        ("/events?limit=2", vec![6, 5], 6),
        ("/events?after=0&limit=2", vec![1, 2], 2),
        ("/events?after=4", vec![5, 6], 6),
        ("/events?after=6", vec![], 6),
        ("/events?after=99", vec![], 99),
        ("/locks/web/events", vec![5, 2, 1], 5),
        ("/locks/web/events?after=1", vec![2, 5], 5),
        ("/locks/db/events?after=5&wait=0", vec![6], 6),
    ] {
        let json = stage.get(&admin(), &format!("/disco/v1{path}")).await.json();
        assert_eq!((ids(&json), &json["next"]), (seen, &json!(next)), "{path}");
    }
    let json = stage.get(&by_host("a"), "/disco/v1/locks/web/events?limit=1").await.json();
    let expected = json!({
        "id": 5, "lock_id": 1, "lock": "web", "kind": "fail", "host": "a", "requester": {"host": "b"},
        "detail": "1 of 1 slots held", "at": "2026-11-22T08:00:00Z"
    });
    assert_eq!(json["events"][0], expected);
}

#[tokio::test]
async fn a_reason_is_in_the_log() {
    let stage = stage();
    stage.acquire("web", "a").await;
    for (verb, kind) in [("disable", "disable"), ("enable", "enable"), ("force-release", "force")] {
        let path = route::lock("web", &format!("/{verb}"));
        stage.call(&admin(), "POST", &path, r#"{"reason":"because"}"#).await;
        let log = stage.get(&admin(), &route::lock("web", "/events?limit=1")).await.json();
        let event = &log["events"][0];
        assert_eq!((&event["kind"], &event["detail"]), (&json!(kind), &json!("because")));
        assert_eq!(event["requester"], json!({"user": "alice"}));
    }
}
