//! The settings of this run, from the command line, this process's environment, and the parameters on disk.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::names::NodeName;
use crate::model::root::LiveRoot;
use crate::params::ParamsError;
use crate::settings::table::Name;
use crate::settings::{self, Flags, Origin, Settings, SettingsError, Sourced};
use crate::sys::files::{self, FileError};
use crate::sys::host;
use crate::sys::tree::Root;

/// Settings that cannot be known.
#[derive(Debug, Error)]
pub enum ReadSettingsError {
    /// One has no good value.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The parameters cannot be read.
    #[error("cannot read the settings among the parameters")]
    Params(#[from] ParamsError),
    /// The host's name cannot be read.
    #[error(transparent)]
    Host(#[from] FileError),
}

/// The flags of a command that anybody may use: who is not root, and names no home, has one of his own (`XDG_STATE_HOME/disco`,
/// or `~/.local/state/disco`).
pub fn for_anybody(mut flags: Flags) -> Flags {
    let environment = host::environment();
    let folder = |name: &str| environment.get(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let named = flags.contains_key(&Name::Home) || environment.contains_key("DISCO_HOME");
    let own = || folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    if !named && !host::is_root() {
        flags.extend(own().map(|own| (Name::Home, own.join("disco").to_string_lossy().into_owned())));
    }
    flags
}

/// disco's own folder: all that a command on plain files needs, even where another setting is bad.
pub fn home(flags: &Flags) -> Result<Sourced<PathBuf>, ReadSettingsError> {
    Ok(settings::home(flags, &host::environment())?)
}

/// All settings, and what was set that nobody knows.
pub fn settings(flags: &Flags) -> Result<(Settings, Vec<Origin>), ReadSettingsError> {
    let environment = host::environment();
    let home = settings::home(flags, &environment)?;
    let parameters = crate::params::load(&home.value.join("parameters/disco"))?;
    let mut settings = settings::resolve(flags, &environment, &parameters, &host::host_name()?)?;
    if matches!(settings.node.origin, Origin::Parameter(_) | Origin::Default)
        && let Some(name) = name_of(&settings.root.value)?
    {
        settings.node = Sourced { value: name, origin: Origin::RootFile("/etc/hostname".to_owned()) };
    }
    Ok((settings, settings::unknown(&environment, &parameters)))
}

/// The good name that another root than the node's own gives itself. What is wrong with such a root is said when a run
/// starts on it.
fn name_of(root: &Path) -> Result<Option<NodeName>, ReadSettingsError> {
    let Ok(path) = files::canonical(root) else { return Ok(None) };
    let (Ok(other), Ok(tree)) = (LiveRoot::new(&path), Root::open(&path, "")) else { return Ok(None) };
    let name = if other.is_own() { None } else { host::name_of_root(&tree)? };
    // One that cannot be a node's name is none: the host's is used.
    Ok(name.and_then(|name| NodeName::new(name).ok()))
}
