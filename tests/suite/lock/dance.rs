//! The cluster's lock of a live run.

use super::{FOLDER, Locks, OTHER};

fn locks(script: &str) -> Option<Locks> {
    let locks = Locks::new("")?;
    locks.world.setting("disco/dlm/lock", "web");
    locks.world.module("m").script("10.sh", script);
    locks.world.master();
    Some(locks)
}

/// What was asked of it, without bodies and what asks who we are.
fn questions(locks: &Locks) -> Vec<String> {
    let all = locks.asked();
    let path = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    all.lines().map(path).filter(|line| !line.ends_with("/whoami")).collect()
}

#[test]
fn a_live_run_takes_it_and_gives_it_back_and_a_dry_run_asks_nothing() {
    let Some(locks) = locks("echo x >>/etc/x") else { return };
    let world = &locks.world;
    world.disco(&["dance", "--noop"]).succeeds().stderr_lacks("Lock");
    assert_eq!(locks.asked(), "", "a dry run asks for nothing");
    let live = world.disco(&["dance"]);
    live.succeeds()
        .stderr_has("info: Lock : web : acquired, token 1\n")
        .stderr_has("info: Lock : web : released\n");
    let [acquire, confirm, release]: [String; 3] = questions(&locks).try_into().expect("three questions");
    assert_eq!([&acquire, &confirm], ["POST /disco/v1/locks/web/acquire"; 2]);
    assert_eq!(release, "POST /disco/v1/locks/web/release");
    assert!(!locks.has_note());
    world.disco(&["undo", "--noop"]).succeeds();
    world.disco(&["dance", "--no-cluster-lock"]).succeeds().stderr_lacks("Lock");
    assert_eq!(locks.asked(), "", "neither does a dry undo, nor a run that shall not");
    for argv in [&["try", "--commit", "--", "touch", "/etc/y"][..], &["undo"]] {
        world.disco(argv).succeeds().stderr_has("info: Lock : web : released\n");
        assert_eq!(questions(&locks).last().map(String::as_str), Some("POST /disco/v1/locks/web/release"));
    }
    world.disco(&["dance", "--noop", "--plan", "/tmp/plan"]).succeeds();
    world.disco(&["apply", "/tmp/plan"]).succeeds().stderr_has("info: Lock : web : acquired");
}

#[test]
fn a_lock_that_another_has_stops_a_run_or_is_waited_for() {
    let Some(locks) = locks("echo x >/etc/x") else { return };
    let world = &locks.world;
    locks.other(&["acquire", "web", "--note", "kernel update"]).succeeds();
    let refused = world.disco(&["dance"]);
    refused.exits(75).stderr_has(&format!("error: lock web: held by {OTHER} since 20"));
    refused.stderr_has("hint: ").stderr_has("disco/dlm/wait");
    assert!(!world.exists("/etc/x") && !locks.has_note());
    world.disco(&["runs"]).succeeds().stdout_lacks("20");
    world.setting("disco/dlm/wait", "60");
    let waiting = world.spawn(&["disco", "dance"]);
    world.wait_until("it waits", || locks.was_asked("localhost.localdomain {\"note\":\"run "));
    locks.other(&["release", "web"]).succeeds();
    waiting.wait().succeeds().stderr_has("info: Lock : web : released\n");
    assert_eq!(world.read("/etc/x"), "x\n");
}

#[test]
fn a_failed_run_keeps_it_until_one_succeeds_or_as_is_set() {
    let Some(locks) = locks("test -e /etc/good") else { return };
    let world = &locks.world;
    let failed = world.disco(&["dance"]);
    failed.exits(1).stderr_has("Lock : web : kept after this failure").stderr_has("disco lock release web");
    locks.other(&["acquire", "web"]).exits(75).stderr_has("held by localhost.localdomain since");
    // A run that cannot begin leaves it as it was.
    world.sh("mv /tmp/master /tmp/away").succeeds();
    world.disco(&["dance"]).signal_or_status();
    assert!(world.read("/var/disco/cluster-lock/held.json").contains("\"failed\""));
    world.sh("mv /tmp/away /tmp/master; touch /etc/good").succeeds();
    world.disco(&["dance"]).succeeds().stderr_has("held already").stderr_has("Lock : web : released\n");
    locks.other(&["acquire", "web"]).succeeds();
    locks.other(&["release", "web"]).succeeds();
    world.sh("rm /etc/good").succeeds();
    locks.asked();
    for (word, result) in [("release", "ok"), ("failed", "failed")] {
        world.setting("disco/dlm/on_failure", word);
        world.disco(&["dance"]).exits(1);
        assert!(locks.asked().contains(&format!("{{\"result\":\"{result}\"")), "{word}");
        assert!(!locks.has_note());
    }
}

