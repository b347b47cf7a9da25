//! `disco dlm init`: a configuration for the lock server.

use std::path::{Path, PathBuf};

use disco_dlm_server::config::{PLACE, TEMPLATE};

use crate::cli::exit::{Failure, Kind};
use crate::sys::files::Ownership;
use crate::sys::tree::Root;
use crate::sys::{accounts, files, host};

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
It is readable by its owner alone (and, where the package is installed, by the
group of its server), and holds for a server on loopback. No file is replaced.

Examples:
  disco dlm init
  disco dlm init --config /srv/locks/dlm.toml";

/// The group of the package's server.
const GROUP: &str = "disco-dlm";
/// How that server can read its key.
const KEYS: &str = "  install -D -m 640 -g disco-dlm KEY /etc/disco/dlm/server.key      (its certificate and the CA beside it)\n";

/// What it takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = PLACE)]
    config: PathBuf,
}

/// Writes it, and says what comes next.
pub fn run(args: &Args) -> Result<String, Failure> {
    let path = &args.config;
    let exists = files::look(path)?.is_some();
    if exists {
        let message = format!("there is a configuration already: {}", path.display());
        let edit = "edit it, or name another file with --config".to_owned();
        return Err(Failure::new(Kind::CannotCreate, message).hint(Some(edit)));
    }
    if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
        files::create_dirs(folder, 0o755)?;
    }
    let group = packages_group()?;
    // Of two at one moment the later one finds it.
    files::write_new(path, &[], 0o600)?;
    // Its group's before it has its name: whose folder it is could put a link there.
    let ownership = group.map_or(Ownership::New(0o600), |number| Ownership::OfGroup(number, 0o640));
    files::write_whole(path, TEMPLATE.as_bytes(), ownership)?;
    let config = match path == Path::new(PLACE) {
        true => String::new(),
        false => format!(" --config {}", path.display()),
    };
    Ok(format!(
        "{}: written; every key is explained there\n\
         next:\n{}  disco dlm host add HOST{config}\n  disco dlm user add LOGIN --role Manager{config}\n",
        path.display(),
        if group.is_some() { KEYS } else { "" }
    ))
}

/// The number of the group that the package's server runs as, where this machine has the package, and root asks.
fn packages_group() -> Result<Option<u32>, Failure> {
    if !host::is_root() {
        return Ok(None);
    }
    let root = Root::open(Path::new("/"), "")?;
    Ok(accounts::group_number(&root, GROUP)?)
}
