//! One row for each row of the page on puppet-twitch's wire, asked of a real listener; docs/agent-api.md has the table.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::stage::{Stage, raw};
use crate::runs::{Ask, State};

const TAKEN: &str = "202 Triggered puppet run\n";
const BUSY: &str = "409 Puppet already running\n";
const UNEXPECTED: &str = "500 Unexpected error\n";
const FAILED: &str = "500 Error running puppet\n";

#[test]
fn every_row_of_the_wire() {
    let stage = Stage::new();
    let unknown = |path: &str| format!("400 Unrecognised endpoint: {path}\n");
    let fresh = || stage.helper.end(State::Done { exit: 0 });
    let rows: &[(&str, &str, String)] = &[
        // Asynchronous, unless the value is exactly `false`; all four verbs.
        ("GET", "/puppet/twitch", TAKEN.into()),
        ("POST", "/puppet/twitch", TAKEN.into()),
        ("PUT", "/puppet/twitch", TAKEN.into()),
        ("DELETE", "/puppet/twitch", TAKEN.into()),
        ("GET", "/disco/twitch", TAKEN.into()),
        ("POST", "/disco/twitch", TAKEN.into()),
        ("GET", "/puppet/twitch?", TAKEN.into()),
        ("GET", "/puppet/twitch?async", TAKEN.into()),
        ("GET", "/puppet/twitch?async=true", TAKEN.into()),
        ("GET", "/puppet/twitch?async=False", TAKEN.into()),
        ("GET", "/puppet/twitch?async=0", TAKEN.into()),
        ("GET", "/puppet/twitch?async=f%61lse", TAKEN.into()),
        ("GET", "/puppet/twitch?other=x", TAKEN.into()),
        ("GET", "/puppet/twitch?x&", TAKEN.into()),
        ("GET", "/version", format!("200 {}\n", env!("CARGO_PKG_VERSION"))),
        ("POST", "/version?x=y", format!("200 {}\n", env!("CARGO_PKG_VERSION"))),
        ("GET", "/info", "200 Puppet Twitch - A simple endpoint for triggering puppet\n".into()),
        // Other paths, with what they are; a slash at the end is another path.
        ("GET", "/", unknown("/")),
        ("GET", "/x", unknown("/x")),
        ("GET", "/puppet", unknown("/puppet")),
        ("GET", "/puppet/twitch/", unknown("/puppet/twitch/")),
        ("GET", "//puppet/twitch", unknown("//puppet/twitch")),
        ("GET", "/puppet//twitch", unknown("/puppet//twitch")),
        ("GET", "/PUPPET/twitch", unknown("/PUPPET/twitch")),
        ("GET", "/healthz", unknown("/healthz")),
        ("GET", "/v1/runs", unknown("/v1/runs")),
        ("GET", "/a_b-C/9", unknown("/a_b-C/9")),
        // Parameters that are none, whatever the path.
        ("GET", "/puppet/twitch?a=b=c", UNEXPECTED.into()),
        ("GET", "/puppet/twitch?a=", UNEXPECTED.into()),
        ("GET", "/puppet/twitch?=", UNEXPECTED.into()),
        ("GET", "/puppet/twitch?a&&b", UNEXPECTED.into()),
        ("GET", "/puppet/twitch?&a", UNEXPECTED.into()),
        ("GET", "/info?a=", UNEXPECTED.into()),
        ("GET", "/x?a=", UNEXPECTED.into()),
        // Other verbs, dots and other characters in the path.
        ("HEAD", "/puppet/twitch", "500 ".into()),
        ("PATCH", "/puppet/twitch", UNEXPECTED.into()),
        ("OPTIONS", "/puppet/twitch", UNEXPECTED.into()),
        ("GET", "/puppet/twitch.json", UNEXPECTED.into()),
        ("GET", "/../puppet/twitch", UNEXPECTED.into()),
        ("GET", "/puppet%2Ftwitch", UNEXPECTED.into()),
        ("GET", "http://x/puppet/twitch", UNEXPECTED.into()),
    ];
    for (method, path, expected) in rows {
        fresh();
        let before = stage.helper.asks.lock().unwrap().len();
        assert_eq!(stage.twitch(method, path), *expected, "{method} {path}");
        let asked = stage.helper.asks.lock().unwrap().len() - before;
        assert_eq!(asked, usize::from(expected == TAKEN), "{method} {path}");
    }
}

#[test]
fn a_run_is_live_of_everything_and_alone() {
    let stage = Stage::new();
    assert_eq!(stage.twitch("GET", "/puppet/twitch"), TAKEN);
    let by = "twitch 127.0.0.1".to_owned();
    let asked = Ask::Run { noop: false, modules: vec![], by, key: None, alone: true };
    assert_eq!(*stage.helper.asks.lock().unwrap(), [asked]);
    assert_eq!(stage.twitch("GET", "/puppet/twitch"), BUSY);
    assert_eq!(stage.twitch("GET", "/disco/twitch?async=false"), BUSY);
    assert_eq!(stage.twitch("GET", "/info").len(), 60, "the others are answered meanwhile");
}

#[test]
fn who_waits_is_told_how_it_ended() {
    let stage = Stage::new();
    for (state, expected) in [
        (State::Done { exit: 0 }, "200 Puppet run complete\n"),
        // puppet-twitch answers 500 here: it compares the status of wait(2), 512, with the exit code.
        (State::Done { exit: 2 }, "200 Puppet run complete\n"),
        (State::Done { exit: 1 }, FAILED),
        (State::Done { exit: 4 }, FAILED),
        (State::Killed { signal: 9 }, FAILED),
        (State::Aborted { by: "x".to_owned() }, FAILED),
        (State::Lost, FAILED),
    ] {
        let before = stage.helper.asks.lock().unwrap().len();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| stage.twitch("GET", "/puppet/twitch?async=false"));
            stage.helper.wait_for(before + 2);
            assert!(!waiting.is_finished());
            assert_eq!(stage.twitch("GET", "/puppet/twitch"), BUSY);
            stage.helper.end(state.clone());
            assert_eq!(waiting.join().unwrap(), expected, "{state:?}");
        });
    }
}

