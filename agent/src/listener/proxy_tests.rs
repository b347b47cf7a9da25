//! The face behind this listener: how the node stands, who may ask, where it is shown.
#![allow(clippy::disallowed_methods, reason = "tests write settings")]

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use super::config::Config;
use super::stage::{Said, Stage, raw, said};

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
    let all = state(&stage, "dance", "running");
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
