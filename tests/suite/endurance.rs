//! Many dances one after another, and many steps in one: nothing is left of them but their records, and nothing grows.
//!
//! A sample here; `scripts/endurance` takes `DISCO_DANCES`, and has what was counted written to `DISCO_COUNTS`.

use std::io::Write;

use crate::world::World;

/// What a dance could leave outside of the root's plain files, one thing a line.
fn left(world: &World) -> String {
    let script = r"cat /proc/1/mountinfo
        find /dev/shm /dev/mqueue /run /tmp -mindepth 1 -not -path '/tmp/master*' 2>/dev/null | sort
        ipcs | grep -E '^0x'
        find /var/disco -mindepth 1 -not -path '/var/disco/runs/*' -printf '%p %m %y\n' | sort
        grep -c cgroup /proc/1/mountinfo; true";
    world.sh(script).succeeds().stdout.clone()
}

/// The size of every record with its logs, in bytes, oldest first.
fn records(world: &World) -> Vec<u64> {
    let sizes = world
        .sh("cd /var/disco/runs && for run in *; do cat $(find $run -type f) | wc -c; done")
        .succeeds()
        .stdout
        .clone();
    sizes.lines().map(|size| size.parse().expect("a number")).collect()
}

/// The largest resident set that disco itself had in each run, in KiB, oldest first.
fn memory(world: &World) -> Vec<u64> {
    let all = world
        .sh("for run in /var/disco/runs/*; do tr -d '\\n' <$run/record.json; echo; done")
        .succeeds()
        .stdout
        .clone();
    let of = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).expect("a record is JSON");
        let parts = record["internal"].as_array().expect("a list").clone();
        parts.iter().filter_map(|part| part["cost"]["mem_max"].as_u64()).max().unwrap_or_default()
    };
    all.lines().map(of).collect()
}

#[test]
fn dances_one_after_another_leave_only_their_records() {
    let dances: usize = std::env::var("DISCO_DANCES").ok().and_then(|n| n.parse().ok()).unwrap_or(15);
    let Some(world) = World::new() else { return };
    world.write_with_mode("/etc/init.d/quiet", "755", "#!/bin/sh\n");
    world
        .module("m")
        .script(
            "10.sh",
            "read -r n </etc/count; echo $((n + 1)) >/etc/count; setsid sleep 8750 & service quiet reload",
        )
        .script("20.sh", "[ ! -e /etc/fail ]")
        .template("etc/rendered.tera", "{{ hostname }}\n")
        .file("etc/laid", 0o644, "laid\n");
    world.write("/etc/count", "0\n");
    world.setting("disco/client/keep_runs", "100000");
    world.master();
    world.disco(&["dance"]).succeeds();
    let (processes, before, apart) = (world.processes(), world.manifest(), left(&world));
    let mut merged = 1;
    for dance in 1..dances {
        if dance % 5 == 3 {
            world.disco(&["dance", "--noop"]).succeeds().stdout_has("/etc/count : Modified");
        } else if dance % 5 == 4 {
            let fail = "touch /run/fail; ln -s /run/fail /etc/fail; disco dance; status=$?; rm /etc/fail /run/fail; exit $status";
            world.sh(fail).exits(1).stderr_has("error: m: 20.sh: exit status 1");
        } else {
            merged += 1;
            world.disco(&["dance"]).succeeds().stderr_has("merged: 1 change, 1 action executed");
        }
    }
    world.only_has(&processes);
    assert_eq!(world.read("/etc/count"), format!("{merged}\n"));
    let changed = world.manifest().since(&before);
    let files = changed.iter().filter(|line| !line.starts_with("/etc/count: "));
    let now = left(&world);
    let others = now.lines().filter(|line| !apart.lines().any(|before| before == *line));
    // What an undo needs, of the last ten merges at most.
    let (undo, others): (Vec<&str>, Vec<&str>) =
        others.partition(|line| line.starts_with("/var/disco/undo/"));
    let kept = undo.iter().filter(|line| line.contains("/journal ")).count();
    assert!((1..=10).contains(&kept) && undo.len() == 3 * kept, "{undo:?}");
    let surplus: Vec<&str> = files.map(String::as_str).chain(others).collect();
    assert_eq!(surplus, [""; 0], "something is left beside the records");
    let gone: Vec<&str> = apart.lines().filter(|line| !now.lines().any(|after| after == *line)).collect();
    assert!(gone.iter().all(|line| line.starts_with("/var/disco/undo/")), "something is gone: {gone:?}");

    let (records, memory) = (records(&world), memory(&world));
    assert_eq!(records.len(), dances);
    let (small, large) = (records.iter().min().copied(), records.iter().max().copied());
    let (small, large) = (small.expect("records"), large.expect("records"));
    assert!(large < small * 2, "records grow: {records:?}");
    let quarter = dances.div_ceil(4);
    let mean = |sizes: &[u64]| sizes.iter().sum::<u64>() / sizes.len() as u64;
    let (first, last) = (mean(&memory[..quarter]), mean(&memory[dances - quarter..]));
    assert!(last * 10 < first * 11, "memory grows from {first} KiB to {last} KiB");

    world.setting("disco/client/keep_runs", "3");
    world.disco(&["dance", "--noop"]).succeeds();
    world.sh("grep -l '\"mode\": \"noop\"' /var/disco/runs/*/record.json | wc -l").stdout_is("3\n");
    if let Some(path) = std::env::var_os("DISCO_COUNTS") {
        let mut file =
            std::fs::OpenOptions::new().append(true).create(true).open(path).expect("a file for counts");
        let line =
            format!("| {dances} | {merged} | {} | {small} to {large} | {first} | {last} |\n", surplus.len());
        file.write_all(line.as_bytes()).expect("counts can be written");
    }
}

#[test]
fn a_step_more_costs_no_descriptor_more() {
    let Some(world) = World::new() else { return };
    let mut module = world.module("m");
    for step in 100..200 {
        module = module.script(&format!("{step}.sh"), "echo line; service x status; true");
    }
    module.script("105-wait.sh", "sleep 8748; true").script("195-wait.sh", "sleep 8749; true");
    world.master();
    let dance = world.spawn(&["disco", "dance", "--noop"]);
    let open = |sleep: &str| {
        let waits = |line: &String| line.ends_with(sleep);
        world.wait_until(sleep, || world.processes().iter().any(waits));
        let processes = world.processes();
        let count = |pid: &str| world.sh(&format!("ls /proc/{pid}/fd | wc -l")).succeeds().stdout.clone();
        let enter =
            processes.iter().find(|line| line.ends_with("__enter")).expect("the inside of the sandbox");
        let counts = (count(dance.pid()), count(enter.split(' ').next().expect("a pid")));
        let sleeper = processes.iter().find(|line| waits(line)).and_then(|line| line.split(' ').next());
        world.run(&["kill", sleeper.expect("a pid")]).succeeds();
        counts
    };
    let (early, late) = (open("sleep 8748"), open("sleep 8749"));
    assert_eq!(early, late, "descriptors of the supervisor and of the inside after 6 and after 96 steps");
    dance.wait().succeeds();
}
