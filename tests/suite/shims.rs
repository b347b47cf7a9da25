//! Commands that act on the running system, in steps: pretended, recorded, answered in line with that, and the same in NOOP
//! and live runs. And nobody acts on the host by a command that only looks.
//!
//! A few lines longer than other files: what is pretended, looked at and made of one command is to be read together.

use crate::world::World;

/// Runs each line and shows it, what it printed, and its status.
fn transcript(lines: &[&str]) -> String {
    let run = |line: &&str| {
        format!("echo '$ {}'; {{ {line}; }} 2>&1; echo \"= $?\"\n", line.replace('\'', "'\\''"))
    };
    lines.iter().map(run).collect()
}

/// Has a step run those lines in NOOP, and holds what it saw against what is expected; the node is as before.
#[track_caller]
fn told(world: &World, rows: &[(&str, &str)]) {
    world.module("m").script("10.sh", &transcript(&rows.iter().map(|row| row.0).collect::<Vec<_>>()));
    world.publish();
    let (manifest, processes) = (world.manifest(), world.processes());
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds();
    let own = |line: &&str| !line.starts_with("warning: ") && !line.starts_with("info: ");
    let said: String = out.stdout.lines().filter(own).map(|line| format!("{line}\n")).collect();
    for (line, expected) in rows {
        assert!(said.contains(&format!("$ {line}\n{expected}\n")), "{line}: not {expected:?}\n{out}");
    }
    assert_eq!(world.manifest().since(&manifest), [""; 0]);
    world.only_has(&processes);
}

#[test]
fn a_service_is_what_it_was_pretended_to_be() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.master();
    told(
        &world,
        &[
            ("service postgresql status >/dev/null", "= 0"),
            ("service postgresql stop", "= 0"),
            ("service postgresql status", "postgresql is not running.\n= 3"),
            ("/usr/sbin/service postgresql start", "= 0"),
            ("service postgresql status", "postgresql is running.\n= 0"),
            ("service nosuch start", "nosuch: unrecognized service\n= 1"),
            ("service nosuch status", "nosuch: unrecognized service\n= 1"),
            (
                "printf '#!/bin/sh\\n' >/etc/init.d/new; chmod 755 /etc/init.d/new; service new start; rm /etc/init.d/new",
                "= 0",
            ),
            (
                "systemctl start postgresql",
                "System has not been booted with systemd as init system (PID 1). Can't operate.\nFailed to connect to bus: Host is down\n= 1",
            ),
            (
                "systemctl is-enabled nosuch",
                "Failed to get unit file state for nosuch.service: No such file or directory\n= 1",
            ),
        ],
    );
    assert!(world.service_runs("postgresql"));
}

#[test]
fn an_init_script_that_is_called_by_its_path_does_nothing_and_is_told() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.master();
    let pid = world.service_pid("postgresql");
    world.module("m").script(
        "10.sh",
        "start-stop-daemon --status --pidfile /run/postgresql.pid; echo before $?
        start-stop-daemon --stop --quiet --pidfile /run/postgresql.pid; echo stop $?
        start-stop-daemon --status --pidfile /run/postgresql.pid; echo after $?
        start-stop-daemon --start --exec /no/such/daemon; echo missing $?
        start-stop-daemon --stop --name nosuch; echo nobody $?",
    );
    world.publish();
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds()
        .stdout_has("before 0\n")
        .stdout_has("Would execute : start-stop-daemon --stop --quiet --pidfile /run/postgresql.pid\nstop 0\nafter 3\n")
        .stdout_has("missing 2\n")
        .stdout_has("nobody 1\n");
    assert_eq!(out.stdout.matches("Would execute").count(), 1, "{out}");
    assert_eq!(world.service_pid("postgresql"), pid);
    assert!(world.service_runs("postgresql"));
}

#[test]
fn processes_of_the_host_are_seen_and_not_hit() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.master();
    let victim = world.spawn(&["sleep", "7654321"]);
    let pid = victim.pid().to_owned();
    let rows: Vec<(String, String)> = [
        ("env kill -0 PID", "= 0"),
        ("pgrep -x -f 'sleep 7654321'", "PID\n= 0"),
        ("env kill 999999", "kill: (999999): No such process\n= 1"),
        ("killall nosuch", "nosuch: no process found\n= 1"),
        ("pkill -x nosuch", "= 1"),
        ("pgrep -x nosuch", "= 1"),
        ("env kill -HUP PID", "= 0"),
        ("env kill -0 PID", "= 0"),
        ("pkill -x -f 'sleep 7654321'", "= 0"),
        ("env kill -0 PID", "kill: (PID): No such process\n= 1"),
        ("pgrep -x -f 'sleep 7654321'", "= 1"),
        ("ps -ef | grep -c '[7]654321'", "0\n= 1"),
    ]
    .map(|(line, expected)| (line.replace("PID", &pid), expected.replace("PID", &pid)))
    .into();
    let rows: Vec<(&str, &str)> =
        rows.iter().map(|(line, expected)| (line.as_str(), expected.as_str())).collect();
    told(&world, &rows);
    world.run(&["kill", "-0", &pid]).succeeds();
    let noop = world.disco(&["dance", "--noop"]);
    noop.stdout_has(&format!("Would execute : kill -HUP {pid}\n"));
    victim.signal("KILL");
    victim.wait().signal_or_status();
}

