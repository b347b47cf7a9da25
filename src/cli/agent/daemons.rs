//! `disco agent start|stop|restart|status`: by systemd where it has the agent's units, as plain daemons elsewhere.

use std::path::PathBuf;

use disco_agent::listener::config::{Config, KEYS, PLACE};
use disco_agent::runs::client::SOCKET;
use disco_agent::runs::{State, TriggerId};

use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::cli::{Format, Global};
use crate::ops::agent::check;
use crate::ops::agent::daemons::{self, Places};
use crate::ops::agent::end_all;
use crate::ops::agent::left;
use crate::ops::agent::look::{self, Look};
use crate::ops::agent::units;
use crate::ops::settings;
use crate::sys::host;

use super::helper::{CODES, USER, flags};
use super::{At, status};

pub(super) const EXAMPLES: &str = "\
Where systemd runs and has the agent's units, it is asked; elsewhere, and where
--run names another folder, both processes are plain daemons. The listener needs
its configuration; without that only the helper starts. Runs that are under way
go on when the agent stops; with `stop --runs` they are aborted, and what has
begun to merge is waited for. A restart stops nothing where the listener could
not come back with its files as they are.

Exit status: 0; `status` 3 where it does not run, 77 where it may not be looked
at.

Examples:
  disco agent start
  disco agent stop
  disco agent restart --run /run/test --log /var/log/agent-test.log
  disco agent status --format json | jq .last";

const LOG: &str = "/var/log/disco-agent.log";

/// The arguments of all four.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of pid files and of the helper's socket [default: /run/disco]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// What the daemons say goes there
    #[arg(long, value_name = "FILE", default_value = LOG)]
    log: PathBuf,
    #[command(flatten)]
    at: At,
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

/// The arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    all: Args,
    /// How to say it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

impl Args {
    fn is_systemds(&self) -> bool {
        self.run.is_none() && units::are_there()
    }

    /// Whether systemd is to be asked: for what its units do not have it is not.
    fn asks_systemd(&self) -> Result<bool, Failure> {
        let is_systemds = self.is_systemds();
        let Args { log, at, user, .. } = self.of_units();
        if is_systemds && (&self.log, &self.at.config, &self.user) != (&log, &at.config, &user) {
            let message =
                "systemd looks after the agent here, with a configuration, a user and a log of its own";
            let hint = "leave --config, --user and --log out (`systemctl edit disco-agent` changes them); or --run DIR, for daemons beside it";
            return Err(Failure::new(Kind::Usage, message).hint(Some(hint.to_owned())));
        }
        Ok(is_systemds)
    }

    /// Where all of it is, by that configuration.
    fn places(&self, config: Option<&Config>) -> Places {
        let run = self.run.clone().unwrap_or_else(|| PathBuf::from("/run/disco"));
        let socket = match (&self.run, config) {
            (Some(run), _) => run.join("agent.sock"),
            (None, Some(config)) => config.helper.clone(),
            (None, None) => PathBuf::from(SOCKET),
        };
        let keys = config.map_or_else(|| PathBuf::from(KEYS), |config| config.keys.clone());
        let (log, config, user) = (self.log.clone(), self.at.config.clone(), self.user.clone());
        Places { run, socket, log, config, keys, user }
    }

    /// The same, whatever is wrong with the configuration: what runs is there to be told, or ended. `look::troubles` says what is wrong, and
    /// where the helper's socket is not known runs are told by their files.
    fn old_places(&self) -> Places {
        self.places(self.at.config().ok().as_ref())
    }

