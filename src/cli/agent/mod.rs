//! `disco agent`: the node's own agent, through which others have it run.

mod init;
mod key;
mod serve;

use std::path::{Path, PathBuf};

use disco_agent::listener::config::{Config, PLACE, parse};

use crate::cli::Global;
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::Terminal;
use crate::sys::files;

/// What `disco agent --help` ends with.
pub(super) const EXAMPLES: &str = "\
A listener without rights takes what others ask for, and a helper with root does it: docs/agent.md. What
can be asked: docs/agent-api.md.

Examples:
  disco agent init
  disco agent key add ci --days 90
  disco agent serve";

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
}

/// Which agent is meant.
#[derive(Debug, clap::Args)]
pub struct At {
    /// The agent's configuration
    #[arg(long, value_name = "FILE", default_value = PLACE)]
    config: PathBuf,
}

impl At {
    /// What is set; where there is no file in the usual place, what holds without one.
    fn config(&self) -> Result<Config, Failure> {
        let usual = self.config == Path::new(PLACE);
        let text = match files::read_if_there(&self.config)? {
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

/// Does it.
pub fn run(command: Command, _: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let said = match command {
        Command::Init(args) => init::run(&args)?,
        Command::Serve(args) => serve::run(&args)?,
        Command::Key(command) => key::run(command)?,
    };
    terminal.results(&said);
    Ok(Exit::Done)
}
