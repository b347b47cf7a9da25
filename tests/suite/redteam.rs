//! The red team: attacks on the sandbox over files, descriptors, mounts, devices, processes, the kernel, IPC, the network,
//! terminals, time and the supervisor, each of which works where there is no sandbox.
//!
//! What is attacked are canaries of a hermetic node, and the judge is a process of that node outside of the sandbox; where
//! an attack leaves nothing to look at, it is the answer that the kernel gives only to whoever is allowed. `redteam/rows.rs`
//! says how an attack is written.

mod node;
mod rows;
mod table;

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use node::{AS_ALICE, Names, Victim, all_in_one, launched};
use rows::Row;

const NOBODY: [&str; 0] = [];

/// What of the machine is nearest to an attack without a sandbox: what a node's first process was started from, and what no
/// namespace holds.
fn machine() -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/throwaway-root");
    let looks =
        ["/bin/bash", "/usr/bin/unshare", script, "/dev/null", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
    let look = |path: &str| {
        let there = std::fs::metadata(path).ok()?;
        let text = if there.is_file() { std::fs::read(path).ok()? } else { Vec::new() };
        Some(format!("{path} {:o} {} {:x}", there.mode(), there.uid(), md5::compute(text)))
    };
    let settings = ["/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/swappiness"];
    let settings = settings.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    looks.into_iter().filter_map(look).chain(settings).collect()
}

fn list(names: &Names) -> Vec<&'static str> {
    names.iter().copied().collect()
}

#[test]
fn every_attack_works_where_there_is_no_sandbox() {
    let Some(victim) = Victim::new() else { return };
    let machine = machine();
    let (before, after) = victim.control();
    assert_eq!(list(&before), NOBODY, "these are judged to have worked before they are made");
    let failed = &victim.names(|row| !row.alone) - &after;
    assert_eq!(list(&failed), NOBODY, "these are no attacks\n{}", victim.world.read("/run/control"));
    let failed = &victim.names(|row| row.alone) - &alone(&victim, "");
    assert_eq!(list(&failed), NOBODY, "these are no attacks");
    assert_eq!(self::machine(), machine, "an attack has reached the machine itself");
    println!("{} attacks work; this machine cannot have {:?}", victim.rows.len(), victim.absent);
    assert!(victim.rows.len() >= 60, "only {} attacks can be made here", victim.rows.len());
}

#[test]
fn nothing_escapes_from_a_dry_run_and_what_was_tried_is_told() {
    let Some(victim) = Victim::new() else { return };
    let processes = victim.world.processes();
    assert_eq!(list(&dry_run(&victim, "")), NOBODY);
    victim.world.only_has(&processes);
    let (told, untold) = told(&victim);
    let all = told.len() + untold.len();
    println!("{} of {all} attacks that can be named were told of; not {untold:?}", told.len());
    assert!(told.len() * 100 >= all * 95, "{} of {all} were told of; not {untold:?}", told.len());
}

#[test]
fn nothing_escapes_from_a_live_run_before_its_merge() {
    let Some(victim) = Victim::new() else { return };
    assert_eq!(list(&live_run(&victim)), NOBODY);
}

#[test]
fn nothing_escapes_from_a_command_that_is_tried() {
    let Some(victim) = Victim::new() else { return };
    assert_eq!(list(&tried(&victim)), NOBODY);
}

/// Of the canaries that are hers.
#[test]
fn nothing_escapes_from_a_command_that_somebody_else_than_root_tries() {
    let machine = machine();
    let Some(control) = Victim::of_alice() else { return };
    let works = control.out_of(AS_ALICE);
    assert!(works.len() >= 60, "only {} attacks work as a user: {works:?}", works.len());
    let victim = Victim::of_alice().expect("there was one");
    victim.world.sh("rm /var/disco/modules/devices/disk").succeeds();
    victim.launch(&format!("{AS_ALICE} disco try -- {}", all_in_one()));
    assert_eq!(list(&victim.escaped()), NOBODY);
    assert_eq!(self::machine(), machine, "an attack has reached the machine itself");
}

#[test]
fn without_the_filter_the_other_walls_hold_all_but_what_only_it_can_stop() {
    let Some(victim) = Victim::new() else { return };
    let named = victim.names(|row| row.filter.is_some());
    assert_eq!(list(&dry_run(&victim, "env DISCO_TEST_NO_FILTER=1")), list(&named));
}

/// What gets out of a dry run; the node must be as it was.
#[track_caller]
fn dry_run(victim: &Victim, prefix: &str) -> Names {
    let (before, mounts) = (victim.world.manifest(), victim.world.mounts());
    victim.launch(&format!("{prefix} disco dance --noop"));
    let escaped = victim.escaped();
    assert_eq!(victim.world.manifest().since(&before), NOBODY);
    assert_eq!(victim.world.mounts(), mounts);
    escaped
}

/// What gets out of a live run while it waits before its merge, and when it has failed there.
#[track_caller]
fn live_run(victim: &Victim) -> Names {
    let world = &victim.world;
    let mut requires = String::new();
    for module in victim.rows.iter().map(|row| row.class).collect::<BTreeSet<_>>() {
        requires += &format!("after {module}\n");
    }
    world.module("last").requires(&requires).script("10.sh", "sleep 777999; exit 1");
    world.publish();
    world.sh("cp -a /var/disco/modules/devices/disk /tmp/master/modules/devices/").succeeds();
    let (before, mounts) = (world.manifest(), world.mounts());
    let run = world.spawn(&["bash", "-c", &launched("disco dance")]);
    world.sh("until pgrep -f '^sleep 777999$'; do sleep 0.1; done").succeeds();
    let early = victim.escaped();
    assert_eq!(world.manifest().since(&before), NOBODY, "before the merge");
    assert_eq!(world.mounts(), mounts);
    world.sh("pkill -f '^sleep 777999$'").succeeds();
    assert_eq!(run.wait().signal_or_status(), 1);
    assert_eq!(world.manifest().since(&before), NOBODY, "after it");
    &early | &victim.escaped()
}

