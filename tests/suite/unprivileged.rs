//! `disco try` and `disco shell` of somebody who is not root: in a user namespace, with what that allows; and disco as root of
//! a container's user namespace.

use crate::world::{Output, World};

/// A node with the user alice, on which a /proc that hides nothing is mounted, as on a machine that is no container.
fn node() -> Option<World> {
    let world = World::new()?;
    world
        .sh("useradd --create-home --uid 4242 alice; umount /proc/sys; mkdir /etc/folder; echo 1 >/etc/folder/file; touch /var/there
             echo mine >/home/alice/mine; chown alice:alice /home/alice/mine; chmod 600 /home/alice/mine")
        .succeeds();
    Some(world)
}

/// What alice gets for that command.
fn alice(world: &World, argv: &[&str]) -> Output {
    let user = [
        "setpriv",
        "--reuid=4242",
        "--regid=4242",
        "--clear-groups",
        "env",
        "--chdir=/home/alice",
        "HOME=/home/alice",
        "USER=alice",
    ];
    world.run(&[&user, argv].concat())
}

/// What is different on the node since then, her records apart.
fn since(world: &World, before: &crate::world::Manifest) -> Vec<String> {
    let mut lines = world.manifest().since(before);
    lines.retain(|line| !line.starts_with("/home/alice/.local"));
    lines
}

#[test]
fn a_user_sees_what_a_command_would_change_and_nothing_changes() {
    let Some(world) = node() else { return };
    let victim = world.spawn(&["setpriv", "--reuid=4242", "--clear-groups", "sleep", "1000000"]);
    let (before, mounts, processes) = (world.manifest(), world.mounts(), world.processes());
    let script = format!(
        "echo x >~/f; rm -rf /etc 2>/dev/null; id -u; cat ~/mine; rm ~/mine; kill -9 {} 2>/dev/null; kill -9 -1",
        victim.pid()
    );
    let tried = alice(&world, &["disco", "try", "--", "sh", "-c", &script]);
    tried.stdout_has("0\nmine\n").stdout_has("info: File: file: /etc/passwd : Deleted\n");
    tried.stdout_has("info: File: file: /home/alice/f : Created : type=[regular file]");
    tried.stdout_has("info: File: file: /home/alice/mine : Deleted\n1d0\n< mine\n");
    tried.stderr_has("info: not root: as root of a user namespace, to which all files seem to be root's; ");
    assert!(tried.changes().iter().any(|line| line == "/etc/shadow Deleted"), "{tried}");
    assert_eq!(since(&world, &before), [""; 0]);
    assert_eq!(world.mounts(), mounts);
    world.only_has(&processes);
    world.sh("find /home/alice/.local/state/disco/scratch -mindepth 1").succeeds().stdout_is("");
    victim.signal("KILL");
    assert_eq!(victim.wait().signal_or_status(), 128 + 9);

    // Her runs are hers, where they are looked for; root has none.
    alice(&world, &["disco", "runs"]).succeeds().stdout_has("  noop  ");
    alice(&world, &["disco", "report"]).succeeds().stdout_has("report: try: exec\n");
    world.disco(&["runs"]).succeeds().stderr_has("there is no run yet");
    let elsewhere = alice(&world, &["env", "XDG_STATE_HOME=/tmp/state", "disco", "try", "--", "true"]);
    elsewhere.succeeds();
    assert!(world.exists("/tmp/state/disco/runs"));
}

#[test]
fn what_a_user_may_not_is_refused() {
    let Some(world) = node() else { return };
    let before = world.manifest();
    for (script, said) in [
        ("cat /etc/shadow", "Permission denied"),
        ("ls /root", "Permission denied"),
        ("touch /etc/x && chown 1:1 /etc/x", "Invalid argument"),
        ("mknod /etc/null c 1 3", "Operation not permitted"),
        ("unshare --user true", "Operation not permitted"),
    ] {
        let tried = alice(&world, &["disco", "try", "--diff", "none", "--", "sh", "-c", script]);
        assert!(tried.status != Some(0) && tried.stderr.contains(said), "{script}\n{tried}");
    }
    alice(&world, &["disco", "try", "--commit", "--", "touch", "/etc/x"])
        .exits(77)
        .stderr_has("error: only root can merge what was changed\nhint: ");
    alice(&world, &["disco", "shell", "--merge"]).exits(77);
    alice(&world, &["disco", "dance", "--noop"]).exits(77).stderr_has("hint: run it as root");
    assert_eq!(since(&world, &before), [""; 0]);
}

#[test]
fn the_view_of_a_user_is_one_to_work_in() {
    let Some(world) = node() else { return };
    world.sh("printf '#!/bin/sh\nexit 3\n' >/etc/init.d/canary; chmod 755 /etc/init.d/canary").succeeds();
    let before = world.manifest();
    let script = r#"set -e
        rm -r /etc/folder; mkdir /etc/folder; echo 2 >/etc/folder/new; mv /etc/folder /etc/moved
        ln /etc/moved/new /etc/link; sed -i s/alice/bob/ /etc/passwd; chmod 600 /etc/hosts; mkdir -p ~/a/b
        setfattr -n user.note -v hi /etc/hosts; getfattr --absolute-names -d -m - -R /etc/moved /etc/hosts ~ | grep -v '^#' | grep .
        rm ~/mine; echo again >~/mine; stat -c '%U:%G' /etc/passwd ~/mine; test -w /usr/bin; sleep 0 & wait; tty || true
        service canary stop; service canary status || true"#;
    let tried = alice(&world, &["disco", "try", "--diff", "none", "--", "bash", "-c", script]);
    tried.succeeds().stdout_has("user.note=\"hi\"\nroot:root\nroot:root\n").stdout_lacks("disco.");
    tried
        .stderr_has("approximate: ")
        .stderr_has("user namespace")
        .stdout_has("Would execute : service canary stop");
    assert_eq!(
        tried.changes(),
        [
            "/etc/folder Deleted",
            "/etc/folder/file Deleted",
            "/etc/hosts Modified",
            "/etc/link Created",
            "/etc/moved/new Created",
            "/etc/passwd Modified",
            "/home/alice/a/b Created",
            "/home/alice/mine Modified",
        ],
        "{tried}"
    );
    tried.stdout_has("perms=[root:root 644 => root:root 600]");
    let typed = world.command(&[
        "setpriv",
        "--reuid=4242",
        "--regid=4242",
        "--clear-groups",
        "env",
        "HOME=/home/alice",
        "disco",
        "shell",
    ]);
    typed
        .stdin("cd; pwd; touch /usr/y\n")
        .run()
        .succeeds()
        .stdout_has("/home/alice\n")
        .stdout_has("/usr/y : Created");
    assert_eq!(since(&world, &before), [""; 0]);
}

#[test]
fn what_steps_of_a_user_try_is_told() {
    let Some(world) = node() else { return };
    let script =
        "exec 2>/dev/null; echo x >/proc/sys/kernel/sysrq; mount -t tmpfs x /mnt; unshare -U true; true";
    let tried = alice(&world, &["disco", "try", "--", "bash", "-c", script]);
    tried.succeeds().stdout_has("warning: ").stdout_has("unshare");
}

#[test]
fn where_no_user_namespace_is_to_be_had_it_is_said() {
    let Some(world) = node() else { return };
    let user = "setpriv --reuid 4242 --regid 4242 --clear-groups env HOME=/home/alice";
    // The limit is one of a user namespace: this one's is nobody else's.
    let script = format!(
        "unshare --user sleep 1000000 & p=$!
         until [ $(readlink /proc/$p/ns/user) != $(readlink /proc/self/ns/user) ]; do sleep 0.01; done
         echo 0 0 65536 >/proc/$p/uid_map; echo 0 0 65536 >/proc/$p/gid_map
         nsenter --user --target $p sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; {user} disco try -- true; echo $?
           {user} disco doctor'
         kill $p"
    );
    let limit = world.read("/proc/sys/user/max_user_namespaces");
    let done = world.sh(&script);
    done.stdout_has("77\n")
        .stdout_has("missing   user-namespaces       none is allowed (user.max_user_namespaces is 0); ");
    done.stderr_has("error: not root, and no user namespace can be had: No space left on device");
    done.stderr_has("hint: run it as root, or allow user namespaces: `disco doctor` says what is in the way");
    assert_eq!(world.read("/proc/sys/user/max_user_namespaces"), limit, "the limit was the machine's");
}

#[test]
fn where_a_part_of_proc_is_hidden_it_is_said() {
    let Some(world) = World::new() else { return };
    world.sh("useradd --create-home --uid 4242 alice").succeeds();
    // As in most containers: whoever is not root must not see what is below.
    let tried = alice(&world, &["disco", "try", "--", "true"]);
    tried.exits(74).stderr_has("cannot mount proc on /proc: Operation not permitted").stderr_has("hint: ");
    let doctor = alice(&world, &["disco", "doctor"]);
    doctor.exits(1).stdout_has("missing   pid-namespace ").stdout_has("missing   sandbox ");
}

#[test]
fn root_of_a_containers_user_namespace_has_sandboxes() {
    let Some(world) = node() else { return };
    let before = world.manifest();
    let inside = "unshare --mount sh -c \"disco try --diff none -- sh -c \\\"set -e; rm -r /etc/folder; touch /etc/x; chown 1:1 /etc/x; \
        stat -c %U:%G /etc/x /etc/passwd; rm /home/alice/mine\\\"; disco doctor\"";
    let script = format!(
        "unshare --user sleep 1000000 & p=$!
         until [ $(readlink /proc/$p/ns/user) != $(readlink /proc/self/ns/user) ]; do sleep 0.01; done
         echo 0 0 65536 >/proc/$p/uid_map; echo 0 0 65536 >/proc/$p/gid_map
         nsenter --user --target $p {inside}; status=$?
         kill $p; exit $status"
    );
    let done = world.sh(&script);
    done.succeeds().stdout_has("daemon:daemon\nroot:root\n").stdout_has("/etc/folder : Deleted");
    done.stdout_has("ok        sandbox ")
        .stdout_has("ok        home-marks            user.disco.doctor can be set");
    assert_eq!(since(&world, &before), [""; 0]);
}
