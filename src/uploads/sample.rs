//! Runs for the tests of this folder.

use proptest::prelude::*;

use crate::model::action::{Effect, EffectKind};
use crate::model::change::ChangeCounts;
use crate::model::duty::{Duty, DutyOrigin, DutyRecord, ServiceDeed, ServiceVerb};
use crate::model::run::{InternalCost, Mode, RunOutcome, RunRecord, SCHEMA, ValidatorRecord, Wait};
use crate::model::step::{Cost, ModuleOutcome, ModuleRecord, Outcome, StepKind, StepRecord};
use crate::model::truth::Label;

/// A live run that has merged nothing.
pub(super) fn run() -> RunRecord {
    RunRecord {
        schema: SCHEMA,
        run: "20261122-104734-042-1234".parse().unwrap(),
        node: "Web1.example.com".parse().unwrap(),
        mode: Mode::Live,
        root: Default::default(),
        undoes: None,
        version: "0.1.0".into(),
        by: None,
        waits: Vec::new(),
        started: "2026-11-22T11:47:34.042+01:00".into(),
        ended: Some("2026-11-22T11:47:36.542+01:00".into()),
        outcome: RunOutcome::Merged,
        plan: Vec::new(),
        changes: 0,
        noise: 0,
        label: Label::default(),
        internal: Vec::new(),
        merge_phases: Vec::new(),
        own: None,
        modules: Vec::new(),
        actions: Vec::new(),
        duties: Vec::new(),
        validators: Vec::new(),
    }
}

pub(super) fn cost(seconds: f64) -> Cost {
    Cost { time_real: seconds, ..Cost::default() }
}

/// A module of one step, which took so long.
pub(super) fn module(name: &str, outcome: ModuleOutcome, created: usize, seconds: f64) -> ModuleRecord {
    let script = StepKind::Script { script: "10.sh".into() };
    let step = StepRecord::ended(script, Outcome::Done, cost(seconds), Label::default());
    let changes = ChangeCounts { created, modified: 0, deleted: 0 };
    ModuleRecord { outcome, ..ModuleRecord::done(name.parse().unwrap(), vec![step], changes) }
}

/// A command on the live system; on a service where that is named.
pub(super) fn duty(service: Option<&str>, words: &[&str], outcome: Option<Outcome>) -> DutyRecord {
    let deed = |service: &str| ServiceDeed { service: service.into(), verb: ServiceVerb::Restart };
    DutyRecord {
        duty: Duty {
            number: 0,
            origin: DutyOrigin::Actions { seqs: vec![0] },
            effect: Effect {
                kind: EffectKind::Service,
                target: String::new(),
                program: "/x".into(),
                argv: words.iter().map(|word| (*word).to_owned()).collect(),
                cwd: "/".into(),
                line: None,
                input: None,
                processes: Vec::new(),
            },
            service: service.map(deed),
        },
        outcome,
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Done),
        (1..255_i32).prop_map(|status| Outcome::Exited { status }),
        "\\PC{0,20}".prop_map(|reason| Outcome::Failed { reason }),
    ]
}

fn ended() -> impl Strategy<Value = RunOutcome> {
    prop_oneof![
        Just(RunOutcome::Unfinished),
        Just(RunOutcome::Shown),
        Just(RunOutcome::Merged),
        Just(RunOutcome::Failed),
        Just(RunOutcome::ActionFailed),
        any::<u64>().prop_map(|until| RunOutcome::Unconfirmed { until }),
        any::<String>().prop_map(|reason| RunOutcome::NotStarted { reason }),
        any::<String>().prop_map(|reason| RunOutcome::Undone { reason }),
        any::<String>().prop_map(|reason| RunOutcome::MergeFailed { reason }),
        any::<i32>().prop_map(|signal| RunOutcome::Interrupted { signal }),
    ]
}

fn modules() -> impl Strategy<Value = Vec<ModuleRecord>> {
    let how = prop_oneof![
        Just(ModuleOutcome::Done),
        (any::<String>(), any::<String>()).prop_map(|(step, reason)| ModuleOutcome::Failed { step, reason }),
        "[a-z]{1,5}".prop_map(|name| ModuleOutcome::Skipped { because: name.parse().unwrap() }),
    ];
    let name = prop_oneof![Just("total".to_owned()), Just("config_retrieval".to_owned()), "[a-z]{1,6}"];
    let one = (name, how, 0..9_usize, any::<f64>());
    proptest::collection::vec(one, 0..6).prop_map(|all| {
        all.into_iter().map(|(name, how, created, seconds)| module(&name, how, created, seconds)).collect()
    })
}

fn duties() -> impl Strategy<Value = Vec<DutyRecord>> {
    let one = (any::<bool>(), any::<String>(), proptest::option::of(outcome()));
    proptest::collection::vec(one, 0..6).prop_map(|all| {
        let one = |(service, word, outcome): (bool, String, Option<Outcome>)| {
            duty(service.then_some("web"), &["x", &word], outcome)
        };
        all.into_iter().map(one).collect()
    })
}

/// Any run, also such as cannot be.
pub(super) fn any_run() -> impl Strategy<Value = RunRecord> {
    let validators = proptest::collection::vec(outcome(), 0..4).prop_map(|all| {
        let one = |outcome| ValidatorRecord {
            module: "m".parse().unwrap(),
            record: StepRecord::ended(
                StepKind::Validator { script: "v".into() },
                outcome,
                Cost::default(),
                Label::default(),
            ),
        };
        all.into_iter().map(one).collect::<Vec<_>>()
    });
    let internal = proptest::collection::vec(("[a-z_]{0,8}", any::<f64>()), 0..4);
    let times = (any::<String>(), proptest::option::of(any::<String>()), any::<f64>());
    let numbers = (any::<bool>(), any::<usize>(), any::<usize>(), 0..4_usize);
    (ended(), modules(), duties(), validators, internal, times, numbers).prop_map(
        |(outcome, modules, duties, validators, internal, (started, ended, seconds), numbers)| {
            let (noop, changes, noise, unreached) = numbers;
            let mut plan: Vec<_> = modules.iter().map(|one| one.module.clone()).collect();
            plan.extend((0..unreached).map(|at| format!("u{at}").parse().unwrap()));
            RunRecord {
                mode: if noop { Mode::Noop } else { Mode::Live },
                // Numbers of objects have no such size.
                changes: changes >> 8,
                noise: noise >> 8,
                plan,
                outcome,
                modules,
                duties,
                validators,
                started,
                ended,
                internal: internal
                    .iter()
                    .map(|(part, time)| InternalCost::new(part, 0.0, cost(*time)))
                    .collect(),
                waits: vec![Wait { lock: String::new(), holder: None, seconds }],
                ..run()
            }
        },
    )
}
