//! Logins: right ones, wrong ones, too many; and proxies that say who a client is.

use std::time::{Duration, Instant};

use disco_dlm::model::UserName;

use crate::listen::TrustedProxies;
use crate::serve::stage::{Stage, basic};
use crate::store::Store;

const TOO_MANY: &str = "401 {\"error\":{\"message\":\"Too many tries, please try again in a few minutes.\"}}";

fn wrong(login: &str) -> String {
    format!("401 {{\"error\":{{\"message\":\"Unable to authenticate user {login}\"}}}}")
}

#[test]
fn passwords_and_tokens() {
    let stage = Stage::new();
    let status = |login: &str, password: &str| stage.user(login, password).get("/api/dlmlocks").status;
    let table = [
        (200, "viewer", "viewer"),
        (401, "viewer", "Viewer"),
        (401, "viewer", ""),
        (401, "Viewer", "viewer"),
        (401, "nobody-at-all", "x"),
        (200, "robot", "secret-token"),
        (401, "robot", "old-token"),
        (401, "robot", "robot"),
        (401, "robot", ""),
        (401, "viewer", "secret-token"),
        (401, "", ""),
    ];
    for (expected, login, password) in table {
        assert_eq!(status(login, password), expected, "{login}:{password}");
    }
    let mut client = stage.client(None);
    for header in ["Basic", "Basic !", "Basic dmlld2Vy", "Bearer secret-token", "Basic //8=", "x"] {
        client.authorization = Some(header.to_owned());
        assert_eq!(client.get("/api/dlmlocks").line(), wrong(""), "{header}");
    }
    client.authorization = Some(basic("viewer", "viewer").replace("Basic", "bAsIc"));
    assert_eq!(client.get("/api/dlmlocks").status, 200);
}

#[test]
fn a_password_that_is_changed_is_another_at_once() {
    let stage = Stage::new();
    let status = || stage.user("viewer", "viewer").get("/api/dlmlocks").status;
    assert_eq!((status(), status()), (200, 200), "the second time it is remembered");
    let name = UserName::new("viewer").unwrap();
    let mut user = stage.runtime.block_on(stage.store.user(&name)).unwrap().unwrap();
    user.password = Some(super::password::hash("another").unwrap());
    stage.runtime.block_on(stage.store.put_user(&user)).unwrap();
    assert_eq!(status(), 401);
    assert_eq!(stage.user("viewer", "another").get("/api/dlmlocks").status, 200);
    stage.runtime.block_on(stage.store.remove_user(&name)).unwrap();
    assert_eq!(stage.user("viewer", "another").get("/api/dlmlocks").status, 401);
}

#[test]
fn guessing_is_ended_after_thirty_and_hosts_go_on() {
    let stage = Stage::new();
    for n in 0..30 {
        let said = stage.user("viewer", &format!("guess {n}")).get("/api/dlmlocks");
        assert_eq!(said.line(), wrong("viewer"), "{n}");
    }
    for (login, password) in [("viewer", "guess"), ("viewer", "viewer"), ("robot", "secret-token")] {
        assert_eq!(stage.user(login, password).get("/api/dlmlocks").line(), TOO_MANY);
    }
    assert_eq!(stage.client(None).get("/api/dlmlocks").line(), wrong(""), "who says nothing guesses nothing");
    assert_eq!(stage.host("web1").json("PUT", "/api/dlmlocks/test/lock", "").status, 200);
    let text = stage.log.text();
    assert!(text.contains("127.0.0.1: too many wrong logins; \"viewer\" is not looked at"));
    assert!(!text.contains("guess 7"), "no password is logged");
}

#[test]
fn many_guesses_at_once_are_no_more_than_in_a_row() {
    let stage = Stage::new();
    let all: Vec<_> = (0..60)
        .map(|n| {
            let client = stage.user("viewer", &format!("guess {n}"));
            std::thread::spawn(move || client.get("/api/dlmlocks").line())
        })
        .collect();
    let said: Vec<String> = all.into_iter().map(|one| one.join().unwrap()).collect();
    let looked_at = said.iter().filter(|line| **line == wrong("viewer")).count();
    // Those that were being verified while the thirtieth was: one fewer than there are turns.
    let turns = crate::listen::ListenConfig::default().verifications;
    assert!((30..30 + turns).contains(&looked_at), "{looked_at}");
    assert!(said.iter().all(|line| *line == wrong("viewer") || line == TOO_MANY), "{said:?}");
}