#[test]
fn processes_of_the_step_are_its_own() {
    let Some(world) = World::new() else { return };
    world.master();
    told(
        &world,
        &[
            ("ps -p $$ -o comm=", "bash\n= 0"),
            ("sleep 7654322 & env kill $!; wait $!", "= 143"),
            (
                "sleep 7654323 & [ $(pgrep -x -f 'sleep 7654323') = $! ] && echo same; env kill $!",
                "same\n= 0",
            ),
            ("(exec -a mine sleep 7654324) & sleep 0.2; pkill -f '^mine 7654324' && wait $!", "= 143"),
            (
                "sleep 7654325 & ps -ef | awk '/[7]654325/ { print $2 }' | grep -qx $! && echo here; env kill $!",
                "here\n= 0",
            ),
        ],
    );
    world.disco(&["dance", "--noop"]).stdout_lacks("Would execute");
}

#[test]
fn mounts_names_and_clocks_are_pretended() {
    let Some(world) = World::new() else { return };
    world.sh("mkdir /mnt/a /mnt/b && mount -t tmpfs shims /mnt/a").succeeds();
    world.master();
    let hint = "       dmesg(1) may have more information after failed mount system call.";
    told(
        &world,
        &[
            ("mountpoint /mnt/a", "/mnt/a is a mountpoint\n= 0"),
            ("findmnt -n -o SOURCE /mnt/a", "shims\n= 0"),
            ("mount -t tmpfs new /mnt/b", "= 0"),
            ("mountpoint -q /mnt/b", "= 0"),
            ("mount | grep ' /mnt/b '", "new on /mnt/b type tmpfs (rw)\n= 0"),
            ("umount /mnt/a /mnt/b", "= 0"),
            ("mountpoint /mnt/a", "/mnt/a is not a mountpoint\n= 32"),
            ("findmnt /mnt/b", "= 1"),
            ("umount /mnt/b", "umount: /mnt/b: not mounted.\n= 32"),
            ("umount /nosuch", "umount: /nosuch: no mount point specified.\n= 32"),
            (
                "mount /dev/nosuch /mnt/b",
                &format!("mount: /mnt/b: special device /dev/nosuch does not exist.\n{hint}\n= 32"),
            ),
            (
                "mount -t tmpfs x /nosuch",
                &format!("mount: /nosuch: mount point does not exist.\n{hint}\n= 32"),
            ),
            ("mount /nosuch", "mount: /nosuch: can't find in /etc/fstab.\n= 1"),
            ("hostname", "localhost.localdomain\n= 0"),
            ("hostname box.example", "= 0"),
            ("hostname", "box.example\n= 0"),
            ("hostname -s", "box\n= 0"),
            ("date -u -s '2030-01-02 03:04:05' +%F", "2030-01-02\n= 0"),
            ("date -s nonsense", "date: invalid date \u{2018}nonsense\u{2019}\n= 1"),
            ("date -d 2031-01-01 +%F", "2031-01-01\n= 0"),
            ("swapon /nosuch", "swapon: cannot open /nosuch: No such file or directory\n= 255"),
        ],
    );
    assert!(world.mounts().contains(" /mnt/a "));
    world.run(&["hostname"]).stdout_is("localhost.localdomain\n");
}

