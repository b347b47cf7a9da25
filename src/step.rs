//! Steps of a module, run in the sandbox, and their records.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::model::action::{Action, Effect};
use crate::model::names::{ModuleName, NodeName};
use crate::model::step::{Outcome, StepKind, StepRecord, Stream, TemplateEngine};
use crate::model::truth::Label;
use crate::sandbox::protocol::{Command, MOST_MEMORY, MOST_TEMPLATES, Task, TaskEnd, Template};
use crate::sandbox::{Event, Sandbox, SandboxError, TaskRun};
use crate::sys::execute;
use crate::sys::files::{self, FileError};
use crate::sys::interrupt::Interrupt;
use crate::sys::spool;

/// A step that could not be run or recorded. (A step that fails is a record, not this.)
#[derive(Debug, Error)]
pub enum StepError {
    /// The sandbox could not be used.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A file of the module, or of the record, could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// Text could not be put where the sandbox takes it from.
    #[error("cannot spool a template's text")]
    Spool(#[source] io::Error),
}

/// What all steps of a run share.
#[derive(Debug)]
pub struct Context<'a> {
    /// The node.
    pub node: &'a NodeName,
    /// disco's home, as steps see it.
    pub home: &'a Path,
    /// The folder of the host that steps see as their home's content.
    pub view: &'a Path,
    /// Values for tera templates: a `render::Context` as JSON.
    pub values: &'a File,
    /// How long a step may take.
    pub limit: Duration,
    /// How true a step's report is at best: less than exact where the network is the host's.
    pub best: Label,
    /// Where a signal that asks to stop is noticed.
    pub interrupt: &'a Interrupt,
}

/// Something to show while a step runs.
#[derive(Debug)]
pub enum StepEvent<'a> {
    /// It printed a line.
    Line {
        /// Where.
        stream: Stream,
        /// What.
        text: &'a str,
        /// Whether the next line is at hand already.
        more: bool,
    },
    /// It asked for an effect on the running system, which is recorded and not made.
    Asked(&'a Action),
}

/// Cuts steps into those that one call of [`run`] takes: each alone, but templates of tera in a row together, because a
/// task of its own costs ten times what such a template does.
pub fn batches(steps: &[StepKind]) -> impl Iterator<Item = &[StepKind]> {
    steps.chunk_by(|a, b| is_tera(a) && is_tera(b)).flat_map(|batch| batch.chunks(MOST_TEMPLATES))
}

fn is_tera(step: &StepKind) -> bool {
    matches!(step, StepKind::Template { engine: TemplateEngine::Tera, .. })
}

/// Runs a batch of steps of `module` up to the first that fails, and returns the records of those that were begun. `seq`
/// counts the run's actions; an event comes with its step's place in the batch.
pub fn run(
    sandbox: &mut Sandbox,
    context: &Context<'_>,
    module: &ModuleName,
    batch: &[StepKind],
    seq: &mut u32,
    on_event: &mut dyn FnMut(usize, StepEvent<'_>),
) -> Result<Vec<StepRecord>, StepError> {
    let (Some(step), false) = (batch.first(), batch.iter().any(is_tera)) else {
        return render_all(sandbox, context, module, batch, on_event);
    };
    let mut actions = Vec::new();
    let mut listen = |event: Event<'_>| match event {
        Event::Line { stream, text, more } => on_event(0, StepEvent::Line { stream, text, more }),
        Event::Asked(effect) => {
            let action = action(effect, seq, module, step);
            on_event(0, StepEvent::Asked(&action));
            actions.push(action);
        }
    };
    let (task, spool) = task(context, module, step)?;
    let files: Vec<&File> = spool.iter().collect();
    let command = match &task {
        Task::Execute(command) | Task::Attend { command, .. } | Task::Fill { command, .. } => {
            Some(command.argv.clone())
        }
        Task::Render { .. } | Task::Lay { .. } => None,
    };
    let run = sandbox.run(task, &files, context.limit, context.interrupt, &mut listen)?;
    Ok(vec![StepRecord { command, ..record(context, step, run, actions) }])
}

/// Makes the files of a batch of templates of tera. What is printed there is why the last one failed.
fn render_all(
    sandbox: &mut Sandbox,
    context: &Context<'_>,
    module: &ModuleName,
    batch: &[StepKind],
    on_event: &mut dyn FnMut(usize, StepEvent<'_>),
) -> Result<Vec<StepRecord>, StepError> {
    let templates = batch.iter().filter_map(|step| match step {
        StepKind::Template { template, target, .. } => {
            Some(Template { template: template.clone(), target: target.absolute() })
        }
        StepKind::Files | StepKind::Script { .. } | StepKind::Validator { .. } => None,
    });
    let folder = context.home.join("modules").join(module.as_str()).join("templates");
    let task = Task::Render { module: module.clone(), folder, templates: templates.collect() };
    let mut printed = Vec::new();
    let mut listen = |event: Event<'_>| {
        // No shim is called here.
        if let Event::Line { stream, text, more: _ } = event {
            printed.push((stream, text.to_owned()));
        }
    };
    let mut ends = spool::in_memory().map_err(StepError::Spool)?;
    let run = sandbox.run(task, &[context.values, &ends], context.limit, context.interrupt, &mut listen)?;
    let mut ends: Vec<TaskEnd> = spool::json_lines(&mut ends).map_err(StepError::Spool)?;
    if !run.outcome.is_done() && ends.last().is_none_or(|end| end.outcome.is_done()) {
        // What ended the task came from outside of the templates: the one under way has failed by it, or the last.
        ends.truncate(batch.len().saturating_sub(1));
        ends.push(TaskEnd {
            outcome: without_memory(&mut printed).unwrap_or(run.outcome.clone()),
            cost: run.cost,
        });
    }
    for (at, (stream, text)) in printed.iter().enumerate() {
        let line = StepEvent::Line { stream: *stream, text, more: at + 1 < printed.len() };
        on_event(ends.len().saturating_sub(1), line);
    }
    let records = batch.iter().zip(ends).map(|(step, end)| {
        let run = TaskRun { outcome: end.outcome, cost: end.cost, ..run.clone() };
        let mut record = record(context, step, run, Vec::new());
        // They were one task: what that had besides their costs is nobody's own.
        record.metrics = record.metrics.filter(|_| batch.len() == 1);
        record
    });
    Ok(records.collect())
}

