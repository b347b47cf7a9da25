//! What an administrator is told of the agent as a service: before something is stopped, by its status, and where something is wrong.

use super::rights::configured;
use super::*;

const CONFIG: &str = "/etc/disco/agent.toml";

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
