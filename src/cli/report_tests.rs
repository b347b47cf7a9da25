//! The report of the first README, to the letter.

use super::*;
use crate::model::change::ChangeCounts;
use crate::model::run::{InternalCost, Mode, RunOutcome, SCHEMA};
use crate::model::step::{ModuleRecord, Outcome, StepRecord, TemplateEngine};
use crate::model::truth::Label;

fn cost(times: [f64; 3], mem_max: u64, faults: [u64; 2], io: [u64; 2]) -> Cost {
    Cost {
        time_real: times[0],
        time_user: times[1],
        time_sys: times[2],
        mem_max,
        mem_faults_major: faults[0],
        mem_faults_minor: faults[1],
        io_fsin: io[0],
        io_fsout: io[1],
        switches_voluntary: 7,
        switches_involuntary: 8,
    }
}

fn step(step: StepKind, outcome: Outcome, cost: Cost) -> StepRecord {
    StepRecord::ended(step, outcome, cost, Label::default())
}

fn module(name: &str, steps: Vec<StepRecord>, fetch: Option<Cost>, diff: Option<Cost>) -> ModuleRecord {
    let done = ModuleRecord::done(name.parse().unwrap(), steps, ChangeCounts::default());
    ModuleRecord { fetch, diff, ..done }
}

/// The run of the README; `disco runs` has its tests with it too.
pub(in crate::cli) fn record() -> RunRecord {
    let script = |script: &str| StepKind::Script { script: script.into() };
    let template = StepKind::Template {
        template: "etc/othermodule/stuff.cfg".into(),
        target: crate::model::path::RootedPath::new("etc/othermodule/stuff.cfg").unwrap(),
        engine: TemplateEngine::Bash,
    };
    let test = vec![
        step(script("00-hello.sh"), Outcome::Done, cost([0.27, 0.03, 0.18], 4672, [32, 3783], [6640, 8])),
        step(
            script("10-service_stop.sh"),
            Outcome::Exited { status: 1 },
            cost([0.58, 0.03, 0.41], 4960, [122, 5462], [25656, 8]),
        ),
    ];
    let other = vec![step(template, Outcome::Done, cost([0.56, 0.04, 0.37], 4592, [122, 4885], [25536, 16]))];
    RunRecord {
        schema: SCHEMA,
        run: "20120101-1".parse().unwrap(),
        node: "localhost".parse().unwrap(),
        mode: Mode::Noop,
        root: Default::default(),
        version: "0".into(),
        by: None,
        waits: Vec::new(),
        started: "2012-01-01T00:00:00Z".into(),
        ended: Some("2012-01-01T00:00:07.5Z".into()),
        outcome: RunOutcome::Shown,
        plan: Vec::new(),
        changes: 0,
        noise: 0,
        label: Label::default(),
        internal: vec![
            InternalCost {
                part: "fetch_params".into(),
                began: None,
                cost: cost([1.26, 0.02, 0.08], 11136, [0, 1728], [0, 0]),
            },
            InternalCost {
                part: "diff".into(),
                began: None,
                cost: cost([0.82, 0.14, 0.66], 5184, [0, 18218], [0, 8]),
            },
        ],
        merge_phases: Vec::new(),
        own: None,
        modules: vec![
            module(
                "testmodule-1.0",
                test,
                Some(cost([2.72, 0.06, 0.15], 11152, [0, 2996], [0, 24])),
                Some(cost([2.56, 0.42, 2.10], 5184, [0, 57661], [0, 32])),
            ),
            module(
                "othermodule-3.2",
                other,
                Some(cost([2.28, 0.05, 0.14], 11152, [0, 2843], [0, 24])),
                Some(cost([0.80, 0.13, 0.65], 4816, [0, 16448], [0, 8])),
            ),
        ],
        actions: Vec::new(),
        duties: Vec::new(),
        undoes: None,
        validators: Vec::new(),
    }
}

#[test]
fn the_readmes_report_is_printed_to_the_letter() {
    // Each line but the items' ends where it seems to; theirs ends with a blank.
    let expected = "\
report: _internal: diff
report: time_real 0.82 : time_user 0.14 : time_sys 0.66
report: mem_avg 0 : mem_max 5184 : mem_faults_major 0 : mem_faults_minor 18218
report: io_fsin 0 : io_fsout 8 : io_sockin 0 : io_sockout 0 : io_signals 0
report: exit: 0
report: _internal: fetch_params
report: time_real 1.26 : time_user 0.02 : time_sys 0.08
report: mem_avg 0 : mem_max 11136 : mem_faults_major 0 : mem_faults_minor 1728
report: io_fsin 0 : io_fsout 0 : io_sockin 0 : io_sockout 0 : io_signals 0
report: exit: 0
report: othermodule-3.2: diff
report: time_real 0.80 : time_user 0.13 : time_sys 0.65
report: mem_avg 0 : mem_max 4816 : mem_faults_major 0 : mem_faults_minor 16448
report: io_fsin 0 : io_fsout 8 : io_sockin 0 : io_sockout 0 : io_signals 0
report: exit: 0
report: othermodule-3.2: fetch
report: time_real 2.28 : time_user 0.05 : time_sys 0.14
report: mem_avg 0 : mem_max 11152 : mem_faults_major 0 : mem_faults_minor 2843
report: io_fsin 0 : io_fsout 24 : io_sockin 0 : io_sockout 0 : io_signals 0
report: exit: 0
report: othermodule-3.2: template
report: etc/othermodule/stuff.cfg :\x20
report: time_real 0.56 : time_user 0.04 : time_sys 0.37
report: mem_avg 0 : mem_max 4592 : mem_faults_major 122 : mem_faults_minor 4885
report: io_fsin 25536 : io_fsout 16 : io_sockin 0 : io_sockout 0 : io_signals 0
report: exit: 0
report: testmodule-1.0: diff
report: time_real 2.56 : time_user 0.42 : time_sys 2.10
report: mem_avg 0 : mem_max 5184 : mem_faults_major 0 : mem_faults_minor 57661
report: io_fsin 0 : io_fsout 32 : io_sockin 0 : io_sockout 0 : io_signals 0
report: exit: 0
report: testmodule-1.0: exec
report: 00-hello.sh :\x20
report: time_real 0.27 : time_user 0.03 : time_sys 0.18
report: mem_avg 0 : mem_max 4672 : mem_faults_major 32 : mem_faults_minor 3783
report: io_fsin 6640 : io_fsout 8 : io_sockin 0 : io_sockout 0 : io_signals 0
report: exit: 0
report: 10-service_stop.sh :\x20
report: time_real 0.58 : time_user 0.03 : time_sys 0.41
report: mem_avg 0 : mem_max 4960 : mem_faults_major 122 : mem_faults_minor 5462
report: io_fsin 25656 : io_fsout 8 : io_sockin 0 : io_sockout 0 : io_signals 0
report: exit: 1
report: testmodule-1.0: fetch
report: time_real 2.72 : time_user 0.06 : time_sys 0.15
report: mem_avg 0 : mem_max 11152 : mem_faults_major 0 : mem_faults_minor 2996
report: io_fsin 0 : io_fsout 24 : io_sockin 0 : io_sockout 0 : io_signals 0
report: exit: 0
";
    assert_eq!(report(&record()), expected);
}

#[test]
fn a_module_of_any_name_comes_after_discos_own_work() {
    let mut record = record();
    record.modules.push(module("Apache", Vec::new(), Some(Cost::default()), None));
    assert!(report(&record).starts_with("report: _internal: diff\n"));
}
