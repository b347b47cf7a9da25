//! `disco dance --format json`: every line is one object of a known form, and the lines tell what the classic text tells.

use serde_json::{Value, json};

use crate::world::{Output, World};

/// The lines, each an object with its schema and its event.
#[track_caller]
fn lines(out: &Output) -> Vec<Value> {
    let lines: Vec<Value> = out
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}\n{out}")))
        .collect();
    for line in &lines {
        assert!(line["schema"] == 1 && line["event"].is_string(), "{line}");
    }
    lines
}

fn events(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["event"].as_str()).collect()
}

/// The one line of that event.
#[track_caller]
fn one<'a>(lines: &'a [Value], event: &str) -> &'a Value {
    let found: Vec<&Value> = lines.iter().filter(|line| line["event"] == event).collect();
    assert_eq!(found.len(), 1, "{event}: {lines:#?}");
    found[0]
}

#[test]
fn the_seeds_example_is_told_in_noop_and_live() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.example();
    world.master();
    let told = [
        "fetching",
        "planned",
        "processing",
        "line",
        "asked",
        "labelled",
        "changed",
        "processing",
        "changed",
    ];
    let noop = world.disco(&["dance", "--noop", "--format", "json"]);
    noop.succeeds().stderr_is("");
    let noop = lines(&noop);
    assert_eq!(events(&noop), [&told[..], &["scheduled", "summary"]].concat());
    assert_eq!(noop[1]["modules"], 2);
    assert_eq!(noop[3]["text"], "Hello, disco");
    assert_eq!(noop[4]["argv"], json!(["service", "postgresql", "stop"]));
    assert_eq!((&noop[5]["step"], &noop[5]["truth"]), (&json!("10-service_stop.sh"), &json!("approximate")));
    assert_eq!(noop[6]["because"], json!(["service"]));
    let created = &noop[8]["changes"][1];
    assert_eq!(
        (&created["path"], &created["change"], &created["after"]["md5"]),
        (&json!("/etc/othermodule/stuff.cfg"), &json!("created"), &json!("77b20e4840b1be13a577e152edc6b443"))
    );
    let summary = |lines: &[Value]| {
        let mut last = lines[lines.len() - 1].clone();
        assert_eq!(last["run"], lines[1]["run"]);
        last.as_object_mut().unwrap().remove("run");
        last
    };
    let expected = |mode: &str, outcome: &str| {
        json!({"schema": 1, "event": "summary", "root": "/", "mode": mode, "outcome": outcome, "reason": null,
            "modules_done": 2, "modules_failed": 0, "modules_skipped": 0, "validators_failed": 0, "changes": noop[8]["changes"].as_array().unwrap().len(),
            "noise": 0, "standing": if mode == "noop" { "changes-pending" } else { "changed" },
            "actions": 1, "exit": 0, "truth": "approximate", "because": ["service"]})
    };
    assert_eq!(summary(&noop), expected("noop", "shown"));
    let live = world.disco(&["dance", "--format", "json"]);
    live.succeeds().stderr_is("");
    let live = lines(&live);
    assert_eq!(events(&live), [&told[..], &["scheduled", "executed", "merged", "summary"]].concat());
    assert_eq!(summary(&live), expected("live", "merged"));
    assert_eq!(noop[8], live[8], "what NOOP told is what live did");
}

#[test]
fn failures_are_lines_too_and_the_summary_is_the_last() {
    let Some(world) = World::new() else { return };
    world.module("a").script("1.sh", "exit 7");
    world.module("b").requires("after a").script("1.sh", "echo b");
    world.module("c").script("1.sh", "echo >\"/etc/$(printf 'x\\xff')\"");
    world.master();
    let out = world.disco(&["dance", "--format", "json", "--detailed-exitcodes"]);
    out.exits(6).stderr_is("error: a: 1.sh: exit status 7\n");
    let told = lines(&out);
    assert_eq!(one(&told, "step-failed")["outcome"], json!({"outcome": "exited", "status": 7}));
    assert_eq!(one(&told, "skipped")["because"], "a");
    let paths: Vec<&Value> =
        told.iter().flat_map(|line| line["changes"].as_array().into_iter().flatten()).collect();
    assert!(paths.iter().any(|change| change["path"] == json!({"hex": "2f6574632f78ff"})), "{paths:?}");
    let last = &told[told.len() - 1];
    let counts =
        ["modules_done", "modules_failed", "modules_skipped", "exit"].map(|name| last[name].as_u64());
    assert_eq!((last["outcome"].as_str(), counts), (Some("failed"), [Some(1), Some(1), Some(1), Some(6)]));

    world.setting("disco/server/uri", "rsync://127.0.0.1:9");
    let out = world.disco(&["dance", "--format", "json"]);
    out.exits(69).stderr_has("error: cannot fetch ");
    let told = lines(&out);
    assert_eq!(events(&told), ["fetching", "error", "summary"]);
    assert!(one(&told, "error")["message"].as_str().unwrap().starts_with("cannot fetch "), "{out}");
    assert_eq!((&told[2]["outcome"], &told[2]["exit"]), (&json!("not-started"), &json!(69)));

    world.setting("disco/client/network", "everything");
    let out = world.disco(&["dance", "--format", "json"]);
    out.exits(78);
    assert_eq!(events(&lines(&out)), ["error", "summary"]);
}

#[test]
fn a_run_that_a_signal_ends_has_a_summary_too() {
    let Some(world) = World::new() else { return };
    world.module("m").script("1.sh", "echo started; sleep 60");
    world.master();
    let running = world.spawn(&["sh", "-c", "exec disco dance --format json >/tmp/told"]);
    world.wait_until("the step runs", || world.sh("grep -q started /tmp/told").status == Some(0));
    running.signal("TERM");
    assert_eq!(running.wait().signal_or_status(), 143);
    let told = world.read("/tmp/told");
    let last: Value = serde_json::from_str(told.lines().last().unwrap_or_default()).unwrap();
    assert_eq!(
        (&last["event"], &last["outcome"], &last["exit"]),
        (&json!("summary"), &json!("interrupted"), &json!(143))
    );
}
