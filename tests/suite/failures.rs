//! The eight failures of the first disco, each as tests of the whole program: what it did must not happen again.

use crate::world::World;

fn node() -> Option<World> {
    World::new()
}

// 1. "Not merged on failure" was false.

#[test]
fn f1_a_failed_script_merges_nothing_and_ends_its_module() {
    let Some(world) = node() else { return };
    world
        .module("broken")
        .script("10-write.sh", "echo x >/etc/from-broken; exit 3")
        .script("20-later.sh", "echo later-ran; echo x >/etc/from-later");
    world.master();
    let before = world.manifest();
    for args in [&["dance"][..], &["dance", "--noop"]] {
        let out = world.disco(args);
        out.exits(1).stdout_lacks("later-ran").stderr_has("error: broken: ").stderr_has("10-write.sh");
        out.stderr_has("exit status 3");
        assert_eq!(world.manifest().since(&before), [""; 0], "{args:?} left something");
    }
}

#[test]
fn f1_what_needs_a_failed_module_is_skipped_and_the_rest_goes_on_but_nothing_merges() {
    let Some(world) = node() else { return };
    world.module("a-fails").script("10.sh", "echo x >/etc/from-a; exit 1");
    world.module("b-needs").requires("after a-fails").script("10.sh", "echo b-ran; echo x >/etc/from-b");
    world.module("c-free").script("10.sh", "echo c-ran; echo x >/etc/from-c");
    world.master();
    let before = world.manifest();
    let out = world.disco(&["dance"]);
    out.exits(1).stdout_has("c-ran").stdout_lacks("b-ran").stdout_has("/etc/from-c : Created");
    out.stderr_has("error: a-fails: ").stderr_has("b-needs");
    assert_eq!(world.manifest().since(&before), [""; 0]);
}

#[test]
fn f1_a_failure_runs_no_action() {
    let Some(world) = node() else { return };
    world.service("postgresql");
    world.module("stops").script("10.sh", "service postgresql stop").script("20.sh", "false");
    world.master();
    world.disco(&["dance"]).exits(1).stderr_lacks("Executed");
    assert!(world.service_runs("postgresql"), "an action of a failed run was carried out");
}

// 2. Left-overs were merged, and /bin became a directory.

#[test]
fn f2_left_overs_of_earlier_runs_are_never_merged() {
    let Some(world) = node() else { return };
    world.module("m").script("10.sh", "echo x >/etc/left-over; [ ! -e /etc/fail ] || exit 1; sleep 0.2");
    world.master();
    world.disco(&["dance", "--noop"]).succeeds().stdout_has("/etc/left-over : Created");
    world.write("/etc/fail", "");
    world.disco(&["dance"]).exits(1);
    world.module("m").script("10.sh", "echo x >/etc/left-over; sleep 7654");
    world.publish();
    let killed = world.spawn(&["disco", "dance"]);
    world.wait_until("the step runs", || world.processes().iter().any(|p| p.ends_with("sleep 7654")));
    killed.signal("KILL");
    assert_eq!(killed.wait().signal_or_status(), 137);

    world.module("m").script("10.sh", "echo x >/etc/wanted");
    world.publish();
    let before = world.manifest();
    let out = world.disco(&["dance"]);
    assert_eq!(out.succeeds().changes(), ["/etc/wanted Created"]);
    assert_eq!(world.manifest().since(&before).len(), 1);
    assert!(!world.exists("/etc/left-over"));
}

#[test]
fn f2_the_links_of_a_merged_usr_stay_links() {
    let Some(world) = node() else { return };
    world.module("m").script(
        "10.sh",
        "printf '#!/bin/sh\\necho mine\\n' >/bin/mine; chmod 755 /bin/mine; touch /lib/mine",
    );
    world.master();
    let link = world.run(&["readlink", "/bin"]).succeeds().stdout.clone();
    world.disco(&["dance", "--noop"]).succeeds();
    world.disco(&["dance"]).succeeds();
    world.run(&["readlink", "/bin"]).succeeds().stdout_is(&link);
    world.run(&["readlink", "/lib"]).succeeds();
    assert!(world.exists("/usr/bin/mine") && world.exists("/usr/lib/mine"));
    world.run(&["/bin/mine"]).succeeds().stdout_is("mine\n");
}

// 3. Deletions were reported and not applied, and whiteouts were copied to the live root.

#[test]
fn f3_deletions_are_applied_and_no_bookkeeping_reaches_the_root() {
    let Some(world) = node() else { return };
    world
        .sh("mkdir -p /srv/tree/deep && echo a >/srv/tree/deep/a && echo b >/srv/tree/b && echo c >/srv/c")
        .succeeds();
    world.module("m").script("10.sh", "rm /srv/c /etc/motd 2>/dev/null; rm -r /srv/tree; [ ! -e /srv/tree ]");
    world.master();
    world.disco(&["dance", "--noop"]).succeeds().stdout_has("/srv/c : Deleted\n1d0\n< c\n");
    assert!(world.exists("/srv/tree/deep/a") && world.exists("/srv/c"));
    world
        .disco(&["dance"])
        .succeeds()
        .stdout_has("/srv/c : Deleted\n")
        .stdout_has("/srv/tree/deep/a : Deleted\n");
    for path in ["/srv/c", "/srv/tree"] {
        assert!(!world.exists(path), "{path} is still there");
    }
    let odd =
        "find / -xdev -type c; find / -xdev \\( -name '.wh.*' -o -name '.unionfs*' -o -name '*_HIDDEN~' \\)";
    world.sh(odd).succeeds().stdout_is("");
}

