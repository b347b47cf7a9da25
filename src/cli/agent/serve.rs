//! `disco agent serve`: the listener, until a signal ends it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use disco_agent::listener::config::{Config, PORT};
use disco_agent::listener::serve;

use super::At;
use super::helper::holding;
use crate::cli::exit::{Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::ops::agent::daemons::{DaemonError, account_of};
use crate::sys::daemon::Holding;
use crate::sys::host;

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
Stays in the foreground, and writes a line a request to standard error. It needs
no root: what is asked for is done by the helper, over its socket. SIGTERM and
Ctrl-C end it when those who are being answered have been; SIGHUP has it read
the configuration, certificates and the proxy's settings again, and says what of
a change needs a restart. Sockets that systemd gives it are used in place of its
own. Ports of puppet-twitch and of a smart proxy's settings stay as they are.

Examples:
  disco agent serve
  disco agent serve --bind 127.0.0.1 --port 8080
  disco agent serve --compat-twitch";

/// What it takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    at: At,
    /// Answer puppet-twitch's paths too, on a port of their own [default: 0.0.0.0:2023]
    #[arg(long)]
    compat_twitch: bool,
    /// Where disco's own interface listens, in place of `listen`
    #[arg(long, value_name = "ADDR")]
    bind: Option<IpAddr>,
    /// Its port; 0 is any free one, and is told
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// The helper's socket, in place of `helper`
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Become this user first, for good, with none of root's rights
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Whether `disco agent start` has started it
    #[arg(long, hide = true)]
    daemon: bool,
    /// Read all that it reads, say what is wrong with it, and listen nowhere
    #[arg(long, hide = true)]
    check: bool,
}

/// Serves.
pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<String, Failure> {
    let daemon = holding(args.daemon)?;
    args.user.as_deref().map_or(Ok(()), become_user)?;
    if args.check {
        let checked = read(args).and_then(|config| Ok(serve::check(&config)?));
        return checked.map(|()| String::new()).map_err(not_as_root);
    }
    if host::is_root() {
        let message = "The listener runs as root, and needs none of it: --user disco-agent";
        terminal.say_at(Level::Warning, message);
    }
    listen(args, || daemon.iter().for_each(Holding::ready)).map_err(not_as_root)
}

fn listen(args: &Args, ready: impl FnOnce()) -> Result<String, Failure> {
    let config = read(args)?;
    let is_there = args.at.is_there()?;
    let again = || match args.at.is_there() {
        // While somebody replaces it there may be none for a moment, and what holds without one is another configuration.
        Ok(false) if is_there => Err(format!("there is no {} any more", args.at.config.display())),
        // A line of a log is one line.
        Ok(_) => {
            read(args).map_err(|failure| failure.message.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        Err(error) => Err(error.message),
    };
    serve::run(&config, &again, ready)?;
    Ok(String::new())
}

fn become_user(name: &str) -> Result<(), Failure> {
    let account = account_of(name)?.ok_or_else(|| DaemonError::NoUser(name.to_owned()))?;
    if !account.is_own() && !host::is_root() {
        let failure = Failure::new(Kind::Permission, format!("only root can become the user {name}"));
        return Err(
            failure.hint(Some("leave out --user: it has no more rights than who starts it".to_owned()))
        );
    }
    let failed = |error: std::io::Error| {
        Failure::new(Kind::Permission, format!("cannot become the user {name}")).because(&error)
    };
    account.become_it().map_err(failed)
}

/// What it may not do is not to be done as root.
fn not_as_root(failure: Failure) -> Failure {
    match failure.kind {
        Kind::Permission if !host::is_root() && failure.hint.is_none() => {
            let hint = "it needs no root: let its user read that file (`disco agent start` gives those of /etc/disco to its group), \
                        or choose a port above 1023";
            failure.hint(Some(hint.to_owned()))
        }
        _ => failure,
    }
}

/// What is set, with what the command line says.
fn read(args: &Args) -> Result<Config, Failure> {
    let mut config = args.at.config()?;
    listen_where(&mut config, args.bind, args.port)?;
    config.twitch.enabled |= args.compat_twitch;
    config.helper = args.socket.clone().unwrap_or(config.helper);
    Ok(config)
}

/// Has it listen where the command line says, if it says that.
fn listen_where(config: &mut Config, bind: Option<IpAddr>, port: Option<u16>) -> Result<(), Failure> {
    let old = config.listen.addresses.first().copied();
    let old = old.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], PORT)));
    if bind.is_some() || port.is_some() {
        let new = SocketAddr::new(bind.unwrap_or(old.ip()), port.unwrap_or(old.port()));
        config.listen.addresses = vec![new];
    }
    config
        .check()
        .map_err(|error| Failure::new(Kind::Config, "the agent cannot listen there").because(&error))
}
