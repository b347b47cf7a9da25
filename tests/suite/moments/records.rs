//! disco is killed at its own calls on the files of records, and at any moment: what is recorded can be read right after, and
//! the next dance leaves nothing half written behind.
//!
//! The calls are found, and made the last ones, by strace(1), which follows no process but disco's first thread: that one does
//! all of the writing.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::Signal;
use serde_json::Value;

use super::{Random, moments, start};
use crate::world::{Output, World};

/// What changes files; but for folders that are made, which are nothing before there is something in them.
const CALLS: &str = "write,writev,pwrite64,rename,renameat,renameat2,link,linkat,symlink,fsync,fdatasync,unlink,unlinkat,\
    rmdir,ftruncate,fchmod";
const LAST: &str = "/var/disco/last-run.json";
/// What a dance writes and removes, by [`kind`].
const KINDS: [&str; 11] = [
    ".index.jsonl",
    "a run that is removed",
    "changes.jsonl.gz",
    "last-run.json",
    "lock",
    "modules.jsonl",
    "output",
    "paths",
    "record.json",
    "runs",
    "scratch",
];
const MODULES: [&str; 3] = ["a", "b", "c"];

/// Much that does not compress, so that logs and differences are written in several pieces, each line with an end of its own.
fn prints(module: &str) -> String {
    format!(
        "head -c 60000 /dev/urandom | base64 -w 400 | sed 's/^/{module} line /; s/$/ end/'
        head -c 20000 /dev/urandom | base64 -w 60 | sed 's/$/ end/' >/etc/{module}.txt"
    )
}

fn node() -> Option<World> {
    let world = World::new()?;
    for (at, module) in MODULES.into_iter().enumerate() {
        let files = world.module(module).script("10.sh", &prints(module));
        let files = files.script("20.sh", &format!("echo {module} more; echo y >>/etc/{module}.txt"));
        if let Some(before) = at.checked_sub(1) {
            files.requires(&format!("after {}", MODULES[before]));
        }
    }
    world.copy_stage_to("/tmp/master");
    world.setting("disco/server/uri", "/tmp/master");
    // So that dances remove old records, too.
    world.setting("disco/client/keep_runs", "3");
    world.setting("disco/client/undo/runs", "2");
    for mode in [&["dance"][..], &["dance", "--noop"]].repeat(3) {
        world.disco(mode).succeeds();
    }
    Some(world)
}

/// A system call, by its name and how many of that name the process has made with it.
#[derive(Debug, Clone)]
struct Call {
    name: String,
    at: usize,
}

/// The calls of such a dance that change files of disco's home, by what they are about, in their order.
fn calls(world: &World, args: &[&str]) -> BTreeMap<String, Vec<Call>> {
    let trace = format!("--trace={CALLS}");
    let strace = ["strace", "--decode-fds=path", "--output=/tmp/calls", &trace, "disco"];
    world.run(&[&strace[..], args].concat()).succeeds();
    let (mut counts, mut calls) = (BTreeMap::new(), BTreeMap::<String, Vec<Call>>::new());
    for line in world.read("/tmp/calls").lines() {
        let Some((name, asked)) = line.split_once('(') else { continue };
        let at: &mut usize = counts.entry(name.to_owned()).or_default();
        *at += 1;
        if let Some((_, path)) = asked.split_once("/var/disco/") {
            let path = path.split(['>', '"']).next().unwrap_or_default();
            calls.entry(kind(path)).or_default().push(Call { name: name.to_owned(), at: *at });
        }
    }
    calls
}

/// What a file of disco's home is.
fn kind(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let kind = match parts[..] {
        ["runs", run, ..] if run.starts_with(".disco-2") => "a run that is removed",
        ["runs", _, "output", ..] => "output",
        ["runs", _, name, ..] if name.starts_with(".disco-") => "record.json",
        ["runs", _, name] | ["runs", name @ ".index.jsonl"] => name,
        ["lock" | "last-run-lock"] => "lock",
        [name] if name.starts_with(".disco-") => "last-run.json",
        [first, ..] => first,
        [] => "",
    };
    kind.to_owned()
}

/// The dance up to that call, which is not made any more.
fn killed_at(world: &World, args: &[&str], call: &Call) -> Output {
    let (trace, inject) =
        (format!("--trace={}", call.name), format!("--inject={}:signal=KILL:when={}", call.name, call.at));
    let strace = ["strace", "--output=/dev/null", &trace, &inject, "disco"];
    world.run(&[&strace[..], args].concat())
}

/// What a node knows of its runs.
#[derive(Debug, PartialEq)]
struct Known {
    /// Each run as `disco runs` lists it.
    runs: BTreeMap<String, Value>,
    /// Every file of a record, with its sum.
    files: BTreeSet<String>,
    last: Value,
}

