//! `disco agent init`: a configuration for the agent.

use std::path::{Path, PathBuf};

use disco_agent::listener::config::{KEYS, PLACE, template};

use crate::cli::exit::{Failure, Kind};
use crate::sys::tree::Root;
use crate::sys::{accounts, files, host};

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
It is readable by its owner alone (and, where the package is installed, by the
group of its listener), and holds for an agent on loopback. Its keys are beside
it. No file is replaced.

Examples:
  disco agent init
  disco agent init --config /srv/agent/agent.toml";

/// The group of the package's listener.
const GROUP: &str = "disco-agent";

/// What it takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = PLACE)]
    config: PathBuf,
}

/// Writes it, and says what comes next.
pub(super) fn run(args: &Args) -> Result<String, Failure> {
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
    files::write_new(path, template(&keys).as_bytes(), 0o600)?;
    give_to_listener(path)?;
    Ok(format!(
        "{}: written; every key is explained there\nnext:\n  disco agent key add NAME{config}\n",
        path.display()
    ))
}

/// Lets the package's listener read a file, where this machine has the package, and root asks.
pub(super) fn give_to_listener(path: &Path) -> Result<(), Failure> {
    if !host::is_root() {
        return Ok(());
    }
    let root = Root::open(Path::new("/"), "")?;
    if let Some(group) = accounts::group_number(&root, GROUP)? {
        files::give_to_group(path, group, 0o640)?;
    }
    Ok(())
}
