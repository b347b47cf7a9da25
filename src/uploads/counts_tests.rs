//! The numbers of runs.

use proptest::prelude::*;

use super::*;
use crate::uploads::sample::{any_run, cost, duty, module, run};

fn failed() -> ModuleOutcome {
    ModuleOutcome::Failed { step: "10.sh".into(), reason: "exit status 3".into() }
}

fn skipped() -> ModuleOutcome {
    ModuleOutcome::Skipped { because: "a".parse().unwrap() }
}

fn names(names: &[&str]) -> Vec<crate::model::names::ModuleName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn each_end_has_its_numbers() {
    let done = Some(Outcome::Done);
    let exited = Some(Outcome::Exited { status: 1 });
    let duties = |mine: Option<Outcome>, service: Option<Outcome>| {
        vec![duty(None, &["sysctl"], mine), duty(Some("web"), &["service", "web", "restart"], service)]
    };
    let changed = RunRecord { changes: 5, noise: 2, ..run() };
    let modules = || vec![module("a", failed(), 0, 0.0), module("b", skipped(), 0, 0.0)];
    let numbers = |record: &RunRecord| {
        let c = counts(record);
        [c.applied, c.restarted, c.failed, c.failed_restarts, c.skipped, c.pending]
    };
    for (what, record, expected) in [
        ("nothing to do", run(), [0, 0, 0, 0, 0, 0]),
        (
            "merged",
            RunRecord { duties: duties(done.clone(), done.clone()), ..changed.clone() },
            [4, 1, 0, 0, 0, 0],
        ),
        (
            "an action failed",
            RunRecord {
                outcome: RunOutcome::ActionFailed,
                duties: duties(exited.clone(), None),
                ..changed.clone()
            },
            [3, 0, 1, 0, 0, 0],
        ),
        (
            "undone",
            RunRecord {
                outcome: RunOutcome::Undone { reason: "x".into() },
                duties: duties(done.clone(), exited),
                ..changed.clone()
            },
            [0, 0, 0, 1, 0, 0],
        ),
        (
            "shown",
            RunRecord {
                mode: Mode::Noop,
                outcome: RunOutcome::Shown,
                duties: duties(None, None),
                ..changed.clone()
            },
            [0, 0, 0, 0, 0, 5],
        ),
        (
            "failed in a dry run, with a module that was not reached",
            RunRecord {
                mode: Mode::Noop,
                outcome: RunOutcome::Failed,
                plan: names(&["a", "b", "c"]),
                modules: modules(),
                ..changed.clone()
            },
            [0, 0, 1, 0, 2, 3],
        ),
        (
            "not started",
            RunRecord { outcome: RunOutcome::NotStarted { reason: "x".into() }, ..run() },
            [0, 0, 1, 0, 0, 0],
        ),
        (
            "taken back by somebody",
            RunRecord { outcome: RunOutcome::Undone { reason: "by run 1".into() }, ..changed },
            [0, 0, 0, 0, 0, 0],
        ),
    ] {
        assert_eq!(numbers(&record), expected, "{what}");
    }
}

#[test]
fn times_are_named_and_whole() {
    let part = |part: &str, seconds| crate::model::run::InternalCost::new(part, 0.0, cost(seconds));
    let record = RunRecord {
        modules: vec![
            module("web", ModuleOutcome::Done, 1, 0.5),
            module("total", ModuleOutcome::Done, 0, 0.25),
        ],
        internal: vec![part("fetch_params", 0.125), part("merge", 1.0)],
        ..run()
    };
    let times = metrics(&record).time;
    let expected = [
        ("config_retrieval", 0.125),
        ("disco/merge", 1.0),
        ("module/total", 0.25),
        ("total", 2.5),
        ("web", 0.5),
    ];
    assert_eq!(times, expected.map(|(name, time)| (name.to_owned(), time)).into());
}

proptest! {
    #[test]
    fn numbers_add_up(record in any_run()) {
        let (counts, metrics) = (counts(&record), metrics(&record));
        let resources = &metrics.resources;
        prop_assert_eq!(counts.failed, resources["failed"]);
        prop_assert_eq!(counts.failed_restarts, resources["failed_to_restart"]);
        prop_assert_eq!(counts.restarted, resources["restarted"]);
        prop_assert_eq!(counts.skipped, resources["skipped"]);
        prop_assert_eq!(counts.applied, metrics.changes["total"]);
        prop_assert_eq!(counts.pending, metrics.events["noop"]);
        let events = &metrics.events;
        prop_assert_eq!(events["total"], events["success"] + events["failure"] + events["noop"]);
        let ended = counts.failed + counts.failed_restarts + counts.restarted + counts.skipped;
        // A run that failed as a whole counts as one more.
        prop_assert!(ended <= resources["total"] + 1);
        prop_assert!(resources["changed"] <= resources["out_of_sync"]);
        prop_assert_eq!(has_failed(&record.outcome) && counts.failed + counts.failed_restarts == 0, false);
        prop_assert!(counts.applied == 0 || record.outcome.is_merged());
        prop_assert!(counts.pending == 0 || record.mode == Mode::Noop);
        prop_assert!(metrics.time.values().all(|seconds| seconds.is_finite() && *seconds >= 0.0) );
    }
}