/// What became of a template that had no memory left, if that is what was printed; those lines are Rust's own words for it.
fn without_memory(printed: &mut Vec<(Stream, String)>) -> Option<Outcome> {
    printed.iter().find(|(_, text)| text.starts_with("memory allocation of "))?;
    printed.clear();
    let most = MOST_MEMORY >> 20;
    let reason = format!("the template needs more than the {most} MiB of memory that it may have");
    Some(Outcome::Failed { reason })
}

/// Runs a command for somebody who attends to it, on their streams (standard input, output, error), as a step of a
/// module that is none; what it prints is not recorded.
pub fn attend(
    sandbox: &mut Sandbox,
    context: &Context<'_>,
    module: &ModuleName,
    command: Command,
    streams: [BorrowedFd<'_>; 3],
    own_terminal: bool,
    on_event: &mut dyn FnMut(StepEvent<'_>),
) -> Result<StepRecord, StepError> {
    let step = StepKind::Script { script: shell_words::join(&command.argv) };
    let (mut actions, mut seq) = (Vec::new(), 0);
    let mut listen = |event: Event<'_>| match event {
        Event::Line { stream, text, more } => on_event(StepEvent::Line { stream, text, more }),
        Event::Asked(effect) => {
            let action = action(effect, &mut seq, module, &step);
            on_event(StepEvent::Asked(&action));
            actions.push(action);
        }
    };
    let argv = Some(command.argv.clone());
    let run = sandbox.attend(command, streams, own_terminal, context.interrupt, &mut listen)?;
    Ok(StepRecord { command: argv, ..record(context, &step, run, actions) })
}

fn action(effect: &Effect, seq: &mut u32, module: &ModuleName, step: &StepKind) -> Action {
    let (module, step, effect) = (module.clone(), step.label().to_owned(), effect.clone());
    let action = Action { seq: *seq, module, step, effect };
    *seq += 1;
    action
}

fn record(context: &Context<'_>, step: &StepKind, run: TaskRun, actions: Vec<Action>) -> StepRecord {
    let TaskRun { outcome, cost, metrics, label, attempts } = run;
    let (label, metrics) = (label.and(&context.best), Some(metrics));
    StepRecord { actions, attempts, metrics, ..StepRecord::ended(step.clone(), outcome, cost, label) }
}

/// The task of a step that is no template of tera, with its third descriptor.
fn task(
    context: &Context<'_>,
    module: &ModuleName,
    step: &StepKind,
) -> Result<(Task, Option<File>), StepError> {
    let inside = context.home.join("modules").join(module.as_str());
    let outside = context.view.join("modules").join(module.as_str());
    let command = |folder: &str, name: &str| Command {
        argv: vec!["/bin/bash".into(), inside.join(folder).join(name).to_string_lossy().into_owned()],
        environment: environment(context, module, &inside),
        directory: PathBuf::from("/"),
    };
    Ok(match step {
        StepKind::Files => (Task::Lay { source: inside.join("files") }, None),
        StepKind::Script { script } => (Task::Execute(command("scripts", script)), None),
        StepKind::Validator { script } => (Task::Execute(command("validate", script)), None),
        StepKind::Template { template, target, .. } => {
            let mode = files::mode(&outside.join("templates").join(template))?;
            let spool = spool::on_disk(context.view).map_err(StepError::Spool)?;
            let command = command("templates", template);
            (Task::Fill { command, target: target.absolute(), mode }, Some(spool))
        }
    })
}

/// What a script or bash template finds in its environment; the same in NOOP and live runs.
fn environment(context: &Context<'_>, module: &ModuleName, inside: &Path) -> BTreeMap<String, String> {
    let mut environment: BTreeMap<_, _> =
        execute::ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    for (name, value) in [
        ("DISCO_NODE", context.node.to_string()),
        ("DISCO_MODULE", module.to_string()),
        ("DISCO_MODULE_DIR", inside.to_string_lossy().into_owned()),
        ("DISCO_HOME", context.home.to_string_lossy().into_owned()),
    ] {
        environment.insert(name.to_owned(), value);
    }
    environment
}
