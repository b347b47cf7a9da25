//! A command or shell that somebody attends to, in a sandbox of its own: it is shown what changed, and that is dropped or
//! merged. A run like any other, with a record.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;

use crate::model::names::ModuleName;
use crate::model::run::{ActionRecord, Mode, RunRecord};
use crate::model::step::{ModuleOutcome, ModuleRecord};
use crate::ops::dance::differences::Differences;
use crate::ops::dance::{self, DanceError, DanceEvent};
use crate::render::{self, worker::Renderer};
use crate::sandbox::SandboxError;
use crate::sandbox::protocol::Command;
use crate::settings::Settings;
use crate::step::{self, StepEvent};
use crate::sys::execute;
use crate::sys::files;
use crate::sys::folders;
use crate::sys::interrupt::Interrupt;
use crate::sys::pty::{self, OwnTerminal};

/// What a session is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Session {
    /// One command; with a failure nothing is merged.
    Try(Vec<String>),
    /// A shell; how its last command ended says nothing about the session.
    Shell,
}

/// Holds the session, and returns its record, which is on disk by then. `mode` says whether it may merge, `wait`
/// whether it then waits for another live run.
pub fn session(
    settings: &Settings,
    session: &Session,
    mode: Mode,
    wait: bool,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<RunRecord, DanceError> {
    dance::recorded(settings, mode, wait, interrupt, on_event, |run, settings, scratch| {
        let view = scratch.path().join("view");
        files::create_dirs(&view, 0o700)?;
        for name in ["parameters", "modules"] {
            folders::hard_link_tree(&settings.home.value.join(name), &view.join(name))?;
        }
        let renderer = Renderer::new(render::Context::default());
        let mut sandbox = dance::open_sandbox(run, settings, scratch, &view)?;
        let context = dance::step_context(settings, &view, &renderer, interrupt);
        let mut differences = Differences::new(sandbox.layers(), dance::excluded(settings)?)?;

        let (name, command) = described(session);
        let mut tell = |event: StepEvent<'_>| {
            if let StepEvent::Asked(action) = event {
                (run.on_event)(DanceEvent::Asked { action });
            }
        };
        let done = {
            let terminal = match pty::is_terminal() {
                true => {
                    let (outer, inner) = sandbox.open_terminal()?;
                    Some(OwnTerminal::wire(outer, inner).map_err(terminal)?)
                }
                false => None,
            };
            let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
            let streams = match &terminal {
                Some(own) => [own.inner(); 3],
                None => [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()],
            };
            step::attend(&mut sandbox, &context, &name, command, streams, terminal.is_some(), &mut tell)?
        };
        let changes = differences.since_last(sandbox.layers())?;
        (run.on_event)(DanceEvent::Changed { module: &name, changes: &changes });
        let outcome = match session {
            Session::Try(_) if !done.outcome.is_done() => {
                ModuleOutcome::Failed { step: done.step.label().to_owned(), reason: done.outcome.to_string() }
            }
            Session::Try(_) | Session::Shell => ModuleOutcome::Done,
        };
        let asked = done.actions.iter().map(|action| ActionRecord { action: action.clone(), outcome: None });
        run.record.actions.extend(asked);
        run.record.plan.push(name.clone());
        run.record.modules.push(ModuleRecord {
            module: name,
            outcome,
            steps: vec![done],
            changes,
            fetch: None,
            diff: None,
        });
        run.save()?;
        let sealed = sandbox.seal()?;
        dance::finish::finish(run, settings, interrupt, &sealed, &mut differences)
    })
}

fn terminal(source: io::Error) -> DanceError {
    SandboxError::Cannot { action: "open a terminal of its own", source }.into()
}

/// The session as a step: the name that its records have, and what to execute.
fn described(session: &Session) -> (ModuleName, Command) {
    let (name, argv) = match session {
        Session::Try(argv) => ("try", argv.clone()),
        Session::Shell => ("shell", vec!["/bin/bash".to_owned()]),
    };
    let mut environment: BTreeMap<String, String> =
        execute::ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    environment.extend(execute::terminal_type().map(|term| ("TERM".to_owned(), term)));
    let directory = execute::current_folder();
    let name = ModuleName::new(name).expect("a plain word is a name");
    (name, Command { argv, environment, directory })
}