fn known(world: &World) -> Known {
    let listed = world.disco(&["runs", "--format", "json"]);
    let lines = listed.succeeds().stdout.lines().map(serde_json::from_str::<Value>);
    let runs = lines.map(|line| {
        let line = line.expect("a line is JSON");
        (line["run"].as_str().expect("it has a name").to_owned(), line)
    });
    let sums = world.sh("cd /var/disco/runs && find [0-9]* -type f -exec md5sum {} + 2>/dev/null");
    Known {
        runs: runs.collect(),
        files: sums.stdout.lines().map(str::to_owned).collect(),
        last: serde_json::from_str(&world.read(LAST)).expect("it is whole"),
    }
}

impl Known {
    /// Those of its files that are of one of these runs.
    fn files_of(&self, runs: &BTreeMap<String, Value>) -> Vec<&String> {
        let of = |file: &&String| {
            let run = file.split("  ").nth(1).and_then(|path| path.split('/').next());
            run.is_some_and(|run| runs.contains_key(run))
        };
        self.files.iter().filter(of).collect()
    }
}

/// What a command said, which ended with that status and without a panic.
#[track_caller]
fn told(world: &World, status: i32, args: &[&str]) -> Output {
    let out = world.disco(args);
    out.exits(status).stderr_lacks("panicked").stderr_lacks("damaged").stderr_lacks("error: cannot");
    out
}

/// Whether the lines of text, told with `mark` before each, are whole.
#[track_caller]
fn are_whole(text: &str, marks: &[&str]) {
    for line in text.lines() {
        let Some(rest) = marks.iter().find_map(|mark| line.strip_prefix(mark)) else { continue };
        assert!(rest == "y" || rest.ends_with(" end"), "half a line: {line}");
    }
}

/// What is told of a run that was killed: what it has told itself, up to its last module that had ended.
fn is_told(world: &World, run: &str, killed: &Output, what: &str) {
    let lines = |start: &str| -> String {
        killed.stdout.split_inclusive('\n').filter(|line| line.starts_with(start)).collect()
    };
    let begun = MODULES.iter().rposition(|module| killed.stdout.contains(&format!("Processing {module}\n")));
    let ended = if killed.signal_or_status() == 0 { MODULES.len() } else { begun.unwrap_or(0) };
    let (shown, diff) = (told(world, 0, &["show", run]), told(world, 0, &["diff", run]));
    are_whole(&diff.stdout, &["> ", "< "]);
    for (at, module) in MODULES.iter().enumerate() {
        if at >= ended && !shown.stdout.contains(&format!("{module}/20.sh")) {
            told(world, 1, &["show", run, &format!("{module}/10.sh")]).stderr_has("has no step");
            continue;
        }
        for (step, told_before) in [("10.sh", format!("{module} line ")), ("20.sh", format!("{module} more"))]
        {
            let step = format!("{module}/{step}");
            told(world, 0, &["show", run, &step]).stdout_has("outcome  done\n");
            let printed = told(world, 0, &["show", run, &step, "--output"]);
            assert!(
                printed.stdout == lines(&told_before) && !printed.stdout.is_empty(),
                "{what}: {step} said\n{}\n{printed}",
                lines(&told_before)
            );
        }
        diff.stdout_has(&format!("/etc/{module}.txt : "));
    }
    let json = told(world, 0, &["report", run, "--format", "json"]);
    let json: Value = serde_json::from_str(&json.stdout).expect("a report is JSON");
    assert_eq!(json["run"], run);
    told(world, 0, &["report", run, "--format", "classic"]).stderr_lacks("nothing");
    let page = told(world, 0, &["report", run, "--format", "html"]).stdout;
    assert!(page.trim_end().ends_with("</html>"), "{what}: half a page");
    let csv = told(world, 0, &["report", run, "--format", "csv"]).stdout;
    assert!(csv.lines().skip(1).all(|row| row.starts_with(run)) && csv.ends_with('\n'), "{what}: {csv}");
}

