//! A command or shell that somebody attends to, in a sandbox of its own: it is shown what changed, and that is dropped or
//! merged. A run like any other, with a record.

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use crate::model::names::ModuleName;
use crate::model::root::LiveRoot;
use crate::model::run::{Mode, RunRecord};
use crate::model::step::{ModuleOutcome, ModuleRecord, Outcome};
use crate::ops::dance::differences::Differences;
use crate::ops::dance::{self, DanceError, DanceEvent};
use crate::ops::secrets::Opened;
use crate::sandbox::SandboxError;
use crate::sandbox::protocol::Command;
use crate::settings::Settings;
use crate::step::{self, StepError, StepEvent};
use crate::sys::execute;
use crate::sys::files;
use crate::sys::folders;
use crate::sys::host;
use crate::sys::interrupt::Interrupt;
use crate::sys::pty::{self, OwnTerminal};
use crate::sys::scratch::ScratchFolder;
use crate::sys::spool;
use crate::sys::streams::Streams;
use crate::sys::user_namespace;

/// What a session is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Session {
    /// One command; with a failure nothing is merged.
    Try(Vec<String>),
    /// A shell; how its last command ended says nothing about the session.
    Shell,
}

/// Makes this process what opens sandboxes: as root it is that already, anybody else becomes root of a user namespace, over
/// what is his. Returns whether that was needed. For a process with one thread.
pub fn settle() -> Result<bool, DanceError> {
    if host::is_root() {
        return Ok(false);
    }
    user_namespace::settle().map_err(SandboxError::NoUserNamespace)?;
    Ok(true)
}

/// How a session is to go, beyond the settings.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether it may merge.
    pub mode: Mode,
    /// Whether it then waits for another live run instead of refusing.
    pub wait: bool,
    /// Where what it has changed is kept as a plan, where it may not merge.
    pub plan_file: Option<PathBuf>,
}

/// Holds the session, and returns its record, which is on disk by then.
pub fn session(
    settings: &Settings,
    session: &Session,
    options: &Options,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<RunRecord, DanceError> {
    let Options { mode, wait, plan_file } = options;
    dance::is_free(plan_file.as_deref())?;
    let start = dance::Start { mode: *mode, wait: *wait, even_if_disabled: false };
    dance::recorded(settings, start, interrupt, on_event, |run, settings, ground, scratch| {
        run.plan_file.clone_from(plan_file);
        let view = lay_view(settings, scratch)?;
        let values = spool::in_memory().map_err(StepError::Spool)?;
        let mut sandbox = dance::open_sandbox(run, settings, ground, scratch, &view)?;
        let context = dance::step_context(settings, ground, &view, &values, interrupt);
        let mut differences = Differences::new(sandbox.layers(), ground, scratch.path())?;

        let (name, command) = described(session, &ground.root);
        let began = run.seconds();
        let mut tell = |event: StepEvent<'_>| {
            if let StepEvent::Asked(action) = event {
                (run.on_event)(DanceEvent::Asked { action, root: &ground.root });
            }
        };
        let mut done = {
            let own_terminal = pty::is_terminal();
            let wires = Wires::new(if own_terminal { Some(sandbox.open_terminal()?) } else { None })?;
            step::attend(&mut sandbox, &context, &name, command, wires.inner(), own_terminal, &mut tell)?
        };
        done.began = Some(began);
        differences.stepped(sandbox.layers(), std::slice::from_ref(&done.step), false)?;
        Opened::watch(sandbox.layers()).look();
        let changes = differences.since_last(sandbox.layers())?;
        let writers = differences.writers(&changes);
        if let Outcome::Failed { .. } | Outcome::TimedOut { .. } = &done.outcome {
            // Its own status does not say it.
            let (step, outcome) = (done.step.label(), &done.outcome);
            (run.on_event)(DanceEvent::StepFailed { module: &name, step, outcome });
        }
        dance::truth::tell(run.on_event, &name, &done);
        (run.on_event)(DanceEvent::Changed { module: &name, changes: &changes, label: &done.label });
        let outcome = match session {
            Session::Try(_) if !done.outcome.is_done() => {
                ModuleOutcome::Failed { step: done.step.label().to_owned(), reason: done.outcome.to_string() }
            }
            Session::Try(_) | Session::Shell => ModuleOutcome::Done,
        };
        run.record.plan.push(name.clone());
        let record = ModuleRecord::done(name, vec![done], (&changes).into());
        run.add(ModuleRecord { outcome, ..record }, &changes, &writers)?;
        run.note()?;
        let sealed = sandbox.seal()?;
        let wanted = dance::finish::Wanted { modules: &[], fetched: &view };
        dance::finish::finish(run, settings, interrupt, &sealed, &mut differences, wanted)
    })
}

/// What joins the streams of a session to the user's.
pub(super) enum Wires {
    Terminal(OwnTerminal),
    Pipes(Streams),
}

impl Wires {
    /// Through a terminal pair of the sandbox's own, or else through pipes.
    pub(super) fn new(terminal: Option<(OwnedFd, OwnedFd)>) -> Result<Wires, DanceError> {
        let (action, wires) = match terminal {
            Some((outer, inner)) => {
                ("open a terminal of its own", OwnTerminal::wire(outer, inner).map(Wires::Terminal))
            }
            None => ("put pipes before its streams", Streams::wire().map(Wires::Pipes)),
        };
        wires.map_err(|source| SandboxError::Cannot { action, source }.into())
    }

    /// The sandbox's side: standard input, output and error.
    pub(super) fn inner(&self) -> [BorrowedFd<'_>; 3] {
        match self {
            Wires::Terminal(own) => [own.inner(); 3],
            Wires::Pipes(pipes) => pipes.inner(),
        }
    }
}

/// What a session sees of disco's home: its parameters and modules as they are now.
pub(super) fn lay_view(settings: &Settings, scratch: &ScratchFolder) -> Result<PathBuf, DanceError> {
    let view = scratch.path().join("view");
    files::create_dirs(&view, 0o700)?;
    for name in ["parameters", "modules"] {
        folders::hard_link_tree(&settings.home.value.join(name), &view.join(name))?;
    }
    Ok(view)
}

/// The session as a step: the name that its records have, and what to execute.
pub(super) fn described(session: &Session, root: &LiveRoot) -> (ModuleName, Command) {
    let (name, argv) = match session {
        Session::Try(argv) => ("try", argv.clone()),
        Session::Shell => ("shell", vec!["/bin/bash".to_owned()]),
    };
    let mut environment: BTreeMap<String, String> =
        execute::ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    if user_namespace::is_settled() {
        // Root's own folder is somebody else's.
        environment.extend(host::environment().remove("HOME").map(|home| ("HOME".to_owned(), home)));
    }
    environment.extend(execute::terminal_type().map(|term| ("TERM".to_owned(), term)));
    // What this process calls its folder is something else in another root.
    let directory = if root.is_own() { execute::current_folder() } else { "/".into() };
    let name = ModuleName::new(name).expect("a plain word is a name");
    (name, Command { argv, environment, directory })
}
