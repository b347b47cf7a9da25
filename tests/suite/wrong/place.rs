//! Hosts that lack something: space, a device, rights, or the live system itself.

use super::{MASTER, master};
use crate::world::World;

#[test]
fn a_full_disk_is_named_with_its_path_and_leaves_nothing() {
    let Some(world) = World::new() else { return };
    let full = "head -c 100M /dev/zero >/tmp/small/fill 2>/dev/null; true";
    let lines = "head -c 1M /dev/urandom | base64; echo x >/etc/ran";
    // What is a small file system, what is done to it first, the module's script; and what the error says.
    for (at, first, script, says) in [
        // At the fetch: the module has a file that is larger.
        (
            "",
            "head -c 4M /dev/urandom >/srv/master/modules/m/big",
            "",
            "this host cannot store it; rsync said",
        ),
        // At the start, and then at the first record.
        ("", full, "", "/tmp/small/"),
        ("runs", full, "", "/tmp/small/runs/"),
        // At the log of a step.
        ("runs", "true", lines, "/tmp/small/runs/"),
    ] {
        master(&world, "true");
        world.write(&format!("{MASTER}/modules/m/scripts/10.sh"), script);
        let mount = format!(
            "mkdir -p /tmp/small/{at} && mount -t tmpfs -o size=256k small /tmp/small/{at} && cd /tmp/small/{at} && {}",
            first.replace("/tmp/small/fill", "fill")
        );
        world.sh(&mount).succeeds();
        let before = world.manifest();
        let out = world.disco(&["--home", "/tmp/small", "dance", "--server", MASTER]);
        out.exits(74).stderr_has(says).stderr_has("\nhint: ");
        assert!(out.stderr.contains("No space left") || out.stderr.contains("no space is left"), "{out}");
        assert_eq!(world.manifest().since(&before), [""; 0], "{script}: it was merged\n{out}");
        world.sh("ls -A /tmp/small/scratch").stdout_is("");
        world.sh(&format!("umount /tmp/small/{at} && rm -rf /tmp/small")).succeeds();
        assert!(!world.exists("/etc/ran"));
    }
}

#[test]
fn a_disk_that_fills_after_the_merge_keeps_no_action_from_being_run() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.write_with_mode(
        "/etc/init.d/filler",
        "755",
        "#!/bin/sh\nhead -c 1M /dev/zero >/var/disco/runs/fill\ntrue\n",
    );
    world.sh("mkdir -p /var/disco/runs && mount -t tmpfs -o size=256k small /var/disco/runs").succeeds();
    master(
        &world,
        "echo 'service filler start; service postgresql stop; echo x >/etc/merged' >$S/scripts/10.sh",
    );
    let out = world.disco(&["dance", "--server", MASTER]);
    out.exits(74)
        .stderr_has("error: the run is merged and its actions were run, but its record could not be kept: ");
    assert!(world.exists("/etc/merged") && !world.service_runs("postgresql"), "{out}");
    world.sh("rm /var/disco/runs/fill; service postgresql start").succeeds();
    let json = world.disco(&["dance", "--format", "json", "--server", MASTER]);
    json.exits(74).stdout_has("\"outcome\":\"merged\"");
}

#[test]
fn what_a_sandbox_needs_and_is_not_there_is_named() {
    let Some(world) = World::new() else { return };
    master(&world, "echo 'echo ran' >$S/scripts/10.sh");
    world.run(&["chmod", "755", "/srv", "/usr/local/bin/disco"]).succeeds();
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    for (first, prefix, home, says) in [
        ("mv /dev/fuse /dev/away", "", "/var/disco", "error: cannot open /dev/fuse: "),
        ("mv /dev/away /dev/fuse", nobody, "/var/disco", "error: cannot "),
        ("true", nobody, "/tmp/own", "error: cannot clone the root read-only: "),
        (
            "true",
            "setpriv --bounding-set -sys_admin",
            "/var/disco",
            "error: cannot clone the root read-only: ",
        ),
    ] {
        let out = world.sh(&format!("{first}; {prefix} disco --home {home} dance --noop --server {MASTER}"));
        out.exits(77).stdout_is("").stderr_has(says).stderr_has("\nhint: ").stderr_has("root");
    }
}

#[test]
fn disco_in_its_own_sandbox_says_where_it_is() {
    let Some(world) = World::new() else { return };
    master(
        &world,
        "echo 'disco dance --noop; echo $?; disco try -- true; echo $?; disco param dump >/dev/null; echo $?' >$S/scripts/10.sh",
    );
    let out = world.disco(&["dance", "--noop", "--server", MASTER]);
    out.succeeds().stdout_has("77\n77\n0\n");
    let says = "error: this is inside one of disco's own sandboxes, and no second one opens in it\nhint: run it on the node";
    assert_eq!(out.stderr.matches(says).count(), 2, "{out}");
    out.stderr_lacks("is no setting of disco");
}
