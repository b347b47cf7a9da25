//! disco's own interface, each statement of docs/agent-api.md asked of a real listener.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::stage::{Stage, said};
use super::standing::Known;
use crate::runs::{Ask, State};

const FIRST: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn a_run_is_asked_for_looked_at_and_aborted() {
    let stage = Stage::new();
    let begun = stage.ask("POST", "/v1/runs", r#"{"noop":true,"modules":["a"],"idempotency_key":"k"}"#);
    let wanted = format!(
        r#"{{"id":"{FIRST}","noop":true,"modules":["a"],"by":["key ci"],"state":"running","asked":1,"began":2,"href":"/v1/runs/{FIRST}"}}"#
    );
    assert_eq!((begun.status, begun.body.trim_end()), (202, &*wanted));
    assert_eq!(begun.header("location"), Some(&*format!("/v1/runs/{FIRST}")));
    assert_eq!(begun.header("content-type"), Some("application/json"));
    let asked = Ask::Run {
        noop: true,
        modules: vec!["a".to_owned()],
        by: "key ci".to_owned(),
        key: Some("k".to_owned()),
        alone: false,
    };
    assert_eq!(*stage.helper.asks.lock().unwrap(), [asked]);
    let found = stage.ask("GET", &format!("/v1/runs/{FIRST}"), "");
    assert_eq!((found.status, found.body.trim_end()), (200, &*wanted));
    let listed = stage.ask("GET", "/v1/runs", "");
    assert_eq!(listed.body.trim_end(), format!("{{\"runs\":[{wanted}]}}"));
    let aborted = stage.ask("POST", &format!("/v1/runs/{FIRST}/abort"), "").json();
    assert_eq!((&aborted["state"], &aborted["success"]), (&"aborted".into(), &false.into()));
    assert_eq!(stage.ask("GET", "/v1/status", "").json()["node"], "web1");
    assert!(stage.log.text().contains(" key ci \"POST /v1/runs\" 202 "), "{}", stage.log.text());
    assert!(!stage.log.text().contains(&stage.key), "no secret in the log");
}

#[test]
fn who_waits_gets_the_end_where_it_comes_in_time() {
    let stage = Stage::new();
    let start = Instant::now();
    let late = stage.ask("POST", "/v1/runs", r#"{"wait":1}"#);
    assert_eq!((late.status, late.json()["state"].as_str()), (202, Some("running")));
    assert!(start.elapsed() >= Duration::from_secs(1));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| stage.ask("POST", "/v1/runs", r#"{"wait":30}"#));
        let looking = scope.spawn(|| stage.ask("GET", &format!("/v1/runs/{FIRST}?wait=30"), ""));
        stage.helper.wait_for(5);
        stage.helper.end(State::Done { exit: 2 });
        let (posted, found) = (waiting.join().unwrap(), looking.join().unwrap());
        assert_eq!((posted.status, found.status), (200, 200));
        for said in [posted.json(), found.json()] {
            assert_eq!(
                (&said["state"], &said["exit"], &said["success"]),
                (&"done".into(), &2.into(), &true.into())
            );
        }
    });
}

/// Whoever gets no id asks again, and for a second run where the first one has begun.
#[test]
fn a_run_that_was_taken_is_told_though_nobody_can_wait_for_its_end() {
    let stage = Stage::new();
    let taken = stage.ask("POST", "/v1/runs", r#"{"noop":true}"#).json();
    let state = {
        let mut state = taken.clone();
        state.as_object_mut().unwrap().remove("href");
        state["answer"] = "run".into();
        format!("{state}\n")
    };
    for (said, why) in [
        (String::new(), "gives no answer"),
        ("{}\n".to_owned(), "an answer to another question"),
        ("{\"answer\":\"runs\",\"runs\":[]}\n".to_owned(), "an answer to another question"),
        ("{\"answer\":\"refused\",\"why\":\"failed\",\"message\":\"because\"}\n".to_owned(), "because"),
    ] {
        let (asked, logged) = (stage.helper.asks.lock().unwrap().len(), stage.log.text().len());
        stage.helper.says(&state);
        stage.helper.says(&said);
        let found = stage.ask("POST", "/v1/runs", r#"{"noop":true,"wait":30}"#);
        assert_eq!(found.status, 202, "{said:?}: {found:?}");
        assert_eq!((found.json(), found.header("location")), (taken.clone(), taken["href"].as_str()));
        let asked = stage.helper.asks.lock().unwrap()[asked..].to_vec();
        assert!(matches!(&asked[..], [Ask::Run { .. }, Ask::Status { wait: 30, .. }]), "{asked:?}");
        let line = stage.log.text()[logged..].to_owned();
        let told = format!("the end of run {FIRST} is not waited for: ");
        assert!(line.lines().any(|line| line.contains(&told) && line.contains(why)), "{why}: {line}");
    }
    // A run that was not taken is as much of an error as before.
    stage.helper.says("");
    assert_eq!(stage.ask("POST", "/v1/runs", r#"{"wait":30}"#).status, 503);
}

#[test]
fn a_log_goes_on_until_its_run_ends_and_holds_nobody() {
    let stage = Stage::new();
    stage.ask("POST", "/v1/runs", "{}");
    stage.helper.log.lock().unwrap().extend_from_slice(b"one\n");
    let ask = |path: &str| {
        let mut tcp = TcpStream::connect(stage.address(0)).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let key = &stage.key;
        let text = format!("GET {path} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n");
        tcp.write_all(text.as_bytes()).unwrap();
        tcp
    };
    // Readers that do not read: as many as there are places for logs but one.
    let huge = vec![b'x'; 2 << 20];
    let mut slow: Vec<TcpStream> = (0..15).map(|_| ask(&format!("/v1/runs/{FIRST}/log"))).collect();
    let mut reader = ask(&format!("/v1/runs/{FIRST}/log?from=2"));
    let mut got = String::new();
    let mut until = |wanted: &str| {
        let mut piece = [0; 4096];
        while !got[got.len().saturating_sub(8192)..].contains(wanted) {
            let read = reader.read(&mut piece).unwrap();
            assert!(read > 0, "{got:?}");
            got.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
    };
    until("e\n");
    stage.helper.log.lock().unwrap().extend_from_slice(b"two\n");
    until("e\ntwo\n");
    stage.helper.log.lock().unwrap().extend_from_slice(&huge);
    assert_eq!(stage.ask("GET", "/v1/status", "").status, 200, "others are answered");
    stage.helper.log.lock().unwrap().extend_from_slice(b"three\n");
    until("three\n");
    stage.helper.end(State::Done { exit: 0 });
    let mut rest = vec![];
    reader.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "it ends with its run");
    assert!(got.contains("content-type: text/plain; charset=utf-8"), "{}", &got[..300]);
    let mut first = vec![];
    slow[0].read_to_end(&mut first).unwrap();
    assert!(first.len() > huge.len(), "who reads late has it all");
}

/// Nothing is printed and no run ends: that they have gone is all that can free their places.
#[test]
fn who_follows_a_silent_log_and_goes_frees_his_place() {
    let stage = Stage::new();
    stage.ask("POST", "/v1/runs", "{}");
    let ask = || {
        let mut tcp = TcpStream::connect(stage.address(0)).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (key, path) = (&stage.key, format!("/v1/runs/{FIRST}/log"));
        let text = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n");
        tcp.write_all(text.as_bytes()).unwrap();
        tcp
    };
    let answered = |tcp: &mut TcpStream| {
        let mut head = [0; 12];
        tcp.read_exact(&mut head).unwrap();
        String::from_utf8_lossy(&head).into_owned()
    };
    let mut all: Vec<TcpStream> = (0..16).map(|_| ask()).collect();
    all.iter_mut().for_each(|tcp| assert_eq!(answered(tcp), "HTTP/1.1 200"));
    assert_eq!(answered(&mut ask()), "HTTP/1.1 503", "sixteen are all places");
    all.truncate(15);
    assert_eq!(answered(&mut ask()), "HTTP/1.1 200", "one has gone");
    drop(all);
    stage.helper.wait_until_followed_by(0);
}

#[test]
fn what_makes_no_sense_is_refused_in_json() {
    let stage = Stage::new();
    let long = format!("{{\"idempotency_key\":\"{}\"}}", "x".repeat(70_000));
    for (status, method, path, body) in [
        (400, "POST", "/v1/runs", r#"{"nope":1}"#),
        (400, "POST", "/v1/runs", "{"),
        (400, "POST", "/v1/runs?noop=true", "{}"),
        (413, "POST", "/v1/runs", &long),
        (405, "DELETE", "/v1/runs", ""),
        (405, "GET", "/v1/runs/x/abort", ""),
        (405, "POST", "/healthz", ""),
        (404, "GET", "/v1/nothing", ""),
        (404, "GET", "/", ""),
        (404, "GET", "/puppet/twitch", ""),
        (404, "GET", "/v1/runs/..%2f..%2fetc", ""),
        (404, "GET", "/v1/runs/%ff", ""),
        (404, "GET", "/v1/runs/%ff/log", ""),
        (404, "POST", "/v1/runs/%ff/abort", ""),
        (400, "GET", "/v1/runs?limit=x", ""),
        (404, "GET", "/v1/runs/gaytemzugu3doobzmfrggzdfmy", ""),
        (404, "GET", "/v1/runs/gaytemzugu3doobzmfrggzdfmy/log", ""),
        (400, "GET", "/v1/runs/gaytemzugu3doobzmfrggzdfmy?wait=x", ""),
        (400, "GET", "/v1/runs/gaytemzugu3doobzmfrggzdfmy?wait=301", ""),
    ] {
        let said = stage.ask(method, path, body);
        assert_eq!(said.status, status, "{method} {path}: {said:?}");
        let error = &said.json()["error"];
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()) && error["hint"].is_string());
        let words = [
            (400, "bad-request"),
            (404, "not-found"),
            (405, "method-not-allowed"),
            (413, "payload-too-large"),
        ];
        assert!(words.contains(&(status, error["code"].as_str().unwrap())), "{method} {path}: {error}");
    }
    let plain = stage.send(0, "POST", "/v1/runs", &format!("Authorization: Bearer {}\r\n", stage.key), "{}");
    assert_eq!(plain.status, 415);
    assert!(stage.helper.asks.lock().unwrap().iter().all(|ask| !matches!(ask, Ask::Run { .. })));
}

#[test]
fn a_helper_that_says_no_or_nothing_is_told() {
    let stage = Stage::new();
    let refused =
        |why: &str| format!("{{\"answer\":\"refused\",\"why\":\"{why}\",\"message\":\"because\"}}\n");
    for (status, said) in [
        (409, refused("busy")),
        (409, refused("disabled")),
        (404, refused("unknown")),
        (409, refused("ended")),
        (400, refused("malformed")),
        (422, refused("differs")),
        (429, refused("too-many-keys")),
        (500, refused("failed")),
        (503, String::new()),
        (503, "x".repeat(70_000)),
        (502, "{}\n".to_owned()),
        (502, "{\"answer\":\"runs\",\"runs\":[]}\n".to_owned()),
    ] {
        stage.helper.says(&said);
        let found = stage.ask("POST", "/v1/runs", "{}");
        assert_eq!(found.status, status, "{said:.60}: {found:?}");
        assert_eq!(found.header("retry-after").is_some(), status == 503, "{found:?}");
    }
    stage.lose_helper();
    let found = stage.ask("GET", "/v1/status", "");
    assert_eq!(found.status, 503);
    assert!(
        found.json()["error"]["message"].as_str().unwrap().contains("cannot reach the agent's helper at")
    );
    assert_eq!(stage.send(0, "GET", "/healthz", "", "").body, "ok\n", "it is the listener's own health");
}

#[test]
fn whether_runs_can_be_asked_for_is_for_everybody_to_see() {
    let stage = Stage::new();
    let ready = || stage.send(0, "GET", "/readyz", "", "");
    assert_eq!((ready().status, &*ready().body), (200, "ok\n"));
    let seen = &stage.agent.as_ref().unwrap().parts.seen;
    let known = seen.set(Known::Nothing);
    std::thread::scope(|scope| {
        let first = scope.spawn(ready);
        std::thread::sleep(Duration::from_millis(100));
        assert!(!first.is_finished(), "who comes first waits until the helper has answered");
        seen.set(known);
        assert_eq!(first.join().unwrap().status, 200);
    });
    seen.set(Known::Silent("the reason".to_owned()));
    assert_eq!((ready().status, &*ready().body), (503, "the agent's helper does not answer\n"));
}

#[test]
fn a_list_is_as_long_as_it_is_wanted() {
    let stage = Stage::new();
    for _ in 0..3 {
        stage.ask("POST", "/v1/runs", "{}");
    }
    for (path, most) in
        [("/v1/runs", 3), ("/v1/runs?limit=2", 2), ("/v1/runs?limit=0", 0), ("/v1/runs?limit=9", 3)]
    {
        let said = stage.ask("GET", path, "").json();
        assert_eq!(said["runs"].as_array().unwrap().len(), most, "{path}");
    }
}

#[test]
fn metrics_count_by_route_and_not_by_path() {
    let stage = Stage::new();
    stage.ask("POST", "/v1/runs", "{}");
    stage.ask("GET", &format!("/v1/runs/{FIRST}"), "");
    stage.ask("GET", "/nowhere", "");
    let text = stage.ask("GET", "/metrics", "").body;
    for line in [
        "disco_agent_triggers_total 1",
        "disco_agent_requests_total{route=\"/v1/runs/{id}\",code=\"200\"} 1",
        "disco_agent_requests_total{route=\"none\",code=\"404\"} 1",
        "disco_agent_helper_up 1",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains(FIRST) && !text.contains("nowhere"));
}

#[test]
fn heads_are_answered_without_bodies() {
    let stage = Stage::new();
    let text = format!(
        "HEAD /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
        stage.key
    );
    let found = said(&super::stage::raw(stage.address(0), text.as_bytes()));
    assert_eq!((found.status, &*found.body), (200, ""));
    let whole = stage.ask("GET", "/v1/status", "");
    assert_eq!(found.header("content-length"), Some(&*whole.body.len().to_string()));
    stage.ask("GET", "//v1///status", "");
    assert!(stage.log.text().contains("\"GET //v1///status\" 200"), "{}", stage.log.text());
}