// 4. Nearly every command was a stub, whose words went into pipelines.

#[test]
fn f4_commands_run_for_real_in_noop_too() {
    let Some(world) = node() else { return };
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
    let Some(world) = node() else { return };
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
    let Some(world) = node() else { return };
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
        "mknod /tmp/node b 254 0; cat /tmp/node",
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
        assert_eq!(world.processes(), processes, "{attack}");
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
    let Some(world) = node() else { return };
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

// 6. Cycles ran, lone modules never ran, missing modules were "processed".

#[test]
fn f6_a_cycle_is_an_error_that_names_its_modules_and_nothing_runs() {
    let Some(world) = node() else { return };
    world.module("ring-a").requires("after ring-b").script("10.sh", "echo ran; touch /etc/ran");
    world.module("ring-b").requires("after ring-c").script("10.sh", "echo ran; touch /etc/ran");
    world.module("ring-c").requires("after ring-a").script("10.sh", "echo ran; touch /etc/ran");
    world.module("lone").script("10.sh", "echo ran; touch /etc/ran");
    world.master();
    let out = world.disco(&["dance"]);
    out.exits(65)
        .stdout_is("")
        .stderr_has("ring-a")
        .stderr_has("ring-b")
        .stderr_has("ring-c")
        .stderr_lacks("lone");
    assert!(!world.exists("/etc/ran"));
}

#[test]
fn f6_modules_without_requirements_run_and_the_order_holds() {
    let Some(world) = node() else { return };
    world.module("lone").script("10.sh", "touch /etc/lone");
    world.module("last").requires("# comment\nafter middle\n").script("10.sh", ":");
    world.module("middle").requires("first").script("10.sh", ":").unassigned();
    world.module("first").requires("before also").script("10.sh", ":").unassigned();
    world.module("also").requires("").script("10.sh", "touch /etc/also").unassigned();
    world.module("unrelated").script("10.sh", "touch /etc/unrelated").unassigned();
    world.master();
    let out = world.disco(&["dance"]);
    let order: Vec<&str> =
        out.succeeds().stdout.lines().filter_map(|l| l.strip_prefix("info: Processing ")).collect();
    let at = |name: &str| {
        order.iter().position(|m| *m == name).unwrap_or_else(|| panic!("{name} did not run\n{out}"))
    };
    assert_eq!(order.len(), 5, "{out}");
    assert!(at("first") < at("middle") && at("middle") < at("last") && at("first") < at("also"), "{out}");
    assert!(world.exists("/etc/lone") && world.exists("/etc/also") && !world.exists("/etc/unrelated"));
    let again: Vec<String> =
        world.disco(&["dance", "--noop"]).succeeds().stdout.lines().map(String::from).collect();
    let again: Vec<&str> = again.iter().filter_map(|l| l.strip_prefix("info: Processing ")).collect();
    assert_eq!(order, again, "the order is not stable");
}

#[test]
fn f6_a_missing_required_module_is_an_error_before_anything_runs() {
    let Some(world) = node() else { return };
    world.module("here").requires("after not-there").script("10.sh", "echo ran; touch /etc/ran");
    world.master();
    let out = world.disco(&["dance"]);
    out.exits(65).stdout_is("").stderr_has("not-there");
    assert!(!world.exists("/etc/ran"));
}

// 7. A failing template installed what it had printed; each run rewrote every template.

#[test]
fn f7_a_failing_template_installs_nothing_and_fails_its_module() {
    let Some(world) = node() else { return };
    let templates = [
        ("etc/half.cfg", "echo half; exit 4", "exit status 4"),
        ("etc/tera.cfg.tera", "line one\n{{ params.no.such.thing }}\n", "no"),
        ("etc/syntax.cfg.tera", "{% if %}", "syntax.cfg.tera"),
    ];
    world.master();
    for (name, text, reason) in templates {
        world.module("templated").template(name, text).script("10.sh", "echo script-ran");
        world.publish();
        let before = world.manifest();
        let out = world.disco(&["dance"]);
        out.exits(1)
            .stdout_lacks("script-ran")
            .stderr_has("error: templated: ")
            .stderr_has(name)
            .stderr_has(reason);
        assert_eq!(world.manifest().since(&before), [""; 0], "{name}");
        world.remove_module("templated");
    }
}

#[test]
fn f7_a_second_run_of_templates_and_files_reports_nothing_and_writes_nothing() {
    let Some(world) = node() else { return };
    world.parameter("colour", "green");
    world
        .module("m")
        .parameter("colour", "never: the node's own value wins")
        .parameter("shape", "round")
        .template("etc/m/bash.cfg", "echo colour=$(cat /var/disco/parameters/$(hostname)/parameters/colour)")
        .template("etc/m/tera.cfg.tera", "{{ params.colour }} {{ params.shape }} on {{ hostname }}\n")
        .file("etc/m/plain", 0o640, "plain\n")
        .file("usr/local/bin/tool", 0o755, "#!/bin/sh\necho tool\n");
    world.master();
    world.disco(&["dance"]).succeeds();
    assert_eq!(world.read("/etc/m/bash.cfg"), "colour=green\n");
    assert_eq!(world.read("/etc/m/tera.cfg"), "green round on localhost.localdomain\n");
    world.run(&["stat", "-c", "%U:%G %a", "/etc/m/plain"]).succeeds().stdout_is("root:root 640\n");
    world.run(&["/usr/local/bin/tool"]).succeeds().stdout_is("tool\n");
    let before = world.manifest();
    world.disco(&["dance"]).succeeds().reports_no_difference();
    assert_eq!(world.manifest().since(&before), [""; 0]);
}

// 8. Reports were overwritten and not machine-readable; no lock, no timeout, no exit code; temporary names in /tmp.

#[test]
fn f8_each_run_keeps_its_own_record() {
    let Some(world) = node() else { return };
    world.module("m").script("10.sh", "echo said; echo x >/etc/x");
    world.master();
    world.disco(&["dance", "--noop"]).succeeds();
    let first = world.sh("ls /var/disco/runs").succeeds().stdout.trim().to_owned();
    world.disco(&["dance"]).succeeds();
    let both: Vec<String> =
        world.sh("ls /var/disco/runs").succeeds().stdout.lines().map(String::from).collect();
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both.contains(&first));
    let listed = world.disco(&["runs"]);
    for run in &both {
        listed.succeeds().stdout_has(run);
        let text = world.read(&format!("/var/disco/runs/{run}/record.json"));
        let record: serde_json::Value = serde_json::from_str(&text).expect("a record is JSON");
        assert_eq!(record["schema"], 1);
        assert_eq!(record["mode"], if *run == first { "noop" } else { "live" });
        assert_eq!(record["node"], "localhost.localdomain");
        assert_eq!(record["plan"], serde_json::json!(["m"]));
        assert_eq!(record["modules"][0]["steps"][0]["output"][0]["text"], "said");
    }
    world.disco(&["report", &first]).succeeds().stdout_has("report: m: exec");
    world.run(&["find", "/var/disco/runs", "-name", "record.json", "-perm", "/077"]).succeeds().stdout_is("");
}

