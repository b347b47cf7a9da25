//! The modules of a run, one after another, in its one sandbox.

use std::collections::BTreeSet;

use crate::model::names::ModuleName;
use crate::model::plan::{Plan, PlannedModule};
use crate::model::run::RunRecord;
use crate::model::step::{ModuleOutcome, ModuleRecord, StepKind, StepRecord};
use crate::sandbox::Sandbox;
use crate::step::{self, StepEvent};
use crate::sys::clock::Meter;
use crate::sys::line_log::LineLog;

use super::differences::Differences;
use super::{DanceError, DanceEvent, Run};

/// Runs every module of the plan that can run; returns when all have had their turn.
pub(super) fn run_all(
    run: &mut Run<'_>,
    plan: &Plan,
    sandbox: &mut Sandbox,
    context: &step::Context<'_>,
    differences: &mut Differences,
) -> Result<(), DanceError> {
    let mut without_success = BTreeSet::new();
    let mut seq = 0;
    for (at, planned) in plan.modules.iter().enumerate() {
        let name = &planned.module.name;
        let mut record = ModuleRecord {
            module: name.clone(),
            outcome: ModuleOutcome::Done,
            steps: Vec::new(),
            changes: Default::default(),
            fetch: run.fetched.get(name).copied(),
            diff: None,
        };
        if let Some(because) = planned.needs.iter().find(|needed| without_success.contains(*needed)) {
            (run.on_event)(DanceEvent::Skipped { module: name, because });
            record.outcome = ModuleOutcome::Skipped { because: because.clone() };
        } else {
            (run.on_event)(DanceEvent::Processing { module: name, at: at + 1 });
            run_steps(run, planned, &mut record, &mut seq, sandbox, context)?;
            let meter = Meter::start();
            record.changes = differences.since_last(sandbox.layers())?;
            record.diff = Some(meter.stop());
            (run.on_event)(DanceEvent::Changed { module: name, changes: &record.changes });
        }
        if record.outcome != ModuleOutcome::Done {
            without_success.insert(name.clone());
        }
        run.record.actions.extend(
            record
                .steps
                .iter()
                .flat_map(|step| &step.actions)
                .map(|action| crate::model::run::ActionRecord { action: action.clone(), outcome: None }),
        );
        run.record.modules.push(record);
        run.save()?;
    }
    Ok(())
}

/// Runs a module's steps up to the first that fails.
fn run_steps(
    run: &mut Run<'_>,
    planned: &PlannedModule,
    record: &mut ModuleRecord,
    seq: &mut u32,
    sandbox: &mut Sandbox,
    context: &step::Context<'_>,
) -> Result<(), DanceError> {
    let module = &planned.module.name;
    for (at, step) in planned.module.steps.iter().enumerate() {
        let done = run_step(run, module, at, step, seq, sandbox, context)?;
        let failed = (!done.outcome.is_done()).then(|| done.outcome.clone());
        record.steps.push(done);
        if let Some(outcome) = failed {
            (run.on_event)(DanceEvent::StepFailed { module, step: step.label(), outcome: &outcome });
            record.outcome =
                ModuleOutcome::Failed { step: step.label().to_owned(), reason: outcome.to_string() };
            break;
        }
    }
    Ok(())
}

fn run_step(
    run: &mut Run<'_>,
    module: &ModuleName,
    at: usize,
    step: &StepKind,
    seq: &mut u32,
    sandbox: &mut Sandbox,
    context: &step::Context<'_>,
) -> Result<StepRecord, DanceError> {
    let name = format!("output/{module}/{at:03}-{}.log", step.label().replace('/', "_"));
    let mut log = LineLog::new(&run.folder, name);
    let (on_event, root) = (&mut run.on_event, &run.record.root);
    let mut tell = |event: StepEvent<'_>| match event {
        StepEvent::Line { stream, text } => {
            on_event(DanceEvent::Line { module, step: step.label(), stream, text })
        }
        StepEvent::Asked(action) => on_event(DanceEvent::Asked { action, root }),
    };
    let record = step::run(sandbox, context, module, step, seq, &mut log, &mut tell)?;
    log.finish()?;
    Ok(record)
}

/// Whether every module of the record succeeded.
pub(super) fn all_done(record: &RunRecord) -> bool {
    record.modules.iter().all(|module| module.outcome == ModuleOutcome::Done)
}
