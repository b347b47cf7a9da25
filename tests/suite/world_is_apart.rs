//! The first test of the privileged tier: it is inside, and nothing it does reaches the machine.

use std::fs;
use std::path::Path;

use crate::world::{NODE, World};

#[test]
fn a_world_has_namespaces_of_its_own() {
    let Some(world) = World::new() else { return };
    for kind in ["mnt", "pid", "net", "uts", "ipc"] {
        let inside = fs::read_link(format!("/proc/{}/ns/{kind}", world.pid())).unwrap();
        let ours = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_ne!(inside, ours, "the node shares the {kind} namespace of the test");
        let seen = world.run(&["readlink", &format!("/proc/self/ns/{kind}")]);
        assert_eq!(
            Path::new(seen.succeeds().stdout.trim()),
            inside,
            "commands run in another {kind} namespace"
        );
    }
    world.run(&["hostname"]).succeeds().stdout_is(&format!("{NODE}\n"));
    world.run(&["cat", "/proc/1/comm"]).succeeds().stdout_is("bash\n");
}

#[test]
fn what_happens_in_a_world_stays_there() {
    let Some(world) = World::new() else { return };
    let before = world.manifest();
    let name = format!("disco-world-test-{}", std::process::id());
    for folder in ["/", "/etc", "/usr/bin", "/var/tmp", "/tmp", "/run", "/dev"] {
        let path = Path::new(folder).join(&name);
        world.write(path.to_str().unwrap(), "inside\n");
        assert!(world.exists(path.to_str().unwrap()));
        assert!(!path.exists(), "{} reached the machine", path.display());
    }
    world.run(&["rm", "/etc/passwd"]).succeeds();
    assert!(Path::new("/etc/passwd").exists(), "a deletion reached the machine");
    let since = world.manifest().since(&before);
    assert!(since.iter().any(|line| line.starts_with(&format!("/etc/{name}: file 7 bytes"))), "{since:#?}");
    assert!(since.iter().any(|line| line == "/etc/passwd: deleted"), "{since:#?}");
    assert!(world.sh("echo 1 >/proc/sys/vm/drop_caches").status != Some(0), "kernel settings can be written");
    assert!(
        world.sh("mkdir /sys/fs/cgroup/x || touch /sys/kernel/x").status != Some(0),
        "/sys can be written"
    );
}

#[test]
fn a_world_ends_with_all_its_processes() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    let pid: u32 = world.pid();
    let namespace = fs::read_link(format!("/proc/{pid}/ns/pid")).unwrap();
    drop(world);
    let left = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path().join("ns/pid")).ok())
        .filter(|theirs| *theirs == namespace)
        .count();
    assert_eq!(left, 0, "processes outlive the node");
}

#[test]
fn a_command_may_fail_and_its_streams_are_apart() {
    let Some(world) = World::new() else { return };
    world.sh("echo out; echo err >&2; exit 3").exits(3).stdout_is("out\n").stderr_has("err\n");
    world.command(&["cat"]).stdin("given").run().succeeds().stdout_is("given");
    world.command(&["sh", "-c", "echo $NOOP"]).env("NOOP", "true").run().succeeds().stdout_is("true\n");
    let sleeping = world.spawn(&["sleep", "1000"]);
    sleeping.signal("TERM");
    assert_eq!(sleeping.wait().signal_or_status(), 128 + 15);
}

#[test]
fn the_parts_of_a_world_are_real() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    assert!(
        world.processes().iter().any(|line| line.ends_with("/usr/bin/sleep 1000000")),
        "{:?}",
        world.processes()
    );
    world.run(&["service", "postgresql", "stop"]).succeeds();
    assert!(!world.service_runs("postgresql"));

    world.example();
    world.master();
    world.run(&["rsync", "rsync://127.0.0.1/testmodule-1.0/scripts/"]).succeeds().stdout_has("00-hello.sh");
    world
        .run(&["rsync", &format!("rsync://127.0.0.1/parameters/{NODE}/modules/")])
        .succeeds()
        .stdout_has("othermodule");

    world.sshd();
    let rsync = world.read("/var/disco/parameters/disco/client/cmds/rsync");
    let over_ssh = format!("{} disco@127.0.0.1::testmodule-1.0/ /tmp/fetched/", rsync.trim());
    world.sh(&over_ssh).succeeds();
    assert!(world.exists("/tmp/fetched/scripts/00-hello.sh"));
    world.expect_another_host_key();
    world.sh(&over_ssh).stderr_has("Host key verification failed");
}

/// Outside of namespaces of its own it would move the machine itself into another root.
#[test]
fn the_root_is_not_made_where_it_is_not_alone() {
    let Some(world) = World::new() else { return };
    let mounts = world.mounts();
    world.write("/tmp/throwaway-root", include_str!("../../scripts/throwaway-root"));
    world
        .run(&["bash", "/tmp/throwaway-root", "/mnt", "/usr/local/bin/disco"])
        .exits(64)
        .stderr_has("error: throwaway-root: not alone here");
    assert_eq!(world.mounts(), mounts);
}
