//! Who may log in, and which forms are taken.

use disco_dlm::model::{EventKind, Requester};

use super::stage::*;
use crate::access::{Permission, User};
use crate::stage::{Reply, Stage};
use crate::store::{EventQuery, Store};

const EDITOR: [Permission; 3] =
    [Permission::ViewDlmlocks, Permission::EditDlmlocks, Permission::ViewDlmlockEvents];

async fn enabled(stage: &Stage) -> bool {
    let told = stage.ask("web", Requester::Server, disco_dlm::rules::Operation::Show).await;
    told.after.unwrap().enabled
}

fn cookie<'a>(reply: &'a Reply, name: &str) -> &'a str {
    let all = reply.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    all.into_iter().find(|value| value.starts_with(&format!("{name}="))).unwrap()
}

#[tokio::test]
async fn a_login_begins_a_session_and_a_logout_ends_it() {
    let stage = stage_for(&EDITOR).await;
    stage.acquire("web", "a").await;
    let mut browser = Browser::new(&stage);
    let reply = browser.get("/locks/web?page=2").await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("location")),
        (303, "/login?next=%2Flocks%2Fweb%3Fpage%3D2")
    );
    let form = browser.get(reply.header("location")).await;
    assert!(form.text.contains("name=\"next\" value=\"/locks/web?page=2\""));
    for attribute in ["Path=/;", "Secure;", "HttpOnly;", "SameSite=Strict"] {
        assert!(cookie(&form, "__Host-disco-form").contains(attribute));
    }
    let reply = browser.log_in("alice", "secret", "/locks/web?page=2").await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (303, "/locks/web?page=2"));
    for attribute in ["Path=/;", "Secure;", "HttpOnly;", "SameSite=Strict", "Max-Age=36000;"] {
        assert!(cookie(&reply, "__Host-disco").contains(attribute), "{attribute}");
    }
    let page = browser.get("/locks/web").await;
    assert!(page.status == 200 && page.text.contains("Logged in as <b>alice</b>"));
    let mut thief = browser.clone();
    assert_eq!(browser.post("/logout", &[("csrf", "guess")]).await.status, 403);
    assert_eq!(browser.get("/locks").await.status, 200, "still there");
    let reply = browser.post("/logout", &[("csrf", &csrf(&page.text))]).await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (303, "/login"));
    assert!(!browser.cookies.contains_key("__Host-disco"));
    assert_eq!(thief.get("/locks").await.status, 303, "the session itself has ended");
}

#[tokio::test]
async fn a_login_that_is_wrong_or_forged_begins_nothing() {
    let stage = stage_for(&EDITOR).await;
    let mut browser = Browser::new(&stage);
    let reply = browser.log_in("alice", "qwertz", "").await;
    assert_eq!(reply.status, 401);
    assert!(reply.text.contains("Wrong login or password.") && !reply.text.contains("qwertz"));
    assert!(!browser.cookies.contains_key("__Host-disco"));
    let secret = csrf(&browser.get("/login").await.text);
    let fields = |csrf: &'static str| [("csrf", csrf), ("login", "alice"), ("password", "secret")];
    let good = [("csrf", secret.as_str()), ("login", "alice"), ("password", "secret")];
    assert_eq!(browser.post("/login", &fields("")).await.status, 403);
    let secret = csrf(&browser.get("/login").await.text);
    assert_eq!(browser.post("/login", &good).await.status, 403, "a form of before");
    let good = [("csrf", secret.as_str()), ("login", "alice"), ("password", "secret")];
    for origin in [None, Some("https://evil.example"), Some("null")] {
        let mut copy = browser.clone();
        assert_eq!(copy.post_from(origin, "/login", &good).await.status, 403, "{origin:?}");
    }
    let mut other = Browser::new(&stage);
    assert_eq!(other.post("/login", &good).await.status, 403, "a form of another browser");
    assert_eq!(browser.post("/login", &[("login", "alice")]).await.status, 400);
    assert!(browser.post("/login", &good).await.status == 403, "each answer has a new form");
    assert_eq!(browser.log_in("alice", "secret", "https://evil.example/").await.header("location"), "/locks");
}

