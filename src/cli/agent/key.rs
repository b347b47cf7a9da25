//! `disco agent key`: the keys with which programs and people ask for runs. A listener that runs needs no restart for them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use disco_agent::guarded::{self, GuardedError};
use disco_agent::listener::keys::{Key, KeyName, Keys, KeysError};
use serde_json::json;

use super::helper::USER;
use super::init::write_for_listener;
use super::{At, not_gone_by};
use crate::cli::Format;
use crate::cli::exit::{Failure, Kind};
use crate::cli::runs::columns;
use crate::cli::terminal::{Level, Terminal};
use crate::sys::files::FileError;
use crate::sys::lock::{Lock, LockError};
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
/// How long others who change the keys are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

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
        file: KeysFile,
    },
    /// Remove a key: from now on it is a wrong one
    #[command(after_help = "Example:\n  disco agent key rm ci")]
    Rm {
        /// What the key is called
        name: KeyName,
        #[command(flatten)]
        file: KeysFile,
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

/// Which keys are changed, and who is to read them.
#[derive(Debug, clap::Args)]
pub struct KeysFile {
    #[command(flatten)]
    at: At,
    /// The listener's user, whose group may read them
    #[arg(long, value_name = "NAME", default_value = USER)]
    user: String,
}

/// Does what the arguments ask for.
pub(super) fn run(command: Command, terminal: &mut Terminal) -> Result<String, Failure> {
    match command {
        Command::Add { name, days, file } => {
            let key = change(&file, terminal, |keys| keys.add(name, now(), days))?;
            Ok(key + "\n")
        }
        Command::Rm { name, file } => {
            change(&file, terminal, |keys| keys.remove(&name))?;
            Ok(format!("{name}: removed\n"))
        }
        Command::Ls { format, at } => {
            let keys = load(&at.config()?.keys)?.all;
            Ok(match format {
                Format::Text => table(&keys),
                Format::Json => keys.iter().map(|key| format!("{}\n", line(key))).collect(),
            })
        }
    }
}

/// Changes the keys. One at a time does so: who reads them while another one writes would bring back what that has changed.
fn change<T>(
    file: &KeysFile,
    terminal: &mut Terminal,
    change: impl FnOnce(&mut Keys) -> Result<T, KeysError>,
) -> Result<T, Failure> {
    let path = file.at.config()?.keys;
    if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
        files::create_dirs(folder, 0o755)?;
    }
    let _lock = lock(&path)?;
    let mut keys = load(&path)?;
    let done = change(&mut keys)?;
    // Whatever it was before: a listener that cannot read it does not know of the change.
    if let Some(warning) = write_for_listener(&path, &keys.text(), &file.user)? {
        terminal.say_at(Level::Warning, &warning);
    }
    Ok(done)
}

/// The right to change the keys in that file. It is on a file of its own beside it: theirs is replaced at each change, and the listener
/// may read it, and whoever may read a file can lock it.
fn lock(keys: &Path) -> Result<Lock, Failure> {
    let mut name = keys.as_os_str().to_owned();
    name.push(".lock");
    let (path, holder) = (PathBuf::from(name), format!("pid {}", std::process::id()));
    let until = clock::since_epoch() + PATIENCE;
    loop {
        match Lock::take(&path, &holder, None, &mut |_| {}) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Busy { .. }) if clock::since_epoch() < until => clock::pause(),
            Err(error @ (LockError::Busy { .. } | LockError::Interrupted { .. })) => {
                return Err(Failure::from_error(Kind::Busy, &error));
            }
            Err(LockError::Io { path, source }) => {
                return Err(FileError { action: "lock", path, source }.into());
            }
        }
    }
}

fn load(path: &Path) -> Result<Keys, Failure> {
    let text = match guarded::read(path) {
        Err(GuardedError::Read(error)) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(not_gone_by(path, error)),
        Ok(text) => text,
    };
    let bad = format!("cannot use the keys in {}", path.display());
    Keys::parse(&text).map_err(|error| Failure::new(Kind::Data, bad).because(&error))
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
