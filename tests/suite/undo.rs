//! A merge and back: by hand, when nobody confirms it, and after a stop in the middle; the whole program on a hermetic node.

use crate::world::{Manifest, World};

/// The node without what disco keeps, and what differs from another time.
fn since(world: &World, before: &Manifest) -> Vec<String> {
    world.manifest().since(before).into_iter().filter(|line| !line.contains("/var/disco")).collect()
}

fn changed(world: &World) {
    world
        .sh("mkdir -p /srv/t/dir && echo a >/srv/t/a && echo b >/srv/t/dir/b && ln /srv/t/a /srv/t/a2")
        .succeeds();
    let script =
        "echo new >/srv/t/a; rm -r /srv/t/dir; mkdir /srv/t/made; echo m >/srv/t/made/m; chmod 700 /srv/t";
    world.module("m").script("10.sh", script);
    world.master();
}

#[test]
fn a_run_is_undone_and_that_can_be_undone() {
    let Some(world) = World::new() else { return };
    changed(&world);
    let before = world.manifest();
    world.disco(&["undo"]).exits(1).stderr_has("there is no merge that can be undone").stderr_has("hint: ");
    world.disco(&["dance"]).succeeds();
    let run = world.sh("ls /var/disco/undo").succeeds().stdout.trim().to_owned();
    let merged = since(&world, &before);
    assert!(merged.len() >= 4, "{merged:?}");
    world.disco(&["undo", "--list"]).succeeds().stdout_has(&run);
    world.disco(&["merge-log"]).succeeds().stdout_has("replace    /srv/t/a\n").stdout_has("done\n");
    world.disco(&["undo", "--noop"]).succeeds().stdout_has("Undo : /srv/t/made : removed");
    assert_eq!(since(&world, &before), merged, "NOOP changed something");
    world
        .disco(&["undo"])
        .succeeds()
        .stdout_has("info: Undo : /srv/t/dir : brought back")
        .stdout_has("info: Undo : /srv/t : attributes as before")
        .stderr_has(&format!("run {run} is undone"));
    assert_eq!(since(&world, &before), [""; 0]);
    world.disco(&["runs"]).succeeds().stdout_has("undone: by run");
    world.disco(&["undo", &run]).exits(1).stderr_has("can be undone any more");
    world.disco(&["undo"]).succeeds();
    assert_eq!(since(&world, &before), merged);
    world.disco(&["dance"]).succeeds().stderr_has("0 changes");
}

#[test]
fn an_undo_overwrites_nobodys_change() {
    let Some(world) = World::new() else { return };
    changed(&world);
    world.disco(&["dance"]).succeeds();
    world.sh("echo theirs >>/srv/t/a; echo more >/srv/t/made/n").succeeds();
    let before = world.manifest();
    let refused = world.disco(&["undo"]);
    refused.exits(1).stderr_has("/srv/t/a has changed since").stderr_has("/srv/t/made has changed since");
    refused.stderr_has("hint: nothing is changed; --on-conflict");
    assert_eq!(since(&world, &before), [""; 0]);
    world
        .disco(&["undo", "--on-conflict", "theirs=/srv/t/a mine"])
        .succeeds()
        .stderr_has("Not merged : /srv/t/a : somebody has changed it since");
    world.sh("cat /srv/t/a; ls /srv/t").succeeds().stdout_is("new\ntheirs\na\na2\ndir\n");
}

#[test]
fn what_nobody_confirms_is_taken_back() {
    let Some(world) = World::new() else { return };
    changed(&world);
    let before = world.manifest();
    let out = world.disco(&["dance", "--confirm", "3"]);
    out.succeeds().stderr_has("unless `disco confirm` comes before");
    assert!(!since(&world, &before).is_empty());
    // Nothing else merges meanwhile, and a dry run is free to look.
    world.disco(&["dance"]).exits(75).stderr_has("waits to be confirmed");
    world.disco(&["dance", "--noop"]).succeeds();
    world.wait_until("the time is up", || !world.exists("/srv/t/made"));
    world.wait_until("the journal is gone", || world.sh("ls -A /var/disco/journal").stdout.is_empty());
    assert_eq!(since(&world, &before), [""; 0]);
    world.disco(&["runs"]).succeeds().stdout_has("undone: nobody has confirmed it in time");
    world.disco(&["confirm"]).exits(1).stderr_has("no merge waits to be confirmed");

    // Confirmed, it stays; and what was confirmed can be undone like any other.
    world.disco(&["dance", "--confirm", "600"]).succeeds();
    world.disco(&["confirm"]).succeeds().stderr_has("it stays merged");
    world.wait_until("its waiter has gone", || {
        !world.processes().iter().any(|process| process.contains("__confirm"))
    });
    assert!(world.exists("/srv/t/made/m"));
    world.disco(&["undo"]).succeeds();
    assert_eq!(since(&world, &before), [""; 0]);

    // Refused before its time; and after a start of the machine, which has ended the waiter.
    world.disco(&["dance", "--confirm", "600"]).succeeds();
    world.disco(&["undo"]).succeeds().stderr_has("is undone, as if it had never merged");
    assert_eq!(since(&world, &before), [""; 0]);
    world.disco(&["dance", "--confirm", "2"]).succeeds();
    world.sh("pkill -KILL -f '[_]_confirm'; sleep 2.5; test -e /srv/t/made").succeeds();
    world.disco(&["recover"]).succeeds();
    assert_eq!(since(&world, &before), [""; 0]);
}

#[test]
fn recover_says_what_it_finds() {
    let Some(world) = World::new() else { return };
    world.disco(&["recover"]).succeeds().stderr_has("nothing to recover");
    world.sh("mkdir -p /var/disco/journal; echo torn >/var/disco/journal/20260101-000000-000-1").succeeds();
    world.disco(&["recover"]).succeeds().stderr_has("nothing to recover");
    world.sh("ls -A /var/disco/journal").stdout_is("");
    world.disco(&["merge-log"]).exits(1);
}
