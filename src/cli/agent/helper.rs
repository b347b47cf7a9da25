//! `disco agent helper`: whatever of the agent needs root.

use std::path::PathBuf;
use std::time::Duration;

use disco_agent::runs::client::SOCKET;
use disco_listen::{Log, LogLevel};

use crate::cli::Global;
use crate::cli::ending::{Codes, exit_of};
use crate::cli::exit::{Exit, Failure, Kind};
use crate::ops::agent::{self, Said, Serving, serve};
use crate::ops::settings;
use crate::sys::daemon::Holding;
use crate::sys::host;
use crate::sys::interrupt::Interrupt;

pub(super) const EXAMPLES: &str = "\
It listens at a Unix socket, for root and the agent's user alone, and knows a
fixed set of verbs: run, status, log, abort, list, standing. Each run has a
process of its own, which goes on when this one ends.

Exit status: 0 when a signal has ended it; 75 where another helper is at work;
77 where it is not root.

Examples:
  disco agent helper
  disco agent helper --socket /run/disco/test.sock";

/// The arguments of `disco agent helper`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where it listens, unless systemd gives it a socket
    #[arg(long, value_name = "PATH", default_value = SOCKET)]
    socket: PathBuf,
    /// The listener's user, who may ask beside root
    #[arg(long, value_name = "NAME", default_value = USER)]
    user: String,
    /// How often the registration with a Foreman is looked after, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..), hide = true)]
    tend: u64,
    /// After how many seconds without a question it ends, where systemd starts it when one comes
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..), hide = true)]
    idle: u64,
    /// Whether `disco agent start` has started it
    #[arg(long, hide = true)]
    daemon: bool,
}

/// The agent's user.
pub(super) use crate::cli::exit::of_agent::USER;

/// The code of a run by its record.
pub(super) const CODES: agent::Exit = |record| exit_of(record, Codes::Detailed).number();

/// The flags that lead another disco to the same home and the same name.
pub(super) fn flags(home: &std::path::Path, global: &Global) -> Vec<String> {
    let home = ["--home".to_owned(), home.to_string_lossy().into_owned()];
    let node = global.node.iter().flat_map(|node| ["--node".to_owned(), node.clone()]);
    home.into_iter().chain(node).collect()
}

/// Where the listener's lines go too, in the same form.
fn log() -> Log {
    Log::stderr(LogLevel::Info)
}

/// What `disco agent start` has left to this process, where that has started it.
pub(super) fn holding(is_daemon: bool) -> Result<Option<Holding>, Failure> {
    let begin =
        || Holding::begin().map_err(|error| Failure::new(Kind::Software, "cannot begin").because(&error));
    is_daemon.then(begin).transpose()
}

/// Serves until a signal comes.
pub fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    if !host::is_root() {
        let failure = Failure::new(Kind::Permission, "the agent's helper is root, for its runs are");
        return Err(failure.hint(Some("`disco agent serve` is the part without root".to_owned())));
    }
    let daemon = holding(args.daemon)?;
    let home = settings::home(&global.flags())?.value;
    let interrupt = Interrupt::watch()
        .map_err(|error| Failure::new(Kind::Software, "cannot watch for signals").because(&error))?;
    let serving = Serving {
        socket: args.socket.clone(),
        user: args.user.clone(),
        flags: flags(&home, global),
        home,
        settings: global.flags(),
        tend: Duration::from_secs(args.tend),
        idle: Duration::from_secs(args.idle),
        note: |text| eprintln!("{text}"),
        exit: CODES,
    };
    serve(serving, &interrupt, |warning| log().warn(format_args!("{warning}")), &mut |said| match said {
        Said::Listens(at) => {
            log().info(format_args!("Listening at {at}"));
            daemon.iter().for_each(Holding::ready);
        }
        Said::NoUser(name) => log().warn(format_args!("There is no user {name}: root alone may ask")),
    })?;
    Ok(Exit::Done)
}
