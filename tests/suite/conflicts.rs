//! An administrator works on the node while a dance is under way: what both have changed stops the merge, or is settled as
//! the user says.

use crate::world::{Output, World};

/// A dance whose script waits after its look; what the administrator does meanwhile; then the end.
fn dance_while(world: &World, script: &str, meanwhile: &str, arguments: &[&str]) -> Output {
    world.module("m").script("10.sh", &script.replace("WAIT", "sleep 8757 || true"));
    world.publish();
    world.setting("disco/server/uri", "/tmp/master");
    let dance = world.spawn(&[&["disco", "dance"], arguments].concat());
    let sleeper = || world.processes().iter().find(|p| p.ends_with("sleep 8757")).cloned();
    world.wait_until("the script has looked", || sleeper().is_some());
    world.sh(meanwhile).succeeds();
    let pid = sleeper().expect("it sleeps").split(' ').next().unwrap_or_default().to_owned();
    world.run(&["kill", &pid]).succeeds();
    dance.wait()
}

const BEFORE: &str =
    "umask 022; rm -rf /srv/t; mkdir -p /srv/t/gone; cd /srv/t; for f in a b c gone/d; do echo old >$f; done";
const SCRIPT: &str =
    "umask 022; cd /srv/t; cat a b c; rm -r gone; echo run >new; echo run >b; WAIT; echo run >a; echo run >c";
const MEANWHILE: &str = "cd /srv/t; echo else >a; rm b; echo else >gone/more; echo else >new";
const LOOK: &str = "cd /srv/t; for f in a b c gone/d gone/more new; do echo $f $(cat $f 2>&1); done";

#[test]
fn all_conflicts_are_told_at_once_and_nothing_is_merged() {
    let Some(world) = World::new() else { return };
    world.sh(BEFORE).succeeds();
    let out = dance_while(&world, SCRIPT, MEANWHILE, &[]);
    out.exits(1).stderr_has("error: 4 paths are not as the sandbox saw them:\n");
    for told in [
        "  /srv/t/a has changed on the live root since the sandbox saw it: size 4 bytes, now 5; modified at ",
        "  /srv/t/b has vanished on the live root since the sandbox saw it: expected a file\n",
        "  /srv/t/gone/more has appeared on the live root since the sandbox saw it: expected nothing, there is a file of 5 \
         bytes\n",
        "  /srv/t/new has appeared on the live root since the sandbox saw it: expected nothing, there is a file of 5 bytes\n",
        "hint: nothing is merged; run it again: it starts from what is there now. Or say whose state is kept, with \
         --on-conflict 'theirs=/srv/t/a' or 'mine=/srv/t/a'\n",
    ] {
        out.stderr_has(told);
    }
    world
        .sh(LOOK)
        .stdout_has("a else\nb cat: b: No such")
        .stdout_has("c old\ngone/d old\ngone/more else\nnew else\n");
}

#[test]
fn theirs_keeps_what_is_there_and_merges_the_rest() {
    let Some(world) = World::new() else { return };
    world.sh(BEFORE).succeeds();
    let out = dance_while(&world, SCRIPT, MEANWHILE, &["--on-conflict", "theirs"]);
    out.succeeds()
        .stderr_has("Not merged : /srv/t/a : it stays as it is: it has changed on the live root")
        .stderr_has("Not merged : /srv/t/gone : /srv/t/gone/more in it stays");
    world
        .sh(LOOK)
        .stdout_has("a else\nb cat: b: No such")
        .stdout_has("c run\ngone/d cat: gone/d: No such")
        .stdout_has("gone/more else\nnew else\n");
}

#[test]
fn mine_merges_over_what_is_there_and_each_path_has_its_own_rule() {
    let Some(world) = World::new() else { return };
    world.sh(BEFORE).succeeds();
    let rules = ["--on-conflict", "theirs=/srv/t/new", "--on-conflict", "mine=/srv/t/**"];
    let out = dance_while(&world, SCRIPT, MEANWHILE, &rules);
    out.succeeds()
        .stderr_has("Replaced : /srv/t/a : it has changed on the live root since the sandbox saw it: size 4")
        .stderr_has("Replaced : /srv/t/gone/more : it has appeared")
        .stderr_has("Not merged : /srv/t/new : ");
    world.sh(LOOK).stdout_has("a run\nb run\nc run\ngone/d cat:").stdout_has("new else\n");
    world.sh("[ ! -e /srv/t/gone ]").succeeds();
}

