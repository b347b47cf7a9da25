//! `disco proxy register`: this node made known to a Foreman.

use std::path::PathBuf;

use disco_agent::node::{Register, enrol};

use crate::cli::Format;
use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::Terminal;
use crate::ops::proxy::{self, FOLDER, Wanted};
use crate::settings::Settings;

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
Secrets are in files, or typed; what is not named is taken from register.yml.
Exit status: 0; 1 refused, or it lacks what runs; 69 no answer; 77 login; 78.
Examples:
  disco proxy register --foreman https://foreman.example.com --user admin
  disco proxy register --if-changed";

/// What it takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The Foreman
    #[arg(long, value_name = "URL")]
    foreman: Option<String>,
    /// Log in as this user
    #[arg(long, value_name = "NAME", conflicts_with = "oauth_key")]
    user: Option<String>,
    /// The file with its password, or a token
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// Log in as this consumer of OAuth
    #[arg(long, value_name = "KEY")]
    oauth_key: Option<String>,
    /// The file with its secret
    #[arg(long, value_name = "FILE", requires = "oauth_key")]
    secret_file: Option<PathBuf>,
    /// Act as this user of the Foreman
    #[arg(long, value_name = "NAME", requires = "oauth_key")]
    oauth_user: Option<String>,
    /// The authorities of the Foreman
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The url of this node [default: by its name]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Its name there [default: the node's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Only if something has changed
    #[arg(long)]
    if_changed: bool,
    /// The folder of the settings
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    settings: PathBuf,
    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    format: Format,
}

/// Registers.
pub fn run(args: &Args, settings: &Settings, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let said = Register {
        foreman_url: args.foreman.clone(),
        name: args.name.clone(),
        url: args.url.clone(),
        user: args.user.clone(),
        password_file: args.password_file.clone(),
        oauth_key: args.oauth_key.clone(),
        oauth_secret_file: args.secret_file.clone(),
        oauth_user: args.oauth_user.clone(),
    };
    let (folder, ca) = (args.settings.clone(), args.ca.clone());
    let wanted = Wanted { folder, said, ca, if_changed: args.if_changed };
    let done = proxy::register(settings, &wanted, &mut crate::cli::lock::ask)?;
    let (kept, registration) = (&done.kept, done.registration.as_ref());
    match args.format {
        Format::Text => terminal.results(&enrol::text(kept, registration)),
        Format::Json => terminal.result(&enrol::json(kept, registration).to_string()),
    }
    Ok(if registration.is_none_or(enrol::is_as_it_runs) { Exit::Done } else { Exit::Failed })
}
