//! What clients may take: heads, bodies, time, connections. Each bound is met by a real client that goes beyond it.

use std::io::Write;
use std::time::{Duration, Instant};

use super::stage::{Client, Stage, rest, said};

fn put(body: &str, headers: &str) -> String {
    format!(
        "PUT /api/dlmlocks/test/lock HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n{body}"
    )
}

/// All statuses in what came back.
fn statuses(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.match_indices("HTTP/1.").map(|(at, _)| text[at + 9..].chars().take(3).collect()).collect()
}

#[test]
fn heads_and_bodies_that_are_too_long() {
    let stage = Stage::new();
    let web1 = stage.host("web1");
    let long = |bytes: usize| format!("X: {}\r\n", "x".repeat(bytes));
    let of = |text: &str| statuses(&web1.raw(text.as_bytes()).unwrap()).join(" ");
    assert_eq!(of(&put("", &format!("{}Connection: close\r\n", long(14_000)))), "200");
    assert_eq!(of(&put("", &long(20_000))), "431");
    let path = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "p".repeat(20_000));
    assert!(["414", "431"].contains(&of(&path).as_str()));
    assert_eq!(of(&put("", &"X: y\r\n".repeat(200))), "431");
    let body = |bytes: usize| format!("{{}}{}", " ".repeat(bytes - 2));
    let close = |length: usize| format!("Content-Length: {length}\r\nConnection: close\r\n");
    assert_eq!(of(&put(&body(65_536), &close(65_536))), "200");
    // Before it is sent, and while it comes.
    assert_eq!(of(&put("", &close(65_537))), "413");
    let chunk = format!("{:x}\r\n{}\r\n", 60_000, "x".repeat(60_000));
    let chunked = put(&format!("{chunk}{chunk}0\r\n\r\n"), "Transfer-Encoding: chunked\r\n");
    assert_eq!(of(&chunked), "413");
    assert!(web1.raw(put("", &close(65_537)).as_bytes()).is_ok_and(|bytes| {
        String::from_utf8_lossy(&bytes)
            .ends_with("\"message\":\"The body has more than 65536 bytes.\",\"hint\":\"\"}}")
    }));
    assert_eq!(web1.get("/api/dlmlocks/test").status, 200, "the next one is answered");
}

#[test]
fn who_is_turned_away_learns_why() {
    let stage = Stage::new();
    let web1 = stage.host("web1");
    let expired = stage.ca.issue(&["web1"], |params| params.not_after = rcgen::date_time_ymd(2002, 1, 1));
    let expired = stage.client(Some(&expired));
    // All of it is sent before anything is read: what the server does not read must not take back what it said.
    let body = "x".repeat(700_000);
    let long = put(&body, &format!("Content-Length: {}\r\n", body.len()));
    let head = put("", &format!("X: {}\r\n", "x".repeat(700_000)));
    for _ in 0..20 {
        assert_eq!(statuses(&web1.raw(long.as_bytes()).unwrap()), ["413"]);
        assert_eq!(statuses(&web1.raw(head.as_bytes()).unwrap()), ["431"]);
        let refused = expired.raw(put("", "").as_bytes()).unwrap_err().to_string();
        assert!(refused.contains("CertificateExpired"), "{refused}");
    }
}