#[tokio::test]
async fn a_session_is_new_at_each_login() {
    let stage = stage_for(&EDITOR).await;
    let mut browser = Browser::new(&stage);
    browser.cookies.insert("__Host-disco".into(), "0".repeat(64));
    browser.log_in("alice", "secret", "").await;
    let first = browser.cookies["__Host-disco"].clone();
    assert!(
        first.len() == 64 && first != "0".repeat(64),
        "what a stranger has put there is not gone on with"
    );
    let mut old = browser.clone();
    browser.log_in("alice", "secret", "").await;
    assert_ne!(browser.cookies["__Host-disco"], first);
    assert_eq!(old.get("/locks").await.status, 303);
}

#[tokio::test]
async fn guessing_is_throttled_as_everywhere() {
    let stage = stage_for(&EDITOR).await;
    let mut browser = Browser::new(&stage);
    let mut seen = vec![];
    for _ in 0..32 {
        seen.push(browser.log_in("alice", "guess", "").await.status.as_u16());
    }
    assert_eq!(seen[..30], [401; 30]);
    assert_eq!(seen[30..], [429; 2]);
    let reply = browser.log_in("alice", "secret", "").await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (429, "300"));
    assert!(reply.text.contains("Too many tries"));
}

#[tokio::test]
async fn a_session_ends_with_what_it_came_from() {
    let user = |password: Option<&str>| User {
        login: "alice".parse().unwrap(),
        password: password.map(str::to_owned),
        admin: true,
        roles: Default::default(),
        tokens: vec![token("secret")],
    };
    for case in ["password", "token", "user"] {
        let stage = stage_for(&EDITOR).await;
        let mut browser = Browser::logged_in(&stage).await;
        assert_eq!(browser.get("/locks").await.status, 200);
        match case {
            "password" => stage.store.put_user(&user(Some("new"))).await.unwrap(),
            "token" => stage.store.put_user(&User { tokens: vec![], ..user(None) }).await.unwrap(),
            _ => assert!(stage.store.remove_user(&"alice".parse().unwrap()).await.unwrap()),
        }
        assert_eq!(browser.get("/locks").await.status, 303, "{case}");
        stage.store.put_user(&user(None)).await.unwrap();
        assert_eq!(browser.get("/locks").await.status, 303, "{case}: it does not come back");
    }
    let stage = stage_for(&EDITOR).await;
    let mut browser = Browser::logged_in(&stage).await;
    put_user(&stage, &[]).await;
    assert_eq!(browser.get("/locks").await.status, 403, "permissions are as they are now");
}

#[tokio::test]
async fn a_form_is_taken_only_from_its_own_session_and_site() {
    let stage = stage_for(&EDITOR).await;
    stage.acquire("web", "a").await;
    let mut browser = Browser::logged_in(&stage).await;
    let mine = csrf(&browser.get("/locks/web").await.text);
    let mut second = Browser::logged_in(&stage).await;
    let others = csrf(&second.get("/locks/web").await.text);
    assert!(mine.len() == 64 && mine != others);
    let site = Some("https://dlm.example.com");
    for (case, origin, secret) in [
        ("none", site, None),
        ("empty", site, Some("")),
        ("a guess", site, Some("0000")),
        ("another session's", site, Some(others.as_str())),
        ("no origin", None, Some(mine.as_str())),
        ("another site", Some("https://evil.example"), Some(mine.as_str())),
        ("a site that begins so", Some("https://dlm.example.com.evil.example"), Some(mine.as_str())),
        ("a hidden site", Some("null"), Some(mine.as_str())),
    ] {
        for action in ["disable", "release", "thaw", "enable"] {
            let mut fields = vec![("reason", "because")];
            fields.extend(secret.map(|secret| ("csrf", secret)));
            let reply = browser.post_from(origin, &format!("/locks/web/{action}"), &fields).await;
            let expected = if case == "none" { 400 } else { 403 };
            assert_eq!(reply.status, expected, "{case} {action}");
            assert!(reply.text.contains("Nothing was changed"));
        }
    }
    let mut stranger = Browser::new(&stage);
    let fields = [("csrf", mine.as_str()), ("reason", "because")];
    assert_eq!(stranger.post("/locks/web/disable", &fields).await.status, 303, "to the login");
    assert!(enabled(&stage).await);
    assert_eq!(browser.post("/locks/web/disable", &fields).await.status, 303);
    assert!(!enabled(&stage).await);
}

