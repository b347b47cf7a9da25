//! The face behind this listener: how the node stands, who may ask, where it is shown.
#![allow(clippy::disallowed_methods, reason = "tests write settings")]

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use super::config::Config;
use super::proxy::{dance, found, lock, noop};
use super::stage::{Said, Stage, StandIn, raw, said};
use crate::face;
use crate::runs::{Found, Standing};

/// Settings of a proxy with plain HTTP on a port, and these features on.
fn settings(dir: &Path, more: &str, features: &[&str]) -> u16 {
    // A port that nobody has: another test may take it only in the moment until it is listened on.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let proxy = dir.join("proxy");
    std::fs::create_dir_all(proxy.join("settings.d")).unwrap();
    let global = format!(":http_port: {port}\n:bind_host: 127.0.0.1\n{more}");
    std::fs::write(proxy.join("settings.yml"), global).unwrap();
    for feature in features {
        std::fs::write(proxy.join(format!("settings.d/{feature}.yml")), ":enabled: true\n").unwrap();
    }
    port
}

fn get(stage: &Stage, path: &str) -> Said {
    stage.send(0, "GET", path, "", "")
}

/// Waits until the features have been asked how they stand.
fn state(stage: &Stage, feature: &str, wanted: &str) -> serde_json::Value {
    let start = Instant::now();
    loop {
        let all = get(stage, "/v2/features").json();
        if all[feature]["state"] == wanted {
            return all;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{feature}: {all}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_node_that_is_no_proxy_says_its_version_alone() {
    let stage = Stage::new();
    let version = get(&stage, "/version");
    let wanted = format!("{{\"version\":\"{}\",\"modules\":{{}}}}", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.status, version.body), (200, wanted));
    for path in ["/features", "/v2/features", "/logs"] {
        assert_eq!(get(&stage, path).status, 404, "{path}");
    }
}

#[test]
fn features_stand_as_the_helper_says() {
    let prepare = |dir: &Path, config: &mut Config| {
        settings(dir, "", &["dance", "noop", "trigger", "lock"]);
        config.url = Some("https://web1.example.com:8453/v1/runs".to_owned());
    };
    let stage = Stage::with("", prepare);
    state(&stage, "dance", "running");
    // No lock server is set.
    state(&stage, "lock", "failed");
    let all = state(&stage, "trigger", "running");
    assert_eq!(all["trigger"]["settings"]["trigger_url"], "https://web1.example.com:8453/v1/runs");
    assert_eq!(all["facts"]["state"], "disabled", "what is off unless it is set stays off");
    let names = get(&stage, "/features").json();
    assert!(names.as_array().unwrap().contains(&"trigger".into()), "{names}");
    // disco's own paths stay its own, and the face is for whom the proxy's settings let in.
    assert_eq!(get(&stage, "/v1/status").status, 401);
    assert_eq!(stage.ask("GET", "/v1/status", "").status, 200);
    assert_eq!(stage.ask("GET", "/nowhere", "").status, 404);
}

#[test]
fn each_feature_has_the_truth_of_its_own() {
    let trouble = |what: &str| Some(what.to_owned());
    let of = |change: fn(&mut Standing)| {
        let mut standing = StandIn::new().standing.into_inner().unwrap();
        standing.lock_url = trouble("https://locks.example.com");
        (standing.lock, standing.facts) = (Found::Works, Found::Works);
        change(&mut standing);
        [dance(&standing), noop(&standing), lock(&standing), found(&standing.facts)]
    };
    let (running, failed) = (face::Standing::Running, |why: &str| face::Standing::Failed(why.to_owned()));
    let well = [running.clone(), running.clone(), running.clone(), running];
    let but = |at: &[(usize, face::Standing)]| {
        let mut all = well.clone();
        at.iter().for_each(|(at, standing)| all[*at] = standing.clone());
        all
    };
    assert_eq!(of(|_| {}), well);
    let why = "a merge was stopped and is not finished: disco recover";
    let unfinished =
        of(|it| it.trouble = Some("a merge was stopped and is not finished: disco recover".to_owned()));
    assert_eq!(unfinished, but(&[(0, failed(why)), (1, failed(why))]));
    let disabled = of(|it| it.disabled = Some("an audit".to_owned()));
    assert_eq!(disabled, but(&[(0, failed("live runs are disabled: an audit"))]));
    let silent = of(|it| it.lock = Found::Fails("cannot reach it".to_owned()));
    assert_eq!(silent, but(&[(2, failed("cannot reach it"))]));
    assert_eq!(of(|it| it.lock = Found::NotLooked), but(&[(2, face::Standing::Starting)]));
    let unset = of(|it| it.lock_url = None);
    assert_eq!(unset, but(&[(2, failed("no lock server is set (disco/dlm/url)"))]));
    let blind = of(|it| it.facts = Found::Fails("facts cannot be collected: x".to_owned()));
    assert_eq!(blind, but(&[(3, failed("facts cannot be collected: x"))]));
}

#[test]
fn settings_that_change_are_read_again_by_themselves() {
    let mut folder = None;
    let stage = Stage::with("", |dir, _| {
        settings(dir, "", &["dance"]);
        folder = Some(dir.join("proxy/settings.d"));
    });
    let folder = folder.unwrap();
    state(&stage, "dance", "running");
    std::fs::write(folder.join("noop.yml"), ":enabled: true\n").unwrap();
    let start = Instant::now();
    loop {
        let all = get(&stage, "/v2/features").json();
        assert_eq!(all["dance"]["state"], "running", "what runs goes on running: {all}");
        if all["noop"]["state"] == "running" {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(12), "{all}");
        // 20 a second of one address are answered.
        std::thread::sleep(Duration::from_millis(80));
    }
    std::fs::remove_file(folder.join("dance.yml")).unwrap();
    state(&stage, "dance", "disabled");
    let told = "the settings of the proxy's features have changed, and are read again";
    assert_eq!(stage.log.text().matches(told).count(), 2, "{}", stage.log.text());
}

#[test]
fn a_helper_that_is_away_fails_the_features_and_stalls_nobody() {
    let prepare = |dir: &Path, config: &mut Config| {
        settings(dir, "", &["dance"]);
        config.helper = dir.join("none");
    };
    let stage = Stage::with("", prepare);
    state(&stage, "dance", "failed");
    state(&stage, "logs", "running");
    let start = Instant::now();
    assert_eq!(get(&stage, "/features").json(), serde_json::json!(["logs"]));
    assert!(start.elapsed() < Duration::from_millis(500));
    let logs = get(&stage, "/logs").json();
    let why = logs["info"]["failed_modules"]["dance"].as_str().unwrap_or_default();
    assert!(why.contains("cannot reach the agent's helper"), "{logs}");
}

#[test]
fn what_runs_is_there_while_its_settings_are_read_again() {
    let stage = Stage::with("", |dir, _| {
        settings(dir, "", &["dance", "trigger"]);
    });
    state(&stage, "dance", "running");
    state(&stage, "trigger", "running");
    let proxy = stage.agent.as_ref().unwrap().parts.proxy.as_deref().unwrap();
    proxy.load();
    let names = get(&stage, "/features").json();
    assert_eq!(names, serde_json::json!(["dance", "logs", "trigger"]), "a Foreman forgets what is not there");
    std::fs::write(stage.dir.path().join("proxy/settings.d/trigger.yml"), "---\n:enabled: false\n").unwrap();
    proxy.load();
    assert_eq!(get(&stage, "/features").json(), serde_json::json!(["dance", "logs"]));
}

#[test]
fn the_ports_of_its_settings_show_the_face_and_nothing_else() {
    let mut port = 0;
    let stage = Stage::with("", |dir, _| port = settings(dir, "", &[]));
    let at = |path: &str| {
        let text = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        said(&raw(([127, 0, 0, 1], port).into(), text.as_bytes()))
    };
    state(&stage, "logs", "running");
    assert_eq!(at("/features").json(), serde_json::json!(["logs"]));
    for path in ["/v1/status", "/healthz", "/metrics", "/x"] {
        let found = at(path);
        assert_eq!((found.status, &*found.body), (404, "Requested url was not found"), "{path}");
        assert_eq!(found.header("x-cascade"), Some("pass"));
    }
}

#[test]
fn trusted_hosts_are_asked_for_by_their_names() {
    let trusted = ":trusted_hosts: [nobody.example.com]\n";
    let stage = Stage::with("", |dir, _| {
        settings(dir, trusted, &[]);
    });
    assert_eq!(get(&stage, "/v2/features").status, 403);
    assert_eq!(get(&stage, "/features").status, 200, "names are for everybody");
}
