//! Machines on which something is not to be had that a sandbox needs: nothing runs, the message says what is missing and what
//! to do, and nothing is left. And those on which disco does without.

use crate::world::{Output, World};

/// A node with `guard`, which runs a command under a filter of system calls.
fn node() -> Option<World> {
    let world = World::new()?;
    world.write("/tmp/guard.c", include_str!("doctor/guard.c"));
    world
        .sh("cc -Wall -Werror -o /usr/local/bin/guard /tmp/guard.c; touch /var/there; mkdir -p /var/disco")
        .succeeds();
    Some(world)
}

/// Nothing has run, and it says why and where to look.
#[track_caller]
fn refuses(done: &Output, why: &str) {
    assert!(matches!(done.status, Some(74 | 77)), "{done}");
    done.stdout_lacks("ran")
        .stderr_has("error: ")
        .stderr_has(why)
        .stderr_has("\nhint: ")
        .stderr_has("`disco doctor` says what");
}

#[test]
fn nothing_runs_where_a_wall_cannot_be_raised() {
    let Some(world) = node() else { return };
    world.module("m").script("10.sh", "echo ran >/etc/ran; echo ran");
    world.master();
    let (before, mounts, processes) = (world.manifest(), world.mounts(), world.processes());
    // `guard NUMBER ERROR`: a call, and what an older kernel (38) or a profile (1) answers.
    for (with, why) in [
        ("guard 442 38", "cannot clone the root read-only: Function not implemented"),
        ("guard 428 1", "cannot clone the root read-only: Operation not permitted"),
        ("guard 272 1", "cannot enter new namespaces: Operation not permitted"),
        ("guard 155 1", "cannot pivot the root on "),
        ("guard 165 1", "cannot make mounts private on /: Operation not permitted"),
        ("guard 317 1", "Operation not permitted"),
        ("guard 317 38", "Function not implemented"),
        ("guard 436 38", "Function not implemented"),
        ("guard 438 38", "(pidfd_getfd): Function not implemented"),
        (
            "setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace",
            "(pidfd_getfd): Operation not permitted",
        ),
        (
            "setpriv --bounding-set -net_admin --inh-caps -net_admin",
            "cannot bring the loopback up: Operation not permitted",
        ),
        ("guard 126 1", "cannot drop capabilities: "),
        (
            "setpriv --bounding-set -sys_admin --inh-caps -sys_admin",
            "cannot clone the root read-only: Operation not permitted",
        ),
        ("env DISCO_HOME=/sys/kernel", ""),
    ] {
        if !why.is_empty() {
            refuses(&world.sh(&format!("{with} disco dance")), why);
            refuses(&world.sh(&format!("{with} disco dance --noop")), why);
        }
        let tried = world.sh(&format!("{with} disco try -- sh -c 'echo ran'"));
        tried.stdout_lacks("ran").stderr_has("error: ").stderr_has(why);
        assert!(tried.status != Some(0), "{with}\n{tried}");
    }
    world.sh("rm /dev/fuse").succeeds();
    refuses(&world.disco(&["dance", "--noop"]), "cannot open /dev/fuse: No such file or directory");
    assert_eq!(world.manifest().since(&before), [""; 0]);
    assert_eq!(world.mounts(), mounts);
    world.only_has(&processes);
    world.sh("find /var/disco/scratch -mindepth 1").succeeds().stdout_is("");
}

#[test]
fn a_run_goes_on_without_what_it_can_do_without() {
    let Some(world) = node() else { return };
    world.module("m").script("10.sh", "echo ran; touch /etc/ran; kill -0 $$");
    world.master();
    // A profile without io_uring or userfaultfd, a kernel without process_madvise, cachestat, landlock or fchmodat2.
    for with in
        ["guard 425 38", "guard 323 1", "guard 440 38", "guard 451 38", "guard 444 38", "guard 452 38"]
    {
        let done = world.sh(&format!("{with} disco dance --noop"));
        done.succeeds().stdout_has("ran\n").stdout_has("info: File: file: /etc/ran : Created");
    }
}

#[test]
fn a_sandbox_opens_in_a_container_in_a_container() {
    let Some(world) = node() else { return };
    let before = world.manifest();
    // Root of namespaces of its own, once more: a container that is given all capabilities.
    let inside = "unshare --mount --pid --net --uts --ipc --fork --kill-child --mount-proc \
                  unshare --mount --pid --net --uts --ipc --cgroup --fork --kill-child --mount-proc";
    let tried = world.sh(&format!("{inside} disco try -- sh -c 'echo x >/etc/x; systemctl stop y; true'"));
    tried.succeeds().stdout_has("info: File: file: /etc/x : Created");
    world.sh(&format!("{inside} disco doctor")).succeeds().stdout_has("ok        sandbox ");
    // One more, whose root is no mount point: what chroot makes of it.
    world.sh("mkdir /tmp/root; mount --rbind / /tmp/root").succeeds();
    let rooted = world.sh("unshare --mount chroot /tmp/root disco try -- sh -c 'echo x >/etc/x'");
    rooted.succeeds().stdout_has("info: File: file: /etc/x : Created");
    world.sh("umount --recursive --lazy /tmp/root").succeeds();
    assert_eq!(world.manifest().since(&before), [""; 0]);
}
