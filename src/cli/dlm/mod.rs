//! `disco dlm`: what whoever runs the lock server does, beside the server, on its store.

mod host;
mod init;
mod password;
mod serve;
mod user;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use disco_dlm::model::Time;
use disco_dlm_server::admin::Admin;
use disco_dlm_server::config::{Config, PLACE, parse};

use crate::cli::Said;
use crate::cli::exit::{Failure, Kind};
use crate::sys::{clock, files};

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
All of them read the server's configuration (--config FILE, /etc/disco/dlm.toml
by default) and work on its store, whether a server runs or not; a server that
runs needs no restart for it.

Examples:
  disco dlm init
  disco dlm serve
  disco dlm host add web1.example.com --group web
  disco dlm user add alice --role Manager
  disco dlm expire --days 14";

/// What `disco dlm` takes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a configuration with every key explained
    #[command(after_help = init::EXAMPLES)]
    Init(init::Args),
    /// Serve locks, until a signal ends it
    #[command(after_help = serve::EXAMPLES)]
    Serve(At),
    /// Say which hosts the server knows
    #[command(subcommand, after_help = host::EXAMPLES)]
    Host(host::Command),
    /// Say who can log in, and what they may do
    #[command(subcommand, after_help = user::EXAMPLES)]
    User(user::Command),
    /// Remove old events, as a server does by itself
    #[command(after_help = "\
The same as `foreman-rake dlmlocks:expire`. A server that runs does so by
itself, after as many days as events.keep_days of its configuration says.

Examples:
  disco dlm expire
  disco dlm expire --days 14")]
    Expire {
        /// How old they are [default: as the configuration says]
        #[arg(long, value_name = "DAYS")]
        days: Option<u64>,
        /// Which server.
        #[command(flatten)]
        at: At,
    },
}

/// Which server is meant.
#[derive(Debug, clap::Args)]
pub struct At {
    /// The server's configuration
    #[arg(long, value_name = "FILE", default_value = PLACE)]
    config: PathBuf,
}

impl At {
    fn config(&self) -> Result<Config, Failure> {
        let text =
            files::read_to_string(&self.config).map_err(|error| no_config(&self.config, error.into()))?;
        let error = match parse(&text) {
            Ok(config) => return Ok(config),
            Err(error) => error,
        };
        let bad = format!("cannot use the configuration {}", self.config.display());
        Err(Failure::new(Kind::Config, bad).because(&error))
    }

    /// The server's store.
    fn store(&self) -> Result<Admin, Failure> {
        Ok(Admin::open(&self.config()?.store)?)
    }
}

fn no_config(path: &Path, failure: Failure) -> Failure {
    let write =
        format!("`disco dlm init --config {}` writes one, and --config names another", path.display());
    let kind = if failure.kind == Kind::Permission { Kind::Permission } else { Kind::Config };
    let hint = (kind == Kind::Config).then_some(write);
    Failure { kind, ..failure }.hint(hint)
}

/// Does what the arguments ask for.
pub fn run(command: Command) -> Result<Said, Failure> {
    let result = match command {
        Command::Init(args) => init::run(&args)?,
        Command::Serve(at) => serve::run(&at)?,
        Command::Host(command) => host::run(command)?,
        Command::User(command) => user::run(command)?,
        Command::Expire { days, at } => {
            let config = at.config()?;
            let Some(days) = days.or(config.listen.keep_events_days) else {
                let forever = "events are kept for ever here (events.keep_days = 0)";
                return Err(Failure::new(Kind::Usage, forever)
                    .hint(Some("say how old they are: --days 14".to_owned())));
            };
            let gone = Admin::open(&config.store)?.expire(days, now())?;
            format!("{gone} events of more than {days} days ago are removed\n")
        }
    };
    Ok(result.into())
}

/// The time, for the store.
fn now() -> Time {
    let since = clock::since_epoch();
    Time::new(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

/// A time of the store, as text; `-` where there is none.
fn shown(time: Option<Time>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| clock::told((time.seconds(), time.nanoseconds())))
}
