//! `disco agent serve`: the listener, until a signal ends it.

use std::net::{IpAddr, SocketAddr};

use disco_agent::listener::config::{Config, PORT};
use disco_agent::listener::serve;

use super::At;
use crate::cli::exit::{Failure, Kind};

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
Stays in the foreground, and writes a line a request to standard error. It needs
no root: what is asked for is done by the helper (disco agent helper), over its
socket. SIGTERM and Ctrl-C end it when those who are being answered have been;
SIGHUP has it read certificates and the proxy's settings again. Sockets that
systemd gives it are listened on in place of those of the configuration.

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
    /// Listen on this address alone, in place of those of the configuration
    #[arg(long, value_name = "ADDR")]
    bind: Option<IpAddr>,
    /// Listen on this port alone; 0 is any free one, and is told
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

/// Serves.
pub(super) fn run(args: &Args) -> Result<String, Failure> {
    let mut config = args.at.config()?;
    listen_where(&mut config, args.bind, args.port)?;
    config.twitch.enabled |= args.compat_twitch;
    serve::run(&config)?;
    Ok(String::new())
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
