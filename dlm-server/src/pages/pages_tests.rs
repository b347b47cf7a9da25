//! What pages show, to whom, and that nothing that strangers say can change what a page is.

use disco_dlm::model::{
    Failure, Holder, Kind, Lock, LockId, Policy, Requester, Seconds, Slots, Ticket, Token,
};
use disco_dlm::rules::Operation;
use maud::Markup;
use proptest::prelude::*;

use super::stage::*;
use super::view;
use super::visit::Visitor;
use crate::access::{HostChange, Permission};
use crate::stage::{Stage, host, name, now};
use crate::stage_store::Meanwhile;
use crate::store::{Logged, Page, Paging, Store};
use crate::wire::native::said::View;

/// Each page, and the permission that it needs.
#[tokio::test]
async fn each_page_is_for_whom_it_is_for() {
    use Permission::{EditDlmlocks, ViewDlmlocks, ViewHosts};
    for (method, path, needed, good) in [
        ("GET", "/locks", ViewDlmlocks, 200),
        ("GET", "/locks/web", ViewDlmlocks, 200),
        ("GET", "/foreman_dlm/dlmlocks/1", ViewDlmlocks, 303),
        ("GET", "/hosts", ViewHosts, 200),
        ("POST", "/locks/web/disable", EditDlmlocks, 303),
        ("POST", "/locks/web/enable", EditDlmlocks, 303),
        ("POST", "/locks/web/thaw", EditDlmlocks, 303),
        ("POST", "/locks/web/release", EditDlmlocks, 303),
    ] {
        let stage = stage_for(&[]).await;
        let mut browser = Browser::logged_in(&stage).await;
        for one in Permission::ALL {
            let others: Vec<Permission> = Permission::ALL.into_iter().filter(|other| *other != one).collect();
            for (permissions, may) in [(vec![one], needed == one), (others, needed != one)] {
                put_user(&stage, &permissions).await;
                let before = stage.acquire("web", "a").await.after;
                let reply = if method == "GET" {
                    browser.get(path).await
                } else {
                    // Any form of the session has its secret: that of the logout, too.
                    let page = browser
                        .get(if permissions.contains(&ViewDlmlocks) { "/locks" } else { "/hosts" })
                        .await;
                    let secret = csrf(&page.text);
                    browser.post(path, &[("csrf", &secret), ("reason", "because")]).await
                };
                let case = format!("{method} {path} with {permissions:?}");
                // Without any page there is no form to take the secret from.
                assert_eq!(
                    reply.status.as_u16(),
                    if may && reply.status != 403 { good } else { 403 },
                    "{case}"
                );
                if may && (method == "GET" || permissions.len() > 1) {
                    assert_eq!(reply.status.as_u16(), good, "{case}");
                }
                if reply.status == 403 {
                    let told = stage.ask("web", Requester::Server, Operation::Show).await;
                    assert_eq!(told.after, before, "{case}: refused, and done");
                }
            }
        }
        let mut nobody = Browser::new(&stage);
        let reply = if method == "GET" {
            nobody.get(path).await
        } else {
            nobody.post(path, &[("csrf", ""), ("reason", "because")]).await
        };
        assert!(reply.header("location").starts_with("/login?next="), "{method} {path}");
    }
}

#[tokio::test]
async fn forms_and_logs_are_for_who_may_see_them() {
    for (permissions, forms, log) in [
        (vec![Permission::ViewDlmlocks], false, false),
        (vec![Permission::ViewDlmlocks, Permission::EditDlmlocks], true, false),
        (vec![Permission::ViewDlmlocks, Permission::ViewDlmlockEvents], false, true),
    ] {
        let stage = stage_for(&permissions).await;
        stage.acquire("web", "a").await;
        let mut browser = Browser::logged_in(&stage).await;
        let page = browser.get("/locks/web").await.text;
        assert_eq!(page.contains("action=\"/locks/web/"), forms, "{permissions:?}");
        assert_eq!(page.contains("What happened"), log, "{permissions:?}");
        assert!(!page.contains("href=\"/hosts\""));
    }
}