#[test]
fn without_its_server_no_live_run_starts_unless_it_need_not() {
    let Some(locks) = locks("echo x >/etc/x") else { return };
    let world = &locks.world;
    locks.stop();
    world.disco(&["dance"]).exits(69).stderr_has("https://localhost:8443").stderr_has("hint: ");
    assert!(!world.exists("/etc/x") && !locks.has_note());
    world.disco(&["dance", "--noop"]).succeeds();
    world.setting("disco/dlm/required", "false");
    world.disco(&["dance"]).succeeds().stderr_has("warning: Lock : web : not taken, and not required");
    assert_eq!(world.read("/etc/x"), "x\n");
    locks.start("");
    locks.knob("unknown", "localhost.localdomain");
    let unknown = world.disco(&["dance"]);
    unknown.exits(77).stderr_has("disco dlm host add localhost.localdomain");
}

#[test]
fn the_run_after_a_killed_one_goes_on_holding_it() {
    let Some(locks) = locks("touch /etc/seen; while test -e /srv/hang; do sleep 0.1; done") else { return };
    let world = &locks.world;
    world.sh("touch /srv/hang").succeeds();
    let running = world.spawn(&["disco", "dance"]);
    world.wait_until("it holds the lock", || locks.has_note() && locks.was_asked("acquire"));
    running.signal("KILL");
    assert_eq!(running.wait().signal_or_status(), 137);
    world.sh("rm /srv/hang").succeeds();
    assert!(locks.has_note());
    locks.other(&["acquire", "web"]).exits(75);
    let next = world.disco(&["dance"]);
    next.succeeds().stderr_has("Lock : web : held already, token 1\n").stderr_has("Lock : web : released\n");
    assert!(!locks.has_note());
}

#[test]
fn a_reboot_keeps_it_and_the_next_start_of_the_machine_gives_it_back() {
    let Some(locks) = locks("echo x >>/etc/x; shutdown -r now") else { return };
    let world = &locks.world;
    world.write_with_mode(
        "/usr/local/sbin/shutdown",
        "755",
        "#!/bin/sh\ncp /var/disco/cluster-lock/held.json /run/told\n",
    );
    world.setting("disco/client/allow_reboot", "true");
    let live = world.disco(&["dance"]);
    live.succeeds().stderr_has("Lock : web : kept until the machine has been started anew\n");
    assert!(world.read("/run/told").contains("\"reboot\""), "it is noted before the machine goes down");
    world.disco(&["lock", "release", "--after-boot"]).succeeds().stderr_has("still to be started anew");
    locks.other(&["acquire", "web"]).exits(75);
    // As if it had been: the note is of another boot.
    world
        .sh("sed -i 's/\"boot\": \"[^\"]*\"/\"boot\": \"another\"/' /var/disco/cluster-lock/held.json")
        .succeeds();
    locks.stop();
    let after = world.spawn(&["disco", "lock", "release", "--after-boot"]);
    world.sh("sleep 1").succeeds();
    locks.knob("held", "web:localhost.localdomain");
    locks.start("");
    after.wait().succeeds().stdout_has("web: released, the machine has been started anew\n");
    assert!(!locks.has_note());
    locks.other(&["acquire", "web"]).succeeds();
    world.disco(&["lock", "release", "--after-boot"]).succeeds().stdout_is("");
}

#[test]
fn what_was_taken_away_meanwhile_is_not_merged_under() {
    let Some(locks) = locks("echo x >/etc/x; sleep 15") else { return };
    let world = &locks.world;
    let running = world.spawn(&["disco", "dance"]);
    world.wait_until("it holds the lock", || locks.was_asked("acquire"));
    let force = ["release", "web", "--force", "--reason", "it hangs", "--user", "admin"];
    let command = locks.other_command(&force).env("DISCO_DLM_PASSWORD", "pw");
    command.run().succeeds().stdout_is("web: released by force\n");
    locks.other(&["acquire", "web"]).succeeds();
    let lost = running.wait();
    lost.exits(1).stderr_has("lock web was lost before the merge");
    assert!(!world.exists("/etc/x"));
    let log = format!("{FOLDER}/log");
    assert!(!world.read(&log).contains("pw"), "no password is in what was asked");
    world.sh("grep -rl --include=* 'YWRtaW46' /var/disco").exits(1);
}
