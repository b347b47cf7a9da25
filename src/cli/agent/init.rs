//! `disco agent init`: a configuration for the agent.

use std::path::{Path, PathBuf};

use disco_agent::listener::config::{KEYS, PLACE, template};

use super::helper::USER;
use crate::cli::exit::of_agent::make_user;
use crate::cli::exit::{Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::ops::agent::daemons::{DaemonError, account_of};
use crate::ops::agent::look;
use crate::sys::files::Ownership;
use crate::sys::rights::Account;
use crate::sys::{files, host};

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
It is readable by its owner alone (and, where the package is installed, by the
group of its listener), and holds for an agent on loopback. Its keys are beside
it. No file is replaced.

Examples:
  disco agent init
  disco agent init --config /srv/agent/agent.toml";

/// What it takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = PLACE)]
    config: PathBuf,
    /// The listener's user, whose group may read it
    #[arg(long, value_name = "NAME", default_value = USER)]
    user: String,
}

/// Writes it, and says what comes next.
pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<String, Failure> {
    let path = &args.config;
    if files::look(path)?.is_some() {
        let message = format!("there is a configuration already: {}", path.display());
        let edit = "edit it, or name another file with --config".to_owned();
        return Err(Failure::new(Kind::CannotCreate, message).hint(Some(edit)));
    }
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    files::create_dirs(folder, 0o755)?;
    // Another agent has keys of its own.
    let (keys, config) = match path == Path::new(PLACE) {
        true => (PathBuf::from(KEYS), String::new()),
        false => (files::canonical(folder)?.join("agent.keys"), format!(" --config {}", path.display())),
    };
    let next = next(&args.user, &config)?;
    // Of two at one moment the later one finds it.
    files::write_new(path, &[], 0o600)?;
    if let Some(warning) = write_for_listener(path, &template(&keys), &args.user)? {
        terminal.say_at(Level::Warning, &warning);
    }
    Ok(format!("{}: written; every key is explained there\nnext:\n{next}", path.display()))
}

/// The commands that bring the agent up, from here on.
fn next(user: &str, config: &str) -> Result<String, Failure> {
    let make = match account_of(user)? {
        None => format!("  {}\n", make_user(user)),
        Some(_) => String::new(),
    };
    let other = if user == USER { String::new() } else { format!(" --user {user}") };
    Ok(format!("{make}  disco agent key add NAME{config}{other}\n  disco agent start{config}{other}\n"))
}

/// How a file is written that the listener reads: as root for the group of its user, where there is that user. What keeps it from reading
/// the file is said.
pub(super) fn write_for_listener(path: &Path, text: &str, user: &str) -> Result<Option<String>, Failure> {
    if !host::is_root() {
        files::write_whole(path, text.as_bytes(), Ownership::KeptOr(0o600))?;
        return Ok(None);
    }
    let account =
        Account::find(user).map_err(|source| DaemonError::Account { user: user.to_owned(), source })?;
    let Some(account) = account else {
        files::write_whole(path, text.as_bytes(), Ownership::New(0o600))?;
        let later =
            "no listener can read it; once there is that user, `disco agent start` gives it to its group";
        return Ok(Some(format!("There is no user {user}, and {} is root's: {later}", path.display())));
    };
    files::write_whole(path, text.as_bytes(), Ownership::OfGroup(account.group, 0o640))?;
    Ok(look::unreadable(path, &account))
}
