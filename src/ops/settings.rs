//! The settings of this run, from the command line, this process's environment, and the parameters on disk.

use thiserror::Error;

use crate::params::ParamsError;
use crate::settings::{self, Flags, Origin, Settings, SettingsError};
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

/// All settings, and what was set that nobody knows.
pub fn settings(flags: &Flags) -> Result<(Settings, Vec<Origin>), ReadSettingsError> {
    let environment = host::environment();
    let home = settings::home(flags, &environment)?;
    let parameters = crate::params::load(&home.value.join("parameters/disco"))?;
    let settings = settings::resolve(flags, &environment, &parameters, &host::host_name()?)?;
    Ok((settings, settings::unknown(&environment, &parameters)))
}