#[test]
fn a_login_that_there_is_not_takes_as_long_as_a_wrong_one() {
    let stage = Stage::new();
    let name = UserName::new("viewer").unwrap();
    let mut user = stage.runtime.block_on(stage.store.user(&name)).unwrap().unwrap();
    user.password = Some(super::password::hash("viewer").unwrap());
    stage.runtime.block_on(stage.store.put_user(&user)).unwrap();
    let time = |login: &str| {
        let times = (0..5).map(|n| {
            let start = Instant::now();
            stage.user(login, &format!("wrong {n}")).get("/api/dlmlocks");
            start.elapsed()
        });
        times.min().unwrap()
    };
    let (there, not_there) = (time("viewer"), time("ghost"));
    assert!(not_there > there / 3 && there > not_there / 3, "{there:?} {not_there:?}");
    assert!(not_there > Duration::from_millis(5), "{not_there:?}");
}

fn behind(proxy: &str, verify: Option<&str>) -> Stage {
    let proxies = TrustedProxies {
        addresses: vec![proxy.parse().unwrap()],
        name_header: String::from("X-Client-Name"),
        verify_header: verify.map(str::to_owned),
    };
    Stage::with(move |listen, _, _| {
        listen.tls = None;
        listen.trusted_proxies = Some(proxies);
    })
}

#[test]
fn a_trusted_proxy_says_who_a_client_is_and_nobody_else_does() {
    let stage = behind("127.0.0.1", Some("X-Client-Verify"));
    let client = stage.client_of(None, false);
    let status = |headers: &str| client.send("GET", "/api/dlmlocks/none/lock", headers, "").unwrap().status;
    let table = [
        (404, "X-Client-Name: web1\r\nX-Client-Verify: SUCCESS\r\n"),
        (404, "X-Client-Name: CN=WEB1,O=Example\r\nX-Client-Verify: SUCCESS\r\n"),
        (401, "X-Client-Name: web1\r\nX-Client-Verify: NONE\r\n"),
        (401, "X-Client-Name: web1\r\nX-Client-Verify: GENEROUS\r\n"),
        (401, "X-Client-Name: web1\r\nX-Client-Verify: success\r\n"),
        (401, "X-Client-Name: web1\r\nX-Client-Verify: FAILED:expired\r\n"),
        (401, "X-Client-Name: web1\r\n"),
        (401, "X-Client-Verify: SUCCESS\r\n"),
        (401, "X-Client-Name: stranger\r\nX-Client-Verify: SUCCESS\r\n"),
        // Said twice: one of them may be the client's own.
        (401, "X-Client-Name: web1\r\nX-Client-Name: web1\r\nX-Client-Verify: SUCCESS\r\n"),
        (401, "X-Client-Name: web1\r\nX-Client-Verify: SUCCESS\r\nX-Client-Verify: NONE\r\n"),
        (401, "X-Client-Name: /O=x/CN=web1\r\nX-Client-Verify: SUCCESS\r\n"),
        (401, "X-Client-Name:\r\nX-Client-Verify: SUCCESS\r\n"),
        (401, ""),
    ];
    for (expected, headers) in table {
        assert_eq!(status(headers), expected, "{headers:?}");
    }
    let stage = behind("127.0.0.2", None);
    let client = stage.client_of(None, false);
    let said = client.send("GET", "/api/dlmlocks/none/lock", "X-Client-Name: web1\r\n", "").unwrap();
    assert_eq!(said.status, 401, "from everybody else it means nothing");
}

#[test]
fn guessing_through_a_proxy_is_counted_by_whom_the_proxy_sees() {
    let stage = behind("127.0.0.1", None);
    let guess = |client: &str, password: &str| {
        let mut guesser = stage.client_of(None, false);
        guesser.authorization = Some(basic("viewer", password));
        // The first address is what the client says; the last is the proxy's.
        let header = format!("X-Forwarded-For: 198.51.100.{}, {client}\r\n", password.len());
        guesser.send("GET", "/api/dlmlocks", &header, "").unwrap().line()
    };
    for n in 0..30 {
        assert_eq!(guess("192.0.2.1", &"x".repeat(n)), wrong("viewer"));
    }
    assert_eq!(guess("192.0.2.1", "viewer"), TOO_MANY);
    assert!(guess("192.0.2.2", "viewer").starts_with("200"));
}

proptest::proptest! {
    #[test]
    fn any_login_is_read_as_it_was_said_and_no_header_panics(
        login in "[^:\\x00-\\x1f]{0,20}",
        password in "\\PC{0,20}",
        junk in "[ -~]{0,40}",
    ) {
        let headers = |value: &str| {
            let mut headers = axum::http::HeaderMap::new();
            headers.insert("authorization", value.parse().unwrap());
            headers.insert("x-forwarded-for", value.parse().unwrap());
            headers
        };
        let said = super::login(&headers(&basic(&login, &password)));
        proptest::prop_assert_eq!(said, super::Said::Login(login, password));
        let junk = headers(&junk);
        let _ = (super::login(&junk), super::forwarded(&junk));
    }
}
