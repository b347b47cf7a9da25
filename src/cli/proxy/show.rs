//! `disco proxy show`: what this node would say of itself.

use std::path::PathBuf;

use serde_json::Value;

use crate::cli::Format;
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::runs::columns;
use crate::cli::terminal::{Level, Terminal};
use crate::ops::proxy::{self, FOLDER};

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
It is what /v2/features says where all that is enabled works; what really works
says the agent alone: `disco proxy check`.

Exit status: 0; 1 a feature's settings are bad; 78 no settings, or bad ones.

Examples:
  disco proxy show
  disco proxy show --settings ./proxy --format json | jq .dance";

/// What it takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the settings
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    settings: PathBuf,
    /// How to print it; json is as on the wire
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// Shows it.
pub fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let would = proxy::show(&args.settings)?;
    let said =
        serde_json::to_string(&would.features).and_then(|text| Ok((serde_json::from_str(&text)?, text)));
    let (value, text): (Value, String) = said.map_err(|error| Failure::from_error(Kind::Software, &error))?;
    for trouble in &would.troubles {
        terminal.say_at(Level::Warning, trouble);
    }
    match args.format {
        Format::Text => terminal.results(&table(&value)),
        Format::Json => terminal.result(&text),
    }
    let is_failed = would.features.0.iter().any(|(_, entry)| entry.state == "failed");
    Ok(if is_failed { Exit::Failed } else { Exit::Done })
}

fn table(features: &Value) -> String {
    let rows = features.as_object().into_iter().flatten().map(|(name, said)| {
        let over = match (&said["http_enabled"], &said["https_enabled"]) {
            (Value::Bool(true), Value::Bool(true)) => "http+https",
            (Value::Bool(true), _) => "http",
            (_, Value::Bool(true)) => "https",
            _ => "-",
        };
        let words = said["capabilities"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let state = said["state"].as_str().unwrap_or_default().to_owned();
        [name.clone(), state, over.to_owned(), words.collect::<Vec<_>>().join(",")]
    });
    let head = ["FEATURE", "STATE", "OVER", "CAPABILITIES"].map(str::to_owned);
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}
