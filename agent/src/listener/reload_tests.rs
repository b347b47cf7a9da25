//! A listener that reads its configuration anew: what changes at once, what waits for a restart, and what a bad one changes.
#![allow(clippy::disallowed_methods, reason = "tests write settings and certificates")]

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use disco_listen::{LogLevel, TlsFiles};

use super::config::{Auth, Config};
use super::keys::Keys;
use super::stage::{Stage, raw, said};
use crate::runs::State;

/// Has the listener read that anew.
fn reload(stage: &mut Stage, change: impl FnOnce(&mut Config)) {
    let agent = stage.agent.as_mut().unwrap();
    let mut config = agent.parts.config.clone();
    change(&mut config);
    let _inside = stage.runtime.enter();
    agent.reload(Ok(config));
}

fn status(stage: &Stage, headers: &str) -> u16 {
    stage.send(0, "GET", "/v1/status", headers, "").status
}

fn bearer(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\n")
}

#[test]
fn who_may_ask_changes_at_once_and_who_has_guessed_stays_known() {
    let mut stage = Stage::new();
    let key = bearer(&stage.key);
    assert_eq!((status(&stage, &key), status(&stage, "")), (200, 401));
    reload(&mut stage, |config| config.auth = Auth::AnyoneHere);
    assert_eq!((status(&stage, ""), stage.ask("GET", "/v1/runs", "").status), (200, 200));
    reload(&mut stage, |config| config.auth = Auth::Needed(Default::default()));
    assert_eq!((status(&stage, &key), status(&stage, "")), (200, 401));

    let (mut keys, other) = (Keys::default(), stage.dir.path().join("others"));
    let new = keys.add("new".parse().unwrap(), disco_listen::clock::now(), None).unwrap();
    std::fs::write(&other, keys.text()).unwrap();
    reload(&mut stage, |config| config.keys = other);
    assert_eq!((status(&stage, &bearer(&new)), status(&stage, &key)), (200, 401));

    let guesses = (0..40).map(|_| status(&stage, &key)).collect::<Vec<u16>>();
    assert_eq!(guesses.last(), Some(&429));
    reload(&mut stage, |config| config.log = LogLevel::Debug);
    assert_eq!(status(&stage, &bearer(&new)), 429, "a reload is no way to guess on");
}

#[test]
fn rates_bounds_and_the_log_change_at_once() {
    let mut stage = Stage::new();
    let key = bearer(&stage.key);
    reload(&mut stage, |config| config.log = LogLevel::Error);
    let before = stage.log.text();
    status(&stage, &key);
    assert_eq!(stage.log.text(), before, "no line a request any more");

    reload(&mut stage, |config| {
        config.rate.client_burst = NonZeroU32::MIN;
        config.rate.client_per_second = NonZeroU32::MIN;
        config.listen.limits.head = Duration::from_secs(1);
        config.log = LogLevel::Info;
    });
    let statuses = [status(&stage, &key), status(&stage, &key)];
    assert_eq!(statuses, [200, 429]);
    let began = Instant::now();
    let mut silent = TcpStream::connect(stage.address(0)).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
    let ended = silent.read_to_end(&mut vec![]);
    assert!(ended.is_ok() && began.elapsed() < Duration::from_secs(5), "{ended:?} {:?}", began.elapsed());
}

#[test]
fn how_long_twitch_waits_changes_and_a_socket_that_would_have_to_be_opened_is_told() {
    let mut stage = Stage::new();
    reload(&mut stage, |config| {
        config.twitch.wait_seconds = 1;
        config.twitch.port = 1;
        config.listen.addresses = vec![SocketAddr::from(([127, 0, 0, 1], 1))];
    });
    let text = stage.log.text();
    for key in ["listen", "twitch.bind or twitch.port"] {
        assert!(text.contains(&format!("{key}: what has changed there needs a restart")), "{text}");
    }
    let began = Instant::now();
    assert_eq!(stage.twitch("GET", "/puppet/twitch?async=false"), "500 Error running puppet\n");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    reload(&mut stage, |config| config.twitch.enabled = false);
    assert!(stage.log.text().contains("twitch.enabled: what has changed there needs a restart"));
    assert_eq!(stage.twitch("GET", "/version").split(' ').next(), Some("200"), "it is listened on as before");
}

