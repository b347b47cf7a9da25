//! The modules of a run, one after another, in its one sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::model::names::ModuleName;
use crate::model::plan::{Plan, PlannedModule};
use crate::model::run::RunRecord;
use crate::model::step::{ModuleOutcome, ModuleRecord, StepKind, StepRecord, Stream};
use crate::model::truth::Label;
use crate::sandbox::Sandbox;
use crate::step::{self, StepEvent};
use crate::sys::clock::Meter;
use crate::sys::files::FileError;
use crate::sys::line_log::LineLog;

use super::differences::Differences;
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
    for (at, planned) in plan.modules.iter().enumerate() {
        let name = &planned.module.name;
        let mut record = ModuleRecord {
            module: name.clone(),
            outcome: ModuleOutcome::Done,
            label: Label::default(),
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
            (run.on_event)(DanceEvent::Doing(Doing::Comparing));
            let meter = Meter::start();
            record.changes = differences.since_last(sandbox.layers())?;
            record.diff = Some(meter.stop());
            (run.on_event)(DanceEvent::Changed {
                module: name,
                changes: &record.changes,
                label: &record.label,
            });
        }
        if record.outcome != ModuleOutcome::Done {
            without_success.insert(name.clone());
        }
        run.add(record)?;
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
    for batch in step::batches(&planned.module.steps) {
        let first = record.steps.len();
        let mut output =
            Output { run: &run.folder, module, first, batch, logs: BTreeMap::new(), error: None };
        if let Some(step) = batch.first() {
            (run.on_event)(DanceEvent::Doing(Doing::Step { step: step.label() }));
        }
        let (on_event, root) = (&mut run.on_event, &run.record.root);
        let mut tell = |at: usize, event: StepEvent<'_>| match event {
            StepEvent::Line { stream, text } => {
                output.line(at, stream, text);
                on_event(DanceEvent::Line { module, step: batch[at].label(), stream, text })
            }
            StepEvent::Asked(action) => on_event(DanceEvent::Asked { action, root }),
        };
        let mut done = step::run(sandbox, context, module, batch, seq, &mut tell)?;
        output.finish(&mut done)?;
        for step in &done {
            super::truth::tell(run.on_event, module, step);
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

/// What the steps of a batch print, each in a file of its own.
struct Output<'a> {
    run: &'a Path,
    module: &'a ModuleName,
    /// The place of the batch's first step in its module.
    first: usize,
    batch: &'a [StepKind],
    logs: BTreeMap<usize, LineLog>,
    /// What went wrong first; it is told when the steps have ended.
    error: Option<FileError>,
}

impl Output<'_> {
    fn line(&mut self, at: usize, stream: Stream, text: &str) {
        let log = self.logs.entry(at).or_insert_with(|| {
            let (step, module) = (self.batch[at].label().replace('/', "_"), self.module);
            LineLog::new(self.run, format!("output/{module}/{:03}-{step}.log", self.first + at))
        });
        let written = log.line(stream, text);
        self.error = self.error.take().or(written.err());
    }

    /// Closes the files, and puts their names into the records.
    fn finish(self, records: &mut [StepRecord]) -> Result<(), FileError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        for (at, log) in self.logs {
            records[at].output = log.written().map(str::to_owned);
            log.finish()?;
        }
        Ok(())
    }
}

/// Whether every module of the record succeeded.
pub(super) fn all_done(record: &RunRecord) -> bool {
    record.modules.iter().all(|module| module.outcome == ModuleOutcome::Done)
}
