//! Failures 4 and 5 of the first disco: stubs in the way of scripts, and NOOP runs that leaked.

use crate::world::World;

// 4. Nearly every command was a stub, whose words went into pipelines.

#[test]
fn f4_commands_run_for_real_in_noop_too() {
    let Some(world) = World::new() else { return };
    world.module("m").script(
        "10.sh",
        r#"set -e
        X=$(echo a b | awk '{print $2}'); echo "awk $X"
        echo "sed $(echo abc | sed s/b/x/)"
        cd /usr; echo "cd $(pwd)"
        echo redirected >/etc/redirected; /bin/cat /etc/redirected
        python3 -c 'print("python", 6 * 7)' 2>/dev/null || perl -e 'print "python ", 6 * 7, "\n"'
        useradd --no-create-home --uid 4321 someone; echo "useradd $(id -u someone)"
        find /etc/redirected -printf 'find %f\n' | tr a-z A-Z
        echo "$0" | grep -c 10.sh"#,
    );
    world.master();
    let said = "info: Processing m\nawk b\nsed axc\ncd /usr\nredirected\npython 42\nuseradd 4321\nFIND REDIRECTED\n1\n";
    let noop = world.disco(&["dance", "--noop"]);
    noop.succeeds().stdout_lacks("Would execute");
    assert!(noop.stdout.starts_with(said), "{noop}");
    world.run(&["id", "someone"]).exits(1);
    let live = world.disco(&["dance"]);
    live.succeeds().stdout_is(&noop.stdout);
    world.run(&["id", "-u", "someone"]).succeeds().stdout_is("4321\n");
}

#[test]
fn f4_what_disco_says_of_a_command_never_goes_into_the_scripts_pipes() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.module("m").script(
        "10.sh",
        r#"X=$(service postgresql stop 2>&1); echo "captured=[$X]"
        service postgresql stop >/etc/output 2>&1
        service postgresql stop | tee /etc/piped >/dev/null
        echo "size=$(cat /etc/output /etc/piped | wc -c)""#,
    );
    world.master();
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds().stdout_has("captured=[]\n").stdout_has("size=0\n");
    let warned =
        out.stdout.lines().filter(|line| *line == "warning: Would execute : service postgresql stop").count();
    assert_eq!(warned, 3, "{out}");
}

// 5. NOOP leaked.

#[test]
fn f5_noop_does_not_reach_services_processes_or_the_kernel() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    let pid = world.service_pid("postgresql");
    let attacks = [
        "dash -c '/usr/sbin/service postgresql stop'",
        "/usr/sbin/service postgresql stop",
        "env -i /usr/sbin/service postgresql stop",
        "/etc/init.d/postgresql stop",
        "python3 -c 'import os; os.system(\"service postgresql stop\")'",
        "invoke-rc.d postgresql stop",
        "kill -9 $(cat /run/postgresql.pid)",
        "for n in $(seq 1 400); do [ $n = $$ ] || kill -9 $n; done 2>/dev/null",
        "start-stop-daemon --stop --pidfile /run/postgresql.pid",
        "pkill -9 -x sleep",
        "echo 1 >/proc/sys/net/ipv4/ip_forward",
        "hostname leaked",
        "mount -t tmpfs leaked /mnt",
        "umount -l /tmp",
        "setsid sleep 98765 & disown",
        "nohup sleep 98765 >/dev/null 2>&1 &",
        "(trap '' TERM HUP INT; exec -a daemon sleep 98765) </dev/null >/dev/null 2>&1 &",
        "exec 3<>/dev/tcp/127.0.0.1/873",
        "reboot",
        "mknod /tmp/node b 254 0; head -c 1 /tmp/node",
        "echo leaked >/run/leaked; echo leaked >/tmp/leaked; echo leaked >/dev/shm/leaked",
        "chroot /proc/1/root touch /leaked",
        "nsenter -t 1 -m touch /leaked",
    ];
    world.master();
    let before = world.manifest();
    let processes = world.processes();
    let mounts = world.mounts();
    for attack in attacks {
        world.module("attack").script("10.sh", &format!("{attack}\necho attacked"));
        world.publish();
        world.disco(&["dance", "--noop"]).succeeds().stdout_has("attacked\n");
        assert!(world.service_runs("postgresql"), "the service was stopped by: {attack}");
        assert_eq!(world.service_pid("postgresql"), pid, "{attack}");
        world.only_has(&processes);
        assert_eq!(world.mounts(), mounts, "{attack}");
        assert_eq!(world.manifest().since(&before), [""; 0], "{attack}");
        world.run(&["hostname"]).succeeds().stdout_is("localhost.localdomain\n");
        for path in ["/run/leaked", "/tmp/leaked", "/dev/shm/leaked", "/leaked"] {
            assert!(!world.exists(path), "{path} was made by: {attack}");
        }
    }
}

#[test]
fn f5_a_live_run_acts_on_services_only_after_the_merge() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.module("m").script("10.sh", "service postgresql stop; echo x >/etc/merged; sleep 5432");
    world.master();
    let running = world.spawn(&["disco", "dance"]);
    world.wait_until("the step runs", || world.processes().iter().any(|p| p.ends_with("sleep 5432")));
    assert!(world.service_runs("postgresql"), "the service was stopped before the merge");
    assert!(!world.exists("/etc/merged"), "a file was there before the merge");
    running.signal("TERM");
    assert_ne!(running.wait().signal_or_status(), 0);
    assert!(world.service_runs("postgresql"), "an interrupted run carried out an action");
}
