//! The settings of this run, from the command line, this process's environment, and the parameters on disk.

use std::path::PathBuf;

use thiserror::Error;

use crate::params::ParamsError;
use crate::settings::{self, Flags, Origin, Settings, SettingsError, Sourced};
use crate::sys::files::FileError;
use crate::sys::host;

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

/// disco's own folder: all that a command on plain files needs, even where another setting is bad.
pub fn home(flags: &Flags) -> Result<Sourced<PathBuf>, ReadSettingsError> {
    Ok(settings::home(flags, &host::environment())?)
}

/// All settings, and what was set that nobody knows.
pub fn settings(flags: &Flags) -> Result<(Settings, Vec<Origin>), ReadSettingsError> {
    let environment = host::environment();
    let home = settings::home(flags, &environment)?;
    let parameters = crate::params::load(&home.value.join("parameters/disco"))?;
    let settings = settings::resolve(flags, &environment, &parameters, &host::host_name()?)?;
    Ok((settings, settings::unknown(&environment, &parameters)))
}
