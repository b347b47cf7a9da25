//! What is told of runs, from records to the texts.

use super::*;

use crate::model::change::ChangeCounts;
use crate::model::names::{NodeName, RunId};
use crate::model::root::LiveRoot;
use crate::model::run::{RunOutcome, RunRecord};
use crate::model::step::{Cost, ModuleOutcome, ModuleRecord, Outcome, StepKind, StepRecord};
use crate::model::truth::Label;
use crate::monitors::{Message, Priority, Standing, datagram, line, not_run, text};

/// A record of a run with a module that has taken so long.
fn record(mode: Mode, outcome: RunOutcome, changes: usize) -> RunRecord {
    let script = StepKind::Script { script: "10.sh".into() };
    let cost = Cost { time_real: 1.5, ..Cost::default() };
    let step = StepRecord::ended(script, Outcome::Done, cost, Label::default());
    let counts = ChangeCounts { created: changes, ..ChangeCounts::default() };
    RunRecord {
        schema: crate::model::run::SCHEMA,
        run: RunId::new("20261120-1").unwrap(),
        node: NodeName::new("web-1").unwrap(),
        mode,
        root: LiveRoot::Own,
        version: "0.1.0".into(),
        by: None,
        waits: Vec::new(),
        started: "2026-11-20T10:00:00.000+01:00".into(),
        ended: Some("2026-11-20T10:00:02.500+01:00".into()),
        outcome,
        plan: vec!["web".parse().unwrap()],
        changes,
        noise: 0,
        label: Label::default(),
        internal: Vec::new(),
        merge_phases: Vec::new(),
        own: None,
        modules: vec![ModuleRecord::done("web".parse().unwrap(), vec![step.clone(), step], counts)],
        actions: Vec::new(),
        duties: Vec::new(),
        undoes: None,
        validators: Vec::new(),
    }
}

fn state(mode: Mode, outcome: RunOutcome, changes: usize) -> State {
    State::of(&record(mode, outcome, changes), "dance", 0)
}

#[test]
fn a_noop_run_never_touches_the_state_of_the_last_live_run() {
    let mut last = LastRun::default();
    last.take(state(Mode::Live, RunOutcome::Failed, 2));
    let live = last.live.clone();
    for outcome in [RunOutcome::Shown, RunOutcome::Failed, RunOutcome::Interrupted { signal: 2 }] {
        last.take(state(Mode::Noop, outcome, 3));
        assert_eq!(last.live, live);
    }
    let noop = last.noop.clone();
    last.take(state(Mode::Live, RunOutcome::Merged, 0));
    assert_eq!(last.noop, noop);
    assert_ne!(last.live, live);
    assert_eq!(LastRun::parse(&last.text().unwrap()).unwrap(), last);
}

#[test]
fn the_last_success_outlives_failures() {
    let mut last = LastRun::default();
    last.take(state(Mode::Live, RunOutcome::Failed, 2));
    assert_eq!(last.live.as_ref().unwrap().last_success, None);
    last.take(state(Mode::Live, RunOutcome::Merged, 2));
    let mut later = record(Mode::Live, RunOutcome::Failed, 2);
    later.ended = Some("2026-11-21T10:00:00Z".into());
    last.take(State::of(&later, "dance", 1));
    let live = last.live.unwrap();
    assert_eq!(live.last_success.as_deref(), Some("2026-11-20T10:00:02.500+01:00"));
    assert_eq!((live.state.success, live.state.exit), (false, 1));
}

#[test]
fn what_is_no_such_file_begins_anew() {
    for text in ["", "{", "[]", r#"{"schema":2,"live":null,"noop":null}"#] {
        assert_eq!(LastRun::parse(text), None, "{text}");
    }
}

#[test]
fn nothing_pending_and_changes_pending_are_two_things() {
    let undone = || RunOutcome::Undone { reason: "x".into() };
    for (mode, outcome, changes, standing, priority, words) in [
        (Mode::Noop, RunOutcome::Shown, 0, Standing::NothingPending, Priority::Info, "NOOP, nothing pending"),
        (
            Mode::Noop,
            RunOutcome::Shown,
            3,
            Standing::ChangesPending,
            Priority::Notice,
            "NOOP, 3 changes and 0 actions pending",
        ),
        (Mode::Live, RunOutcome::Merged, 0, Standing::Unchanged, Priority::Info, "nothing to change"),
        (
            Mode::Live,
            RunOutcome::Merged,
            1,
            Standing::Changed,
            Priority::Notice,
            "merged 1 change, 0 actions done",
        ),
        (
            Mode::Live,
            RunOutcome::Unconfirmed { until: 9 },
            1,
            Standing::Unconfirmed,
            Priority::Warning,
            "merged 1 change, to be confirmed",
        ),
        (Mode::Live, undone(), 1, Standing::Undone, Priority::Error, "merged, and taken back"),
        (
            Mode::Noop,
            RunOutcome::Interrupted { signal: 15 },
            0,
            Standing::Interrupted,
            Priority::Warning,
            "interrupted by a signal, nothing merged",
        ),
    ] {
        let state = state(mode, outcome, changes);
        let message = Message::from(&state);
        assert_eq!((state.standing, message.priority), (standing, priority));
        assert_eq!(message.text, format!("Run 20261120-1 (dance): {words}"));
    }
}