#[test]
fn who_waits_is_answered_however_long_that_takes() {
    const GRACE: Duration = Duration::from_millis(100);
    let mut stage = Stage::with("", |_, config| config.listen.limits.grace = GRACE);
    let key = bearer(&stage.key);
    stage.helper.log.lock().unwrap().extend_from_slice(b"printed\n");
    let first = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    let json = format!("{key}Content-Type: application/json\r\nContent-Length: 11\r\n");
    // After each of them the helper has been asked so often.
    let waiting: Vec<_> = [
        (1, "GET /puppet/twitch?async=false".to_owned(), "", "", 2),
        (0, "POST /v1/runs".to_owned(), &*json, "{\"wait\":60}", 4),
        (0, format!("GET /v1/runs/{first}?wait=60"), &*key, "", 5),
        (0, format!("GET /v1/runs/{first}/log"), &*key, "", 6),
    ]
    .into_iter()
    .map(|(number, line, headers, body, asked)| {
        let text = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{body}");
        let address = stage.address(number);
        let waits = std::thread::spawn(move || said(&raw(address, text.as_bytes())));
        stage.helper.wait_for(asked);
        (line, waits)
    })
    .collect();
    stage.helper.wait_until_followed_by(1);
    for auth in [Auth::AnyoneHere, Auth::Needed(Default::default())] {
        reload(&mut stage, |config| config.auth = auth);
    }
    let over = Instant::now() + 6 * GRACE;
    while Instant::now() < over {
        for (line, waits) in &waiting {
            assert!(!waits.is_finished(), "{line} is cut off");
        }
        std::thread::sleep(GRACE / 10);
    }
    stage.helper.end(State::Done { exit: 0 });
    for ((line, waits), body) in
        waiting.into_iter().zip(["Puppet run complete\n", "\"done\"", "\"done\"", "printed\n"])
    {
        let said = waits.join().unwrap();
        assert!(said.status == 200 && said.body.contains(body), "{line}: {said:?}");
    }
}

#[test]
fn a_proxys_settings_change_go_and_come() {
    // A port that nobody has: another test may take it only in the moment until it is listened on.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let base = format!(":http_port: {port}\n:bind_host: 127.0.0.1\n");
    let set = |folder: &Path, text: &str| std::fs::write(folder.join("proxy/settings.yml"), text).unwrap();
    let mut stage = Stage::with("", |dir, _| {
        std::fs::create_dir_all(dir.join("proxy/settings.d")).unwrap();
        set(dir, &base);
    });
    let folder = stage.dir.path().to_owned();
    let at = |stage: &Stage, number: usize, path: &str| stage.send(number, "GET", path, "", "").status;
    let board = |stage: &Stage| {
        let proxy = stage.agent.as_ref().unwrap().parts.proxy.as_ref().unwrap();
        Arc::as_ptr(&proxy.board)
    };
    assert_eq!((at(&stage, 0, "/features"), at(&stage, 2, "/features")), (200, 200));
    // What is known of features is not forgotten by a reload that changes nothing of the proxy, or a feature alone.
    let first = board(&stage);
    let dance = |stage: &Stage| stage.send(2, "GET", "/v2/features", "", "").json()["dance"]["state"].clone();
    assert_eq!(dance(&stage), "disabled");
    std::fs::write(folder.join("proxy/settings.d/dance.yml"), ":enabled: true\n").unwrap();
    reload(&mut stage, |_| {});
    assert_eq!(board(&stage), first);
    assert_ne!(dance(&stage), "disabled");

    assert_eq!(at(&stage, 2, "/v2/features"), 200);
    set(&folder, &format!("{base}:trusted_hosts: [foreman.example.com]\n:forward_verify: false\n"));
    reload(&mut stage, |_| {});
    assert_ne!(board(&stage), first);
    assert_eq!((at(&stage, 0, "/v2/features"), at(&stage, 2, "/v2/features")), (403, 403));
    assert!(!stage.log.text().contains("needs a restart"), "{}", stage.log.text());

    set(&folder, ":http_port: 1\n");
    reload(&mut stage, |_| {});
    let told = "of the proxy's settings.yml: what has changed there needs a restart";
    assert!(stage.log.text().contains(told), "{}", stage.log.text());
    assert_eq!((at(&stage, 0, "/v2/features"), at(&stage, 2, "/v2/features")), (200, 200));
    set(&folder, "no: [yaml");
    reload(&mut stage, |config| config.auth = Auth::AnyoneHere);
    let text = stage.log.text();
    assert!(
        text.contains("the configuration stays as it was: the proxy's settings cannot be used"),
        "{text}"
    );
    assert_eq!((at(&stage, 0, "/features"), status(&stage, "")), (200, 401), "nothing of it has changed");
    std::fs::remove_file(folder.join("proxy/settings.yml")).unwrap();
    reload(&mut stage, |_| {});
    for number in [0, 2] {
        assert_eq!((at(&stage, number, "/features"), at(&stage, number, "/version")), (404, 200), "{number}");
    }
}

#[test]
fn what_cannot_be_gone_on_with_changes_nothing() {
    let mut stage = Stage::new();
    let nowhere = stage.dir.path().join("nowhere");
    let tls = TlsFiles { cert: nowhere.clone(), key: nowhere, client_ca: None, crl: None };
    reload(&mut stage, |config| {
        config.auth = Auth::AnyoneHere;
        config.listen.tls = Some(tls);
    });
    assert!(stage.log.text().contains("the configuration stays as it was: TLS cannot be set up: "));
    assert_eq!(status(&stage, ""), 401);
    {
        let _inside = stage.runtime.enter();
        stage.agent.as_mut().unwrap().reload(Err("line 7: what is that".to_owned()));
    }
    assert!(stage.log.text().contains("error: the configuration stays as it was: line 7: what is that"));
    assert_eq!(stage.ask("GET", "/v1/status", "").status, 200);
}
