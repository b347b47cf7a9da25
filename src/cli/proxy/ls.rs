//! `disco proxy ls`: what proxies offer, as far as it is known.

use disco_agent::client::show;
use serde_json::json;

use super::As;
use crate::cli::Format;
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::model::told::in_full;
use crate::ops::proxy;
use crate::settings::Settings;

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
A feature that has failed stays, with what it could do last; one that was never
known and does not work is not taken up. Whoever was asked once is known.
Exit status: 0; 69 somebody does not answer: what was known is shown.

Examples:
  disco proxy ls https://proxy.example.com:8443
  disco proxy ls --format json | jq -r '.features | keys[]'
  disco proxy ls --forget https://proxy.example.com:8443";

/// What it takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Their urls [default: all that are known]
    #[arg(value_name = "URL", value_parser = super::url)]
    urls: Vec<String>,
    /// Forget one
    #[arg(long, value_name = "URL", conflicts_with = "urls")]
    forget: Option<String>,
    /// How to print them
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    #[command(flatten)]
    whom: As,
}

/// Lists them.
pub fn run(args: &Args, settings: &Settings, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if let Some(url) = &args.forget {
        return match proxy::forget(settings, url)? {
            true => Ok(Exit::Done),
            false => Err(Failure::new(Kind::Failed, format!("{url}: no such proxy is known"))),
        };
    }
    let known = proxy::known(settings)?;
    let urls = match args.urls.is_empty() {
        false => args.urls.clone(),
        true => known.iter().map(|(url, _)| url.clone()).collect(),
    };
    if urls.is_empty() {
        return Err(Failure::new(Kind::Usage, "no proxy is known yet: name the url of one"));
    }
    let eyes = args.whom.eyes(None)?;
    let mut silent = 0;
    for url in &urls {
        let (features, error) = match eyes.look(settings, url, None) {
            Ok(seen) => (Some(seen.features), None),
            Err(error @ proxy::ProxyError::Look { .. }) => {
                silent += 1;
                let known = known.iter().find(|(known, _)| known.as_str() == url.trim_end_matches('/'));
                (known.map(|(_, features)| features.clone()), Some(in_full(&error)))
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(error) = &error {
            terminal.say_at(Level::Error, error);
        }
        match (args.format, features) {
            (Format::Text, Some(features)) => terminal.results(&show::features(url, &features)),
            (Format::Text, None) => {}
            (Format::Json, features) => {
                let mut line = show::features_json(url, &features.unwrap_or_default());
                line["error"] = json!(error);
                terminal.result(&line.to_string());
            }
        }
    }
    match silent {
        0 => Ok(Exit::Done),
        silent => {
            let message = format!("{silent} of {} did not answer", urls.len());
            Err(Failure::new(Kind::Unavailable, message))
        }
    }
}
