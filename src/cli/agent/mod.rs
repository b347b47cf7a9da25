//! `disco agent`: the node's own agent, through which others have it run.

mod daemons;
mod helper;
mod init;
mod key;
mod run;
mod serve;
mod status;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use disco_agent::guarded::{self, GuardedError};
use disco_agent::listener::config::{Config, PLACE, parse};
use disco_agent::runs::TriggerId;

use crate::cli::Global;
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::Terminal;
use crate::sys::files::{self, FileError};

/// What `disco agent --help` ends with.
pub(super) const EXAMPLES: &str = "\
A listener without rights takes what others ask for, and a helper with root
does it: docs/agent.md. What can be asked: docs/agent-api.md.

Examples:
  disco agent init
  disco agent key add ci --days 90
  disco agent start
  disco agent status";

/// What `disco agent` can do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write a configuration with every key explained
    #[command(after_help = init::EXAMPLES)]
    Init(init::Args),
    /// Answer those who ask for runs over HTTP, until a signal ends it
    #[command(after_help = serve::EXAMPLES)]
    Serve(serve::Args),
    /// Keys, with which programs and people ask for runs
    #[command(subcommand, after_help = key::EXAMPLES)]
    Key(key::Command),
    /// Answer the listener, and start the runs that it asks for (as root)
    #[command(after_help = helper::EXAMPLES)]
    Helper(helper::Args),
    /// Start the agent
    #[command(after_help = daemons::EXAMPLES)]
    Start(daemons::Args),
    /// Stop the agent; runs that are under way go on
    #[command(after_help = daemons::EXAMPLES)]
    Stop(daemons::StopArgs),
    /// Stop the agent and start it again
    #[command(after_help = daemons::EXAMPLES)]
    Restart(daemons::Args),
    /// Say whether the agent runs, and how its last run ended
    #[command(after_help = daemons::EXAMPLES)]
    Status(daemons::StatusArgs),
    /// Run one run that was asked for, as its helper starts it
    #[command(name = "__run", hide = true)]
    Run {
        /// Which run
        #[arg(value_parser = id)]
        id: TriggerId,
    },
}

/// Which agent is meant.
#[derive(Debug, clap::Args)]
pub struct At {
    /// The agent's configuration
    #[arg(long, value_name = "FILE", default_value = PLACE)]
    config: PathBuf,
}

impl At {
    /// Whether there is such a file.
    fn is_there(&self) -> Result<bool, Failure> {
        Ok(files::look_through(&self.config)?.is_some())
    }

    /// What is set, where there is such a file; nothing where there is none in the usual place.
    fn config_if_there(&self) -> Result<Option<Config>, Failure> {
        let none = self.config == Path::new(PLACE) && !self.is_there()?;
        if none { Ok(None) } else { self.config().map(Some) }
    }

    /// What is set; where there is no file in the usual place, what holds without one.
    fn config(&self) -> Result<Config, Failure> {
        let usual = self.config == Path::new(PLACE);
        let read = match guarded::read(&self.config) {
            Err(GuardedError::Read(error)) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(not_gone_by(&self.config, error)),
            Ok(text) => Some(text),
        };
        let text = match read {
            Some(text) => text,
            None if usual => String::new(),
            None => {
                let write = format!("`disco agent init --config {}` writes one", self.config.display());
                let none = format!("there is no configuration {}", self.config.display());
                return Err(Failure::new(Kind::Config, none).hint(Some(write)));
            }
        };
        let bad = format!("cannot use the configuration {}", self.config.display());
        parse(&text).map_err(|error| Failure::new(Kind::Config, bad).because(&error))
    }
}

/// A file that says who may do what, and that cannot be gone by.
fn not_gone_by(path: &Path, error: GuardedError) -> Failure {
    match error {
        GuardedError::Read(source) => FileError { action: "read", path: path.to_owned(), source }.into(),
        GuardedError::Open(_) => Failure::new(Kind::Permission, path.display().to_string())
            .because(&error)
            .hint(Some(format!("look at what it says, then: chmod go-w {}", path.display()))),
    }
}

fn id(text: &str) -> Result<TriggerId, disco_agent::runs::state::NoTriggerId> {
    TriggerId::try_from(text.to_owned())
}

/// Does it.
pub fn run(command: Command, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let said = match command {
        Command::Init(args) => init::run(&args, terminal)?,
        Command::Serve(args) => serve::run(&args, terminal)?,
        Command::Key(command) => key::run(command, terminal)?,
        Command::Helper(args) => return helper::run(&args, global),
        Command::Start(args) => return daemons::start(&args, global, terminal),
        Command::Stop(args) => return daemons::stop_all(&args, global, terminal),
        Command::Restart(args) => return daemons::restart(&args, global, terminal),
        Command::Status(args) => return daemons::status(&args, global, terminal),
        Command::Run { id } => return run::run(&id, global),
    };
    terminal.results(&said);
    Ok(Exit::Done)
}