#[test]
fn what_somebody_has_done_already_is_no_conflict_and_no_change() {
    let Some(world) = World::new() else { return };
    world.sh(BEFORE).succeeds();
    let same = "cd /srv/t; echo run >>a; rm -r gone; echo run >new";
    let out = dance_while(
        &world,
        "umask 022; cd /srv/t; ls -lR .; WAIT; echo run >>a; rm -r gone; echo run >new",
        same,
        &[],
    );
    out.succeeds().stderr_lacks("Not merged");
    world.sh(LOOK).stdout_has("a old run\n").stdout_has("new run\n");
}

#[test]
fn a_copy_of_neither_state_is_never_merged() {
    let Some(world) = World::new() else { return };
    world.sh(BEFORE).succeeds();
    let script = "cat /srv/t/a; WAIT; echo run >>/srv/t/a";
    let out = dance_while(&world, script, "echo else >/srv/t/a", &["--on-conflict", "mine"]);
    out.exits(1).stderr_has("; the run has worked on both states\n");
    assert_eq!(world.read("/srv/t/a"), "else\n");
}

#[test]
fn a_tried_command_and_its_merge_have_the_rules_too() {
    let Some(world) = World::new() else { return };
    world.sh(BEFORE).succeeds();
    let script = "cd /srv/t; cat a; sleep 8756 || true; echo run >>a";
    let try_it = ["disco", "try", "--commit", "--on-conflict", "theirs=/srv/**", "--", "bash", "-c", script];
    let tried = world.spawn(&try_it);
    let sleeper = || world.processes().iter().find(|p| p.ends_with("sleep 8756")).cloned();
    world.wait_until("it has looked", || sleeper().is_some());
    world.sh("echo else >/srv/t/a").succeeds();
    let pid = sleeper().expect("it sleeps").split(' ').next().unwrap_or_default().to_owned();
    world.run(&["kill", &pid]).succeeds();
    tried.wait().succeeds().stderr_has("Not merged : /srv/t/a : ");
    assert_eq!(world.read("/srv/t/a"), "else\n");
    world
        .disco(&["try", "--commit", "--on-conflict", "ours", "--", "true"])
        .exits(78)
        .stderr_has("on_conflict");
}

#[test]
fn a_log_that_grows_on_both_sides_has_both_and_stays_the_file_that_is_open() {
    let Some(world) = World::new() else { return };
    let before = "umask 022; mkdir -p /srv/t; for f in /var/log/app.log /var/log/own.log /srv/t/list /srv/t/quiet; do echo old >$f; done";
    world.sh(before).succeeds();
    // Whoever has the log open goes on writing into it.
    let writer = world.spawn(&["bash", "-c", "exec 3>>/var/log/app.log 4>>/var/log/own.log; while [ ! -e /tmp/end ]; do sleep 0.05; done; echo last >&3; echo last >&4"]);
    let inodes =
        || world.sh("stat -c %i /var/log/app.log /var/log/own.log /srv/t/list").succeeds().stdout.clone();
    let known = inodes();
    let script = "for f in /var/log/app.log /var/log/own.log /srv/t/list /srv/t/quiet; do echo run >>$f; done; WAIT; echo more >>/var/log/app.log";
    let meanwhile = "echo else >>/var/log/app.log; echo else >>/srv/t/list";
    dance_while(&world, script, meanwhile, &[]).succeeds().stderr_lacks("Not merged");
    world.sh("touch /tmp/end").succeeds();
    writer.wait().succeeds();
    assert_eq!(world.read("/var/log/app.log"), "old\nelse\nrun\nmore\nlast\n");
    assert_eq!(world.read("/var/log/own.log"), "old\nrun\nlast\n");
    assert_eq!(world.read("/srv/t/list"), "old\nelse\nrun\n");
    assert_eq!(world.read("/srv/t/quiet"), "old\nrun\n");
    assert_eq!(inodes(), known, "another file has taken the place of one that is open");
}

#[test]
fn a_log_that_was_not_only_added_to_is_a_conflict() {
    let Some(world) = World::new() else { return };
    for meanwhile in
        ["echo edited >/var/log/app.log", "echo else >>/var/log/app.log; chmod 600 /var/log/app.log"]
    {
        world.sh("umask 022; rm -f /var/log/app.log; echo old >/var/log/app.log").succeeds();
        let out = dance_while(&world, "echo run >>/var/log/app.log; WAIT", meanwhile, &[]);
        out.exits(1).stderr_has("/var/log/app.log has changed on the live root");
        assert!(!world.read("/var/log/app.log").contains("run"));
    }
}
