//! `disco agent start|stop|restart|status`: by systemd where it has the agent's units, as plain daemons elsewhere.

use std::path::PathBuf;

use disco_agent::runs::client::SOCKET;
use disco_agent::runs::{RunState, State, TriggerId};

use crate::cli::Global;
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::ops::agent::daemons::{self, Lives, Look, Part, Places};
use crate::ops::agent::end_all;
use crate::ops::agent::units::{self, Unit};
use crate::ops::settings;
use crate::sys::{clock, host};

use super::helper::{USER, flags};

pub(super) const EXAMPLES: &str = "\
Where systemd runs and has the agent's units, it is asked; elsewhere, and where
--run names another folder, both processes are plain daemons. The listener needs
its configuration; without that only the helper starts. Runs that are under way
go on when the agent stops; with `stop --runs` they are aborted, and what has
begun to merge is waited for.

Exit status: 0; `status` 3 where it does not run.

Examples:
  disco agent start
  disco agent stop
  disco agent restart --run /run/test --log /tmp/agent.log
  disco agent status";

/// The arguments of all four.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of pid files and of the helper's socket [default: /run/disco]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// What the daemons say goes there
    #[arg(long, value_name = "FILE", default_value = "/var/log/disco-agent.log")]
    log: PathBuf,
    /// The listener's configuration
    #[arg(long, value_name = "FILE", default_value = "/etc/disco/agent.toml")]
    config: PathBuf,
    /// The listener's user
    #[arg(long, value_name = "NAME", default_value = USER)]
    user: String,
}

/// The arguments of `disco agent stop`.
#[derive(Debug, clap::Args)]
pub struct StopArgs {
    #[command(flatten)]
    args: Args,
    /// Abort the runs too, and wait until they have ended
    #[arg(long)]
    runs: bool,
}

impl Args {
    fn is_systemds(&self) -> bool {
        self.run.is_none() && units::are_there()
    }

    fn places(&self) -> Places {
        let (run, socket) = match &self.run {
            Some(run) => (run.clone(), run.join("agent.sock")),
            None => (PathBuf::from("/run/disco"), PathBuf::from(SOCKET)),
        };
        Places { run, socket, log: self.log.clone(), config: self.config.clone(), user: self.user.clone() }
    }
}

/// systemd would say it four times.
fn only_root() -> Result<(), Failure> {
    if host::is_root() {
        return Ok(());
    }
    let failure = Failure::new(Kind::Permission, "only root may start and stop the agent");
    Err(failure.hint(Some("run it as root".to_owned())))
}

/// Starts what does not run.
pub(super) fn start(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    only_root()?;
    if args.is_systemds() {
        units::start()?;
        return Ok(Exit::Done);
    }
    let home = settings::home(&global.flags())?.value;
    let started = daemons::start(&args.places(), &flags(&home, global))?;
    if started.is_empty() {
        terminal.say_at(Level::Info, "The agent runs already");
    }
    for (part, pid) in started {
        terminal.say_at(Level::Info, &format!("The agent's {} runs now, pid {pid}", part.name()));
    }
    if !daemons::look(&args.places()).is_configured {
        let message = format!("There is no {}: nothing listens for others yet", args.config.display());
        terminal.say_at(Level::Warning, &message);
    }
    Ok(Exit::Done)
}

/// Stops what runs, and ends the runs where that is asked for.
pub(super) fn stop_all(args: &StopArgs, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    stop(&args.args, terminal)?;
    if args.runs {
        let home = settings::home(&global.flags())?.value;
        let mut waits = |id: &TriggerId| terminal.say_at(Level::Info, &format!("Run {id} is to end"));
        for run in end_all(&home, "disco agent stop", &mut waits)? {
            terminal.say_at(Level::Info, &format!("The {}", of_run(&run)));
        }
    }
    Ok(Exit::Done)
}

/// Stops what runs; runs go on.
pub(super) fn stop(args: &Args, terminal: &mut Terminal) -> Result<(), Failure> {
    only_root()?;
    if args.is_systemds() {
        return Ok(units::stop()?);
    }
    let ended = daemons::stop(&args.places())?;
    if ended.is_empty() {
        terminal.say_at(Level::Info, "The agent does not run");
    }
    for (part, pid) in ended {
        terminal.say_at(Level::Info, &format!("The agent's {} has ended, pid {pid}", part.name()));
    }
    Ok(())
}

/// Says how it is.
pub(super) fn status(args: &Args, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if args.is_systemds() {
        let all = units::look()?;
        let runs = all.iter().any(|unit| unit.state == "active");
        all.iter().for_each(|unit| terminal.result(&of_unit(unit)));
        if runs {
            tell_last(daemons::last(&args.places().socket).as_ref(), terminal);
        }
        return Ok(if runs { Exit::Done } else { Exit::Status(NOT_RUNNING) });
    }
    let Look { helper, listener, is_configured, last } = daemons::look(&args.places());
    terminal.result(&of_part(Part::Helper, helper.as_ref()));
    match (&listener, is_configured) {
        (None, false) => {
            terminal.result(&format!("listener  has no configuration, {}", args.config.display()))
        }
        (Some(_), _) | (None, true) => terminal.result(&of_part(Part::Listener, listener.as_ref())),
    }
    tell_last(last.as_ref(), terminal);
    let runs = helper.is_some() && (listener.is_some() || !is_configured);
    Ok(if runs { Exit::Done } else { Exit::Status(NOT_RUNNING) })
}

/// What the Linux Standard Base has for a program that does not run.
const NOT_RUNNING: i32 = 3;

fn of_part(part: Part, lives: Option<&Lives>) -> String {
    match lives {
        Some(Lives { pid, since, at }) => {
            format!("{:<9} runs, pid {pid}, since {since}, at {}", part.name(), at.join(" "))
        }
        None => format!("{:<9} does not run", part.name()),
    }
}

fn of_unit(unit: &Unit) -> String {
    let Unit { name, state, pid, since, listens } = unit;
    let pid = pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let since = if since.is_empty() { String::new() } else { format!(", since {since}") };
    let at = if listens.is_empty() { String::new() } else { format!(", at {listens}") };
    format!("{name:<26} {state}{pid}{since}{at}")
}

fn tell_last(last: Option<&RunState>, terminal: &mut Terminal) {
    if let Some(run) = last {
        terminal.result(&format!("{:<9} {}", "last", of_run(run)));
    }
}

/// Which it is, and how it stands.
fn of_run(run: &RunState) -> String {
    let time = |seconds: Option<i64>| clock::told((seconds.unwrap_or(run.asked), 0));
    let how = match &run.state {
        State::Queued => format!("waits since {}", time(None)),
        State::Running => format!("runs since {}", time(run.began)),
        State::Done { exit } => format!("ended with {exit} at {}", time(run.ended)),
        State::Killed { signal } => format!("was ended by signal {signal} at {}", time(run.ended)),
        State::Aborted { by } => format!("was aborted by {by} at {}", time(run.ended)),
        State::Lost => format!("is lost, found at {}", time(run.ended)),
    };
    let kind = if run.noop { "dry run" } else { "live run" };
    format!("{kind} {} {how}", run.id)
}
