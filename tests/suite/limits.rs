//! What a step may take at most: it fails with the name of the setting, and nothing of it is left.

use rustix::process::{Signal, pidfd_send_signal};

use crate::world::World;

/// Runs a step that must fail with that message; its standard output and standard error are returned.
#[track_caller]
fn fails(world: &World, script: &str, message: &str) -> (String, String) {
    world.module("m").script("10.sh", script);
    world.copy_stage_to("/tmp/master");
    let (processes, before) = (world.processes(), world.manifest());
    let out = world.disco(&["dance", "--server", "/tmp/master"]);
    out.exits(1).stderr_has(&format!("error: m: 10.sh: {message}"));
    world.only_has(&processes);
    assert_eq!(world.manifest().since(&before), [""; 0], "{out}");
    (out.stdout.clone(), out.stderr.clone())
}

const MEMORY: &str = "more than 64 MiB of memory (setting client/step_memory), ended\n";

#[test]
fn too_much_output_is_ended() {
    let Some(world) = World::new() else { return };
    world.setting("disco/client/step_output", "1");
    let message = "more than 1 MiB of output (setting client/step_output), ended\n";
    fails(&world, "exec yes $(printf '%01000d' 0) >/dev/stderr", message);
    fails(
        &world,
        "head -c 700K /dev/zero | tr '\\0' x | fold -w 1000; head -c 700K /dev/zero | tr '\\0' x | fold -w 1000 >&2; sleep 8759",
        message,
    );
    // A template prints into its file.
    world.module("m").script("10.sh", "true").template("etc/endless", "exec yes $(printf '%01000d' 0)\n");
    world.copy_stage_to("/tmp/master");
    let out = world.disco(&["dance", "--server", "/tmp/master"]);
    out.exits(1).stderr_has(&format!("error: m: etc/endless: {message}"));
    assert!(!world.exists("/etc/endless"));
    // And what it may print it may.
    world.setting("disco/client/step_output", "2");
    world
        .module("m")
        .script("10.sh", "head -c 1M /dev/zero | tr '\\0' x | fold -w 1000")
        .template("etc/endless", "echo x");
    world.copy_stage_to("/tmp/master");
    world.disco(&["dance", "--server", "/tmp/master"]).succeeds();
}

#[test]
fn too_much_of_the_disk_is_refused() {
    let Some(world) = World::new() else { return };
    world.setting("disco/client/step_disk", "1");
    let message = "no space is left for the scratchpad, of whose disk a step may take 1 MiB here (settings client/step_disk, client/storage)\n";
    for script in [
        "head -c 12M /dev/zero >/srv/large; true",
        "for i in {1..12}; do head -c 1M /dev/zero >/srv/large.$i; done; true",
        "ln -s x /srv/x; rm -rf /srv/x; head -c 12M /dev/zero >>/etc/hosts || rm /etc/hosts; true",
    ] {
        let (_, stderr) = fails(&world, script, message);
        assert!(stderr.contains("No space left"), "{stderr}");
    }
    world.setting("disco/client/step_disk", "8");
    // Each step has as much, and what it frees again is free.
    world.module("m").script("10.sh", "set -e; for i in 1 2 3 4; do head -c 5M /dev/zero >/srv/a; rm /srv/a; done; head -c 5M /dev/zero >/srv/a");
    world.module("n").script("10.sh", "set -e; head -c 5M /dev/zero >/srv/b");
    world.copy_stage_to("/tmp/master");
    world.disco(&["dance", "--noop", "--server", "/tmp/master"]).succeeds();
    // A part of what is free is never all of it.
    world.setting("disco/client/step_disk", "100%");
    world.sh("mkdir /srv/small && mount -t tmpfs -o size=24m small /srv/small").succeeds();
    world.setting("disco/client/storage", "/srv/small/scratch");
    let running = "head -c 40M /dev/zero >/srv/large; df --output=avail -B1 /srv | tail -n 1; true";
    let (stdout, _) =
        fails(&world, running, "no space is left for the scratchpad, of whose disk a step may take 2");
    let left: u64 = stdout.lines().find_map(|line| line.trim().parse().ok()).expect("what df said");
    assert!(left > 1 << 19, "{left} bytes are left");
}