#[tokio::test]
async fn a_login_in_a_header_looks_and_changes_nothing() {
    use axum::body::Body;
    use axum::http::Request;
    use base64::Engine;
    let stage = stage_for(&EDITOR).await;
    stage.acquire("web", "a").await;
    let basic = base64::engine::general_purpose::STANDARD.encode("alice:secret");
    let ask = |method: &str, path: &str| {
        let request =
            Request::builder().method(method).uri(path).header("authorization", format!("Basic {basic}"));
        let request = request.header("host", "dlm.example.com").header("origin", "https://dlm.example.com");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(Body::from("csrf=&reason=because")).unwrap()
    };
    let mut browser = Browser::new(&stage);
    let page = browser.send(ask("GET", "/locks/web")).await;
    assert!(page.status == 200 && !page.text.contains("<form"), "a page without forms");
    assert_eq!(browser.send(ask("POST", "/locks/web/disable")).await.status, 403);
    assert!(enabled(&stage).await);
}

#[tokio::test]
async fn each_action_is_done_with_its_reason() {
    for (action, kind, enabled_after) in [
        ("disable", EventKind::Disable, false),
        ("enable", EventKind::Enable, true),
        ("release", EventKind::Force, true),
        ("thaw", EventKind::Thaw, true),
    ] {
        let stage = stage_for(&EDITOR).await;
        stage.acquire("web", "a").await;
        let failed = disco_dlm::rules::Operation::Release {
            outcome: disco_dlm::rules::Outcome::Failed("x".into()),
            token: None,
            not_held: disco_dlm::rules::NotHeld::Refuse,
        };
        stage.ask("web", Requester::Host("a".parse().unwrap()), failed).await;
        stage.acquire("web", "a").await;
        let mut browser = Browser::logged_in(&stage).await;
        let secret = csrf(&browser.get("/locks/web").await.text);
        if action == "enable" {
            stage.ask("web", Requester::Server, disco_dlm::rules::Operation::Disable).await;
        }
        let newest = async || {
            let paging = crate::store::Paging { page: 1, per_page: Some(1) };
            stage.store.events(None, EventQuery::Newest(paging)).await.unwrap().items[0].clone()
        };
        let before = newest().await;
        let long = "x".repeat(1001);
        for reason in ["", "  ", &long] {
            let fields = [("csrf", secret.as_str()), ("reason", reason)];
            let reply = browser.post(&format!("/locks/web/{action}"), &fields).await;
            assert_eq!(reply.status, 422, "{action}");
            assert!(reply.text.contains("role=\"alert\"") && reply.text.contains("say why"));
        }
        assert_eq!(newest().await, before, "nothing was done");
        let fields = [("csrf", secret.as_str()), ("reason", " ä & <b> ")];
        let reply = browser.post(&format!("/locks/web/{action}"), &fields).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("location")),
            (303, &*format!("/locks/web?done={action}"))
        );
        let event = newest().await.event;
        assert_eq!((event.kind, event.detail.as_str()), (kind, "ä & <b>"));
        assert_eq!(event.requester, Requester::User("alice".parse().unwrap()));
        assert_eq!(enabled(&stage).await, enabled_after);
        let page = browser.get(reply.header("location")).await;
        assert!(page.text.contains("role=\"status\"") && page.text.contains("ä &amp; &lt;b&gt;"));
    }
}

#[tokio::test]
async fn one_holder_of_several_is_taken_away() {
    use disco_dlm::model::{Policy, Slots};
    let stage = stage_for(&EDITOR).await;
    stage.acquire("a/b", "x").await;
    stage.policy("a/b", Policy { slots: Slots::Number(3), ..Policy::default() }).await;
    stage.acquire("a/b", "y").await;
    let mut browser = Browser::logged_in(&stage).await;
    let page = browser.get("/locks/a%2Fb").await.text;
    assert!(page.contains("action=\"/locks/a%2Fb/release\"") && page.contains("Force release of all"));
    let fields = [("csrf", &*csrf(&page)), ("reason", "gone"), ("host", "x")];
    assert_eq!(
        browser.post("/locks/a%2Fb/release", &fields).await.header("location"),
        "/locks/a%2Fb?done=release"
    );
    let held = async || {
        let told = stage.ask("a/b", Requester::Server, disco_dlm::rules::Operation::Show).await;
        told.after.unwrap().holders.iter().map(|holder| holder.host.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(held().await, ["y"]);
    let bad = [("csrf", fields[0].1), ("reason", "gone"), ("host", "")];
    assert_eq!(browser.post("/locks/a%2Fb/release", &bad).await.status, 404, "no host is not every host");
    assert_eq!(held().await, ["y"]);
}
