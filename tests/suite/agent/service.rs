//! What an administrator is told of the agent as a service: before something is stopped, by its status, and where something is wrong.

use super::rights::configured;
use super::*;

const CONFIG: &str = "/etc/disco/agent.toml";
/// Root can read that certificate, and the listener's user cannot.
const ROOTS_CERTIFICATE: &str = "install -m 600 /dev/null /etc/disco/cert.pem; \
     sed -i 's|^\\[tls\\]|[tls]\\ncertificate = \"/etc/disco/cert.pem\"\\nkey = \"/etc/disco/cert.pem\"|' /etc/disco/agent.toml";
const NO_SETTINGS: &str = "mkdir -p /etc/disco/proxy; echo ':http_port: none' >/etc/disco/proxy/settings.yml";

/// Puts back what was before.
fn restore(world: &World) {
    world.sh("rm -rf /etc/disco/proxy; cp -p /root/good/* /etc/disco/").succeeds();
}

fn spoil(world: &World, script: &str) {
    world.sh(script).succeeds();
}

#[test]
fn a_restart_that_could_not_come_back_stops_nothing() {
    let Some(world) = World::new() else { return };
    configured(&world);
    world.disco(&["agent", "start"]).succeeds();
    world.sh("mkdir /root/good; cp -p /etc/disco/agent.* /root/good/").succeeds();
    let agent = || (pids(&world, "agent helper"), pids(&world, "agent serve"));
    let before = agent();
    let foreign = "install -m 600 -o 65534 /etc/disco/agent.toml /tmp/x.toml";
    for (script, words, status, said) in [
        ("sed -i s/^auth/auht/ /etc/disco/agent.toml", &[][..], 78, "unknown field `auht`"),
        ("chmod 666 /etc/disco/agent.toml", &[], 77, "every user may write it"),
        (foreign, &["--config", "/tmp/x.toml"], 77, "--config"),
        ("true", &["--config", "/nowhere.toml"], 78, "there is no configuration /nowhere.toml"),
        (ROOTS_CERTIFICATE, &[], 78, "cannot read /etc/disco/cert.pem: Permission denied"),
        (NO_SETTINGS, &[], 78, "the proxy's settings cannot be used"),
        ("true", &["--user", "root"], 64, "disco-agent"),
        ("true", &["--log", "/dev/null"], 77, "it is no regular file"),
    ] {
        spoil(&world, script);
        let refused = world.disco(&[&["agent", "restart"], words].concat());
        assert_eq!(agent(), before, "{script}: {refused}");
        refused.exits(status).stderr_has(said).stderr_has("nothing was stopped");
        restore(&world);
    }
    world.disco(&["agent", "restart"]).succeeds();
    let after = agent();
    assert!(after.0 != before.0 && after.1 != before.1 && after.1.len() == 1, "{before:?} {after:?}");
    world.disco(&["agent", "stop"]).succeeds();
}

#[test]
fn a_restart_by_systemd_that_could_not_come_back_stops_nothing() {
    let Some(world) = World::with_systemd() else { return };
    super::daemons::units(&world);
    configured(&world);
    world.disco(&["agent", "start"]).succeeds();
    world.sh("mkdir /root/good; cp -p /etc/disco/agent.* /root/good/").succeeds();
    let pid = || {
        let show = "systemctl show --property MainPID --value disco-agent-helper.service";
        world.sh(show).stdout.trim().to_owned()
    };
    world.wait_until("the helper runs", || pid() != "0");
    let before = pid();
    for (script, said) in [
        ("sed -i s/^auth/auht/ /etc/disco/agent.toml", "unknown field `auht`"),
        (ROOTS_CERTIFICATE, "cannot read /etc/disco/cert.pem: Permission denied"),
    ] {
        spoil(&world, script);
        let refused = world.disco(&["agent", "restart"]);
        assert_eq!(pid(), before, "{script}: {refused}");
        refused.exits(78).stderr_has(said).stderr_has("nothing was stopped");
        restore(&world);
    }
    // What its units do not have is not passed over.
    for verb in ["start", "stop", "restart"] {
        let refused = world.disco(&["agent", verb, "--config", "/etc/disco/other.toml"]);
        refused.exits(64).stderr_has("systemd looks after the agent here").stderr_has("--run DIR");
    }
    assert_eq!(pid(), before);
    world.disco(&["agent", "restart"]).succeeds();
    world.wait_until("another helper runs", || pid() != "0" && pid() != before);
    world.disco(&["agent", "stop"]).succeeds();
}

