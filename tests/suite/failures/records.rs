//! Failure 8 of the first disco: reports, the lock, time limits, exit codes, temporary files.

use crate::world::World;

// 8. Reports were overwritten and not machine-readable; no lock, no timeout, no exit code; temporary names in /tmp.

#[test]
fn f8_each_run_keeps_its_own_record() {
    let Some(world) = World::new() else { return };
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
        assert_eq!(record["schema"], 2);
        assert_eq!(record["mode"], if *run == first { "noop" } else { "live" });
        assert_eq!(record["node"], "localhost.localdomain");
        assert_eq!(record["plan"], serde_json::json!(["m"]));
        let output = record["modules"][0]["steps"][0]["output"].as_str().expect("it names a file");
        let kept = world.sh(&format!("zcat /var/disco/runs/{run}/{output}"));
        assert!(kept.succeeds().stdout.ends_with(" out said\n"), "{kept}");
    }
    world.disco(&["report", &first]).succeeds().stdout_has("report: m: exec");
    world.run(&["find", "/var/disco/runs", "-name", "record.json", "-perm", "/077"]).succeeds().stdout_is("");
}

#[test]
fn f8_a_second_live_run_is_told_who_holds_the_lock_and_a_noop_run_is_not_blocked() {
    let Some(world) = World::new() else { return };
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
    let Some(world) = World::new() else { return };
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
    world.only_has(&processes);
    assert_eq!(world.manifest().since(&before), [""; 0]);
}

#[test]
fn f8_nothing_is_left_in_temporary_folders() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "echo x >/etc/x").template("etc/y", "echo y");
    world.master();
    let list = "find /tmp /var/tmp /dev/shm -mindepth 1 -not -path '/tmp/master*' | sort";
    let before = world.sh(list).succeeds().stdout.clone();
    world.disco(&["dance", "--noop"]).succeeds().stdout_has("/etc/x : Created");
    world.disco(&["dance"]).succeeds().stdout_has("/etc/x : Created");
    world.sh(list).succeeds().stdout_is(&before);
    world.run(&["ls", "-A", "/var/disco/scratch"]).stdout_is("");
}

#[test]
fn f8_usage_errors_have_their_exit_code_and_say_what_to_do() {
    let Some(world) = World::new() else { return };
    for args in [&["no-such-command"][..], &["dance", "--no-such-flag"], &["param", "get"]] {
        world.disco(args).exits(64).stdout_is("").stderr_has("--help");
    }
    for args in [&["--help"][..], &["dance", "--help"], &["param", "--help"], &["--version"]] {
        world.disco(args).succeeds().stdout_has("disco");
    }
}

#[test]
fn a_killed_run_keeps_what_its_modules_have_cost() {
    let Some(world) = World::new() else { return };
    world.write_with_mode("/etc/init.d/x", "755", "#!/bin/sh\n");
    world.module("a").script("10.sh", "service x stop");
    world.module("b").requires("after a").script("10.sh", "sleep 6544");
    world.master();
    let dance = world.spawn(&["disco", "dance"]);
    world
        .wait_until("the second module runs", || world.processes().iter().any(|p| p.ends_with("sleep 6544")));
    dance.signal("KILL");
    assert_ne!(dance.wait().signal_or_status(), 0);
    world.disco(&["report"]).succeeds().stdout_has("report: a: exec").stdout_lacks("report: b: exec");
    let report = world.disco(&["report", "--format", "json"]);
    report.succeeds().stdout_has("\"unfinished\"").stdout_has("\"argv\":[\"service\",\"x\",\"stop\"]");
    world.run(&["find", "/var/disco/runs", "-type", "f", "-perm", "/077"]).succeeds().stdout_is("");
}
