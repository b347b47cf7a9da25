//! Steps and templates that misbehave: each is ended in time, by name, and takes nothing else with it.

use std::time::{Duration, Instant};

use super::{MASTER, master};
use crate::world::World;

/// A template that doubles its text sixty times.
const DOUBLES: &str =
    "{% set s = \"x\" %}{% for i in range(end=60) %}{% set_global s = s ~ s %}{% endfor %}{{ s | length }}";
/// A template of 10^15 rounds without a word.
const LOOPS: &str = "{% for a in range(end=100000) %}{% for b in range(end=100000) %}{% for c in range(end=100000) %}{% endfor %}{% endfor %}{% endfor %}";
/// A template that prints without end.
const FLOODS: &str = "{% for a in range(end=100000) %}{% for b in range(end=100000) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}";
/// A template that calls itself.
const RECURS: &str = "{% component a() %}{{ <a /> }}{% endcomponent a %}{{ <a /> }}";

#[test]
fn a_template_without_an_end_ends_nothing_but_its_step() {
    let Some(world) = World::new() else { return };
    for (name, text, says) in [
        ("doubles.tera", DOUBLES, "the template needs more than the 512 MiB of memory that it may have"),
        ("loops.tera", LOOPS, "still running after 2 s, ended"),
        ("floods.tera", FLOODS, "the template does not render"),
        ("recurs.tera", RECURS, "the template does not render"),
        ("bash", "while :; do :; done", "still running after 2 s, ended"),
    ] {
        world.module("m").template(&format!("etc/{name}"), text).script("10.sh", "echo script-ran");
        world.module("other").template("etc/other.tera", "{{ hostname }}\n");
        world.copy_stage_to(MASTER);
        world.run(&["mkdir", "-p", "/var/disco/scratch"]).succeeds();
        let (before, processes) = (world.manifest(), world.processes());
        let started = Instant::now();
        // Were it rendered without a limit, this would end it before it ends the machine.
        let limit = if name == "floods.tera" { 60 } else { 2 };
        let out =
            world.sh(&format!("ulimit -v 3000000; disco dance --server {MASTER} --step-timeout {limit}"));
        out.exits(1).stdout_lacks("script-ran").stderr_has(&format!("error: m: etc/{name}: {says}\n"));
        out.stdout_has("info: Processing other\n").stdout_has("/etc/other : Created");
        assert!(started.elapsed() < Duration::from_secs(60), "{name}: {:?}", started.elapsed());
        world.only_has(&processes);
        assert_eq!(world.manifest().since(&before), [""; 0], "{name}");
        world.remove_module("m");
    }
}

#[test]
fn a_signal_ends_a_template_too() {
    let Some(world) = World::new() else { return };
    world.module("m").template("etc/loops.tera", LOOPS);
    world.copy_stage_to(MASTER);
    let processes = world.processes();
    let dance = world.spawn(&["disco", "dance", "--server", MASTER]);
    // The inside, the step's first process with the one that renders, and the same two of the next step.
    world.wait_until("it renders", || {
        world.processes().iter().filter(|p| p.ends_with("__enter")).count() == 5
    });
    dance.signal("TERM");
    let out = dance.wait();
    assert_eq!(out.signal_or_status(), 143, "{out}");
    world.only_has(&processes);
}

#[test]
fn a_step_that_misbehaves_ends_and_holds_nothing() {
    let Some(world) = World::new() else { return };
    // The script, its end, and what the run says.
    for (script, status, says) in [
        ("kill -STOP $$", 1, "error: m: 10.sh: still running after 2 s, ended\n"),
        ("kill -STOP -1; kill -STOP 0", 1, "error: m: 10.sh: still running after 2 s, ended\n"),
        ("kill -9 $$", 1, "error: m: 10.sh: killed by signal 9\n"),
        ("exec >&- 2>&- <&-; echo lost; true", 0, "nothing pending"),
        ("exec >&- 2>&- <&-; sleep 8753", 1, "error: m: 10.sh: still running after 2 s, ended\n"),
        // Daemons: in a session of their own, with the streams, twice forked, deaf to signals.
        ("setsid sleep 8754 & echo said", 0, "nothing pending"),
        ("(nohup sleep 8754 >/dev/null 2>&1 </dev/null &) ; echo said", 0, "nothing pending"),
        (
            "(trap '' TERM HUP INT; setsid bash -c '(sleep 8754; sleep 8754) & exit' ) & echo said",
            0,
            "nothing pending",
        ),
        (
            "python3 -c 'import os,time\nfor i in range(2):\n  if os.fork(): os._exit(0)\n  os.setsid()\ntime.sleep(8754)'; echo said",
            0,
            "nothing pending",
        ),
    ] {
        master(&world, "true");
        world.write(&format!("{MASTER}/modules/m/scripts/10.sh"), script);
        world.run(&["mkdir", "-p", "/var/disco/scratch"]).succeeds();
        let (before, processes) = (world.manifest(), world.processes());
        let started = Instant::now();
        let out = world.disco(&["dance", "--noop", "--server", MASTER, "--step-timeout", "2"]);
        println!("{script}");
        out.exits(status).stderr_has(says);
        assert!(!script.ends_with("echo said") || out.stdout.contains("said\n"), "{out}");
        assert!(started.elapsed() < Duration::from_secs(20), "{script}: {:?}", started.elapsed());
        world.only_has(&processes);
        assert_eq!(world.manifest().since(&before), [""; 0], "{script}");
    }
}

