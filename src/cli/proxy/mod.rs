//! `disco proxy`: this node as a smart proxy of a Foreman's, and others looked at.

mod check;
mod ls;
mod register;
mod show;

use std::path::PathBuf;

use clap::Subcommand;
use disco_agent::node::identity::Identity;

use crate::cli::Global;
use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::Terminal;
use crate::ops::proxy::{Eyes, FOLDER, ProxyError};
use crate::ops::settings::{for_anybody, settings};
use crate::settings::Settings;

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
This node's own settings as a proxy are in /etc/disco/proxy (--settings DIR), in
the proxy's own form: settings.yml, settings.d/NAME.yml; docs/proxy.md.

Examples:
  disco proxy show
  disco proxy register --foreman https://foreman.example.com --user admin
  disco proxy check
  disco proxy ls https://other.example.com:8443";

/// What `disco proxy` takes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what this node would say of itself
    #[command(after_help = show::EXAMPLES)]
    Show(show::Args),
    /// Make this node known to a Foreman, or refresh that
    #[command(after_help = register::EXAMPLES)]
    Register(register::Args),
    /// List what proxies offer, failed features kept
    #[command(after_help = ls::EXAMPLES)]
    Ls(ls::Args),
    /// Compare a proxy with its settings
    #[command(after_help = check::EXAMPLES)]
    Check(check::Args),
}

/// As whom others are asked.
#[derive(Debug, clap::Args)]
pub struct As {
    /// The authorities of the proxies (PEM) [default: as the settings say]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate to show them
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

impl As {
    fn eyes(&self, folder: Option<&PathBuf>) -> Result<Eyes, ProxyError> {
        let own = self.cert.clone().zip(self.key.clone());
        Eyes::new(Identity { ca: self.ca.clone(), own }, &folder.cloned().unwrap_or_else(|| FOLDER.into()))
    }
}

/// Does what the arguments ask for.
pub fn run(command: Command, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        Command::Show(args) => show::run(&args, terminal),
        Command::Register(args) => register::run(&args, &own(global)?, terminal),
        Command::Ls(args) => ls::run(&args, &own(global)?, terminal),
        Command::Check(args) => check::run(&args, &own(global)?, terminal),
    }
}

/// The url of a proxy, as somebody types it.
fn url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', ':', '?', '#']).next()).unwrap_or_default();
    if host.is_empty() {
        Err("use https://HOST:PORT, or http://HOST:PORT".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn own(global: &Global) -> Result<Settings, Failure> {
    Ok(settings(&for_anybody(global.flags()))?.0)
}
