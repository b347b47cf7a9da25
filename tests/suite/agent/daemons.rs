//! The agent as a service: plain daemons on a node without systemd, and systemd's units.

use std::path::Path;

use super::*;

#[test]
fn without_systemd_it_is_started_looked_at_and_stopped() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", ENDLESS);
    world.master();
    world.disco(&["agent", "status"]).exits(3).stdout_has("helper    does not run\n");
    world.disco(&["agent", "stop"]).succeeds().stderr_has("does not run");
    let processes = world.processes();
    world
        .disco(&["agent", "start"])
        .succeeds()
        .stderr_has("The agent's helper runs now")
        .stderr_has("agent.toml");
    world.disco(&["agent", "start"]).succeeds().stderr_has("runs already");
    let client = client(&world);
    let run = client.run(&wish(true, &[], "ci")).unwrap();
    world.wait_until("the step runs", || in_step(&world));
    let status = world.disco(&["agent", "status"]);
    status.succeeds().stdout_has("helper    runs, pid ").stdout_has("at /run/disco/agent.sock\n");
    status.stdout_has(&format!("dry run {} runs since", run.id));
    let first = pids(&world, "agent helper");
    world.disco(&["agent", "restart"]).succeeds();
    let second = pids(&world, "agent helper");
    assert!(first.len() == 1 && second.len() == 1 && first != second, "{first:?} {second:?}");
    assert_eq!(client.run(&Ask::Status { id: run.id.clone(), wait: 0 }).unwrap().state, State::Running);
    client.run(&Ask::Abort { id: run.id.clone(), by: "bob".to_owned() }).unwrap();
    let end = client.run(&Ask::Status { id: run.id, wait: 60 }).unwrap();
    assert_eq!(end.state, State::Aborted { by: "bob".to_owned() });
    world.sh("cat /var/log/disco-agent.log").stdout_has("Listening at");
    world.disco(&["agent", "stop"]).succeeds().stderr_has("The agent's helper has ended");
    world.disco(&["agent", "status"]).exits(3);
    world.only_has(&processes);
    world.sh("ls -A /run/disco").stdout_is("");
}

#[test]
fn who_stops_it_can_end_its_runs_too() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", ENDLESS);
    world.master();
    world.disco(&["agent", "stop", "--runs"]).succeeds();
    world.sh("ls /var/disco/agent").exits(2);
    let processes = world.processes();
    world.disco(&["agent", "start"]).succeeds();
    let client = client(&world);
    let first = client.run(&wish(false, &[], "ci")).unwrap();
    let second = client.run(&wish(true, &[], "ci")).unwrap();
    world.wait_until("the step runs", || in_step(&world));
    let before = world.manifest();
    let stopped = world.disco(&["agent", "stop", "--runs"]);
    for (kind, run) in [("live", &first), ("dry", &second)] {
        stopped.stderr_has(&format!("The {kind} run {} was aborted by disco agent stop", run.id));
    }
    stopped.succeeds().stderr_has(&format!("Run {} is to end", first.id));
    world.only_has(&processes);
    assert_eq!(world.manifest().since(&before), [""; 0], "nothing of them has merged");
    world.disco(&["agent", "start"]).succeeds();
    for run in [first, second] {
        let end = client.run(&Ask::Status { id: run.id, wait: 0 }).unwrap();
        assert_eq!(end.state, State::Aborted { by: "disco agent stop".to_owned() });
    }
    world.disco(&["agent", "stop"]).succeeds();
}

/// The agent's units and its user, as the packages bring them.
pub(super) fn units(world: &World) {
    let dist = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/dist"));
    for unit in [
        "disco-agent.socket",
        "disco-agent.service",
        "disco-agent-helper.socket",
        "disco-agent-helper.service",
    ] {
        world.install(&format!("/etc/systemd/system/{unit}"), "644", &dist.join("systemd").join(unit));
    }
    world.install("/usr/lib/sysusers.d/disco.conf", "644", &dist.join("sysusers.d/disco.conf"));
    world.sh("systemd-sysusers disco.conf && systemctl daemon-reload").succeeds();
}

