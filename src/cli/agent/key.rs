//! `disco agent key`: the keys with which programs and people ask for runs. A listener that runs needs no restart for them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use disco_agent::guarded::{self, GuardedError};
use disco_agent::listener::keys::{Key, KeyName, Keys};
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
use crate::sys::{clock, files, host};

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
A key is shown once, and kept as a hash in /etc/disco/agent.keys (`keys` of the
configuration). Who has it may start runs of this node:
curl -H \"Authorization: Bearer KEY\" …

Examples:
  disco agent key add ci --days 90
  disco agent key ls
  disco agent key rotate ci --grace 1h
  disco agent key rm ci";

/// The version of the JSON lines' form.
const SCHEMA: u32 = 1;
/// How long others who change the keys are waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that a key lives, in days: a hundred years.
const MOST_DAYS: u64 = 36_500;
/// The longest that a key counts beside the one that has replaced it, in seconds: thirty days.
const MOST_GRACE: u64 = 30 * 86_400;
/// The last second that has a date of four digits in every time zone, and to spare.
const LAST: i64 = 253_370_764_800;

/// What it takes.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a key, and print it: it is shown once
    #[command(after_help = "Example:\n  disco agent key add ci --days 90 > key")]
    Add {
        /// What the key is called, in the log and in what is told of runs
        name: KeyName,
        /// After how many days it ends [default: never]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=MOST_DAYS))]
        days: Option<u64>,
        #[command(flatten)]
        file: KeysFile,
    },
    /// Make another key of a name, and print it: the last one ends
    #[command(after_help = "\
The last key ends at once, or after --grace, so that programs can be given the
new one meanwhile.

Examples:
  disco agent key rotate ci > key
  disco agent key rotate ci --grace 1h")]
    Rotate {
        /// What the key is called
        name: KeyName,
        /// For how long the last one counts too: 30m, 1h, 2d [default: not at all]
        #[arg(long, value_name = "TIME", value_parser = grace, default_value = "0", hide_default_value = true)]
        grace: u64,
        /// After how many days it ends [default: as the last one]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=MOST_DAYS))]
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
        /// text, or json: one object a line
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
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
            change(&file, terminal, |keys, terminal| hand_over(&keys.add(name, now(), days)?, terminal))?;
            Ok(String::new())
        }
        Command::Rotate { name, grace, days, file } => {
            change(&file, terminal, |keys, terminal| {
                hand_over(&keys.rotate(&name, now(), days, grace)?, terminal)
            })?;
            Ok(String::new())
        }
        Command::Rm { name, file } => {
            change(&file, terminal, |keys, _| Ok(keys.remove(&name)?))?;
            Ok(format!("{name}: removed\n"))
        }
        Command::Ls { format, at } => {
            let keys = load(&at.config()?.keys)?.all;
            Ok(match format {
                Format::Text => table(&keys, now()),
                Format::Json => keys.iter().map(|key| format!("{}\n", line(key, now()))).collect(),
            })
        }
    }
}

/// Changes the keys. One at a time does so: who reads them while another one writes would bring back what that has changed.
fn change(
    file: &KeysFile,
    terminal: &mut Terminal,
    change: impl FnOnce(&mut Keys, &mut Terminal) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let path = file.at.config()?.keys;
    if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
        files::create_dirs(folder, 0o755)?;
    }
    let _lock = lock(&path)?;
    let mut keys = load(&path)?;
    change(&mut keys, terminal)?;
    // Whatever it was before: a listener that cannot read it does not know of the change.
    if let Some(warning) = write_for_listener(&path, &keys.text(), &file.user)? {
        terminal.say_at(Level::Warning, &warning);
    }
    Ok(())
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

/// Prints a key before it counts: nobody could use one that nobody has seen, and nobody would miss it.
fn hand_over(key: &str, terminal: &mut Terminal) -> Result<(), Failure> {
    let nobody = "nobody would see the key, so there is none";
    if host::stdout_is_nowhere() {
        return Err(Failure::new(Kind::Io, format!("standard output is closed, or /dev/null: {nobody}")));
    }
    terminal.result(key);
    match terminal.broken() {
        Some(error) => Err(Failure::new(Kind::Io, format!("cannot print the key: {nobody}")).because(error)),
        None => Ok(()),
    }
}

/// A time that somebody types: `90s`, `30m`, `1h`, `2d`; 0 is none.
fn grace(text: &str) -> Result<u64, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let found = units.into_iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let (number, seconds) = found.unwrap_or((text, 1));
    let most = MOST_GRACE / seconds;
    match number.parse::<u64>() {
        Ok(0) => Ok(0),
        Ok(number) if found.is_some() && number <= most => Ok(number * seconds),
        Ok(_) | Err(_) => Err("use 90s, 30m, 1h or 2d; 30d at most".to_owned()),
    }
}

/// A second since 1970 in words. The file may have been written by hand: what is beyond the years with four digits is their end.
fn told(second: i64) -> String {
    clock::told((second.clamp(0, LAST), 0))
}

fn has_ended(key: &Key, now: i64) -> bool {
    key.expires.is_some_and(|end| end <= now)
}

fn now() -> i64 {
    i64::try_from(clock::since_epoch().as_secs()).unwrap_or(i64::MAX)
}

fn table(keys: &[Key], now: i64) -> String {
    let head = ["NAME", "CREATED", "EXPIRES", "STATE"].map(str::to_owned);
    let rows = keys.iter().map(|key| {
        let state = match key.before.as_ref().filter(|before| before.expires > now) {
            _ if has_ended(key, now) => "ended".to_owned(),
            Some(before) => format!("good; the last one until {}", told(before.expires)),
            None => "good".to_owned(),
        };
        [key.name.to_string(), told(key.created), key.expires.map_or_else(|| "never".to_owned(), told), state]
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// Without its hash.
fn line(key: &Key, now: i64) -> serde_json::Value {
    let last = key.before.as_ref().filter(|before| before.expires > now);
    json!({
        "schema": SCHEMA,
        "name": key.name,
        "created": told(key.created),
        "expires": key.expires.map(told),
        "ended": has_ended(key, now),
        "last_one_until": last.map(|before| told(before.expires)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use disco_agent::listener::keys::Before;
    use proptest::prelude::*;

    #[test]
    fn times_of_grace() {
        for (text, seconds) in
            [("0", Some(0)), ("0s", Some(0)), ("90s", Some(90)), ("30m", Some(1800)), ("1h", Some(3600))]
        {
            assert_eq!(grace(text).ok(), seconds, "{text}");
        }
        assert_eq!((grace("30d").ok(), grace("31d").ok()), (Some(MOST_GRACE), None));
        for bad in ["", "h", "1", "-1h", "1w", "1h30m", "18446744073709551615d"] {
            assert!(grace(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_in_the_file_the_list_has_dates(created: i64, expires: i64, now: i64, before: i64) {
            let name = "ci".parse().unwrap();
            let before = Some(Before { sha256: String::new(), expires: before });
            let key = Key { name, sha256: String::new(), created, expires: Some(expires), before };
            let ended = expires <= now;
            prop_assert_eq!(&line(&key, now)["ended"], ended);
            let table = table(&[key], now);
            prop_assert!(!table.contains("second") && table.contains("ended") == ended, "{}", table);
        }
    }
}
