//! The agent as a service: plain daemons on a node without systemd, and systemd's units.

use std::path::Path;

use super::*;
use crate::world::NODE;

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

#[test]
fn a_run_by_timer_is_told_of_is_ended_with_others_and_has_its_limit() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", ENDLESS);
    world.master();
    world.setting("disco/schedule/interval", "60");
    world.setting("disco/schedule/splay", "0");
    let processes = world.processes();
    let due = || {
        world.sh("echo '{\"schema\":1,\"last\":1000}' >/var/disco/schedule.json").succeeds();
        world.disco(&["agent", "start"]).succeeds();
        world.wait_until("the step runs", || in_step(&world));
    };
    due();
    let before = world.manifest();
    let newest = || client(&world).ask(&Ask::List {}).unwrap();
    let Answer::Runs { runs } = newest() else { panic!("no list") };
    assert_eq!((runs.len(), &runs[0].by[..], runs[0].noop), (1, &["timer".to_owned()][..], false));
    let id = &runs[0].id;
    world.disco(&["agent", "status"]).succeeds().stdout_has(&format!("now       live run {id}"));
    world
        .disco(&["agent", "stop", "--runs"])
        .succeeds()
        .stderr_has(&format!("The live run {id} was aborted by disco agent stop"));
    world.only_has(&processes);
    assert_eq!(world.manifest().since(&before), [""; 0], "nothing of it has merged");
    world.setting("disco/schedule/time_limit", "1");
    due();
    world.wait_until(
        "its time is over",
        || matches!(newest(), Answer::Runs { runs } if runs.len() == 2 && runs[0].state.is_end()),
    );
    let Answer::Runs { runs } = newest() else { panic!("no list") };
    assert_eq!(runs[0].state, State::Killed { signal: 14 });
    // In a blackout there is none; the log says so.
    world.setting("disco/schedule/blackout", "zone=UTC; daily 00:00+1440");
    world.disco(&["agent", "stop"]).succeeds();
    world.sh("echo '{\"schema\":1,\"last\":1000}' >/var/disco/schedule.json").succeeds();
    world.disco(&["agent", "start"]).succeeds();
    world.wait_until("the log says why not", || {
        world.read("/var/log/disco-agent.log").contains("No run by timer: blackout for ever")
    });
    assert!(matches!(newest(), Answer::Runs { runs } if runs.len() == 2));
    world.disco(&["agent", "stop"]).succeeds();
}

#[test]
fn what_the_timer_starts_has_the_name_that_the_helper_was_given() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "echo x >/etc/by-timer");
    world.master();
    // The master knows it by that name, too.
    world.sh(&format!("cd /tmp/master/parameters && cp -a {NODE} web1.example.com")).succeeds();
    world.setting("disco/schedule/interval", "60");
    world.setting("disco/schedule/splay", "0");
    world.sh("echo '{\"schema\":1,\"last\":1000}' >/var/disco/schedule.json").succeeds();
    world.disco(&["agent", "start", "--node", "web1.example.com"]).succeeds();
    world.wait_until("a run by timer has merged", || world.disco(&["runs"]).stdout.contains("merged"));
    let node = world.sh("cat /var/disco/runs/*/record.json").succeeds().stdout.clone();
    assert!(node.contains(r#""node": "web1.example.com""#), "{node}");
    assert!(!node.contains(NODE), "{node}");
    world.disco(&["agent", "stop"]).succeeds();
}

/// Takes connections at two ports and says nothing; in /srv/heard, who has come and gone.
const SILENT: &str = r#"
import socket, threading
heard = open("/srv/heard", "a", buffering=1)
def leaves(peer, port):
    while peer.recv(65536):
        pass
    heard.write(f"gone {port}\n")
def listens(port):
    door = socket.create_server(("127.0.0.1", port))
    heard.write(f"open {port}\n")
    while True:
        peer, _ = door.accept()
        heard.write(f"came {port}\n")
        threading.Thread(target=leaves, args=(peer, port)).start()
for port in 9001, 9002:
    threading.Thread(target=listens, args=(port,)).start()
"#;

#[test]
fn who_hangs_keeps_no_run_by_timer() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "echo x >/etc/by-timer");
    world.master();
    // Something waits for the webhook, and is due.
    world.setting("disco/upload/webhook", "http://127.0.0.1:9001/");
    world.disco(&["dance", "--noop"]).succeeds();
    world.sh("ls /var/disco/spool/*-webhook.json && rm -f /var/disco/spool/state.json").succeeds();
    world.sh("mkdir -p /srv /etc/disco/proxy").succeeds();
    world.write("/etc/disco/proxy/settings.yml", ":http_port: 8000\n:foreman_url: http://127.0.0.1:9002\n");
    world.write_with_mode("/etc/disco/proxy/password", "600", "changeme\n");
    let login = ":user: admin\n:password_file: /etc/disco/proxy/password\n:url: http://127.0.0.1:9002\n";
    world.write("/etc/disco/proxy/register.yml", login);
    world.write("/srv/silent.py", SILENT);
    world.sh("setsid python3 /srv/silent.py </dev/null >/srv/out 2>&1 &").succeeds();
    let heard = || world.sh("cat /srv/heard").stdout.clone();
    world.wait_until("both are open", || heard().matches("open").count() == 2);
    // An interval of which the next multiple, which is the node's next moment, is a few seconds from now.
    world.setting("disco/schedule/splay", "0");
    let soon = r#"cd /var/disco; now=$(date +%s); echo "{\"schema\":1,\"last\":$now}" >schedule.json
        for every in {60..9999}; do left=$((every - now % every))
          [ $left -lt 10 ] || [ $left -gt 14 ] || { echo $every >parameters/disco/schedule/interval; exit 0; }
        done; exit 1"#;
    world.sh(soon).succeeds();
    let _helper = world.spawn(&["disco", "agent", "helper", "--tend", "1"]);
    let both = || heard().contains("came 9001") && heard().contains("came 9002");
    world.wait_until("it asks both", both);
    assert!(!world.exists("/etc/by-timer"), "both hang before its moment comes");
    world.wait_until("a run by timer has merged", || world.exists("/etc/by-timer"));
    let heard = heard();
    assert!(!heard.contains("gone"), "both hang still: {heard}");
    for port in ["9001", "9002"] {
        assert_eq!(heard.matches(&format!("came {port}")).count(), 1, "one of each at a time: {heard}");
    }
}