/// What gets out of `disco try`.
#[track_caller]
fn tried(victim: &Victim) -> Names {
    // A module with a device in it is shown to no session.
    victim.world.sh("rm /var/disco/modules/devices/disk").succeeds();
    let before = victim.world.manifest();
    victim.launch(&format!("disco try -- {}", all_in_one()));
    assert_eq!(victim.world.manifest().since(&before), NOBODY);
    victim.escaped()
}

/// Which of the attacks get out of a sandbox, or of none, that take the node with them: each has one of its own.
fn alone(victim: &Victim, sandbox: &str) -> Names {
    let out = |row: &&Row| Victim::new().expect("there was one").alone(sandbox, row);
    victim.rows.iter().filter(|row| row.alone).filter(out).map(|row| row.name).collect()
}

/// Actions are made by root, after the merge: so only root may have them made.
#[test]
fn what_a_steps_other_users_ask_for_is_refused_and_never_made() {
    let Some(victim) = Victim::new() else { return };
    let world = &victim.world;
    world.sh("setpriv --reuid 65534 --clear-groups sleep 777 >/dev/null 2>&1 & echo $! >/srv/own").succeeds();
    // The command line of a call about a process is that of whoever calls.
    let script =
        "A=/usr/local/lib/redteam/attack; read -r root </run/redteam/by-number; read -r own </srv/own
        as() { setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"; echo \"status $?\"; }
        as service canary stop
        as bash -c 'exec -a /usr/bin/touch $0 nice $1 /srv/made-by-root' $A $root
        as $A hostname leak; as $A clock-settime; as $A umount-all /srv/redteam/unmount; as kill -9 $root
        as kill -TERM $own; true";
    world.module("others").script("10.sh", script);
    world.assign(&["others"]);
    world.publish();
    let pid = world.service_pid("canary");
    let out = world.disco(&["dance"]);
    out.succeeds()
        .stdout_has("Stopped : sethostname : leak : refused")
        .stdout_has("Stopped : kill : process");
    let deferred: Vec<&str> = out.stderr.lines().filter(|line| line.contains("Deferred")).collect();
    assert_eq!(deferred.len(), 1, "{out}");
    assert!(deferred[0].contains("kill -TERM"), "{out}");
    assert!(
        !world.exists("/srv/made-by-root")
            && world.service_runs("canary")
            && world.service_pid("canary") == pid
    );
    world.run(&["hostname"]).stdout_is(&format!("{}\n", crate::world::NODE));
    world.sh("kill -0 $(cat /run/redteam/by-number) && mountpoint -q /srv/redteam/unmount").succeeds();
    world.sh("! kill -0 $(cat /srv/own)").succeeds();
}

/// Which attacks that can be named the record of the node's last run tells of, and which not.
fn told(victim: &Victim) -> (Names, Names) {
    let record = victim.world.disco(&["report", "--format", "json"]).stdout.clone();
    let record: Value = serde_json::from_str(&record).expect("a record is JSON");
    let all = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut told = Names::new();
    for module in all(&record["modules"]) {
        let changed: Vec<String> = all(&module["changes"])
            .iter()
            .filter_map(|change| change["path"].as_str().map(String::from))
            .collect();
        for step in all(&module["steps"]) {
            let Some(row) =
                victim.rows.iter().find(|row| step["script"].as_str().is_some_and(|name| is_of(name, row)))
            else {
                continue;
            };
            let mut names = BTreeSet::new();
            for attempt in all(&step["attempts"]) {
                names.extend(attempt["call"].as_str().map(|call| call.replace(' ', "-")));
            }
            for action in all(&step["actions"]) {
                names.extend(action["kind"].as_str().map(String::from));
                for command in [&action["argv"][0], &action["program"]] {
                    let command = command.as_str().unwrap_or_default();
                    names.insert(command.rsplit('/').next().unwrap_or_default().to_owned());
                }
            }
            let body =
                format!("{}\n{}", row.body, row.escaped.unwrap_or_default()).replace("$R", "/srv/redteam");
            if changed.iter().any(|path| body.contains(path.as_str())) {
                names.insert("change".to_owned());
            }
            if row.report.iter().any(|name| names.contains(*name)) {
                told.insert(row.name);
            }
        }
    }
    let untold = &victim.names(|row| row.unnamed.is_none()) - &told;
    (told, untold)
}

fn is_of(script: &str, row: &Row) -> bool {
    script.get(4..).and_then(|name| name.strip_suffix(".sh")) == Some(row.name)
}

#[test]
fn no_release_build_has_a_way_past_the_filter() {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")) {
        let path = entry.expect("the sources can be read").into_path();
        if path.is_file()
            && std::fs::read_to_string(&path).is_ok_and(|text| text.contains("DISCO_TEST_NO_FILTER"))
        {
            found.push(path);
        }
    }
    let [path] = &found[..] else { panic!("it is asked for in {found:?}") };
    let text = std::fs::read_to_string(path).expect("it was read before");
    let (before, _) = text.split_once("DISCO_TEST_NO_FILTER").expect("it was found");
    let (before, _) = before.rsplit_once("pub mod door {").expect("it is in the module of the door");
    assert!(before.ends_with("#[cfg(debug_assertions)]\n"), "a release build has it");
}