#[test]
fn status_tells_what_the_listener_cannot_use() {
    let Some(world) = World::new() else { return };
    world.master();
    configured(&world);
    world.disco(&["agent", "status"]).exits(3).stdout_lacks("trouble");
    world.sh("mkdir /root/good; cp -p /etc/disco/agent.* /root/good/").succeeds();
    for (script, said) in [
        ("sed -i s/^auth/auht/ /etc/disco/agent.toml", "unknown field `auht`"),
        ("sed -i 's/^names = .*/names = [\"a\"]/' /etc/disco/agent.toml", "tls.client_ca: it is missing"),
        (
            "sed -i 's/^helper = .*/helper = \"relative.sock\"/' /etc/disco/agent.toml",
            "helper = relative.sock",
        ),
        (
            "rm /etc/disco/agent.keys",
            "/etc/disco/agent.keys: no key is good, and nothing else lets anybody in",
        ),
        ("disco agent key rm ci", "/etc/disco/agent.keys: no key is good, and nothing else lets anybody in"),
        (ROOTS_CERTIFICATE, "cannot read /etc/disco/cert.pem: Permission denied"),
        (NO_SETTINGS, "the proxy's settings cannot be used"),
    ] {
        spoil(&world, script);
        let told = world.disco(&["agent", "status"]);
        let troubles = told.exits(3).stdout.lines().filter(|line| line.starts_with("trouble ")).count();
        assert_eq!(troubles, 1, "{script}: {told}");
        assert!(
            told.stdout.lines().any(|line| line.starts_with("trouble ") && line.contains(said)),
            "{told}"
        );
        let json = world.disco(&["agent", "status", "--format", "json"]).exits(3).stdout.clone();
        let json: serde_json::Value = serde_json::from_str(&json).expect("one object");
        assert!(json["troubles"][0].as_str().is_some_and(|told| told.contains(said)), "{json}");
        restore(&world);
    }
    world.disco(&["agent", "status"]).exits(3).stdout_lacks("trouble");
    // Where the helper listens the configuration does not say.
    world.disco(&["agent", "start"]).succeeds();
    world.sh("sed -i 's/^helper = .*/helper = \"relative.sock\"/' /etc/disco/agent.toml").succeeds();
    let told = world.disco(&["agent", "status"]);
    told.succeeds().stdout_has("helper    runs, pid ").stdout_lacks(", at /run/disco/agent.sock");
    world.disco(&["agent", "stop"]).succeeds();
    restore(&world);
    // Who needs no key misses none.
    world
        .sh(&format!("rm /etc/disco/agent.keys; sed -i 's/^auth = .*/auth = \"none\"/' {CONFIG}"))
        .succeeds();
    world.disco(&["agent", "status"]).exits(3).stdout_lacks("trouble");
    world.sh("rm /var/disco/parameters/disco/server/uri").succeeds();
    world.disco(&["agent", "status"]).exits(3).stdout_has("trouble   no master is set (disco/server/uri)\n");
}

#[test]
fn no_listener_is_root_by_name() {
    let Some(world) = World::new() else { return };
    configured(&world);
    let processes = world.processes();
    world.sh("useradd --non-unique --uid 0 toor").succeeds();
    for user in ["root", "toor"] {
        for verb in ["start", "serve", "init"] {
            let words = ["disco", "agent", verb, "--user", user, "--config"];
            let config = if verb == "init" { "/srv/agent.toml" } else { CONFIG };
            let refused = world.run(&[&["timeout", "-s", "INT", "9"], &words[..], &[config]].concat());
            refused
                .exits(64)
                .stderr_has(&format!("the user {user} is root"))
                .stderr_has("--user disco-agent");
        }
    }
    world.only_has(&processes);
    assert!(!world.exists("/srv/agent.toml"));
}

#[test]
fn without_a_helper_it_is_told_what_goes_on() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", ENDLESS);
    world.master();
    world.disco(&["agent", "start"]).succeeds();
    let client = client(&world);
    let one = client.run(&wish(false, &[], "ci")).unwrap();
    world.wait_until("the step runs", || in_step(&world));
    let two = client.run(&wish(true, &[], "eve")).unwrap();
    let told = || {
        let status = world.disco(&["agent", "status"]);
        status.exits(3).stdout_has(&format!("now       live run {} runs since ", one.id));
        status.stdout_has(&format!("next      dry run {} waits since ", two.id));
    };
    kill(&world, "agent helper");
    told();
    world.disco(&["agent", "start"]).succeeds();
    let stopped = world.disco(&["agent", "stop"]);
    stopped.succeeds().stderr_has(&format!("The live run {} runs since ", one.id));
    stopped.stderr_has("1 run goes on and 1 waits; `disco agent stop --runs` ends them");
    told();
    world.disco(&["agent", "stop", "--runs"]).succeeds().stderr_lacks("goes on");
    world.disco(&["agent", "status"]).exits(3).stdout_has("last      ").stdout_lacks("now ");
    world.disco(&["agent", "stop"]).succeeds().stderr_lacks("--runs");
}

#[test]
fn a_hint_says_what_helps() {
    let Some(world) = World::new() else { return };
    world.sh("! getent passwd disco-agent || userdel disco-agent").succeeds();
    let first = world.disco(&["agent", "init", "--config", "/srv/a/agent.toml"]);
    first.succeeds().stdout_has("\n  useradd --system --user-group ");
    first.stdout_has("\n  disco agent key add NAME --config /srv/a/agent.toml\n");
    first.stdout_has("\n  disco agent start --config /srv/a/agent.toml\n");
    configured(&world);
    let next = world.disco(&["agent", "init", "--config", "/srv/b/agent.toml", "--user", "nobody"]);
    next.succeeds().stdout_lacks("useradd").stdout_has("start --config /srv/b/agent.toml --user nobody\n");
    world
        .disco(&["agent", "key", "add", "ci"])
        .exits(73)
        .stderr_has("disco agent key rotate ci")
        .stderr_has("disco agent key rm ci");
    world
        .disco(&["agent", "serve", "--port", "80", "--user", "disco-agent"])
        .exits(77)
        .stderr_has("cannot listen on 127.0.0.1:80: Permission denied")
        .stderr_has("a port above 1023")
        .stderr_lacks("another server");
    let processes = world.processes();
    world
        .disco(&["agent", "start", "--config", "/nonexist.toml"])
        .exits(78)
        .stderr_has("`disco agent init --config /nonexist.toml` writes one");
    world.only_has(&processes);
    world.sh(&format!("sed -i 's/^listen = .*/listen = [\"localhost:8453\"]/' {CONFIG}")).succeeds();
    world.disco(&["agent", "serve"]).exits(78).stderr_has("an address such as 127.0.0.1:8453");
}