/// puppet-twitch waits for ever.
#[test]
fn who_waits_too_long_is_told_that_it_has_not_succeeded() {
    let stage = Stage::with("[twitch]\nwait_seconds = 1", |_, _| {});
    let start = Instant::now();
    assert_eq!(stage.twitch("GET", "/puppet/twitch?async=false"), FAILED);
    assert!((Duration::from_millis(900)..Duration::from_secs(8)).contains(&start.elapsed()));
    assert_eq!(stage.twitch("GET", "/puppet/twitch"), BUSY, "the run goes on");
    assert!(stage.log.text().contains("has not ended within 1 s"), "{}", stage.log.text());
}

#[test]
fn what_cannot_be_started_is_one_text() {
    let stage = Stage::new();
    for why in ["disabled", "failed", "malformed"] {
        stage.helper.says(&format!("{{\"answer\":\"refused\",\"why\":\"{why}\",\"message\":\"because\"}}\n"));
        assert_eq!(stage.twitch("GET", "/puppet/twitch"), FAILED);
    }
    assert!(stage.log.text().contains("no run was started: because"));
    stage.lose_helper();
    assert_eq!(stage.twitch("GET", "/puppet/twitch"), FAILED);
}

/// An image and a link of a page say no `Origin`.
#[test]
fn no_page_of_a_browser_starts_a_run() {
    let stage = Stage::new();
    for (header, told) in [
        ("Origin: http://evil.example", "Origin"),
        ("Referer: http://evil.example/page", "Referer"),
        ("Sec-Fetch-Site: cross-site", "Sec-Fetch-"),
        ("sec-fetch-mode: no-cors", "Sec-Fetch-"),
        ("Sec-Fetch-Dest: image", "Sec-Fetch-"),
        ("Sec-Fetch-User: ?1", "Sec-Fetch-"),
        ("User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "User-Agent"),
        ("User-Agent: mozilla/4.0 (compatible; MSIE 6.0)", "User-Agent"),
        ("User-Agent: curl/8.14.1\r\nUser-Agent: Mozilla/5.0", "User-Agent"),
    ] {
        for (method, path) in [("GET", "/puppet/twitch"), ("POST", "/disco/twitch?async=false")] {
            let before = stage.log.text().len();
            let page = stage.send(1, method, path, &format!("{header}\r\n"), "");
            let wanted = (403, "Requests of pages in a browser are not answered\n");
            assert_eq!((page.status, &*page.body), wanted, "{method} {header}");
            let line = stage.log.text()[before..].to_owned();
            assert!(line.contains(&format!("127.0.0.1: taken for a browser by its {told}")), "{line}");
        }
    }
    assert!(stage.helper.asks.lock().unwrap().is_empty());
}

#[test]
fn what_is_no_browser_starts_a_run() {
    let stage = Stage::new();
    for header in [
        "User-Agent: curl/8.14.1\r\nAccept: */*\r\n",
        "User-Agent: Wget/1.25.0\r\nAccept-Encoding: identity\r\n",
        "User-Agent: Ruby\r\n",
        "User-Agent: python-requests/2.32.3\r\n",
        "User-Agent: Not-Mozilla/5.0\r\n",
        "User-Agent: Mozilla\r\n",
        "User-Agent:\r\n",
        "X-Sec-Fetch-Site: none\r\nX-Referer: x\r\n",
        "",
    ] {
        stage.helper.end(State::Done { exit: 0 });
        assert_eq!(stage.send(1, "GET", "/puppet/twitch", header, "").status, 202, "{header:?}");
    }
}

#[test]
fn the_form_of_an_answer() {
    let stage = Stage::new();
    let bytes = raw(stage.address(1), b"GET /info HTTP/1.0\r\n\r\n");
    let text = String::from_utf8(bytes).unwrap().to_lowercase();
    for line in
        ["200 ok\r\n", "content-type: text/plain\r\n", "connection: close\r\n", "content-length: 56\r\n"]
    {
        assert!(text.contains(line), "{line:?} {text:?}");
    }
}

#[test]
fn who_says_nothing_or_too_much_holds_nobody() {
    let stage = Stage::with("[limits]\nhead_seconds = 1\nhandshake_seconds = 1\nbody_seconds = 1", |_, _| {});
    let start = Instant::now();
    let mut idle: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(stage.address(1)).unwrap()).collect();
    assert_eq!(stage.twitch("GET", "/puppet/twitch"), TAKEN);
    for tcp in &mut idle {
        tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut all = vec![];
        // An end, whether with a word or without.
        let _ = tcp.read_to_end(&mut all);
    }
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(1 << 20));
    let said = String::from_utf8(raw(stage.address(1), long.as_bytes())).unwrap();
    assert!(said.contains(" 414 ") || said.contains(" 431 "), "{said:.100}");
    let mut half = TcpStream::connect(stage.address(1)).unwrap();
    half.write_all(b"POST /puppet/twitch HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx").unwrap();
    half.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut said = vec![];
    let _ = half.read_to_end(&mut said);
    assert!(String::from_utf8_lossy(&said).contains(" 408 "));
}