#[test]
fn what_is_noted_in_noop_is_done_live_after_the_merge() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.sh("mkdir /mnt/a; ip link add dummy0 type veth peer name dummy1").succeeds();
    let victim = world.spawn(&["sleep", "7654326"]);
    let script = format!(
        "set -e; echo 10.9.8.7 other >>/etc/hosts
        service postgresql restart
        env kill -TERM {}
        mount -t tmpfs later /mnt/a
        ip link set dev dummy0 mtu 1400
        echo for the table | logger -t shims
        hostname later.example",
        victim.pid()
    );
    world.module("m").script("10.sh", &script);
    world.master();
    let asked = |out: &crate::world::Output| -> Vec<String> {
        let word = |line: &str| {
            line.split_once("cute : ").or(line.split_once("Deferred : ")).map(|(_, rest)| rest.to_owned())
        };
        out.stdout
            .lines()
            .chain(out.stderr.lines())
            .filter(|line| !line.contains("Executed"))
            .filter_map(word)
            .collect()
    };
    let pid = world.service_pid("postgresql");
    let noop = world.disco(&["dance", "--noop"]);
    noop.succeeds();
    assert_eq!(world.service_pid("postgresql"), pid);
    let live = world.disco(&["dance"]);
    live.succeeds();
    assert_eq!(asked(&noop), asked(&live), "{noop}\n{live}");
    assert_eq!(asked(&noop).len(), 6, "{noop}");
    assert_ne!(world.service_pid("postgresql"), pid);
    assert_eq!(victim.wait().signal_or_status(), 143);
    assert!(world.mounts().contains(" /mnt/a "));
    world.sh("cat /sys/class/net/dummy0/mtu 2>/dev/null || ip link show dummy0").stdout_has("1400");
    world.run(&["hostname"]).stdout_is("later.example\n");
    let record = world.sh("cat /var/disco/runs/*/record.json").stdout.clone();
    for known in [
        "\"kind\": \"mount\"",
        "\"kind\": \"process\"",
        "\"kind\": \"network\"",
        "(sleep)",
        "for the table",
        "\"line\": 2",
    ] {
        assert!(record.contains(known), "{known} is not in the record");
    }
}

#[test]
fn only_what_could_have_changed_the_course_lowers_the_label() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.module("a").script("10.sh", "date; ps -p $$; pgrep nothing; mount >/dev/null; ip addr >/dev/null; hostname; service postgresql status; logger hello; true");
    world.module("b").requires("after a").script("10.sh", "service postgresql stop");
    world.module("c").requires("after b").script("10.sh", "pgrep nothing; date; hostname -f; true");
    world.master();
    let out = world.disco(&["dance", "--noop", "--format", "json"]);
    out.succeeds();
    let labels: Vec<String> = out
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON"))
        .filter(|event| event["event"] == "labelled")
        .map(|event| format!("{} {} {}", event["module"], event["truth"], event["because"]))
        .collect();
    assert_eq!(labels, ["\"b\" \"approximate\" [\"service\"]", "\"c\" \"approximate\" [\"pgrep\"]"], "{out}");
}

#[test]
fn a_slow_look_holds_up_nobody_else() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.write_with_mode(
        "/etc/init.d/slow",
        "755",
        "#!/bin/sh\nmkfifo /run/slow 2>/dev/null; cat /run/slow\n",
    );
    // The look ends when somebody opens what only the host has: nothing that follows could, if the look had to end first.
    world.module("m").script(
        "10.sh",
        "service slow status & service postgresql stop; service postgresql status; echo went on; kill $!; wait; true",
    );
    world.master();
    let out = world.disco(&["dance", "--noop", "--step-timeout", "15"]);
    out.succeeds().stdout_has("postgresql is not running.\nwent on\n");
}

#[test]
fn a_shimmed_program_can_be_replaced_and_is_then_itself() {
    let Some(world) = World::new() else { return };
    world.module("m").script(
        "10.sh",
        "set -e; for f in /usr/bin/kill /usr/bin/date /usr/sbin/ip /usr/bin/mount; do
            f=$(readlink -f $f); printf '#!/bin/sh\\necho replaced\\n' >$f.new; chmod 755 $f.new; mv $f.new $f; $f; done
        rm /usr/bin/hostname; ! hostname",
    );
    world
        .module("n")
        .requires("after m")
        .script("10.sh", "dpkg --verify procps || true; kill -0 $$; env date");
    world.master();
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds().stdout_has("/usr/bin/hostname : Deleted");
    assert_eq!(out.stdout.matches("replaced\n").count(), 5, "{out}");
    let untouched = World::new().expect("the first one could be had");
    untouched.module("m").script(
        "10.sh",
        "dpkg --verify procps mount iproute2 systemd psmisc; cat /usr/bin/kill | md5sum >/dev/null",
    );
    untouched.master();
    untouched.disco(&["dance", "--noop"]).succeeds().reports_no_difference();
}

