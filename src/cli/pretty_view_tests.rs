//! Tests of the calm view: events in, the text of a whole run out.

use super::*;
use crate::cli::pretty_end;
use crate::model::action::{Action, Effect, EffectKind};
use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{Change, ChangeKind, ContentChange};
use crate::model::duty::{Duty, DutyOrigin, DutyRecord};
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::model::run::{ActionRecord, RunOutcome, RunRecord, SCHEMA, ValidatorRecord};
use crate::model::step::{Cost, ModuleRecord, StepKind, StepRecord};
use crate::model::truth::Label;
use crate::model::truth::Truth;
use std::collections::BTreeSet;

fn node() -> NodeName {
    NodeName::new("node").unwrap()
}

static EXACT: Label = Label { truth: Truth::Exact, because: BTreeSet::new() };

fn module(name: &str) -> ModuleName {
    ModuleName::new(name).unwrap()
}

fn action() -> Action {
    Action {
        seq: 0,
        module: module("web"),
        step: "10.sh".into(),
        effect: Effect {
            kind: EffectKind::Service,
            target: "web".into(),
            program: "/usr/sbin/service".into(),
            argv: vec!["service".into(), "web".into(), "restart\nnow".into()],
            cwd: "/".into(),
            line: None,
            input: None,
            processes: Vec::new(),
        },
    }
}

/// The creation of `/etc/web`, one line.
fn created() -> ChangeSet {
    let after = Attributes {
        kind: FileKind::Regular,
        device: 1,
        mode: 0o100644,
        uid: 0,
        gid: 0,
        owner: "root".into(),
        group: "root".into(),
        size: 6,
        md5: None,
        target: None,
        rdev: None,
        selinux: None,
        xattrs: Default::default(),
    };
    let content = ContentChange::Text { before: "".into(), after: "listen\n".into() };
    let path = RootedPath::new("/etc/web").unwrap();
    ChangeSet(vec![Change { path, kind: ChangeKind::Created { after: after.into() }, content }])
}

fn record(mode: Mode, outcome: RunOutcome, changes: usize) -> RunRecord {
    let modules =
        ["motd", "web", "app"].map(|name| ModuleRecord::done(module(name), Vec::new(), Default::default()));
    RunRecord {
        root: LiveRoot::Own,
        schema: SCHEMA,
        run: RunId::new("20261120-1").unwrap(),
        node: node(),
        mode,
        noise: 0,
        version: String::new(),
        by: None,
        waits: Vec::new(),
        started: String::new(),
        ended: None,
        outcome,
        plan: Vec::new(),
        changes,
        label: Label::default(),
        internal: Vec::new(),
        merge_phases: Vec::new(),
        own: None,
        modules: modules.into(),
        actions: vec![ActionRecord { action: action(), outcome: None }],
        duties: vec![DutyRecord { duty: duty(), outcome: None }],
        undoes: None,
        validators: Vec::new(),
    }
}

fn duty() -> Duty {
    let origin = DutyOrigin::Actions { seqs: vec![0] };
    Duty { number: 0, origin, effect: action().effect, service: None }
}

fn text(line: &Line) -> String {
    format!("{}\n", line.render(false, str::to_owned))
}

/// What a run prints on both streams, lines of standard error marked, and the status lines that it had.
fn told(view: &mut View<'_>, events: &[DanceEvent<'_>]) -> (String, Vec<String>) {
    let (mut all, mut status) = (String::new(), Vec::new());
    for (at, event) in events.iter().enumerate() {
        for (to, line) in view.tell(event, at as f64) {
            let mark = if to == To::Err { "E" } else { " " };
            all += &format!("{mark}{}", text(&line));
        }
        status.extend(view.status().map(|status| match status {
            Status::New(what) => what,
            Status::More(what) => format!("+ {what}"),
        }));
    }
    (all, status)
}

