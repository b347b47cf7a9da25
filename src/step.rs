//! One step of a module, run in the sandbox, and its record.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::model::action::Action;
use crate::model::names::{ModuleName, NodeName};
use crate::model::step::{Outcome, StepKind, StepRecord, Stream, TemplateEngine};
use crate::model::truth::Truth;
use crate::render::RenderError;
use crate::render::worker::{Rendered, Renderer, WorkerError};
use crate::sandbox::protocol::{Command, Task};
use crate::sandbox::shims::Question;
use crate::sandbox::{Event, Sandbox, SandboxError, TaskRun};
use crate::sys::execute;
use crate::sys::files::{self, FileError};
use crate::sys::interrupt::Interrupt;
use crate::sys::line_log::LineLog;
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
    /// Templates cannot be rendered.
    #[error(transparent)]
    Renderer(#[from] WorkerError),
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
    /// Renders tera templates.
    pub renderer: &'a Renderer,
    /// How long a step may take.
    pub limit: Duration,
    /// How true a step's report is at best: less than exact where the network is the host's.
    pub best_truth: Truth,
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
    },
    /// It asked for an effect on the running system, which is recorded and not made.
    Asked(&'a Action),
}

/// Runs one step of `module`; `seq` counts the run's actions, `log` takes what the step prints.
pub fn run(
    sandbox: &mut Sandbox,
    context: &Context<'_>,
    module: &ModuleName,
    step: &StepKind,
    seq: &mut u32,
    log: &mut LineLog,
    on_event: &mut dyn FnMut(StepEvent<'_>),
) -> Result<StepRecord, StepError> {
    let mut actions = Vec::new();
    let mut log_error = None;
    let mut listen = |event: Event<'_>| match event {
        Event::Line { stream, text } => {
            log_error = log.line(stream, text).err().or(log_error.take());
            on_event(StepEvent::Line { stream, text });
        }
        Event::Asked(question) => {
            let action = action(question, seq, module, step);
            on_event(StepEvent::Asked(&action));
            actions.push(action);
        }
    };
    let run = perform(sandbox, context, module, step, &mut listen)?;
    if let Some(error) = log_error {
        return Err(error.into());
    }
    let output = log.written().map(str::to_owned);
    Ok(StepRecord { output, ..record(context, step, run, actions) })
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
        Event::Line { stream, text } => on_event(StepEvent::Line { stream, text }),
        Event::Asked(question) => {
            let action = action(question, &mut seq, module, &step);
            on_event(StepEvent::Asked(&action));
            actions.push(action);
        }
    };
    let run = sandbox.attend(command, streams, own_terminal, context.interrupt, &mut listen)?;
    Ok(record(context, &step, run, actions))
}

fn action(question: &Question, seq: &mut u32, module: &ModuleName, step: &StepKind) -> Action {
    let action = Action {
        seq: *seq,
        module: module.clone(),
        step: step.label().to_owned(),
        program: question.program.clone(),
        argv: question.argv.clone(),
        cwd: question.directory.clone(),
    };
    *seq += 1;
    action
}

fn record(context: &Context<'_>, step: &StepKind, run: TaskRun, actions: Vec<Action>) -> StepRecord {
    let truth = if run.shimmed { context.best_truth.max(Truth::Approximate) } else { context.best_truth };
    StepRecord { step: step.clone(), outcome: run.outcome, cost: run.cost, truth, output: None, actions }
}

fn perform(
    sandbox: &mut Sandbox,
    context: &Context<'_>,
    module: &ModuleName,
    step: &StepKind,
    listen: &mut dyn FnMut(Event<'_>),
) -> Result<TaskRun, StepError> {
    let inside = context.home.join("modules").join(module.as_str());
    let outside = context.view.join("modules").join(module.as_str());
    let command = |folder: &str, name: &str| Command {
        argv: vec!["/bin/bash".into(), inside.join(folder).join(name).to_string_lossy().into_owned()],
        environment: environment(context, module, &inside),
        directory: PathBuf::from("/"),
    };
    let (task, spool) = match step {
        StepKind::Files => (Task::Lay { source: inside.join("files") }, None),
        StepKind::Script { script } => (Task::Execute(command("scripts", script)), None),
        StepKind::Template { template, target, engine: TemplateEngine::Bash } => {
            let mode = files::mode(&outside.join("templates").join(template))?;
            let spool = spool::on_disk(context.view).map_err(StepError::Spool)?;
            (
                Task::Fill { command: command("templates", template), target: target.absolute(), mode },
                Some(spool),
            )
        }
        StepKind::Template { template, target, engine: TemplateEngine::Tera } => {
            let path = outside.join("templates").join(template);
            let spool =
                match context.renderer.render(module, template, &path, context.limit, context.interrupt) {
                    Ok(Rendered::Text(spool)) => spool,
                    Ok(Rendered::Wrong(error)) => return Ok(unrendered(&error, listen)),
                    Ok(Rendered::Ended(outcome)) => return Ok(failed(outcome)),
                    Err(WorkerError::Interrupted) => return Err(SandboxError::Interrupted.into()),
                    Err(error) => return Err(error.into()),
                };
            (Task::Write { target: target.absolute(), mode: files::mode(&path)? }, Some(spool))
        }
    };
    Ok(sandbox.run(task, spool.as_ref(), context.limit, context.interrupt, listen)?)
}

/// A template that does not render fails its step; the message is what the step printed.
fn unrendered(error: &RenderError, listen: &mut dyn FnMut(Event<'_>)) -> TaskRun {
    for line in error.to_string().lines() {
        listen(Event::Line { stream: Stream::Stderr, text: line });
    }
    failed(Outcome::Failed { reason: "the template does not render".to_owned() })
}

/// A task that failed before it was one.
fn failed(outcome: Outcome) -> TaskRun {
    TaskRun { outcome, cost: Default::default(), shimmed: false }
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
