//! `disco doctor`: on a node that has everything, and on nodes from which something was taken away.

use serde_json::Value;

use crate::world::{Output, World};

/// A node with `guard`, which runs a command under a filter of system calls.
fn node() -> Option<World> {
    let world = World::new()?;
    world.write("/tmp/guard.c", include_str!("doctor/guard.c"));
    world.sh("cc -Wall -Werror -o /usr/local/bin/guard /tmp/guard.c; touch /var/there").succeeds();
    Some(world)
}

/// What is not `ok`, as `missing NAME` and `degraded NAME`; limits by cgroup apart, of which a hermetic node has none.
fn wanting(done: &Output) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let all = done.stdout.lines().map(words);
    all.filter(|line| {
        !line.starts_with("ok ") && !line.contains(" cgroup-memory") && !line.contains(" cgroup-pids")
    })
    .collect()
}

#[test]
fn a_node_that_has_everything_is_told_so_and_nothing_stays() {
    let Some(world) = node() else { return };
    let (before, mounts, processes) = (world.manifest(), world.mounts(), world.processes());
    let done = world.disco(&["doctor"]);
    done.succeeds().stdout_has("ok        kernel                Linux ");
    done.stdout_has(
        "ok        sandbox               one was opened, a step ran in it, and it was closed, in ",
    );
    assert_eq!(wanting(&done), [""; 0], "{done}");
    assert_eq!(world.manifest().since(&before), [""; 0]);
    assert_eq!(world.mounts(), mounts);
    world.only_has(&processes);
    world.sh("ls -A /var/disco").succeeds().stdout_is("modules\nparameters\n");
    // A sandbox opens without what is only degraded.
    done.stdout_has("degraded  cgroup-memory").stderr_has("info: a sandbox can be opened; degraded: 2\n");
    world.disco(&["try", "--", "true"]).succeeds();
}

#[test]
fn json_has_a_line_a_requirement() {
    let Some(world) = node() else { return };
    let done = world.disco(&["doctor", "--format", "json"]);
    let lines: Vec<Value> =
        done.succeeds().stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 30, "{done}");
    for line in &lines {
        assert_eq!(line["schema"], 1);
        assert!(["ok", "degraded", "missing"].contains(&line["standing"].as_str().unwrap()), "{line}");
        for field in ["name", "found", "needed_for", "without", "todo"] {
            assert!(line[field].as_str().is_some_and(|text| !text.is_empty()), "{line}");
        }
    }
    assert_eq!(lines.last().unwrap()["name"], "sandbox");
}

#[test]
fn what_was_taken_away_is_named() {
    let Some(world) = node() else { return };
    // `guard NUMBER ERROR`: a call, and what an older kernel (38) or a profile (1) would answer.
    for (with, exit, expected) in [
        ("guard listener", 0, "degraded seccomp-listener, degraded seccomp-features"),
        ("guard 442 38", 1, "missing mount-setattr, missing read-only-clone, missing sandbox"),
        ("guard 155 1", 1, "missing pivot-root, missing sandbox"),
        ("ulimit -n 300;", 0, "degraded limits"),
        ("ulimit -n 24;", 1, "degraded limits, missing sandbox"),
        ("guard 438 38", 1, "missing pidfd-getfd, missing sandbox"),
        (
            "setpriv --bounding-set -sys_ptrace,-net_admin --inh-caps -sys_ptrace,-net_admin",
            1,
            "missing capability-net-admin, missing capability-sys-ptrace, missing network-namespace, missing sandbox",
        ),
        ("guard 428 1", 1, "missing read-only-clone, missing sandbox"),
        (
            "guard 272 1",
            1,
            "degraded user-namespaces, missing mount-namespace, missing pid-namespace, missing network-namespace, \
             missing ipc-namespace, missing uts-namespace, missing cgroup-namespace, missing pivot-root, \
             missing read-only-clone, missing fuse-mount, degraded pid-numbers, missing sandbox",
        ),
        ("setpriv --bounding-set -mknod --inh-caps -mknod", 0, "degraded capabilities"),
        ("guard 316 22", 0, "degraded home-exchange"),
        (
            "env DISCO_HOME=/proc/x",
            1,
            "missing home, missing home-marks, degraded home-exchange, missing home-locks, missing sandbox",
        ),
        ("env PATH=/nowhere /usr/bin/env -S", 0, "degraded rsync"),
    ] {
        let done = world.sh(&format!("{with} /usr/local/bin/disco doctor"));
        assert_eq!(wanting(&done).join(", "), expected, "{with}\n{done}");
        done.exits(exit);
    }
    let done = world.sh("setpriv --bounding-set -sys_admin --inh-caps -sys_admin disco doctor");
    done.exits(1)
        .stdout_has("missing   capability-sys-admin  not held; for namespaces and mounts; without it: ");
    done.stderr_has("error: no sandbox can be opened; missing: ");
    world.sh("rm /dev/fuse").succeeds();
    let done = world.disco(&["doctor"]);
    done.exits(1).stdout_has("missing   fuse-device           No such file or directory");
    assert_eq!(wanting(&done), ["missing fuse-device", "missing fuse-mount", "missing sandbox"], "{done}");
}

#[test]
fn what_a_killed_run_left_is_told_and_left_alone() {
    let Some(world) = node() else { return };
    world.disco(&["try", "--", "true"]).succeeds();
    world.sh("mkdir -p /var/disco/scratch/20261120-190451-042-1234; touch /var/disco/scratch/20261120-190451-042-1234/lock").succeeds();
    let done = world.disco(&["doctor"]);
    done.succeeds().stdout_has("runs that were killed: 1; merges that were stopped: 0; ");
    assert_eq!(wanting(&done), ["degraded left-overs"], "{done}");
    assert!(world.exists("/var/disco/scratch/20261120-190451-042-1234"));
    world.sh("chmod 777 /var/disco").succeeds();
    let done = world.disco(&["doctor"]);
    done.stdout_has("/var/disco has mode 777 and owner 0; ");
}

#[test]
fn in_a_step_there_is_no_sandbox_to_be_had() {
    let Some(world) = node() else { return };
    let done = world.disco(&["try", "--", "disco", "doctor"]);
    done.exits(1).stdout_has("missing   sandbox ").stdout_has("missing   fuse-device");
}