#[test]
fn a_failed_module_is_named() {
    let mut record = record(Mode::Live, RunOutcome::Failed, 0);
    record.modules[0].outcome =
        ModuleOutcome::Failed { step: "10.sh".into(), reason: "a secret reason".into() };
    let state = State::of(&record, "dance", 1);
    let message = Message::from(&state);
    assert_eq!(message.text, "Run 20261120-1 (dance): 1 module failed (web), nothing merged");
    let mut last = LastRun::default();
    last.take(state);
    for told in [last.text().unwrap(), text(&last), format!("{message:?}")] {
        assert!(!told.contains("secret"), "{told}");
    }
}

#[test]
fn modules_are_told_apart_up_to_a_hundred_of_them() {
    let mut record = record(Mode::Live, RunOutcome::Merged, 0);
    let module = record.modules[0].clone();
    record.modules = (0..150)
        .map(|at| {
            let mut module = module.clone();
            module.module = format!("m{at}").parse().unwrap();
            module.steps[0].cost.time_real = f64::from(at);
            module
        })
        .collect();
    let state = State::of(&record, "dance", 0);
    assert_eq!((state.modules.done, state.modules.each.len()), (150, 100));
    let name = |name: &str| name.parse::<crate::model::names::ModuleName>().unwrap();
    assert!(state.modules.each.contains_key(&name("m149")) && !state.modules.each.contains_key(&name("m49")));
    assert_eq!(state.modules.each[&name("m149")].longest_step, 149.0);
}

#[test]
fn the_journal_has_fields_and_syslog_has_a_line() {
    let message = Message::from(&state(Mode::Noop, RunOutcome::Shown, 3));
    let bytes = datagram(&message, 7);
    let text = String::from_utf8(bytes).unwrap();
    for field in [
        "MESSAGE=Run 20261120-1 (dance): NOOP, 3 changes and 0 actions pending\n",
        "PRIORITY=5\n",
        "SYSLOG_IDENTIFIER=disco\n",
        "SYSLOG_PID=7\n",
        "DISCO_RUN=20261120-1\n",
        "DISCO_MODE=noop\n",
        "DISCO_OUTCOME=changes-pending\n",
        "DISCO_CHANGES=3\n",
        "DISCO_EXIT=0\n",
        "DISCO_SECONDS=2.5\n",
        "DISCO_TRUTH=exact\n",
    ] {
        assert!(text.contains(field), "{field}{text}");
    }
    assert_eq!(
        line(&message, 7, "Nov 20 10:00:02"),
        "<29>Nov 20 10:00:02 disco[7]: Run 20261120-1 (dance): NOOP, 3 changes and 0 actions pending \
         [run=20261120-1 command=dance node=web-1 root=/ mode=noop outcome=changes-pending exit=0 changes=3 noise=0 \
         actions=0 actions_failed=0 modules_failed=0 seconds=2.5 truth=exact]"
    );
    let mut odd = not_run("dance", "a\nb", 69);
    assert_eq!(odd.text, "disco dance did not run: a");
    odd.fields.push(("DISCO_ODD", "x\ny ]\"".into()));
    let bytes = datagram(&odd, 7);
    let field = b"DISCO_ODD\n\x06\0\0\0\0\0\0\0x\ny ]\"\n";
    assert!(bytes.ends_with(field), "{:?}", String::from_utf8_lossy(&bytes));
    assert!(line(&odd, 7, "t").ends_with(r#" odd="x?y ]\""]"#), "{}", line(&odd, 7, "t"));
}

#[test]
fn prometheus_has_each_kind_of_run_apart() {
    let mut last = LastRun::default();
    assert_eq!(text(&last), "");
    last.take(state(Mode::Noop, RunOutcome::Shown, 3));
    last.take(state(Mode::Live, RunOutcome::Failed, 1));
    let text = text(&last);
    for sample in [
        "# TYPE disco_run_changes gauge\ndisco_run_changes{mode=\"live\"} 1\ndisco_run_changes{mode=\"noop\"} 3\n",
        "disco_run_success{mode=\"live\"} 0\ndisco_run_success{mode=\"noop\"} 1\n",
        "disco_run_last_success_timestamp_seconds{mode=\"noop\"} 1795165202.5\n",
        "disco_run_duration_seconds{mode=\"live\"} 2.5\n",
        "disco_run_standing{mode=\"noop\",standing=\"nothing-pending\"} 0\n\
         disco_run_standing{mode=\"noop\",standing=\"changes-pending\"} 1\n",
        "disco_module_duration_seconds{mode=\"live\",module=\"web\"} 3\n",
        "disco_module_longest_step_duration_seconds{mode=\"live\",module=\"web\"} 1.5\n",
    ] {
        assert!(text.contains(sample), "{sample}{text}");
    }
    assert!(!text.contains("last_success_timestamp_seconds{mode=\"live\"}"), "{text}");
}