#[tokio::test]
async fn every_answer_tells_the_browser_to_be_careful() {
    let stage = stage_for(&Permission::ALL).await;
    stage.acquire("web", "a").await;
    let mut browser = Browser::logged_in(&stage).await;
    for path in [
        "/",
        "/locks",
        "/locks/web",
        "/locks/none",
        "/locks/%FF",
        "/hosts",
        "/login",
        "/pages/style.css",
        "/foreman_dlm/dlmlocks",
    ] {
        let reply = browser.get(path).await;
        let policy = reply.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "base-uri 'none'",
            "style-src 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("script-src") && !policy.contains("http"));
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(reply.header("referrer-policy"), "same-origin", "{path}");
        let kept = if path.ends_with(".css") { "max-age=300" } else { "no-store" };
        assert_eq!(reply.header("cache-control"), kept, "{path}");
        for outside in ["http://", "https://", "<script", "style=", "<img"] {
            assert!(
                !reply.text.replace("https://THIS-SERVER/", "").contains(outside),
                "{path} has {outside}"
            );
        }
    }
}

#[tokio::test]
async fn a_list_says_who_holds_what() {
    let stage = stage_for(&Permission::ALL).await;
    let mut browser = Browser::logged_in(&stage).await;
    assert!(browser.get("/locks").await.text.contains("No locks yet"));
    assert!(browser.get("/locks?search=x").await.text.contains("No lock passes this search."));
    stage.acquire("web", "a.example").await;
    stage.acquire("web", "b.example").await;
    stage.acquire("db", "a.example").await;
    stage
        .ask("off", Requester::Server, Operation::Create { kind: Kind::Update, enabled: false, holder: None })
        .await;
    stage.policy("db", Policy { expires_after: Some(Seconds(60)), ..Policy::default() }).await;
    stage.later(5 * 3600);
    let page = browser.get("/locks").await.text;
    for words in ["3 locks.", "a.example", "5 h ago", "2026-11-22 08:00:00 UTC", "stale", "disabled"] {
        assert!(page.contains(words), "{words}");
    }
    let row = |lock: &str| {
        page.split(&format!("<bdi>{lock}</bdi></a>"))
            .nth(1)
            .unwrap()
            .split("</tr>")
            .next()
            .unwrap()
            .to_owned()
    };
    assert!(row("db").contains("nobody") && row("db").contains("free"), "what has ended is not shown");
    assert!(row("web").contains("data-label=\"Waiting\">0"), "a ticket that has ended, too");
    assert!(row("off").contains("disabled"));
    let page = browser.get("/locks?search=enabled+%3D+false").await.text;
    assert!(page.contains("One lock.") && page.contains("value=\"enabled = false\""));
    let reply = browser.get("/locks?search=size+%3D+%3Cb%3E").await;
    assert!(reply.status == 400 && reply.text.contains("role=\"alert\"") && !reply.text.contains("<b>size"));
    assert!(browser.get("/locks?order=name%20DESC").await.text.contains("aria-sort=\"descending\""));
    assert_eq!(browser.get("/locks?order=size").await.status, 400);
    assert_eq!(browser.get("/locks?page=x").await.status, 303);
}

#[tokio::test]
async fn long_lists_have_pages() {
    let stage = stage_for(&Permission::ALL).await;
    for n in 0..45 {
        stage.acquire(&format!("lock-{n:02}"), &format!("h{n}")).await;
    }
    let mut browser = Browser::logged_in(&stage).await;
    for (path, has, has_not) in [
        (
            "/locks",
            vec!["lock-00", "lock-19", "Page 1 of 3", "&amp;page=2\">Next"],
            vec!["lock-20", "Previous"],
        ),
        ("/locks?page=3", vec!["lock-40", "Page 3 of 3", "page=2\">Previous"], vec![">Next", "lock-39<"]),
        ("/locks?page=9", vec!["Page 9 of 3", "page=3\">Previous"], vec![">Next"]),
        ("/locks?search=name+~+lock&page=2", vec!["search=name%20~%20lock&amp;order=&amp;page=3"], vec![]),
    ] {
        let page = browser.get(path).await.text;
        has.iter().for_each(|words| assert!(page.contains(words), "{path}: {words}"));
        has_not.iter().for_each(|words| assert!(!page.contains(words), "{path}: {words}"));
    }
}