/// Three modules: one says and changes nothing, one does all there is to do and ends as `web` says, one is not run.
fn run<'a>(web: &'a [DanceEvent<'a>], names: &'a [ModuleName; 3], id: &'a RunId) -> Vec<DanceEvent<'a>> {
    let [motd, web_name, _] = names;
    let nothing: &'static ChangeSet = Box::leak(Box::default());
    let start = [
        DanceEvent::Fetching { from: "rsync://master" },
        DanceEvent::Doing(Doing::FetchingModules { done: 1, of: 3 }),
        DanceEvent::Planned { run: id, modules: 3, root: &LiveRoot::Own },
        DanceEvent::Processing { module: motd, at: 1 },
        DanceEvent::Doing(Doing::Step { step: "files", at: 1, of: 2 }),
        DanceEvent::Doing(Doing::Comparing),
        DanceEvent::Changed { module: motd, changes: nothing, label: &EXACT },
        DanceEvent::Processing { module: web_name, at: 2 },
        DanceEvent::Doing(Doing::Step { step: "10.sh", at: 2, of: 2 }),
    ];
    start.into_iter().chain(web.iter().copied()).collect()
}

fn view(mode: Mode, node: &NodeName) -> View<'_> {
    let (detail, signs) = (Detail::Enough, &Signs::UTF8);
    View::new(Frame { mode, node, detail, noise: None, verbose: false, signs })
}