    /// What systemd's units start, whatever is named here.
    fn of_units(&self) -> Args {
        let at = At { config: PathBuf::from(PLACE) };
        Args { run: None, log: PathBuf::from(LOG), at, user: USER.to_owned() }
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
    if args.asks_systemd()? {
        units::start()?;
        return Ok(Exit::Done);
    }
    let config = args.at.config_if_there()?;
    let home = settings::home(&global.flags())?.value;
    let places = args.places(config.as_ref());
    let daemons::Started { parts, given } = daemons::start(&places, &flags(&home, global))?;
    say_given(&given, args, terminal);
    if parts.is_empty() {
        terminal.say_at(Level::Info, "The agent runs already");
    }
    for (part, pid) in parts {
        terminal.say_at(Level::Info, &format!("The agent's {} runs now, pid {pid}", part.name()));
    }
    if config.is_none() {
        let message = format!("There is no {}: nothing listens for others yet", args.at.config.display());
        terminal.say_at(Level::Warning, &message);
    }
    for trouble in look::troubles(&places, &home, &global.flags()) {
        terminal.say_at(Level::Warning, &trouble);
    }
    Ok(Exit::Done)
}

fn say_given(given: &[PathBuf], args: &Args, terminal: &mut Terminal) {
    for path in given {
        let message = format!("{}: the group of {} can read it now", path.display(), args.user);
        terminal.say_at(Level::Info, &message);
    }
}

/// Stops what runs and starts it again, where it can be there again.
pub(super) fn restart(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    only_root()?;
    check(args, global, terminal).map_err(|failure| {
        let more = failure.hint.as_ref().map_or(String::new(), |hint| format!("; {hint}"));
        failure.hint(Some(format!("nothing was stopped{more}")))
    })?;
    stop(args, terminal)?;
    start(args, global, terminal)
}

/// Makes sure that what is stopped can be started again, as far as files say: all that a start reads.
fn check(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<(), Failure> {
    if args.asks_systemd()? {
        let args = args.of_units();
        return Ok(check::of_unit(&args.places(args.at.config_if_there()?.as_ref()))?);
    }
    settings::home(&global.flags())?;
    let config = args.at.config_if_there()?;
    let given = check::before_a_start(&args.places(config.as_ref()))?;
    say_given(&given, args, terminal);
    Ok(())
}

/// Stops what runs, and ends the runs where that is asked for.
pub(super) fn stop_all(args: &StopArgs, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    stop(&args.args, terminal)?;
    if !args.runs {
        match going_on(global) {
            Ok(lines) => lines.iter().for_each(|line| terminal.say_at(Level::Info, line)),
            Err(failure) => {
                let message = format!("whether runs go on is not known: {}", failure.message);
                terminal.say_at(Level::Warning, &message);
            }
        }
    } else {
        let home = settings::home(&global.flags())?.value;
        let mut waits = |id: &TriggerId| terminal.say_at(Level::Info, &format!("Run {id} is to end"));
        for run in end_all(&home, CODES, "disco agent stop", &mut waits)? {
            terminal.say_at(Level::Info, &format!("The {}", status::told(&run)));
        }
    }
    Ok(Exit::Done)
}

/// What is told of runs that go on when the agent has stopped, and of those that wait for its start.
fn going_on(global: &Global) -> Result<Vec<String>, Failure> {
    let runs = left::runs(&settings::home(&global.flags())?.value)?;
    let of = |state: &State| runs.iter().filter(|run| run.state == *state).collect::<Vec<_>>();
    let (running, waiting) = (of(&State::Running), of(&State::Queued));
    let how_many = |number: usize, one: &str, more: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {more}"),
    };
    let goes_on = how_many(running.len(), "run goes on", "runs go on");
    let all = match (running.len(), waiting.len()) {
        (0, 0) => return Ok(vec![]),
        (_, 0) => goes_on,
        (0, number) => how_many(number, "run waits", "runs wait"),
        (_, number) => format!("{goes_on} and {}", how_many(number, "waits", "wait")),
    };
    let each = running.into_iter().chain(waiting).map(|run| format!("The {}", status::told(run)));
    Ok(each.chain([format!("{all}; `disco agent stop --runs` ends them")]).collect())
}

/// Stops what runs; runs go on.
pub(super) fn stop(args: &Args, terminal: &mut Terminal) -> Result<(), Failure> {
    only_root()?;
    if args.asks_systemd()? {
        return Ok(units::stop()?);
    }
    let ended = daemons::stop(&args.old_places())?;
    if ended.is_empty() {
        terminal.say_at(Level::Info, "The agent does not run");
    }
    for (part, pid) in ended {
        terminal.say_at(Level::Info, &format!("The agent's {} has ended, pid {pid}", part.name()));
    }
    Ok(())
}

/// Says how it is.
pub(super) fn status(args: &StatusArgs, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let places = args.all.old_places();
    let home = settings::home(&global.flags())?.value;
    let processes = match args.all.is_systemds() {
        true => status::Processes::Units(units::look()?),
        false => {
            let Look { mut helper, listener, is_configured } = look::look(&places)?;
            if args.all.run.is_none() && args.all.at.config().is_err() {
                // Where its socket is nobody knows.
                helper.iter_mut().for_each(|helper| helper.at.clear());
            }
            let config = (!is_configured).then(|| args.all.at.config.clone());
            status::Processes::Daemons { helper, listener, without: config }
        }
    };
    let status = status::Status {
        asked: look::asked(&places.socket, &home),
        troubles: look::troubles(&places, &home, &global.flags()),
        processes,
    };
    terminal.results(&match args.format {
        Format::Text => status.text(),
        Format::Json => format!("{}\n", status.json()),
    });
    Ok(if status.runs() { Exit::Done } else { Exit::Status(NOT_RUNNING) })
}

/// What the Linux Standard Base has for a program that does not run.
const NOT_RUNNING: i32 = 3;
