//! Live runs switched off on this node and on again. That they are is the file `disabled` in disco's home: whoever removes it has
//! switched them on.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::disabled::Disabled;
use crate::ops::dance::{DanceError, prepare_home};
use crate::sandbox;
use crate::settings::Settings;
use crate::sys::files::{self, FileError, Ownership};
use crate::sys::lock::Lock;
use crate::sys::{clock, starter};

/// Live runs that could not be switched off or on.
#[derive(Debug, Error)]
pub enum DisableError {
    /// disco's home could not be used, or this is a step of a run.
    #[error(transparent)]
    Home(Box<DanceError>),
    /// The file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switched {
    /// They are off now.
    Off(Disabled),
    /// They were off already, and for that reason.
    WasOff(Disabled),
    /// They are on again; until now they were off for that reason.
    On(Disabled),
    /// They were on.
    WasOn,
}

/// What is told where the file is a symbolic link to nothing.
const LEADS_NOWHERE: &str = "HOME/disabled is a symbolic link that leads nowhere";

fn file(home: &Path) -> PathBuf {
    home.join("disabled")
}

/// Why live runs are off on the node with that home; `None` where they are on.
pub fn look(home: &Path) -> Result<Option<Disabled>, FileError> {
    let file = file(home);
    match files::read_bytes_if_there(&file)? {
        // Whatever somebody has written there by hand is the reason.
        Some(text) => Ok(Some(Disabled::of_text(&String::from_utf8_lossy(&text)))),
        // Whoever has put a link there has meant that, wherever it leads.
        None => Ok(files::look(&file)?.map(|_| Disabled::of_text(LEADS_NOWHERE))),
    }
}

/// Switches live runs off. Where they are off already, who did that first and why stays.
pub fn disable(settings: &Settings, why: &str) -> Result<Switched, DisableError> {
    let home = own_home(settings)?;
    if let Some(disabled) = look(&home)? {
        return Ok(Switched::WasOff(disabled));
    }
    let disabled = Disabled::new(why, starter::starter().user, clock::now());
    let json = serde_json::to_vec(&disabled);
    let json = json.map_err(|error| FileError::at("write", file(&home))(std::io::Error::other(error)))?;
    files::write_whole(&file(&home), &json, Ownership::New(0o644))?;
    Ok(Switched::Off(disabled))
}

/// Switches them on.
pub fn enable(settings: &Settings) -> Result<Switched, DisableError> {
    let home = own_home(settings)?;
    let Some(disabled) = look(&home)? else { return Ok(Switched::WasOn) };
    files::remove_file(&file(&home))?;
    files::sync_folder(&home)?;
    Ok(Switched::On(disabled))
}

/// Whether a live run is under way on this node's own root: it goes on, whatever is switched.
pub fn is_under_way(home: &Path) -> bool {
    // Who may not look is not told.
    Lock::is_held(&home.join("lock")) == Some(true)
}

fn own_home(settings: &Settings) -> Result<PathBuf, DisableError> {
    let home = |error| DisableError::Home(Box::new(error));
    if sandbox::is_inside() {
        return Err(home(DanceError::Inside));
    }
    Ok(prepare_home(settings).map_err(home)?.home.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_has_that_name_switches_them_off() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(look(home.path()).unwrap(), None);
        std::os::unix::fs::symlink("/nowhere/at/all", file(home.path())).unwrap();
        assert_eq!(look(home.path()).unwrap().unwrap().why, LEADS_NOWHERE);
        std::fs::remove_file(file(home.path())).unwrap();
        std::fs::write(file(home.path()), b"caf\xe9").unwrap();
        assert_eq!(look(home.path()).unwrap().unwrap().why, "caf\u{fffd}");
        std::fs::remove_file(file(home.path())).unwrap();
        std::fs::create_dir(file(home.path())).unwrap();
        assert!(look(home.path()).is_err(), "which disables them too");
    }
}
