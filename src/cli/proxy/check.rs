//! `disco proxy check`: whether a proxy says what its settings ask for.

use std::path::{Path, PathBuf};

use disco_agent::client::ask::plain_url;
use disco_agent::client::keep::Mark;
use disco_agent::client::show;
use serde_json::json;

use super::As;
use crate::cli::Format;
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::model::told::in_full;
use crate::ops::proxy::{self, FOLDER};
use crate::settings::Settings;

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
Others than this node's own are compared with the settings that --settings
names; without it, only a feature that has failed since it was known counts.
Exit status: 0 fine; 1 drift, or a failed feature; 69 nobody there; 78 settings.

Examples:
  disco proxy check
  disco proxy check https://proxy.example.com:8443
  disco proxy check https://proxy.example.com:8443 --settings ./proxy
  disco proxy check --format json | jq -r '.drift[].feature'";

/// What it takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Their urls [default: this node's own]
    #[arg(value_name = "URL", value_parser = super::url)]
    urls: Vec<String>,
    /// The folder of the settings [default: /etc/disco/proxy, for this node's own]
    #[arg(long, value_name = "DIR")]
    settings: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    #[command(flatten)]
    whom: As,
}

/// Compares them.
pub fn run(args: &Args, settings: &Settings, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let folder = args.settings.as_deref().unwrap_or(Path::new(FOLDER));
    let is_named = args.settings.is_some() || args.urls.is_empty();
    let config = match proxy::config(folder) {
        Ok(config) => Some(config),
        Err(error) if is_named => return Err(error.into()),
        Err(_) => None,
    };
    let own = config.as_ref().map(|config| proxy::own_url(config, settings));
    let urls = if args.urls.is_empty() { own.clone().into_iter().collect() } else { args.urls.clone() };
    let eyes = args.whom.eyes(args.settings.as_ref())?;
    let (mut silent, mut bad) = (0, 0);
    for url in &urls {
        let is_own = own.as_deref().is_some_and(|own| plain_url(own) == plain_url(url));
        let with = config.as_ref().filter(|_| is_named || is_own);
        let seen = match eyes.look(settings, url, with) {
            Ok(seen) => seen,
            Err(error @ proxy::ProxyError::Look { .. }) => {
                silent += 1;
                terminal.say_at(Level::Error, &in_full(&error));
                if args.format == Format::Json {
                    terminal
                        .result(&json!({ "schema": 1, "url": url, "error": in_full(&error) }).to_string());
                }
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        bad += usize::from(!seen.is_fine());
        let failed = seen.features.iter().filter(|(_, kept)| kept.mark != Mark::Running);
        let failed: Vec<&String> = failed.map(|(name, _)| name).collect();
        match args.format {
            Format::Json => {
                let mut line = show::drift_json(url, &seen.drift);
                (line["failed"], line["fine"]) = (json!(failed), json!(seen.is_fine()));
                terminal.result(&line.to_string());
            }
            Format::Text if seen.is_fine() => {
                let features = seen.features.len();
                terminal.result(&format!("{}: fine, features: {features}", plain_url(url)));
            }
            Format::Text => {
                terminal.results(&show::features(url, &seen.features));
                terminal.results(&show::drift(&seen.drift));
            }
        }
    }
    match (silent, bad) {
        (0, 0) => Ok(Exit::Done),
        (0, _) => Ok(Exit::Failed),
        (silent, _) => {
            let message = format!("{silent} of {} did not answer", urls.len());
            Err(Failure::new(Kind::Unavailable, message))
        }
    }
}
