//! The supervisor under steps that do not behave: floods, garbage, questions without an asker, time-outs that must hold.

use std::time::{Duration, Instant};

use crate::world::World;

#[test]
fn a_step_that_never_stops_printing_is_ended_in_time() {
    let Some(world) = World::new() else { return };
    for flood in ["exec yes", "exec cat /dev/zero", "yes >&2 & exec yes"] {
        world.module("m").script("10.sh", flood);
        world.publish();
        world.setting("disco/server/uri", "/tmp/master");
        let started = Instant::now();
        let out = world.sh("timeout -s KILL 30 disco dance --noop --step-timeout 1 >/dev/null");
        out.exits(1).stderr_has("error: m: 10.sh: ");
        assert!(started.elapsed() < Duration::from_secs(15), "{flood}: {:?}", started.elapsed());
        world.run(&["rm", "-r", "/var/disco/runs"]).succeeds();
    }
}

#[test]
fn whoever_asks_and_is_gone_has_asked_in_its_own_step() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.write_with_mode("/etc/init.d/slow", "755", "#!/bin/sh\nsleep 1\n");
    // While the supervisor looks for the first, the others wait in the socket, and then their step has ended.
    let ask = r#"import json, socket, os
for argv in [["service", "slow", "status"]] + [["service", "postgresql", "stop"]] * 20:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect("/dev/disco")
    s.send(json.dumps(dict(name="service", program="/usr/sbin/service", argv=argv, directory="/")).encode())
    os.dup(s.detach())"#;
    world.module("a").script("10.sh", &format!("python3 -c '{ask}'"));
    world.module("b").requires("after a").script("10.sh", "echo b");
    world.master();
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds();
    let (first, second) = out.stdout.split_once("info: Processing b\n").expect("both ran");
    assert_eq!(first.matches("Would execute").count(), 20, "{out}");
    assert_eq!(second.matches("Would execute").count(), 0, "{out}");
}

#[test]
fn garbage_on_the_shims_socket_harms_nobody() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    let garbage = r#"import os, socket
for text in [b"", b"{", b"\xff" * 100, b"[]", b"x" * 150000, b"[" * 100000, b"{\"name\":1}"]:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect("/dev/disco")
    try:
        socket.send_fds(s, [text], [os.open("/", 0)] * 50)
    except OSError as e:
        print(e.errno)
    s.close()
for n in range(200):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect("/dev/disco")
    s.close()"#;
    world
        .module("m")
        .script("10.sh", &format!("python3 -c '{garbage}'; service postgresql stop; echo alive"));
    world.master();
    world
        .disco(&["dance", "--noop"])
        .succeeds()
        .stdout_has("service postgresql stop\n")
        .stdout_has("alive\n");
}

#[test]
fn many_shims_at_once_are_all_heard() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.module("m").script("10.sh", "for i in {1..300}; do service postgresql stop $i & done; wait");
    world.master();
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds();
    assert_eq!(out.stdout.matches("warning: Would execute : service postgresql stop ").count(), 300);
    assert!(world.service_runs("postgresql"));
}

#[test]
fn whoever_waits_for_another_run_can_be_stopped() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "sleep 8761");
    world.master();
    let first = world.spawn(&["disco", "dance"]);
    world.wait_until("the step runs", || world.processes().iter().any(|p| p.ends_with("sleep 8761")));
    world.disco(&["dance"]).exits(75).stderr_has("pid ");
    let second = world.spawn(&["disco", "dance", "--wait"]);
    world.wait_until("it waits", || world.sh("grep -c FLOCK /proc/locks").stdout.trim() != "0");
    std::thread::sleep(Duration::from_millis(300));
    second.signal("TERM");
    let started = Instant::now();
    assert_eq!(second.wait().signal_or_status(), 143);
    assert!(started.elapsed() < Duration::from_secs(5));
    first.signal("TERM");
    assert_eq!(first.wait().signal_or_status(), 143);
}

#[test]
fn a_full_scratchpad_fails_the_step_that_does_not_notice() {
    let Some(world) = World::new() else { return };
    world.sh("mkdir -p /var/disco/scratch && mount -t tmpfs -o size=8m small /var/disco/scratch").succeeds();
    world.module("a").script("10.sh", "head -c 20M /dev/zero >/etc/big; rm -f /etc/gone; echo went on");
    world.module("b").script("10.sh", "fallocate -l 1T /etc/huge || echo small >/etc/small");
    world.master();
    let before = world.manifest();
    let out = world.disco(&["dance"]);
    out.exits(1).stdout_has("went on\n").stderr_has(
        "error: a: 10.sh: no space is left for the scratchpad, of whose disk a step may take 3 MiB here",
    );
    assert_eq!(world.manifest().since(&before), [""; 0], "it was merged");
    world.sh("ls -A /var/disco/scratch").stdout_is("");
    world.assign(&["b"]);
    world.publish();
    world.disco(&["dance"]).succeeds();
}

#[test]
fn what_a_look_saw_arrives_whole() {
    let Some(world) = World::new() else { return };
    let status = "#!/bin/sh\ncase $0 in *large) seq 1 50000;; *) head -c 100000 /dev/zero; echo err >&2;; esac; exit 3\n";
    for name in ["large", "binary"] {
        world.write_with_mode(&format!("/etc/init.d/{name}"), "755", status);
    }
    world.module("m").script(
        "10.sh",
        "service large status | md5sum; service large status | head -n 1; echo ${PIPESTATUS[0]}
        service binary status 2>&1 | wc -c; service binary status >/dev/null; echo $?",
    );
    world.master();
    let md5 = world.sh("seq 1 50000 | md5sum").succeeds().stdout.clone();
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds().stdout_has(&format!("{md5}1\n141\n100004\n3\n")).stderr_lacks("supervisor");
}

#[test]
fn a_run_under_way_keeps_its_record() {
    let Some(world) = World::new() else { return };
    world.setting("disco/client/keep_runs", "1");
    world.module("m").script("10.sh", "echo said; [ -e /etc/quick ] || sleep 8760");
    world.master();
    let slow = world.spawn(&["disco", "dance"]);
    world.wait_until("the step runs", || world.processes().iter().any(|p| p.ends_with("sleep 8760")));
    world.write("/etc/quick", "");
    for _ in 0..2 {
        world.disco(&["dance", "--noop"]).succeeds();
    }
    slow.signal("TERM");
    slow.wait().signal_or_status();
    let logs = world
        .sh("cat /var/disco/runs/*/record.json; zcat /var/disco/runs/*/output/m/*")
        .succeeds()
        .stdout
        .clone();
    assert!(logs.contains("\"signal\": 15") && logs.contains("out said"), "{logs}");
}

#[test]
fn a_command_may_be_asked_for_from_a_folder_whose_name_is_no_text() {
    let Some(world) = World::new() else { return };
    world.write_with_mode("/etc/init.d/x", "755", "#!/bin/sh\n");
    world.module("m").script(
        "10.sh",
        "mkdir $'/tmp/a\\xff'; cd $'/tmp/a\\xff'; service x stop; cd /; rmdir $'/tmp/a\\xff'",
    );
    world.master();
    world.disco(&["dance", "--noop"]).succeeds().stdout_has("warning: Would execute : service x stop\n");
    world.disco(&["report"]).succeeds().stdout_has("report: m: exec");
}