/// Lines that look like looks, and would act if they ran on the host.
const POSING: [&str; 40] = [
    "ip -batch /tmp/leak.ip",
    "ip addr show -batch /tmp/leak.ip",
    "ip -force -b /tmp/leak.ip addr",
    "ip link s dummy0 mtu 1300",
    "ip netns add leak",
    "tc -batch /tmp/leak.ip qdisc show",
    "nft list ruleset -f /tmp/leak.nft",
    "nft list 'ruleset; add table inet leak'",
    "iptables -L -Z",
    "iptables -L --modprobe=/tmp/leak.sh",
    "iptables-save -f /etc/leak",
    "iptables-save -M /tmp/leak.sh",
    "systemctl --root=/ enable leak",
    "systemctl status -H localhost leak",
    "service ../../tmp/leak.sh status",
    "service leak.sh status",
    "mount -a",
    "mount -t tmpfs leak /mnt",
    "mount -l -t tmpfs leak /mnt",
    "umount -a",
    "findmnt --poll=mount --timeout 100",
    "losetup -a -d /dev/loop0",
    "losetup -aD",
    "losetup -f /etc/hosts",
    "swapon --show -a",
    "modprobe -n -C /tmp/leak.d leak",
    "modprobe -C /tmp/leak.d leak",
    "lsmod -x",
    "sysctl -a -p /tmp/leak.sysctl",
    "sysctl -n vm.swappiness -w vm.swappiness=61",
    "date -f /tmp/leak.ip -s 2001-01-01",
    "hwclock --show --systohc",
    "hostname -s leak",
    "fuser -vk /run",
    "fuser -k -TERM -M /",
    "lsof -Db /etc/leak",
    "lsof +m /etc/leak",
    "ss -K -t",
    "ss -D /etc/leak",
    "ps --sort=$(touch /etc/leak)",
];

#[test]
fn no_look_can_be_made_to_act_on_the_host() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world
        .sh("ip link add dummy0 type veth peer name dummy1 && ip addr add 192.0.2.77/32 dev dummy0")
        .succeeds();
    world.write_with_mode("/tmp/leak.sh", "755", "#!/bin/sh\ntouch /etc/leak\n");
    world.write("/tmp/leak.ip", "link set dev dummy0 mtu 1300\n");
    world.write("/tmp/leak.nft", "add table inet leak\n");
    world.write("/tmp/leak.sysctl", "vm.swappiness = 61\n");
    world.write("/tmp/leak.d/leak.conf", "install leak /tmp/leak.sh\n");
    world.write(
        "/etc/systemd/system/leak.service",
        "[Service]\nExecStart=/tmp/leak.sh\n[Install]\nWantedBy=multi-user.target\n",
    );
    world.master();
    let state = || {
        let look = "ip -o link show dummy0; ip -o addr show dummy0; ip netns list; cat /proc/sys/vm/swappiness /proc/mounts \
                    /proc/modules /proc/swaps; hostname; ls /sys/block; date +%Y; ls /etc/leak";
        world.sh(look).stdout.clone()
    };
    // What an environment could do to a look, it does not get.
    let environment = "export LIBPROC_HIDE_KERNEL=1 LD_PRELOAD=/tmp/leak.so PS_FORMAT=pid,comm PROCPS_USERLEN=40 \
                       SYSTEMD_PAGER=/tmp/leak.sh PAGER=/tmp/leak.sh SYSTEMD_EDITOR=/tmp/leak.sh LIBMOUNT_FSTAB=/tmp/leak.ip \
                       MODPROBE_OPTIONS='-C /tmp/leak.d' XTABLES_LIBDIR=/tmp LOGNAME=leak\n";
    let lines: String =
        POSING.iter().map(|line| format!("timeout 20 {line} >/dev/null 2>&1 </dev/null\n")).collect();
    world
        .module("m")
        .script("10.sh", &format!("{environment}{lines}pgrep -x bash >/dev/null; systemctl status; true"));
    world.publish();
    let (before, manifest, processes) = (state(), world.manifest(), world.processes());
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds();
    assert_eq!(state(), before, "{out}");
    assert_eq!(world.manifest().since(&manifest), [""; 0], "{out}");
    world.only_has(&processes);
    assert!(world.service_runs("postgresql"));
    // The same outside: these do act.
    world.sh("ip -batch /tmp/leak.ip && service ../../tmp/leak.sh status; /tmp/leak.sh").succeeds();
    assert_ne!(state(), before);
}

#[test]
fn who_copies_a_command_has_the_real_one_and_who_executes_it_the_shim() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.module("m").script(
        "10.sh",
        "for f in /usr/bin/date /usr/bin/kill /usr/bin/mount /usr/sbin/service; do
            for n in 1 2 3; do $f --help >/dev/null 2>&1; cp $f /tmp/copy; md5sum <$f; md5sum </tmp/copy; stat -c %s $f; done
        done | sort | uniq -c
        service postgresql stop; cmp /usr/sbin/service /tmp/copy; /usr/sbin/service postgresql status; rm /tmp/copy",
    );
    world.master();
    let real = world.sh("for f in /usr/bin/date /usr/bin/kill /usr/bin/mount /usr/sbin/service; do
            for n in 1 2 3; do md5sum <$f; md5sum <$f; stat -c %s $f; done; done | sort | uniq -c");
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds().stdout_has(&real.succeeds().stdout).stdout_has("postgresql is not running.\n");
    assert_eq!(out.changes(), [""; 0]);
}