#[test]
fn of_several_restarts_at_once_one_agent_is_left_that_can_be_ended() {
    let Some(world) = World::new() else { return };
    world.sh("getent passwd disco-agent || useradd --system --user-group --shell /usr/sbin/nologin disco-agent").succeeds();
    world.disco(&["agent", "init"]).succeeds();
    let processes = world.processes();
    world.disco(&["agent", "start"]).succeeds();
    for _ in 0..4 {
        world.sh("for one in 1 2 3 4; do disco agent restart & done; wait").succeeds();
        let both = [pids(&world, "agent helper"), pids(&world, "agent serve")];
        assert!(
            both.iter().all(|one| one.len() == 1),
            "{both:?}\n{}",
            world.read("/var/log/disco-agent.log")
        );
        let status = world.disco(&["agent", "status"]);
        status.succeeds().stdout_has(&format!("helper    runs, pid {}", both[0][0]));
        status.stdout_has(&format!("listener  runs, pid {}", both[1][0]));
    }
    let stopped = world.disco(&["agent", "stop"]);
    stopped
        .succeeds()
        .stderr_has("The agent's helper has ended")
        .stderr_has("The agent's listener has ended");
    world.only_has(&processes);
    world.sh("ls -A /run/disco").stdout_is("");
}

#[test]
fn one_that_is_late_is_known_until_it_has_ended() {
    let Some(world) = World::new() else { return };
    // The helper waits for what this says, and knows no signal while it does.
    let slow = format!("/var/disco/agent/runs/{}.json", TriggerId::of([7; 16]));
    world.sh(&format!("mkdir -p /var/disco/agent/runs && mkfifo {slow}")).succeeds();
    let start = world.spawn(&["disco", "agent", "start"]);
    world.wait_until("the helper is begun", || pids(&world, "agent helper").len() == 1);
    let pid = pids(&world, "agent helper").remove(0);
    world.run(&["kill", "-STOP", &pid]).succeeds();
    let asked = || world.read(&format!("/proc/{pid}/status")).contains("ShdPnd:\t0000000000004000");
    world.wait_until("it is asked to end", asked);
    // What says who it is. (`status` says so too, once it has waited for the helper's answer.)
    assert!(world.read("/run/disco/agent-helper.process").contains(&format!("\"pid\":{pid},")));
    world.run(&["kill", "-CONT", &pid]).succeeds();
    world.sh(&format!("exec 3>{slow}; rm {slow}")).succeeds();
    start.wait().exits(69).stderr_has("it was not ready after 10 s");
    assert_eq!(pids(&world, "agent helper"), [""; 0]);
    world.sh("ls -A /run/disco").stdout_is("");
    world.disco(&["agent", "start"]).succeeds();
    world.disco(&["agent", "stop"]).succeeds();
}
