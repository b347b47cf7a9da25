//! Looking back over runs: what a step printed, what a run changed, who wrote which line, and what is not so any more.

use crate::world::World;

/// The newest run.
fn last(world: &World) -> String {
    world.sh("ls /var/disco/runs | tail -1").succeeds().stdout.trim().to_owned()
}

/// Two modules; of the first three steps write one file, the second adds to it.
fn two_modules(world: &World) {
    world
        .module("a")
        .file("etc/t", 0o644, "one\ntwo\n")
        .script("10-add.sh", "echo said; echo warned >&2; echo three >>/etc/t; echo x >/etc/other")
        .script("20-change.sh", "sed -i s/two/2/ /etc/t; ln -sfn t /etc/link; mkdir -p -m 700 /etc/dir")
        .script("30-mode.sh", "chmod 640 /etc/other");
    world.module("b").requires("after a").script("10-last.sh", "echo four >>/etc/t; rm -f /etc/motd");
    world.write("/etc/motd", "hello\n");
    world.master();
}

/// Who wrote the lines of a file, `-` where disco did not.
fn steps(world: &World, path: &str) -> Vec<String> {
    let blame = world.disco(&["blame", path, "--format", "json"]);
    let blame: serde_json::Value = serde_json::from_str(&blame.succeeds().stdout).expect("it is JSON");
    let one = |line: &serde_json::Value| match &line["by"] {
        serde_json::Value::Null => "-".to_owned(),
        by => format!("{} {}", by["module"], by["step"]).replace('"', ""),
    };
    blame["lines"].as_array().expect("there are lines").iter().map(one).collect()
}

#[test]
fn each_line_is_its_steps_and_an_undo_takes_that_back() {
    let Some(world) = World::new() else { return };
    two_modules(&world);
    world.disco(&["blame", "/etc/t"]).exits(1).stderr_has("no run that is kept has written /etc/t");
    world.disco(&["dance", "--noop"]).succeeds();
    world.disco(&["blame", "/etc/t"]).exits(1);
    world.disco(&["dance"]).succeeds();
    let run = last(&world);
    assert_eq!(steps(&world, "/etc/t"), ["a files", "a 20-change.sh", "a 10-add.sh", "b 10-last.sh"]);
    let blame = world.disco(&["blame", "/etc/t"]);
    blame.succeeds().stdout_has(&run).stdout_has("a/10-add.sh     3) three\n").stdout_lacks("not by disco");
    world.disco(&["blame", "/etc/motd"]).succeeds().stdout_has("b/10-last.sh  deleted /etc/motd\n");
    world.disco(&["blame", "/etc/link"]).succeeds().stdout_has("a/20-change.sh  created /etc/link\n");
    world.disco(&["blame", "/etc/dir"]).succeeds().stdout_has("a/20-change.sh  created /etc/dir\n");
    world.disco(&["blame", "/etc/other"]).succeeds().stdout_has("a/30-mode.sh").stdout_lacks(") x");

    world.sh("sed -i '1i mine' /etc/t; sed -i s/three/THREE/ /etc/t").succeeds();
    assert_eq!(steps(&world, "/etc/t"), ["-", "a files", "a 20-change.sh", "-", "b 10-last.sh"]);
    world.disco(&["blame", "/etc/t"]).succeeds().stdout_has("not by disco    changed /etc/t\n");

    // Written over again, by another run.
    world.disco(&["dance"]).succeeds();
    let (second, first) = (last(&world), run);
    assert_eq!(steps(&world, "/etc/t"), ["a files", "a 20-change.sh", "a 10-add.sh", "b 10-last.sh"]);
    world.disco(&["undo"]).succeeds();
    assert_eq!(steps(&world, "/etc/t"), ["-", "a files", "a 20-change.sh", "-", "b 10-last.sh"]);
    world.disco(&["blame", "/etc/t"]).succeeds().stdout_has(&first).stdout_lacks(&second);
}

#[test]
fn names_that_are_no_text_have_their_author() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "echo x >$'/etc/a\\xff'; printf 'a\\0b' >/etc/binary");
    world.master();
    world.disco(&["dance"]).succeeds();
    world.sh("disco blame $'/etc/a\\xff'").succeeds().stdout_has("m/10.sh").stdout_has("1) x\n");
    world.disco(&["blame", "/etc/binary"]).succeeds().stdout_has("m/10.sh  created /etc/binary\n");
    world
        .sh("disco diff $'/etc/a\\xff'")
        .succeeds()
        .stdout_has("/etc/a\\xff : Created")
        .stdout_lacks("binary");
}

