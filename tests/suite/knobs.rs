//! Writes to the kernel's settings, pretended in the sandbox: seen later in the run, shown as what would be done, done after
//! the merge, and never before.

use crate::world::World;

/// The network's settings of a node are its network namespace's own: these may be written, all others are the machine's.
const OPEN: &str = "mount --bind /proc/sys/net /proc/sys/net && mount -o remount,bind,rw /proc/sys/net";

const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";

/// A node whose settings of the network may be written; it forwards nothing.
fn node() -> Option<World> {
    let world = World::new()?;
    world.sh(OPEN).succeeds();
    world.run(&["cat", FORWARD]).stdout_is("0\n");
    Some(world)
}

#[test]
fn a_pretended_setting_is_seen_by_all_that_follows_and_made_after_the_merge() {
    let Some(world) = node() else { return };
    world.module("a").script(
        "10.sh",
        "set -e; echo first; echo 1 >/proc/sys/net/ipv4/ip_forward; echo second; cat /proc/sys/net/ipv4/ip_forward
        sysctl -q -w net.ipv4.tcp_rmem='4096 65536 131072'",
    );
    world
        .module("b")
        .requires("after a")
        .script("10.sh", "sysctl net.ipv4.ip_forward; echo $(sysctl -n net.ipv4.tcp_rmem)");
    world.module("c").requires("after b").script("10.sh", "cat /proc/sys/net/ipv4/conf/all/rp_filter");
    world.master();
    let rmem = world.read("/proc/sys/net/ipv4/tcp_rmem");
    let both = |out: &crate::world::Output| {
        out.succeeds()
            .stdout_has("info: Processing b\nnet.ipv4.ip_forward = 1\n4096 65536 131072\n")
            .stderr_has("info: a: 10.sh: approximate: sysctl");
    };
    let noop = world.disco(&["dance", "--noop"]);
    noop.stdout_has("first\nwarning: Would execute : sysctl -w net.ipv4.ip_forward=1\nsecond\n1\n")
        .stdout_has("warning: Would execute : sysctl -w 'net.ipv4.tcp_rmem=4096 65536 131072'\n");
    both(&noop);
    world.run(&["cat", FORWARD]).stdout_is("0\n");
    world.run(&["cat", "/proc/sys/net/ipv4/tcp_rmem"]).stdout_is(&rmem);
    let live = world.disco(&["dance"]);
    live.stdout_has("first\nsecond\n1\n")
        .stderr_has("info: Executed : sysctl -w net.ipv4.ip_forward=1 : done\n")
        .stderr_has("info: Deferred : sysctl -w 'net.ipv4.tcp_rmem=4096 65536 131072'\n");
    both(&live);
    world.run(&["cat", FORWARD]).stdout_is("1\n");
    world.run(&["cat", "/proc/sys/net/ipv4/tcp_rmem"]).stdout_is("4096\t65536\t131072\n");
    let record = world
        .sh("cat /var/disco/runs/*/record.json | grep -e kind -e target -e line")
        .succeeds()
        .stdout
        .clone();
    let lines: Vec<&str> = record.lines().map(str::trim).collect();
    let told = [r#""kind": "setting","#, r#""target": "net.ipv4.ip_forward","#, r#""line": 2,"#];
    assert!(told.iter().all(|told| lines.contains(told)), "{record}");
}

#[test]
fn telling_every_device_is_one_effect() {
    let Some(world) = node() else { return };
    // A program of that name that does what udevadm(8) does; the node may have none.
    world.module("m").script(
        "10.sh",
        "mkdir /srv/x && cd /srv/x && cp /bin/bash udevadm
        echo 'for device in /sys/class/mem/*/uevent; do echo change >$device; done' >trigger
        ./udevadm trigger; ./udevadm trigger; cat /sys/class/mem/null/uevent; rm -r /srv/x",
    );
    world.master();
    let devices = world.sh("ls /sys/class/mem | wc -l").stdout.clone();
    assert!(devices.trim().parse::<u32>().unwrap() > 2, "{devices}");
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds().stdout_has("DEVNAME=null\n");
    let effects = out.stdout.lines().filter(|line| line.contains("Would execute")).collect::<Vec<_>>();
    assert_eq!(effects, ["warning: Would execute : ./udevadm trigger"; 2], "{out}");
}

#[test]
fn files_of_sysfs_and_the_rest_of_proc_pretend_too_and_nothing_reaches_the_machine() {
    let Some(world) = node() else { return };
    let knobs = "/proc/sys/vm/swappiness /proc/irq/default_smp_affinity /sys/kernel/mm/transparent_hugepage/enabled \
                 /sys/class/net/lo/mtu";
    world.module("m").script(
        "10.sh",
        &format!(
            "for knob in {knobs}; do echo never >$knob || echo 7 >$knob; echo $knob: $(cat $knob); done 2>/dev/null
            echo 3 >/proc/sys/vm/drop_caches
            mkdir /sys/fs/cgroup/x || rm /proc/sys/vm/swappiness || touch /proc/sys/x || chmod 600 /proc/sys/vm/swappiness"
        ),
    );
    world.master();
    let before = world.sh(&format!("tail -n 1 {knobs}")).succeeds().stdout.clone();
    let out = world.disco(&["dance", "--noop"]);
    out.exits(1)
        .stdout_has("/proc/sys/vm/swappiness: 7\n")
        .stdout_has("/proc/irq/default_smp_affinity: never\n")
        .stdout_has("/sys/kernel/mm/transparent_hugepage/enabled: always madvise [never]\n")
        .stdout_has("Would execute : sysctl -w vm.swappiness=7\n")
        .stdout_has("Would execute : sysctl -w vm.drop_caches=3\n")
        .stdout_has("Would execute : sh -c 'printf %s never > /proc/irq/default_smp_affinity'\n")
        .stderr_has("info: m: 10.sh: approximate: /proc/irq, /sys, sysctl");
    for refused in ["mkdir: cannot", "rm: cannot", "touch: cannot", "chmod: changing"] {
        assert!(out.stdout.contains(refused) || out.stderr.contains(refused), "{refused}\n{out}");
    }
    world.sh(&format!("tail -n 1 {knobs}")).stdout_is(&before);
}

#[test]
fn a_write_after_the_end_of_a_step_and_one_that_is_killed_hold_nobody_up() {
    let Some(world) = node() else { return };
    world.module("m").script(
        "10.sh",
        "(setsid bash -c 'while :; do echo 1 >/proc/sys/net/ipv4/ip_forward; done' &) ; sleep 0.2; echo done",
    );
    world.module("n").requires("after m").script("10.sh", "cat /proc/sys/net/ipv4/ip_forward");
    world.master();
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds().stdout_has("Processing n\n1\n");
    let running = world.spawn(&[
        "disco",
        "try",
        "--",
        "bash",
        "-c",
        "while :; do echo 1 >/proc/sys/net/ipv4/ip_forward; done",
    ]);
    world.wait_until("it writes", || world.sh("pgrep -f ip_forward | wc -l").stdout.trim() != "0");
    running.signal("TERM");
    assert_eq!(running.wait().signal_or_status(), 143);
    world.run(&["cat", FORWARD]).stdout_is("0\n");
}

#[test]
fn without_them_the_walls_are_read_only_and_that_is_said() {
    let Some(world) = node() else { return };
    world.sh("umount /sys && rmdir /sys").succeeds();
    let write = "echo 1 >/proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward";
    world
        .disco(&["try", "--", "bash", "-c", write])
        .succeeds()
        .stdout_has("0\n")
        .stderr_has("Read-only file system")
        .stderr_has("warning: Writes to /proc/sys and /sys are refused here, not pretended: ");
    world.run(&["cat", FORWARD]).stdout_is("0\n");
}