/// Everything that can be asked right after the kill is answered, and what was known before is known still.
fn survives(world: &World, before: &Known, killed: &Output, noop: bool, what: &str) {
    let (mode, other) = if noop { ("noop", "live") } else { ("live", "noop") };
    let after = known(world);
    let new: Vec<&String> = after.runs.keys().filter(|run| !before.runs.contains_key(*run)).collect();
    assert!(new.len() <= 1, "{what}: {new:?}");
    let old: BTreeMap<_, _> = after
        .runs
        .iter()
        .filter(|(run, _)| before.runs.contains_key(*run))
        .map(|(a, b)| (a.clone(), b.clone()))
        .collect();
    assert!(old.iter().all(|(run, line)| before.runs[run] == *line), "{what}: {old:#?}\n{before:#?}");
    assert_eq!(after.files_of(&old), before.files_of(&old), "{what}: files of earlier runs");
    let outcome = new.first().map(|run| after.runs[*run]["outcome"].clone());
    // Only a run that has ended removes any.
    if outcome.as_ref().is_none_or(|outcome| outcome == "unfinished") {
        assert_eq!(old.len(), before.runs.len(), "{what}: runs are gone");
    }
    assert_eq!(after.last[other], before.last[other], "{what}");
    if after.last[mode] != before.last[mode] {
        assert_eq!(after.last[mode]["run"].as_str(), new.first().map(|run| run.as_str()), "{what}");
        assert_ne!(outcome, Some("unfinished".into()), "{what}");
    }
    if let Some(run) = new.first() {
        let ends = if noop { "shown" } else { "merged" };
        let outcome = outcome.expect("there is one");
        assert!(outcome == "unfinished" || outcome == ends, "{what}: {outcome}");
        assert!(killed.status != Some(0) || outcome == ends, "{what}: {outcome}");
        is_told(world, run, killed, what);
    }
    let listed = told(world, 0, &["runs"]).stdout;
    assert!(after.runs.keys().all(|run| listed.contains(run.as_str())), "{what}: {listed}");
    told(world, 0, &["report", "--trend"]).stdout_has("MEDIAN");
    let blame = told(world, 0, &["blame", "/etc/a.txt"]);
    blame.stdout_has("a/10.sh");
    let drift = told(world, 0, &["drift"]);
    assert!(!noop || drift.stdout.is_empty(), "{what}: {drift}");
}

/// Nothing in disco's home is half written, of nobody, or of a run that has no record.
fn nothing_is_left(world: &World, what: &str) {
    let left = world.sh(
        "cd /var/disco; find . -name '.disco-*' -o -name '*~'; find scratch journal -mindepth 1 2>/dev/null
        for run in runs/* undo/*; do [ ! -e $run ] || [ -e runs/${run#*/}/record.json ] || echo $run; done
        find runs -name modules.jsonl | while read -r file; do
            grep -q '\"ended\": \"unfinished\"' ${file%/*}/record.json || echo $file; done",
    );
    assert_eq!(left.succeeds().stdout, "", "{what}: is left");
    let mut names: Vec<String> = world.sh("ls -A /var/disco").stdout.lines().map(str::to_owned).collect();
    names.retain(|name| !["journal", "lock", "undo"].contains(&name.as_str()));
    assert_eq!(
        names,
        ["last-run-lock", "last-run.json", "modules", "parameters", "runs", "scratch"],
        "{what}"
    );
}

fn kills(args: &[&str]) {
    let noop = args.contains(&"--noop");
    let Some(world) = node() else { return };
    let mut random = Random::seeded();
    let calls = calls(&world, args);
    let of_live: &[&str] = if noop { &[] } else { &["journal", "undo"] };
    let each = moments().div_ceil(3);
    let mut kills = Vec::new();
    for kind in KINDS.iter().chain(of_live) {
        let calls = calls.get(*kind).unwrap_or_else(|| panic!("no call is about {kind}: {:?}", calls.keys()));
        kills.extend((0..each).map(|_| calls[(random.share() * calls.len() as f64) as usize].clone()));
    }
    let (mut not_reached, from) = (0, std::time::Instant::now());
    world.disco(args).succeeds();
    let whole = from.elapsed();
    let any_moment = (0..each).map(|_| None);
    for call in kills.into_iter().map(Some).chain(any_moment) {
        let before = known(&world);
        let (what, killed) = match &call {
            Some(call) => (format!("{} {}", call.name, call.at), killed_at(&world, args, call)),
            None => {
                let moment = random.moment(whole);
                (format!("after {moment:?}"), start(&world, args).signal_after(moment, Signal::KILL))
            }
        };
        assert!([0, 137].contains(&killed.signal_or_status()), "{what}: {killed}");
        not_reached += usize::from(call.is_some() && killed.status == Some(0));
        survives(&world, &before, &killed, noop, &what);
        let next = world.disco(args);
        next.succeeds().stderr_lacks("panicked");
        nothing_is_left(&world, &what);
        let after = known(&world);
        let (newest, _) = after.runs.last_key_value().expect("there are runs");
        let last = &after.last[args.get(1).map_or("live", |_| "noop")];
        assert_eq!((last["run"].as_str(), &last["success"]), (Some(newest.as_str()), &true.into()), "{what}");
    }
    assert!(not_reached <= moments(), "{not_reached} of the calls were not made");
}

#[test]
fn a_dry_run_that_is_killed_has_recorded_what_it_did() {
    kills(&["dance", "--noop"]);
}

#[test]
fn a_live_run_that_is_killed_has_recorded_what_it_did() {
    kills(&["dance"]);
}
