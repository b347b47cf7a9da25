//! `disco agent key`: the keys with which programs and people ask for runs. A listener that runs needs no restart for them.

use std::path::Path;

use disco_agent::listener::keys::{Key, KeyName, Keys};
use serde_json::json;

use super::At;
use super::init::give_to_listener;
use crate::cli::Format;
use crate::cli::exit::{Failure, Kind};
use crate::cli::runs::columns;
use crate::sys::files::Ownership;
use crate::sys::{clock, files};

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
A key is shown once, and kept as a hash in /etc/disco/agent.keys (`keys` of the configuration). Who has it
may start runs of this node: curl -H \"Authorization: Bearer KEY\" …

Examples:
  disco agent key add ci --days 90
  disco agent key ls
  disco agent key rm ci";

/// The version of the JSON lines' form.
const SCHEMA: u32 = 1;

/// What it takes.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a key, and print it: it is shown once
    #[command(after_help = "Example:\n  disco agent key add ci --days 90 > key")]
    Add {
        /// What the key is called, in the log and in what is told of runs
        name: KeyName,
        /// After how many days it ends [default: never]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..))]
        days: Option<u64>,
        #[command(flatten)]
        at: At,
    },
    /// Remove a key: from now on it is a wrong one
    #[command(after_help = "Example:\n  disco agent key rm ci")]
    Rm {
        /// What the key is called
        name: KeyName,
        #[command(flatten)]
        at: At,
    },
    /// List the keys, without what they are
    #[command(
        after_help = "Examples:\n  disco agent key ls\n  disco agent key ls --format json | jq -r .name"
    )]
    Ls {
        /// How to print them
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
        #[command(flatten)]
        at: At,
    },
}

/// Does what the arguments ask for.
pub(super) fn run(command: Command) -> Result<String, Failure> {
    match command {
        Command::Add { name, days, at } => {
            let mut keys = load(&at)?;
            let key = keys.add(name, now(), days)?;
            save(&at, &keys)?;
            Ok(key + "\n")
        }
        Command::Rm { name, at } => {
            let mut keys = load(&at)?;
            keys.remove(&name)?;
            save(&at, &keys)?;
            Ok(format!("{name}: removed\n"))
        }
        Command::Ls { format, at } => {
            let keys = load(&at)?.all;
            Ok(match format {
                Format::Text => table(&keys),
                Format::Json => keys.iter().map(|key| format!("{}\n", line(key))).collect(),
            })
        }
    }
}

fn load(at: &At) -> Result<Keys, Failure> {
    let path = at.config()?.keys;
    let text = files::read_if_there(&path)?.unwrap_or_default();
    let bad = format!("cannot use the keys in {}", path.display());
    Keys::parse(&text).map_err(|error| Failure::new(Kind::Data, bad).because(&error))
}

fn save(at: &At, keys: &Keys) -> Result<(), Failure> {
    let path = at.config()?.keys;
    let new = files::look(&path)?.is_none();
    if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
        files::create_dirs(folder, 0o755)?;
    }
    files::write_whole(&path, keys.text().as_bytes(), Ownership::KeptOr(0o600))?;
    if new { give_to_listener(&path) } else { Ok(()) }
}

fn now() -> i64 {
    i64::try_from(clock::since_epoch().as_secs()).unwrap_or(i64::MAX)
}

fn table(keys: &[Key]) -> String {
    let head = ["NAME", "CREATED", "EXPIRES"].map(str::to_owned);
    let rows = keys.iter().map(|key| {
        let expires = key.expires.map_or_else(|| "never".to_owned(), |at| clock::told((at, 0)));
        [key.name.to_string(), clock::told((key.created, 0)), expires]
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// Without its hash.
fn line(key: &Key) -> serde_json::Value {
    json!({
        "schema": SCHEMA,
        "name": key.name,
        "created": clock::told((key.created, 0)),
        "expires": key.expires.map(|at| clock::told((at, 0))),
    })
}