#[test]
fn a_step_that_forks_for_ever_is_ended() {
    let Some(world) = World::new() else { return };
    world.setting("disco/client/step_processes", "300");
    let machines = world.read("/proc/sys/kernel/pid_max");
    // Even if nothing ended them they would be 1023 and 1000, and no more.
    for bomb in [
        "b() { [ $1 -gt 0 ] && { b $(($1-1)) & b $(($1-1)) & }; sleep 8752; }; b 9",
        "for i in {1..1000}; do setsid sleep 8752 & done; sleep 8752",
    ] {
        master(&world, "mkdir -p $S/templates; echo '{{ hostname }}' >$S/templates/made.tera");
        world.write(&format!("{MASTER}/modules/m/scripts/10.sh"), bomb);
        let processes = world.processes();
        let out = world.disco(&["dance", "--server", MASTER, "--step-timeout", "60"]);
        out.exits(1).stderr_has(
            "error: m: 10.sh: more than 300 processes at once (setting client/step_processes), ended\n",
        );
        world.only_has(&processes);
    }
    assert_eq!(world.read("/proc/sys/kernel/pid_max"), machines, "the limit is not the step's own");
    // And as many as there may be are no matter.
    world.write(
        &format!("{MASTER}/modules/m/scripts/10.sh"),
        "for i in {1..280}; do sleep 1 & done; wait; echo all",
    );
    world.disco(&["dance", "--server", MASTER]).succeeds().stdout_has("all\n");
    // Nor is what ends again, however many there are.
    world.write(&format!("{MASTER}/modules/m/scripts/10.sh"), "for i in {1..2000}; do (:); done; echo many");
    world.disco(&["dance", "--server", MASTER]).succeeds().stdout_has("many\n");
}

#[test]
fn the_time_limit_alone_ends_a_step_that_forks() {
    let Some(world) = World::new() else { return };
    master(&world, "true");
    let bomb = "b() { [ $1 -gt 0 ] && { b $(($1-1)) & b $(($1-1)) & }; sleep 8752; }; b 9";
    world.write(&format!("{MASTER}/modules/m/scripts/10.sh"), bomb);
    let processes = world.processes();
    let out = world.disco(&["dance", "--server", MASTER, "--step-timeout", "2"]);
    out.exits(1).stderr_has("error: m: 10.sh: still running after 2 s, ended\n");
    world.only_has(&processes);
}

#[test]
fn a_flood_of_output_takes_neither_memory_nor_disk() {
    let Some(world) = World::new() else { return };
    // All of it where there is time: DISCO_FLOOD_MIB=1024.
    let mib: u64 = std::env::var("DISCO_FLOOD_MIB").ok().and_then(|mib| mib.parse().ok()).unwrap_or(160);
    master(&world, "true");
    for line in ["y", &"long".repeat(250)] {
        let script = format!(
            "yes {line} | head -c {}M; echo x >/etc/went-on",
            if line == "y" { mib / 16 } else { mib }
        );
        world.write(&format!("{MASTER}/modules/m/scripts/10.sh"), &script);
        // The largest resident set of the supervisor and its children, as the kernel kept it, in KiB.
        let peak = world.sh(
            "python3 -c 'import resource, subprocess; subprocess.run([\"disco\", \"dance\", \"--noop\", \"--server\", \"/srv/master\"], stdout=subprocess.DEVNULL, check=True); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)'",
        );
        let peak: u64 = peak.succeeds().stdout.trim().parse().expect("KiB");
        assert!(peak < 64 << 10, "{peak} KiB of memory for {mib} MiB of output");
        let kept = world.sh("du -sm /var/disco/runs | cut -f1; zgrep -ch ^cut /var/disco/runs/*/output/m/*; rm -r /var/disco/runs");
        let lines: Vec<u64> =
            kept.succeeds().stdout.lines().map(|line| line.parse().expect("a number")).collect();
        assert!(lines[0] <= 66, "{} MiB of disk", lines[0]);
        assert!(line == "y" || lines[1..] == [1], "the cut is not told: {lines:?}");
    }
}
