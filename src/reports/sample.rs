//! Runs for the tests of this folder: drawn at random, the same for the same seed.

use crate::model::change::ChangeCounts;
use crate::model::run::{InternalCost, Mode, RunOutcome, RunRecord, SCHEMA};
use crate::model::step::{Cost, Metrics, ModuleRecord, Outcome, StepKind, StepRecord};
use crate::model::truth::Label;

/// A step that took so long.
pub(super) fn step(script: &str, began: Option<f64>, seconds: f64) -> StepRecord {
    let cost = Cost {
        time_real: seconds,
        time_user: seconds / 2.0,
        time_sys: seconds / 4.0,
        mem_max: 2048,
        io_fsin: 4,
        ..Cost::default()
    };
    let script = StepKind::Script { script: script.into() };
    StepRecord { began, ..StepRecord::ended(script, Outcome::Done, cost, Label::default()) }
}

/// A run of one module of two steps, `10-fast` and `20-slow`, which took so long.
pub(super) fn run(number: usize, seconds: [f64; 2]) -> RunRecord {
    let mut steps =
        vec![step("10-fast", Some(1.0), seconds[0]), step("20-slow", Some(1.0 + seconds[0]), seconds[1])];
    let metrics =
        Metrics { memory_peak: Some(300 << 20), overlay_cpu: Some(seconds[1] / 4.0), ..Metrics::default() };
    steps[1].metrics = Some(metrics);
    let mut module = ModuleRecord::done("web-1".parse().unwrap(), steps, ChangeCounts::default());
    module.digest = Some("aa".repeat(32));
    let plan = Cost { time_real: 0.5, ..Cost::default() };
    let ended =
        jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs_f64(1.1 + seconds.iter().sum::<f64>());
    RunRecord {
        schema: SCHEMA,
        run: format!("20260101-{number:06}-000-1").parse().unwrap(),
        node: "localhost".parse().unwrap(),
        mode: Mode::Live,
        root: Default::default(),
        undoes: None,
        version: "0".into(),
        by: None,
        waits: Vec::new(),
        started: jiff::Timestamp::UNIX_EPOCH.to_string(),
        ended: Some(ended.to_string()),
        outcome: RunOutcome::Merged,
        plan: vec![module.module.clone()],
        changes: 0,
        label: Label::default(),
        merge_phases: Vec::new(),
        own: None,
        noise: 0,
        internal: vec![InternalCost { part: "plan".into(), began: Some(0.2), cost: plan }],
        modules: vec![module],
        actions: Vec::new(),
        duties: Vec::new(),
        validators: Vec::new(),
    }
}

/// Runs with noise of a few percent, of which the second step takes half as long again from that one on.
pub(super) fn runs(seed: u64, how_many: usize, slower_from: usize) -> Vec<RunRecord> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut noise = || 0.95 + 0.1 * random.f64() + if random.f64() < 0.05 { 0.5 } else { 0.0 };
    let factor = |number: usize| if number >= slower_from { 1.5 } else { 1.0 };
    (0..how_many).map(|number| run(number, [0.3 * noise(), 2.0 * factor(number) * noise()])).collect()
}