#[test]
fn too_much_memory_is_ended_where_there_is_no_control_group() {
    let Some(world) = World::new() else { return };
    world.setting("disco/client/step_memory", "64");
    fails(&world, "exec python3 -c 'import time; x = b\"x\" * (300 << 20); time.sleep(8758)'", MEMORY);
    // That which many share is not many times as much.
    world.module("m").script(
        "10.sh",
        "x=$(head -c 6M /dev/zero | tr '\\0' x); for i in {1..20}; do (sleep 0.5; : ${#x}) & done; wait",
    );
    world.copy_stage_to("/tmp/master");
    world.disco(&["dance", "--server", "/tmp/master"]).succeeds();
}

#[test]
fn a_control_group_bounds_and_counts_what_nobody_sees_otherwise() {
    let Some(world) = World::new() else { return };
    let folders = world.mount_groups();
    // The one hierarchy of version 2 has no such mounts; the machine's own is then what tests must not touch.
    if folders.len() < 2 {
        return;
    }
    world.setting("disco/client/step_memory", "64");
    world.setting("disco/client/step_processes", "40");
    // It is over before anybody could count, and the script does not look.
    let (stdout, _) = fails(&world, "python3 -c 'x = b\"x\" * (300 << 20)'; echo went on", MEMORY);
    assert!(stdout.contains("went on\n"), "{stdout}");
    // One process, and many threads.
    let threads = "import threading, time\nfor i in range(80):\n  threading.Thread(target=time.sleep, args=(0.2,)).start()";
    let message = "more than 40 processes and threads at once (setting client/step_processes)\n";
    fails(&world, &format!("python3 -c '{threads}'; true"), message);
    // As much as it may.
    world.module("m").script(
        "10.sh",
        "set -e; for i in {1..30}; do sleep 0.1 & done; wait; python3 -c 'x = b\"x\" * (20 << 20)'",
    );
    world.module("n").script(
        "10.sh",
        "cat /proc/self/cgroup; cat /proc/self/oom_score_adj; echo -1000 >/proc/self/oom_score_adj; true",
    );
    world.copy_stage_to("/tmp/master");
    let out = world.disco(&["dance", "--noop", "--server", "/tmp/master"]);
    out.succeeds().stdout_has("\n0\n").stderr_has("ermission denied");
    // The second step of the run, below the run's group.
    let is_there = |line: &str| line.contains(":memory:/") && line.ends_with("/step-2");
    assert!(out.stdout.lines().any(is_there), "{out}");
    assert_eq!(world.groups(&folders), [""; 0], "groups are left");
}

#[test]
fn the_empty_group_of_a_killed_run_is_removed_by_the_next() {
    let Some(world) = World::new() else { return };
    let folders = world.mount_groups();
    if folders.len() < 2 {
        return;
    }
    let processes = world.processes();
    let running = world.spawn(&["disco", "try", "--", "sleep", "8757"]);
    world.wait_until("it sleeps", || {
        world.processes().iter().any(|line| line.ends_with("sleep 8757") && !line.contains("disco"))
    });
    let pidfd =
        rustix::process::pidfd_open(running.machine_pid(), rustix::process::PidfdFlags::empty()).unwrap();
    assert_eq!(world.groups(&folders).len(), 2, "a group of each kind");
    pidfd_send_signal(&pidfd, Signal::KILL).unwrap();
    assert_eq!(running.wait().signal_or_status(), 137);
    world.only_has(&processes);
    // Empty, if no run of somebody else's has removed them already.
    for group in world.groups(&folders) {
        world.run(&["cat", &format!("{group}/cgroup.procs")]).stdout_is("");
    }
    world.disco(&["try", "--", "true"]).succeeds();
    assert_eq!(world.groups(&folders), [""; 0], "groups are left");
}