#[test]
fn f8_a_second_live_run_is_told_who_holds_the_lock_and_a_noop_run_is_not_blocked() {
    let Some(world) = node() else { return };
    world.module("m").script("10.sh", "[ -e /etc/quick ] || sleep 6543");
    world.master();
    let first = world.spawn(&["disco", "dance"]);
    world.wait_until("the step runs", || world.processes().iter().any(|p| p.ends_with("sleep 6543")));
    world.disco(&["dance"]).exits(75).stdout_is("").stderr_has(first.pid());
    world.write("/etc/quick", "");
    world.disco(&["dance", "--noop"]).succeeds();
    first.signal("TERM");
    assert_ne!(first.wait().signal_or_status(), 0);
    world.disco(&["dance"]).succeeds();
}

#[test]
fn f8_a_step_that_takes_too_long_is_ended_with_all_its_processes() {
    let Some(world) = node() else { return };
    world.setting("disco/client/step_timeout", "1");
    world
        .module("m")
        .script("10.sh", "trap '' TERM; echo x >/etc/x; setsid sleep 8762 & sleep 8762; sleep 8762");
    world.master();
    let (before, processes) = (world.manifest(), world.processes());
    world
        .disco(&["dance"])
        .exits(1)
        .stderr_has("error: m: ")
        .stderr_has("10.sh")
        .stderr_has("still running after 1 s");
    assert_eq!(world.processes(), processes);
    assert_eq!(world.manifest().since(&before), [""; 0]);
}

#[test]
fn f8_nothing_is_left_in_temporary_folders() {
    let Some(world) = node() else { return };
    world.module("m").script("10.sh", "echo x >/etc/x").template("etc/y", "echo y");
    world.master();
    let list = "find /tmp /var/tmp /dev/shm -mindepth 1 -not -path '/tmp/master*' | sort";
    let before = world.sh(list).succeeds().stdout.clone();
    world.disco(&["dance", "--noop"]).succeeds();
    world.disco(&["dance"]).succeeds();
    world.sh(list).succeeds().stdout_is(&before);
    world.run(&["ls", "-A", "/var/disco/scratch"]).stdout_is("");
}

#[test]
fn f8_usage_errors_have_their_exit_code_and_say_what_to_do() {
    let Some(world) = node() else { return };
    for args in [&["no-such-command"][..], &["dance", "--no-such-flag"], &["param", "get"]] {
        world.disco(args).exits(64).stdout_is("").stderr_has("--help");
    }
    for args in [&["--help"][..], &["dance", "--help"], &["param", "--help"], &["--version"]] {
        world.disco(args).succeeds().stdout_has("disco");
    }
}
