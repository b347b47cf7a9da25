//! Live runs switched off and on (`disco disable`, `enable`), and runs by timer (`disco dance --scheduled`).

use std::time::{Duration, Instant};

use crate::world::World;

/// A node with a module that writes /etc/t, and a master.
fn node() -> Option<World> {
    let world = World::new()?;
    world.module("m").script("10.sh", "echo new >/etc/t");
    world.publish();
    world.setting("disco/server/uri", "/tmp/master");
    Some(world)
}

/// The file that says when the last run by timer began, with that many seconds ago in it.
fn last(world: &World, ago: u64) {
    world
        .sh(&format!("echo '{{\"schema\":1,\"last\":'$(($(date +%s) - {ago}))'}}' >/var/disco/schedule.json"))
        .succeeds();
}

#[test]
fn while_disabled_nothing_merges_and_all_else_goes_on() {
    let Some(world) = node() else { return };
    world.disco(&["dance", "--noop", "--plan", "/tmp/m.plan"]).succeeds();
    world.disco(&["disable", "--show"]).succeeds().stdout_is("live runs are enabled\n");
    world.disco(&["disable", "disk is being replaced"]).succeeds().stdout_has(": disk is being replaced\n");
    let said = " by root: disk is being replaced\n";
    // Again, by whomever: the first one stays.
    let file = world.read("/var/disco/disabled");
    let again = world.disco(&["disable", "another reason"]);
    again.succeeds().stdout_has("live runs are disabled already, since ").stdout_has(said);
    again.stderr_has("warning: the first reason stays: `disco enable`, then give yours\n");
    assert_eq!(world.read("/var/disco/disabled"), file);

    let way_out = "hint: `disco enable` lets them run; dry runs and `disco recover` work meanwhile\n";
    for refused in [
        &["dance"][..],
        &["dance", "--wait"],
        &["dance", "--format", "json"],
        &["apply", "/tmp/m.plan"],
        &["try", "--commit", "--", "touch", "/etc/t"],
    ] {
        let out = world.disco(refused);
        out.exits(75).stderr_has("error: live runs are disabled since ").stderr_has(said).stderr_has(way_out);
        assert!(!world.exists("/etc/t"), "{out}");
    }
    world.sh("echo 'touch /etc/t' | disco shell --merge").exits(75).stderr_has(way_out);
    assert!(!world.exists("/etc/t"));

    world.disco(&["dance", "--noop"]).succeeds().stdout_has("/etc/t : Created");
    world.disco(&["try", "--", "touch", "/etc/t"]).succeeds().stdout_has("/etc/t : Created");
    world.disco(&["recover"]).succeeds();
    world.disco(&["runs"]).succeeds().stderr_has("warning: live runs are disabled since ");
    let doctor = world.disco(&["doctor", "--format", "json"]);
    doctor.stdout_has(r#""name":"live-runs","standing":"degraded","found":"they are disabled since "#);

    // By hand, when it has to be.
    world.disco(&["apply", "/tmp/m.plan", "--even-if-disabled"]).succeeds();
    assert!(world.exists("/etc/t"));
    world.disco(&["undo"]).exits(75).stderr_has(said);
    world.disco(&["undo", "--noop"]).succeeds().stderr_has("nothing is changed");
    world.disco(&["undo", "--even-if-disabled"]).succeeds();
    assert!(!world.exists("/etc/t"));
    let enabled = world.disco(&["enable", "--format", "json"]);
    enabled.succeeds().stdout_has(r#""live":"enabled","#).stdout_has(r#""was":{"by":"root","since":""#);
    world.disco(&["enable"]).succeeds().stdout_is("live runs are enabled\n");
    world.disco(&["dance"]).succeeds();
    assert!(world.exists("/etc/t"));
}

#[test]
fn a_merge_to_be_confirmed_can_be_while_disabled_and_a_step_switches_nothing() {
    let Some(world) = node() else { return };
    world.disco(&["dance", "--confirm", "600"]).succeeds();
    world.disco(&["disable"]).succeeds().stdout_has("(no reason given)");
    world.disco(&["confirm"]).succeeds().stderr_has("it stays merged");
    world
        .disco(&["try", "--", "disco", "enable"])
        .exits(77)
        .stderr_has("this is inside one of disco's own sandboxes");
    world.disco(&["disable", "--show", "--format", "json"]).succeeds().stdout_has(r#""live":"disabled""#);
    // Whoever removes the file, or puts one there, has said it too.
    world.sh("rm /var/disco/disabled; echo 'hands off' >/var/disco/disabled").succeeds();
    world.disco(&["dance"]).exits(75).stderr_has("error: live runs are disabled by hand: hands off\n");
    world.disco(&["enable"]).succeeds();
    world.disco(&["dance"]).succeeds();
}

#[test]
fn what_is_under_way_goes_on_and_whoever_waits_for_it_is_refused() {
    let Some(world) = node() else { return };
    world.module("m").script("10.sh", "sleep 6; echo new >/etc/t");
    world.publish();
    let running = world.spawn(&["disco", "dance"]);
    world.wait_until("it holds the lock", || world.sh("! flock -n /var/disco/lock true").status == Some(0));
    let waiting = world.spawn(&["disco", "dance", "--wait"]);
    world.wait_until("the second one waits", || world.sh("pgrep -fc 'disco dance'").stdout.trim() >= "2");
    std::thread::sleep(Duration::from_millis(500));
    let disabled = world.disco(&["disable", "enough"]);
    disabled.succeeds().stderr_has("warning: a live run is under way, and goes on\n");
    running.wait().succeeds();
    assert_eq!(world.read("/etc/t"), "new\n");
    waiting.wait().exits(75).stderr_has("live runs are disabled");
}

#[test]
fn a_run_by_timer_knows_its_moment() {
    let Some(world) = node() else { return };
    // Without an interval each call is one.
    world.disco(&["dance", "--scheduled"]).succeeds();
    assert_eq!(world.read("/etc/t"), "new\n");
    world.sh("rm /etc/t /var/disco/schedule.json").succeeds();
    world.setting("disco/schedule/interval", "3600");
    for _ in 0..2 {
        let out = world.disco(&["dance", "--scheduled"]);
        out.succeeds().stdout_is("").stderr_has("info: not now: the next run is at 20");
        assert_eq!(out.stderr.lines().count(), 1, "{out}");
    }
    let json = world.disco(&["dance", "--scheduled", "--format", "json"]);
    json.succeeds().stdout_has(r#"{"event":"not-now","schema":1,"reason":"the next run is at "#);
    assert!(!world.exists("/etc/t"));
    // It slept through several moments: one run, and then it waits again.
    last(&world, 30_000);
    world.disco(&["dance", "--scheduled"]).succeeds().stderr_has("merged: 1 change");
    world.disco(&["dance", "--scheduled"]).succeeds().stderr_has("not now");
    // By hand there is no schedule.
    world.disco(&["dance"]).succeeds().stderr_has("merged");
}

#[test]
fn a_blackout_and_a_disabled_node_let_a_moment_pass() {
    let Some(world) = node() else { return };
    world.setting("disco/schedule/interval", "60");
    let ever = "info: not now: blackout for ever (mon,tue,wed,thu,fri,sat,sun 00:00+1440)\n";
    let frozen = "info: not now: blackout until 2200-01-0";
    for (blackout, said, next) in [
        ("zone=Asia/Tokyo; daily 00:00+1440", ever, ever),
        ("zone=UTC; 2020-01-01..2199-12-31 frozen", frozen, "not now: the next run is at 2200-01-0"),
    ] {
        world.setting("disco/schedule/blackout", blackout);
        last(&world, 300);
        world.disco(&["dance", "--scheduled"]).succeeds().stderr_has(said).stdout_is("");
        // The moment is used.
        world.disco(&["dance", "--scheduled"]).succeeds().stderr_has(next);
        last(&world, 300);
        world.disco(&["dance", "--scheduled", "--noop"]).succeeds().stderr_has(said);
    }
    world.setting("disco/schedule/blackout", "zone=UTC; 2001-01-01..2001-01-02 long ago");
    world.disco(&["disable", "x"]).succeeds();
    last(&world, 300);
    let out = world.disco(&["dance", "--scheduled"]);
    out.succeeds().stderr_has("info: not now: live runs are disabled since ").stderr_has(": x\n");
    last(&world, 300);
    world.disco(&["dance", "--scheduled", "--noop"]).succeeds().stdout_has("/etc/t : Created");
    assert!(!world.exists("/etc/t"));
    world.disco(&["enable"]).succeeds();
    last(&world, 300);
    world.disco(&["dance", "--scheduled"]).succeeds();
    assert!(world.exists("/etc/t"));
    world.setting("disco/schedule/blackout", "mon 08:00+600");
    world.disco(&["dance", "--scheduled"]).exits(78).stderr_has("name the zone of these times");
    world.setting("disco/schedule/blackout", "");
    world.setting("disco/schedule/intreval", "60");
    world.disco(&["settings"]).stderr_has("parameter disco/schedule/intreval sets nothing");
}

#[test]
fn a_run_by_timer_ends_when_its_time_is_over_and_merges_nothing() {
    let Some(world) = node() else { return };
    world.module("m").script("10.sh", "echo new >/etc/t; sleep 60");
    world.publish();
    world.setting("disco/schedule/time_limit", "3");
    let began = Instant::now();
    let out = world.disco(&["dance", "--scheduled"]);
    assert_eq!(out.signal_or_status(), 142, "{out}");
    out.stderr_has("error: interrupted by its time limit; nothing is merged\n");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(!world.exists("/etc/t"));
    world.disco(&["runs"]).succeeds().stdout_has("interrupted by its time limit\n");
    assert!(world.sh("pgrep -x sleep").stdout.is_empty());
    // By hand it has all the time.
    world.module("m").script("10.sh", "echo new >/etc/t; sleep 4");
    world.publish();
    world.disco(&["dance"]).succeeds();
    // A merge, and what belongs to it, is not cut.
    world
        .module("m")
        .script("10.sh", "echo newer >/etc/t")
        .any("after/10-slow", "#!/bin/bash\nsleep 5; echo done >/etc/after\n");
    world.publish();
    world.disco(&["dance", "--scheduled"]).succeeds();
    assert_eq!(world.read("/etc/t") + &world.read("/etc/after"), "newer\ndone\n");
}
