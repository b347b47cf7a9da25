//! What the face says of each feature is what is there to be found on the node.

use serde_json::Value;

use super::registered::{helper, listener};
use super::*;

const AT: &str = "http://127.0.0.1:8000";
const ALL: [&str; 6] = ["dance", "noop", "lock", "trigger", "logs", "facts"];

fn get(world: &World, path: &str) -> Value {
    let out = world.run(&["curl", "-s", &format!("{AT}{path}")]);
    serde_json::from_str(&out.stdout).unwrap_or_default()
}

/// Waits until all six stand so: `.` runs, `x` has failed. The helper is asked every 15 s.
#[track_caller]
fn until(world: &World, wanted: &str) -> Value {
    let start = std::time::Instant::now();
    loop {
        let all = get(world, "/v2/features");
        let word = |name: &&str| match all[*name]["state"].as_str() {
            Some("running") => '.',
            Some("failed") => 'x',
            _ => '?',
        };
        let found: String = ALL.iter().map(word).collect();
        if found == wanted {
            return get(world, "/logs")["info"]["failed_modules"].clone();
        }
        assert!(start.elapsed() < Duration::from_secs(50), "{found}, not {wanted}: {all}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[track_caller]
fn because(why: &Value, name: &str, said: &str) {
    assert!(why[name].as_str().is_some_and(|text| text.contains(said)), "{name}, {said}: {why}");
}

#[test]
fn each_feature_tells_what_is_found() {
    let Some(locks) = crate::lock::real() else { return };
    let world = &locks.world;
    world.module("m").script("10.sh", "true");
    world.master();
    world
        .sh("getent passwd disco-agent || useradd --system --user-group --shell /usr/sbin/nologin disco-agent")
        .succeeds();
    world.write("/etc/disco/proxy/settings.yml", ":http_port: 8000\n:bind_host: 127.0.0.1\n");
    for feature in ALL {
        let text = ":enabled: http\n".to_owned()
            + if feature == "lock" { ":use_provider: lock_disco\n" } else { "" };
        world.write(&format!("/etc/disco/proxy/settings.d/{feature}.yml"), &text);
    }
    let agents = helper(world, "1");
    let _listener = listener(world);
    assert_eq!(until(world, "......"), serde_json::json!({}));

    kill(world, "dlm serve");
    world.disco(&["disable", "an audit"]).succeeds();
    world.sh("printf '\\377' >/tmp/no-text && mount --bind /tmp/no-text /proc/meminfo").succeeds();
    let why = until(world, "x.x..x");
    because(&why, "dance", "live runs are disabled: an audit");
    because(&why, "lock", "https://localhost:8443");
    because(&why, "facts", "facts cannot be collected: ");
    because(&why, "facts", "/proc/meminfo");

    world.disco(&["enable"]).succeeds();
    world.sh("umount /proc/meminfo").succeeds();
    world.sh("mkdir -p /var/disco/journal && touch /var/disco/journal/x").succeeds();
    world.sh("setsid disco dlm serve </dev/null >/srv/locks/again 2>&1 &").succeeds();
    let why = until(world, "xx....");
    because(&why, "dance", "disco recover");
    because(&why, "noop", "disco recover");

    kill(world, "agent helper");
    drop(agents.wait());
    let why = until(world, "xxxx.x");
    because(&why, "trigger", "cannot reach the agent's helper");
}
