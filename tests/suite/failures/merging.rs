//! Failures 1 to 3 of the first disco: what was merged, and what was left.

use crate::world::World;

// 1. "Not merged on failure" was false.

#[test]
fn f1_a_failed_script_merges_nothing_and_ends_its_module() {
    let Some(world) = World::new() else { return };
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
    let Some(world) = World::new() else { return };
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
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.module("stops").script("10.sh", "service postgresql stop").script("20.sh", "false");
    world.master();
    world.disco(&["dance"]).exits(1).stderr_lacks("Executed");
    assert!(world.service_runs("postgresql"), "an action of a failed run was carried out");
}

// 2. Left-overs were merged, and /bin became a directory.

#[test]
fn f2_left_overs_of_earlier_runs_are_never_merged() {
    let Some(world) = World::new() else { return };
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
    let Some(world) = World::new() else { return };
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
    let Some(world) = World::new() else { return };
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
        r"cd / && find etc srv usr var home root -xdev \( -type c -o -name '.wh.*' -o -name '.unionfs*' \)";
    world.sh(odd).succeeds().stdout_is("");
}

#[test]
fn f1_the_actions_of_a_merge_that_was_killed_are_run_by_the_next_run() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "echo new >/etc/x; service postgresql stop");
    world.master();
    let action = |record: &serde_json::Value| record["actions"][0]["outcome"]["outcome"].clone();
    let record = |world: &World, run: &str| -> serde_json::Value {
        let text = world.read(&format!("/var/disco/runs/{run}/record.json"));
        serde_json::from_str(&text).expect("a record is JSON")
    };
    // What a kill between the merge and its action leaves: everything is merged, the journal is there, and nobody has acted.
    world.disco(&["dance"]).succeeds();
    let run = world.sh("ls /var/disco/runs").succeeds().stdout.trim().to_owned();
    let head = format!(
        r#"{{"line":"begin","schema":2,"run":"{run}","root":"/","began":"2026-01-01T00:00:00Z","boot":"","stores":[]}}"#
    );
    let lines = [head.as_str(), r#"{"line":"commit","changes":0}"#, r#"{"line":"applied"}"#];
    let summed = lines.map(|line| format!("{:08x} {line}\n", crc32fast::hash(line.as_bytes())));
    world.write(&format!("/var/disco/journal/{run}"), &summed.concat());
    let mut unfinished = record(&world, &run);
    unfinished["actions"][0]["outcome"] = serde_json::Value::Null;
    unfinished["duties"][0]["outcome"] = serde_json::Value::Null;
    unfinished["outcome"] = serde_json::json!({"ended": "unfinished"});
    world.write(&format!("/var/disco/runs/{run}/record.json"), &unfinished.to_string());
    // A NOOP run leaves it alone; the next live one finishes it, also where it cannot do its own part.
    world.disco(&["dance", "--noop"]).succeeds();
    assert_eq!(action(&record(&world, &run)), serde_json::Value::Null);
    world
        .disco(&["dance", "--server", "/none"])
        .exits(69)
        .stderr_has(&format!(
            "warning: Run {run} was stopped in its merge of 0 objects: it is finished now\n"
        ))
        .stderr_has("Executed : service postgresql stop : done");
    let finished = record(&world, &run);
    assert_eq!((action(&finished), &finished["outcome"]["ended"]), ("done".into(), &"merged".into()));
    world.sh("ls -A /var/disco/journal").stdout_is("");
    world.disco(&["dance", "--server", "/none"]).exits(69).stderr_lacks("was stopped");
}