#[test]
fn who_is_slow_is_not_waited_for() {
    let stage = Stage::with(|listen, _, _| {
        listen.limits.head = Duration::from_millis(400);
        listen.limits.body = Duration::from_millis(400);
        listen.limits.handshake = Duration::from_millis(400);
    });
    let web1 = stage.host("web1");
    // A byte of the head now and then.
    let start = Instant::now();
    let mut stream = web1.connect().unwrap();
    let mut ended = false;
    for _ in 0..100 {
        ended = stream.write_all(b"X").and_then(|()| stream.flush()).is_err();
        if ended {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(ended && start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    // A body that does not come.
    let found = web1.raw(put("{", "Content-Length: 100\r\n").as_bytes()).unwrap();
    assert_eq!(said(&found).unwrap().status, 408);
    // A handshake that does not come.
    let start = Instant::now();
    let mut silent = stage.client_of(None, false).connect().unwrap();
    assert!(rest(&mut *silent).unwrap().is_empty());
    assert!(start.elapsed() < Duration::from_secs(4));
    // Nothing after the handshake, and nothing after a request.
    let mut silent = web1.connect().unwrap();
    assert!(rest(&mut *silent).unwrap().is_empty());
    let found = web1.raw(put("", "").as_bytes()).unwrap();
    assert_eq!(statuses(&found), ["200"]);
    assert_eq!(web1.get("/api/dlmlocks/test").status, 200);
}

#[test]
fn no_second_request_is_hidden_in_a_first() {
    let stage = Stage::new();
    let web1 = stage.host("web1");
    let hidden = "DELETE /api/dlmlocks/test/lock HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let chunked = format!("0\r\n\r\n{hidden}");
    let table = [
        // Lengths that differ, that are no lengths, that are said twice in two ways: refused, or nothing behind is read.
        ("Content-Length: 5\r\nContent-Length: 6\r\n", hidden, "400"),
        ("Content-Length: 5, 6\r\n", hidden, "400"),
        ("Content-Length: +5\r\n", hidden, "400"),
        ("Content-Length: -1\r\n", hidden, "400"),
        ("Content-Length: 0x5\r\n", hidden, "400"),
        ("Content-Length: 5 5\r\n", hidden, "400"),
        ("Content-Length: \r\n", hidden, "400"),
        ("Content-Length: 99999999999999999999\r\n", hidden, "400"),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", &chunked, "200"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", &chunked, "200"),
        ("Transfer-Encoding: chunked\r\n", &chunked, "200"),
        ("Transfer-Encoding: gzip\r\n", &chunked, "400"),
        ("Transfer-Encoding: chunked, gzip\r\n", &chunked, "400"),
        ("Transfer-Encoding: xchunked\r\n", &chunked, "400"),
        ("Transfer-Encoding: chunked\r\n", &format!("+0\r\n\r\n{hidden}"), "400"),
        ("Transfer-Encoding: chunked\r\n", &format!("fffffffffffffffff\r\n\r\n{hidden}"), "400"),
        // Heads that others may read otherwise.
        ("Content-Length : 5\r\n", hidden, "400"),
        ("X: y\r\n Content-Length: 5\r\n", hidden, "400"),
        ("\u{0}X: y\r\n", hidden, "400"),
        ("Host: other\r\n", hidden, "400"),
    ];
    for (headers, body, expected) in table {
        web1.json("PUT", "/api/dlmlocks/test/lock", "");
        let found = web1.raw(put(body, headers).as_bytes()).unwrap();
        assert_eq!(statuses(&found), [expected], "{headers:?}: {}", String::from_utf8_lossy(&found));
        let lock = web1.get("/api/dlmlocks/test").body;
        assert!(lock.contains("\"name\":\"web1\""), "{headers:?}: the hidden request was done: {lock}");
    }
    let hostless = web1.raw(b"GET /api/dlmlocks/test HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(statuses(&hostless), ["400"]);
    // Two in a row that are meant are two, and what HTTP/1.0 asks is answered.
    let two = format!("{}{}", put("{}", "Content-Length: 2\r\n"), hidden);
    assert_eq!(statuses(&web1.raw(two.as_bytes()).unwrap()), ["200", "200"]);
    let old = web1.raw(b"GET /api/dlmlocks/test HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(statuses(&old), ["200"]);
    for junk in [
        "\r\n\r\n",
        "GET\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let found = web1.raw(junk.as_bytes()).unwrap_or_default();
        assert!(statuses(&found).iter().all(|status| status.starts_with('4')), "{junk:?}");
    }
    assert_eq!(web1.get("/api/dlmlocks/test").status, 200);
}

#[test]
fn a_thousand_idle_connections_do_not_stop_service() {
    let stage = Stage::with(|listen, _, _| {
        listen.limits.connections = 700;
        listen.limits.connections_per_address = 600;
    });
    let web1 = stage.host("web1");
    let plain = stage.client_of(None, false);
    // Half of them shook hands, half say nothing at all.
    let mut idle = vec![];
    for n in 0..1000 {
        let client: &Client = if n % 20 == 0 { &web1 } else { &plain };
        idle.push(client.connect().unwrap());
    }
    let start = Instant::now();
    assert_eq!(web1.json("PUT", "/api/dlmlocks/test/lock", "").status, 200);
    assert_eq!(web1.json("DELETE", "/api/dlmlocks/test/lock", "").status, 200);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let connected = stage.running.as_ref().unwrap().connected();
    assert!((500..=600).contains(&connected), "{connected}");
    // The last ones are still there; the first had to make room.
    assert_eq!(statuses(&rest_of(idle.remove(980))), ["404"]);
    assert!(statuses(&rest_of(idle.remove(0))).is_empty());
}

/// What somebody who was idle is answered.
fn rest_of(mut stream: Box<dyn super::stage::Stream>) -> Vec<u8> {
    let asked = b"GET /api/dlmlocks/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    match stream.write_all(asked).and_then(|()| stream.flush()) {
        Ok(()) => rest(&mut *stream).unwrap_or_default(),
        Err(_) => vec![],
    }
}

#[test]
fn who_is_being_answered_when_the_server_ends_is_answered() {
    let mut stage = Stage::new();
    let (web1, running) = (stage.host("web1"), stage.running.take().unwrap());
    let slow = {
        let web1 = web1.clone();
        std::thread::spawn(move || web1.get("/slow"))
    };
    let mut idle = web1.connect().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    stage.runtime.block_on(running.stop());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(slow.join().unwrap().line(), "200 slow");
    assert!(rest(&mut *idle).unwrap_or_default().is_empty());
    assert!(web1.connect().is_err(), "nobody new");
}

#[test]
fn the_end_does_not_wait_for_ever() {
    let mut stage = Stage::with(|listen, _, _| {
        listen.limits.grace = Duration::from_millis(200);
        listen.limits.body = Duration::from_secs(60);
    });
    let (web1, running) = (stage.host("web1"), stage.running.take().unwrap());
    let mut stream = web1.connect().unwrap();
    stream.write_all(put("{", "Content-Length: 100\r\n").as_bytes()).unwrap();
    stream.flush().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    stage.runtime.block_on(running.stop());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn a_line_of_the_log_for_each_request_and_no_secret_in_it() {
    let stage = Stage::new();
    stage.host("web1").json("PUT", "/api/dlmlocks/test/lock", "");
    stage.user("admin", "admin").get("/api/dlmlocks?search=host%3Dsecret-query");
    stage.client(None).get("/api/%0A/forged");
    let text = stage.log.text();
    let line = |of: &str| text.lines().find(|line| line.contains(of)).unwrap_or_default();
    assert!(
        line("\"PUT ").contains(" info: 127.0.0.1:")
            && line("\"PUT ").contains(" web1 \"PUT /api/dlmlocks/test/lock\" 200 ")
    );
    assert!(line("\"GET /api/dlmlocks\" 200").contains(" user admin "), "{text}");
    assert!(!text.contains("secret-query") && !text.contains(&super::stage::basic("admin", "admin")));
    assert!(line("forged").contains("\"GET /api/%0A/forged\" 404"));
}

#[test]
fn http2_is_spoken_where_it_is_asked_for() {
    let stage = Stage::new();
    let web1 = stage.host("web1");
    let status = stage.runtime.block_on(web1.over_http2("/api/dlmlocks//none/lock"));
    assert_eq!(status, "404 {\"error\":{\"message\":\"Resource dlmlock not found by id 'none'\"}}");
}
