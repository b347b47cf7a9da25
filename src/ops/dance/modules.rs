//! The modules of a run, one after another, in its one sandbox.

use std::collections::BTreeSet;

use crate::model::change::{ChangeCounts, ChangeSet, Writers};
use crate::model::plan::{Plan, PlannedModule};
use crate::model::run::RunRecord;
use crate::model::step::{ModuleOutcome, ModuleRecord, StepRecord};
use crate::ops::secrets::Opened;
use crate::sandbox::Sandbox;
use crate::step::{self, StepEvent};
use crate::sys::clock::Meter;
use crate::sys::digest;

use super::differences::Differences;
use super::output::Output;
use super::{DanceError, DanceEvent, Doing, Run};

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
    let mut opened = Opened::watch(sandbox.layers());
    for (at, planned) in plan.modules.iter().enumerate() {
        let name = &planned.module.name;
        let fetched = run.fetched.get(name).copied();
        let mut record = ModuleRecord {
            fetch: fetched.map(|fetched| fetched.cost),
            fetch_began: fetched.map(|fetched| run.seconds_at(fetched.began)),
            ..ModuleRecord::done(name.clone(), Vec::new(), ChangeCounts::default())
        };
        let (mut changes, mut writers) = (ChangeSet::default(), Writers::default());
        if let Some(because) = planned.needs.iter().find(|needed| without_success.contains(*needed)) {
            (run.on_event)(DanceEvent::Skipped { module: name, because });
            record.outcome = ModuleOutcome::Skipped { because: because.clone() };
        } else {
            (run.on_event)(DanceEvent::Processing { module: name, at: at + 1 });
            record.began = Some(run.seconds());
            let folder = context.view.join("modules").join(name.as_str());
            record.digest = Some(digest::of_folder(&folder)?);
            let looked = Looked { differences, opened: &mut opened };
            run_steps(run, planned, &mut record, &mut seq, sandbox, context, looked)?;
            (run.on_event)(DanceEvent::Doing(Doing::Comparing));
            record.diff_began = Some(run.seconds());
            let meter = Meter::start();
            changes = differences.since_last(sandbox.layers())?;
            writers = differences.writers(&changes);
            record.changes = (&changes).into();
            record.diff = Some(meter.stop());
            (run.on_event)(DanceEvent::Changed { module: name, changes: &changes, label: &record.label });
        }
        if record.outcome != ModuleOutcome::Done {
            without_success.insert(name.clone());
        }
        run.add(record, &changes, &writers)?;
    }
    Ok(())
}

/// What is looked at after each step.
struct Looked<'a> {
    differences: &'a mut Differences,
    opened: &'a mut Opened,
}

/// Runs a module's steps up to the first that fails.
fn run_steps(
    run: &mut Run<'_>,
    planned: &PlannedModule,
    record: &mut ModuleRecord,
    seq: &mut u32,
    sandbox: &mut Sandbox,
    context: &step::Context<'_>,
    Looked { differences, opened }: Looked<'_>,
) -> Result<(), DanceError> {
    let module = &planned.module.name;
    let mut batches = step::batches(&planned.module.steps).peekable();
    while let Some(batch) = batches.next() {
        let first = record.steps.len();
        let mut output = Output::new(&run.folder, module, "", first, batch, opened);
        if let Some(step) = batch.first() {
            let (at, of) = (first + 1, planned.module.steps.len());
            (run.on_event)(DanceEvent::Doing(Doing::Step { step: step.label(), at, of }));
        }
        let began = run.seconds();
        let (on_event, root) = (&mut run.on_event, &run.record.root);
        let mut tell = |at: usize, event: StepEvent<'_>| match event {
            StepEvent::Line { stream, text, more } => {
                let text = &output.line(at, stream, text);
                on_event(DanceEvent::Line { module, step: batch[at].label(), stream, text, more })
            }
            StepEvent::Asked(action) => {
                output.look();
                on_event(DanceEvent::Asked { action, root })
            }
        };
        let mut done = step::run(sandbox, context, module, batch, seq, &mut tell)?;
        StepRecord::place_in_time(&mut done, began);
        output.finish(&mut done)?;
        differences.stepped(sandbox.layers(), batch, batches.peek().is_some())?;
        for step in &done {
            super::truth::tell(run.on_event, module, step);
            (run.on_event)(DanceEvent::StepEnded { module, record: step });
            record.label = std::mem::take(&mut record.label).and(&step.label);
        }
        record.steps.extend(done);
        if let Some(StepRecord { step, outcome, .. }) =
            record.steps.last().filter(|step| !step.outcome.is_done())
        {
            (run.on_event)(DanceEvent::StepFailed { module, step: step.label(), outcome });
            record.outcome =
                ModuleOutcome::Failed { step: step.label().to_owned(), reason: outcome.to_string() };
            break;
        }
    }
    Ok(())
}

/// Whether every module and every validator of the record succeeded.
pub(super) fn all_done(record: &RunRecord) -> bool {
    record.modules.iter().all(|module| module.outcome == ModuleOutcome::Done)
        && record.validators.iter().all(|validator| validator.record.outcome.is_done())
}