#[test]
fn what_is_not_so_any_more_is_found_without_a_run() {
    let Some(world) = World::new() else { return };
    two_modules(&world);
    world.disco(&["dance"]).succeeds();
    world.disco(&["drift", "--detailed-exitcodes"]).succeeds().stdout_is("");
    world.sh("echo y >/etc/other; chmod 755 /etc/dir; rm /etc/link; echo again >/etc/motd").succeeds();
    let before = world.manifest();
    let drift = world.disco(&["drift", "--detailed-exitcodes"]);
    let run = last(&world);
    drift
        .exits(2)
        .stdout_has(&format!("/etc/link : Deleted : left by {run} a/20-change.sh\n"))
        .stdout_has(&format!(
            "perms=[root:root 700 => root:root 755] mode=[41c0 => 41ed] : left by {run} a/20-change.sh\n"
        ))
        .stdout_has("/etc/other : Modified : md5=[")
        .stdout_has("/etc/motd : Created : ")
        .stdout_lacks("/etc/t ");
    world
        .disco(&["drift", "/etc/dir"])
        .succeeds()
        .stdout_has("/etc/dir : Modified")
        .stdout_lacks("/etc/link");
    let json = world.disco(&["drift", "--format", "json"]);
    assert_eq!(json.succeeds().stdout.lines().count(), 4, "{json}");
    assert_eq!(world.manifest().since(&before), [""; 0], "it changed something");
    world.disco(&["undo", "--on-conflict", "theirs"]).succeeds();
    world.disco(&["drift", "--detailed-exitcodes"]).succeeds().stdout_is("");
}

#[test]
fn a_step_and_a_run_are_shown_again() {
    let Some(world) = World::new() else { return };
    two_modules(&world);
    let dance = world.disco(&["dance", "--noop"]).succeeds().stdout.clone();
    let changes = |text: &str| -> Vec<String> {
        let told = text.lines().filter(|line| *line != "said" && *line != "warned");
        told.map(str::to_owned).collect()
    };
    let diff = world.disco(&["diff"]).succeeds().stdout.clone();
    assert_eq!(changes(&diff), changes(&dance));
    let only = world.disco(&["diff", "last", "/etc/other", "--diff", "stat"]);
    only.succeeds().stdout_has("/etc/other : Created").stdout_has("content withheld").stdout_lacks("/etc/t ");
    let json = world.disco(&["diff", "/etc/other", "--format", "json"]);
    json.succeeds().stdout_has("\"step\":\"30-mode.sh\"");
    world.disco(&["show"]).succeeds().stdout_has("a/20-change.sh").stdout_has("b/10-last.sh");
    let step = world.disco(&["show", "last", "a/10-add.sh"]);
    step.succeeds().stdout_has("outcome  done\n").stdout_has("truth    exact").stdout_has("\nsaid\n");
    let streams = world.disco(&["show", "last", "a/10-add.sh", "--output", "--streams"]);
    streams.succeeds().stdout_has("out said\n").stdout_has("err warned\n");
    let times = world.disco(&["show", &last(&world), "a/10-add.sh", "--output", "--times"]);
    assert!(times.succeeds().stdout.starts_with("    0."), "{times}");
    world.disco(&["show", "last", "a/none"]).exits(1).stderr_has("has no step a/none").stderr_has("hint: ");
    world.disco(&["show", "2020-1", "a/none"]).exits(1).stderr_has("there is no run 2020-1");
}

#[test]
fn a_damaged_record_hides_no_other_run() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "echo $RANDOM$RANDOM >/etc/r; echo x >/etc/x");
    world.master();
    for _ in 0..2 {
        world.disco(&["dance"]).succeeds();
    }
    let second = last(&world);
    world.sh(&format!("echo damage >/var/disco/runs/{second}/changes.jsonl.gz")).succeeds();
    let blame = world.disco(&["blame", "/etc/x"]);
    blame.succeeds().stdout_has("m/10.sh").stdout_has("1) x\n").stdout_lacks(&second);
    let blame = world.disco(&["blame", "/etc/r"]);
    blame.succeeds().stdout_has("not by disco").stderr_has(&format!("what run {second} wrote is not known"));
    world.disco(&["drift"]).succeeds().stderr_has(&second);
    world.disco(&["diff"]).exits(74).stderr_has(&second);
    world.sh(&format!("echo damage >/var/disco/runs/{second}/record.json")).succeeds();
    world.disco(&["runs"]).succeeds().stdout_has("merged").stdout_has("is damaged");
    world.disco(&["show"]).exits(65).stderr_has("is damaged");
}