#[test]
fn a_noop_run_is_told_calmly() {
    let (node, names, id) = (node(), ["motd", "web", "app"].map(module), RunId::new("20261120-1").unwrap());
    let (action, changes) = (action(), created());
    let line =
        |stream, text| DanceEvent::Line { module: &names[1], step: "10.sh", stream, text, more: false };
    let web = [
        line(Stream::Stdout, "checking"),
        line(Stream::Stderr, "deprecated"),
        DanceEvent::Asked { action: &action, root: &LiveRoot::Own },
        DanceEvent::Changed { module: &names[1], changes: &changes, label: &EXACT },
    ];
    let mut view = view(Mode::Noop, &node);
    let (all, status) = told(&mut view, &run(&web, &names, &id));
    insta::assert_snapshot!(all, @r"
     Run 20261120-1 of node, 3 modules, NOOP: nothing will be changed
     ✓ motd  no changes  3.0 s
     • web
       │ checking
    E  ┃ deprecated
       ↻ would run: service web 'restart\nnow'
     ✓ web  1 change, 1 action  5.0 s
       + /etc/web  created, root:root 644, 1 line
         +listen
    ");
    assert_eq!(
        status,
        [
            "fetching from rsync://master",
            "fetching modules: 1 of 3",
            "1/3 motd",
            "1/3 motd · files (1/2)",
            "1/3 motd · comparing",
            "2/3 web",
            "2/3 web · 10.sh (2/2)",
            "+ 2/3 web · 10.sh (2/2) · checking",
            "+ 2/3 web · 10.sh (2/2) · deprecated",
        ]
    );
    let (to, end) = pretty_end::end(&view, &record(Mode::Noop, RunOutcome::Shown, 1), 75.4, 0, false);
    assert_eq!(to, To::Out);
    insta::assert_snapshot!(end.iter().map(text).collect::<String>(), @r"

    ✓ NOOP: 1 change in 1 of 3 modules, 1 action pending; nothing was changed.
      Run again without --noop to apply.
      Took 1 min 15 s. What each step cost: disco report
    ");
}

#[test]
fn a_failure_is_told_again_at_the_end_with_its_last_words() {
    let (node, names, id) = (node(), ["motd", "web", "app"].map(module), RunId::new("20261120-1").unwrap());
    let (changes, outcome) = (created(), Outcome::Exited { status: 7 });
    let words: Vec<String> = (1..=10).map(|at| format!("word {at}")).collect();
    let mut web: Vec<DanceEvent<'_>> = words
        .iter()
        .map(|text| DanceEvent::Line {
            module: &names[1],
            step: "10.sh",
            stream: Stream::Stderr,
            text,
            more: false,
        })
        .collect();
    web.extend([
        DanceEvent::StepFailed { module: &names[1], step: "10.sh", outcome: &outcome },
        DanceEvent::Changed { module: &names[1], changes: &changes, label: &EXACT },
        DanceEvent::Skipped { module: &names[2], because: &names[1] },
    ]);
    let mut view = view(Mode::Live, &node);
    let (all, _) = told(&mut view, &run(&web, &names, &id));
    let after = &all[all.find("word 10").unwrap()..];
    insta::assert_snapshot!(after, @r"
    word 10
     ✗ web  failed, 10.sh: exit status 7; 1 change until then  13 s
       + /etc/web  created, root:root 644, 1 line
         +listen
     – app  not run: it needs web
    ");
    let (to, end) = pretty_end::end(&view, &record(Mode::Live, RunOutcome::Failed, 1), 2.0, 1, false);
    assert_eq!(to, To::Err);
    insta::assert_snapshot!(end.iter().map(text).collect::<String>(), @r"

    ✗ 1 of 3 modules failed, 1 not run because of that; nothing was merged, this node is as before.
      web: 10.sh: exit status 7
        ┃ word 3
        ┃ word 4
        ┃ word 5
        ┃ word 6
        ┃ word 7
        ┃ word 8
        ┃ word 9
        ┃ word 10
      Took 2.0 s; exit status 1: a step failed. What each step cost: disco report
    ");
}

#[test]
fn validators_are_silent_until_one_has_something_to_say() {
    let (node, names, id) = (node(), ["motd", "web", "app"].map(module), RunId::new("20261120-1").unwrap());
    let failed = Outcome::Signaled { signal: 9 };
    let of = |module| DanceEvent::Validating { module };
    let step = |step| DanceEvent::Doing(Doing::Step { step, at: 1, of: 1 });
    let line =
        |module, step, text| DanceEvent::Line { module, step, stream: Stream::Stderr, text, more: false };
    let ends = |module, validator, outcome| DanceEvent::Validated { module, validator, outcome };
    let (motd, web) = (&names[0], &names[1]);
    let events = [
        of(motd),
        step("validate/10-spelling"),
        ends(motd, "validate/10-spelling", &Outcome::Done),
        of(web),
        step("validate/10-syntax"),
        line(web, "validate/10-syntax", "fine"),
        ends(web, "validate/10-syntax", &Outcome::Done),
        step("validate/20-certificate"),
        line(web, "validate/20-certificate", "expired"),
        ends(web, "validate/20-certificate", &failed),
        DanceEvent::Doing(Doing::Comparing),
    ];
    let mut view = view(Mode::Noop, &node);
    told(&mut view, &run(&[], &names, &id));
    let (all, status) = told(&mut view, &events);
    insta::assert_snapshot!(all, @r"
    E• web
    E  ┃ fine
    E  ┃ expired
     ✗ web  validate/20-certificate: killed by signal 9
    ");
    assert_eq!(
        status,
        [
            "validating motd · validate/10-spelling",
            "validating web · validate/10-syntax",
            "+ validating web · validate/10-syntax · fine",
            "validating web · validate/20-certificate",
            "+ validating web · validate/20-certificate · expired",
            "comparing everything"
        ]
    );
    let mut record = record(Mode::Noop, RunOutcome::Failed, 1);
    record.validators = [
        (motd, "10-spelling", Outcome::Done),
        (web, "10-syntax", Outcome::Done),
        (web, "20-certificate", failed.clone()),
    ]
    .map(|(module, script, outcome)| ValidatorRecord {
        module: module.clone(),
        record: StepRecord::ended(
            StepKind::Validator { script: script.to_owned() },
            outcome,
            Default::default(),
            Label::default(),
        ),
    })
    .into();
    let shown = |record: &RunRecord, exit| {
        let (_, end) = pretty_end::end(&view, record, 2.0, exit, false);
        end.iter().map(text).collect::<String>()
    };
    insta::assert_snapshot!(shown(&record, 1), @r"

    ✗ 1 of 3 validators failed; nothing was merged, this node is as before.
      web: validate/20-certificate: killed by signal 9
        ┃ expired
      Took 2.0 s; exit status 1: a validator failed. What each step cost: disco report
    ");
    record.outcome = RunOutcome::Shown;
    insta::assert_snapshot!(shown(&record, 0), @r"

    ✓ NOOP: 1 change in 0 of 3 modules, 1 action pending; nothing was changed.
      3 validators passed.
      Run again without --noop to apply.
      Took 2.0 s. What each step cost: disco report
    ");
}

#[test]
fn a_live_run_tells_its_merge_and_its_actions() {
    let (node, action) = (node(), action());
    let failed = Outcome::Exited { status: 3 };
    let path = RootedPath::new("/run/x").unwrap();
    let mut view = view(Mode::Live, &node);
    let duty = duty();
    let events = [
        DanceEvent::Waiting { holder: "run 1" },
        DanceEvent::Asked { action: &action, root: &LiveRoot::Own },
        DanceEvent::Doing(Doing::Comparing),
        DanceEvent::Doing(Doing::Merging { changes: 2 }),
        DanceEvent::NotMerged { path: &path, why: "a socket" },
        DanceEvent::Merged { changes: 2 },
        DanceEvent::Doing(Doing::Executing { duty: &duty }),
        DanceEvent::Executed { duty: &duty, action: None, outcome: &Outcome::Done, output: "ok\n" },
        DanceEvent::Executed { duty: &duty, action: None, outcome: &failed, output: "" },
    ];
    let (all, status) = told(&mut view, &events[2..]);
    insta::assert_snapshot!(all, @r"
    E! not merged: /run/x: a socket
     ✓ merged 2 changes
       │ ok
     ✓ ran: service web 'restart\nnow'
     ✗ service web 'restart\nnow': exit status 3
    ");
    assert_eq!(status, ["comparing everything", "merging 2 changes", r"running: service web 'restart\nnow'"]);
    let (all, _) = told(&mut view, &events[..2]);
    assert_eq!(all, "E• waiting for run 1\n • \n   ↻ after the merge: service web 'restart\\nnow'\n");

    let end = |record: &RunRecord, exit, late| {
        let (_, lines) = pretty_end::end(&view, record, 1.0, exit, late);
        lines.iter().skip(1).map(text).collect::<String>()
    };
    insta::assert_snapshot!(end(&record(Mode::Live, RunOutcome::Merged, 2), 0, true), @r"
    ✓ Merged 2 changes in 0 of 3 modules; 1 action run.
      1 path left out of the merge, named above.
      The signal to stop came after the merge had begun, so it was completed.
      Took 1.0 s. What each step cost: disco report
    ");
    insta::assert_snapshot!(end(&record(Mode::Live, RunOutcome::ActionFailed, 2), 1, false), @r"
    ✗ Merged 2 changes, but an action failed.
      service web 'restart\nnow': not run
      Took 1.0 s; exit status 1: an action failed. What each step cost: disco report
    ");
    let mut nothing = record(Mode::Noop, RunOutcome::Shown, 0);
    nothing.duties.clear();
    assert!(end(&nothing, 0, false).starts_with("✓ NOOP: nothing pending in 3 modules.\n"));
    let interrupted = text(&pretty_end::interrupted(&view, 2, 3.0));
    assert!(interrupted.contains("nothing was merged"), "{interrupted}");
}

#[test]
fn the_status_line_shows_the_last_part_of_a_line_and_no_codes() {
    for (line, shown) in [
        ("plain", "plain"),
        ("10%\r50%\r100%", "100%"),
        ("50%\r", "50%"),
        ("\u{1b}[1;31mred\u{1b}[0m text", "red text"),
        ("\u{1b}]0;title\u{7}x", "]0;title x"),
        ("a\tb  c\u{8}", "a b c"),
        ("\u{1b}[", ""),
        ("", ""),
        (" \r ", ""),
    ] {
        assert_eq!(last_of(line), shown, "{line:?}");
    }
    assert!(last_of(&"x".repeat(1 << 20)).len() < 3000);
}

#[test]
fn a_verbose_run_tells_what_each_step_cost_and_noise_is_one_line() {
    let (node, names, id) = (node(), ["motd", "web", "app"].map(module), RunId::new("20261120-1").unwrap());
    let script = StepKind::Script { script: "10.sh".into() };
    let cost = Cost { time_real: 1.25, time_user: 0.5, mem_max: 2048, ..Cost::default() };
    let record = StepRecord::ended(script, Outcome::Done, cost, Label::default());
    let mut changes = created();
    changes.0.insert(0, Change { path: RootedPath::new("/etc/passwd-").unwrap(), ..changes.0[0].clone() });
    let web = [
        DanceEvent::StepEnded { module: &names[1], record: &record },
        DanceEvent::Changed { module: &names[1], changes: &changes, label: &EXACT },
        DanceEvent::Spent { part: "diff", cost: &cost },
    ];
    let noise = Noise::default();
    let mut view = view(Mode::Noop, &node);
    (view.frame.noise, view.frame.verbose) = (Some(&noise), true);
    let (all, _) = told(&mut view, &run(&web, &names, &id));
    let after = &all[all.find("E• web").unwrap()..];
    insta::assert_snapshot!(after, @r"
    E• web
    E  · 10.sh (2/2) starts
    E  · 10.sh: done after 1.250 s, CPU 0.500 + 0.000 s, 2.0M, exact
     ✓ web  2 changes (1 of noise)  3.0 s
       + /etc/web  created, root:root 644, 1 line
         +listen
       … 1 more in 1 class of noise: backups; --all lists them
    E· diff: 1.250 s, CPU 0.500 s
    ");
}