#[tokio::test]
async fn hosts_say_when_they_came_and_what_they_hold() {
    let stage = stage_for(&Permission::ALL).await;
    let mut browser = Browser::logged_in(&stage).await;
    assert!(browser.get("/hosts").await.text.contains("disco dlm host add"));
    let change =
        HostChange { groups: Some(["web".to_owned(), "<b>".to_owned()].into()), may_acquire: Some(false) };
    stage.store.put_host(&host("a"), change).await.unwrap();
    stage.store.put_host(&host("b"), HostChange::default()).await.unwrap();
    stage.store.check_in(&host("a")).await.unwrap();
    stage.acquire("x/y", "b").await;
    let page = browser.get("/hosts").await.text;
    for words in [
        "2 hosts.",
        "2026-11-22 08:00:00 UTC",
        "never",
        "href=\"/locks/x%2Fy\"",
        "&lt;b&gt;",
        ">no<",
        ">yes<",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[tokio::test]
async fn foremans_pages_lead_here() {
    let stage = stage_for(&Permission::ALL).await;
    stage.acquire("a b", "x").await;
    stage.acquire("77", "x").await;
    let mut browser = Browser::logged_in(&stage).await;
    for (path, to) in [
        ("/", "/locks"),
        ("/foreman_dlm/dlmlocks", "/locks"),
        ("/foreman_dlm/dlmlocks/auto_complete_search", "/locks"),
        ("/foreman_dlm/dlmlocks/1", "/locks/a%20b"),
        ("/foreman_dlm/dlmlocks/a%20b", "/locks/a%20b"),
        ("/foreman_dlm/dlmlocks/77", "/locks/77"),
    ] {
        let reply = browser.get(path).await;
        assert_eq!((reply.status.as_u16(), reply.header("location")), (303, to), "{path}");
    }
    assert_eq!(browser.get("/foreman_dlm/dlmlocks/none").await.status, 404);
    assert_eq!(browser.post("/locks/a%20b/explode", &[("csrf", ""), ("reason", "x")]).await.status, 403);
    assert_eq!(browser.get("/locks/a%20b/disable").await.status, 405);
}

#[tokio::test]
async fn a_store_that_fails_is_said_so() {
    let stage = Stage::between(
        |ask| if ask.requester == Requester::Server { Meanwhile::Fails } else { Meanwhile::Nothing },
        pages,
    );
    stage
        .store
        .put_user(&crate::access::User {
            login: "alice".parse().unwrap(),
            password: None,
            admin: true,
            roles: Default::default(),
            tokens: vec![token("secret")],
        })
        .await
        .unwrap();
    stage.acquire("web", "a").await;
    let mut browser = Browser::logged_in(&stage).await;
    for path in ["/locks", "/locks/web"] {
        let reply = browser.get(path).await;
        assert_eq!(reply.status, 503, "{path}");
        assert!(reply.text.contains("not available") && !reply.text.contains("memory"));
    }
}

/// The page of a lock, and the lists, on which everything that strangers can say is this text.
fn said_by_strangers(text: &str) -> Vec<Markup> {
    let said = |length: usize| -> String {
        let mut said: String = text.chars().filter(|c| !c.is_control()).collect();
        while said.len() > length {
            said.pop();
        }
        if said.trim().is_empty() { String::from("x") } else { said }
    };
    let named = said(255);
    let who = host(&named);
    let mut lock = Lock::new(LockId(1), name(&named), Kind::Update, now());
    lock.policy = Policy { slots: Slots::Number(2), ..Policy::default() };
    lock.policy.calendar.blackouts.push(disco_dlm::model::Blackout {
        from: "2026-11-22".parse().unwrap(),
        to: "2026-11-22".parse().unwrap(),
        reason: text.into(),
    });
    let note = text.to_owned();
    lock.holders =
        vec![Holder { host: who.clone(), since: now(), renewed: now(), token: Token(1), note: note.clone() }];
    lock.tickets = vec![Ticket { host: who.clone(), since: now(), due: now() }];
    lock.failures = vec![Failure { host: who.clone(), at: now(), token: Token(1), note: note.clone() }];
    let view = View { now: now(), group: 1, stale_hours: 4 };
    let login: disco_dlm::model::UserName = named.parse().unwrap();
    let csrf = super::session::Secret::new();
    let visitor = Visitor { login: login.clone(), permissions: Permission::ALL.into(), csrf };
    let event = |requester| Logged {
        id: 1,
        lock: lock.name.clone(),
        event: disco_dlm::model::Event {
            lock: lock.id,
            kind: disco_dlm::model::EventKind::Force,
            host: Some(who.clone()),
            requester,
            detail: note.clone(),
            at: now(),
        },
    };
    let events =
        Page { items: vec![event(Requester::Host(who.clone())), event(Requester::User(login))], total: 2 };
    let paging = Paging { page: 1, per_page: Some(1) };
    let page =
        |said| view::lock::Page { visitor: &visitor, lock: &lock, view, said, events: Some(&events), paging };
    let list = view::locks::List { visitor: &visitor, search: text, order: "name", paging };
    let known = crate::access::Host {
        id: crate::access::HostId(1),
        name: who.clone(),
        groups: [note.clone()].into(),
        may_acquire: true,
        enrolled: now(),
        last_checkin: None,
    };
    let holds = [(who.clone(), vec![lock.name.clone()])].into();
    let secret = super::session::Secret::new().unwrap();
    vec![
        view::lock::page(&page(view::lock::done(text))),
        view::locks::list(&list, crate::search::Order::default(), &[(lock.clone(), view)], 30),
        view::locks::not_understood(&list, text),
        view::hosts::list(&visitor, &Page { items: vec![known], total: 1 }, &holds, paging),
        view::login::form(&secret, text, "no"),
        view::layout::trouble(text),
    ]
}

fn skeletons(text: &str) -> Vec<Vec<String>> {
    said_by_strangers(text).into_iter().map(|page| skeleton(&page.into_string())).collect()
}

#[test]
fn strangers_words_are_words() {
    let plain = skeletons("plain");
    assert!(plain.iter().all(|tags| tags.len() > 10));
    for text in [
        "<script>alert(1)</script>",
        "\"><script>alert(1)</script>",
        "' onmouseover='alert(1)",
        "\" autofocus onfocus=\"alert(1)",
        "</title></textarea></style><img src=x onerror=alert(1)>",
        "javascript:alert(1)",
        "&lt;b&gt;&#60;i&#62;",
        "<!-- -->]]>",
        "{{7*7}} ${7*7}",
        "\u{202e}gnp.exe \u{2066}",
        "../../../etc/passwd?x=1&y=2#z",
    ] {
        assert_eq!(skeletons(text), plain, "{text}");
        for page in said_by_strangers(text) {
            let page = page.into_string();
            assert!(!page.contains("href=\"javascript:"), "{text}");
            // What a form sends back has to be exact; what people read must not be turned around.
            let read: String =
                page.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text).collect();
            assert!(!read.contains('\u{202e}'), "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_that_strangers_say_changes_what_a_page_is(text in "([<>\"'&=/ a-z]|\\PC|\\n){1,60}") {
        prop_assert_eq!(skeletons(&text), skeletons("plain"));
    }
}