#[test]
fn systemd_starts_the_helper_when_somebody_asks_and_its_restart_ends_no_run() {
    let Some(world) = World::with_systemd() else { return };
    units(&world);
    world.module("m").script("10.sh", ENDLESS);
    world.module("n").script("10.sh", "echo n >/etc/n");
    world.master();
    world.disco(&["agent", "status"]).exits(3).stdout_has("disco-agent-helper.socket");
    world.disco(&["agent", "start"]).succeeds();
    world.run(&["stat", "-c", "%a %U:%G", SOCKET]).stdout_is("660 root:disco-agent\n");
    let active = |unit: &str| world.run(&["systemctl", "is-active", unit]).stdout.trim().to_owned();
    world.wait_until("the helper runs, for runs may wait from before", || {
        active("disco-agent-helper.service") == "active"
    });
    world.run(&["systemctl", "stop", "disco-agent-helper.service"]).succeeds();
    assert_eq!(active("disco-agent-helper.service"), "inactive");
    // Without a configuration there is nothing to listen with.
    assert_eq!(active("disco-agent.socket"), "inactive");
    let client = client(&world);
    let run = client.run(&wish(false, &["m"], "ci")).unwrap();
    assert_eq!(active("disco-agent-helper.service"), "active", "the socket has started it");
    world.wait_until("the step runs", || in_step(&world));
    world.run(&["systemctl", "restart", "disco-agent-helper.service"]).succeeds();
    let look = |wait| client.run(&Ask::Status { id: run.id.clone(), wait }).unwrap();
    assert_eq!(look(0).state, State::Running, "its runner and its dance live");
    assert!(in_step(&world));
    world.run(&["systemctl", "stop", "disco-agent-helper.service"]).succeeds();
    assert!(in_step(&world));
    assert_eq!(look(0).state, State::Running, "asked again, it is there again");
    client.run(&Ask::Abort { id: run.id.clone(), by: "bob".to_owned() }).unwrap();
    assert_eq!(look(60).state, State::Aborted { by: "bob".to_owned() });
    // As the listener's user, who has no other right.
    let ask = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/disco/agent.sock'); s.sendall(b'{\"verb\":\"list\"}\\n'); print(s.recv(9999).decode())";
    if world.exists("/usr/bin/python3") {
        world
            .run(&[
                "setpriv",
                "--reuid=disco-agent",
                "--regid=disco-agent",
                "--clear-groups",
                "python3",
                "-c",
                ask,
            ])
            .succeeds()
            .stdout_has("aborted");
    }
    let next = client.run(&wish(false, &["n"], "ci")).unwrap();
    let end = client.run(&Ask::Status { id: next.id, wait: 60 }).unwrap();
    assert_eq!((end.state, world.read("/etc/n").as_str()), (State::Done { exit: 2 }, "n\n"));
    world.disco(&["agent", "status"]).succeeds().stdout_has("live run").stdout_has("ended with 2");
    world.disco(&["agent", "stop"]).succeeds();
    world.disco(&["agent", "status"]).exits(3);
    let verified = world
        .sh("cd /etc/systemd/system && systemd-analyze verify --man=no --recursive-errors=no ./disco-agent*");
    verified.succeeds();
}

#[test]
fn a_helper_without_systemd_keeps_the_timer() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "test -e /etc/by-timer || echo x >/etc/by-timer");
    world.master();
    world.sh("mkdir -p /run/disco").succeeds();
    let node = Node::new(&world);
    world.sh("sleep 1").succeeds();
    assert!(!world.exists("/etc/by-timer"), "without an interval there is no timer");
    world.setting("disco/schedule/interval", "60");
    world.setting("disco/schedule/splay", "0");
    // The node was off at its last moment.
    world.sh("echo '{\"schema\":1,\"last\":1000}' >/var/disco/schedule.json").succeeds();
    let _node = node.again();
    world.wait_until("a run by timer has merged", || world.exists("/etc/by-timer"));
    world.wait_until("it has ended", || world.disco(&["runs"]).stdout.contains("merged"));
}
