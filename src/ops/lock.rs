//! The commands around the lock server: whom to ask, with what; then one function for each. No printing.

pub mod after_boot;
pub mod hold;
pub mod renew;
pub mod run;
pub mod said;
pub mod wait;

use std::path::PathBuf;

use thiserror::Error;

use crate::lock::identity::{self, Said};
use crate::lock::server::Login;
use crate::lock::{Notes, Place, Server, ServerError, netrc};
use crate::settings::Settings;
use crate::sys::files::{self, FileError};
use crate::sys::host;

/// The variable with the password for the lock server.
pub const PASSWORD: &str = "DISCO_DLM_PASSWORD";

/// A command around the lock server that could not be done.
#[derive(Debug, Error)]
pub enum LockOpError {
    /// The server.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A file of disco's own, or one with a password.
    #[error(transparent)]
    File(#[from] FileError),
    /// Others can read the file with the password.
    #[error("others can read {}, which holds a password", .0.display())]
    Open(PathBuf),
    /// Nobody has said the password.
    #[error("there is no password for {user} on {host}")]
    NoPassword {
        /// The user.
        user: String,
        /// The server's host.
        host: String,
    },
    /// The command to run under the lock does not start.
    #[error("cannot run {command}")]
    Command {
        /// The command.
        command: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A merge is not finished yet, and the lock is held for it.
    #[error("a merge is not finished, and lock {0} is held until it is")]
    Unfinished(String),
}

/// The server that the settings name, as whom they say. `ask` asks for a password, of whoever is there to be asked.
pub fn connect(
    settings: &Settings,
    ask: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<Server, LockOpError> {
    let dlm = &settings.dlm;
    let place = place(settings)?;
    let said = Said {
        cert: dlm.cert.value.clone(),
        key: dlm.key.value.clone(),
        ca: dlm.ca.value.clone(),
        login: dlm.user.value.is_some(),
    };
    let identity = identity::find(&said, &names(settings)?).map_err(ServerError::from)?;
    let login = match &dlm.user.value {
        Some(user) => {
            let password = password(user, &place, ask)?;
            Some(Login { user: user.clone(), password })
        }
        None => None,
    };
    Ok(Server::new(place, identity, login))
}

/// The address that the settings name.
pub fn place(settings: &Settings) -> Result<Place, ServerError> {
    let url = settings.dlm.url.value.as_deref().ok_or(ServerError::NoServer)?;
    Ok(Place::new(url)?)
}

/// The notes of what this node holds.
pub fn notes(settings: &Settings) -> Notes {
    Notes::of(&settings.home.value)
}

/// The names of this node, in lower case, by which certificates may be called.
pub(super) fn names(settings: &Settings) -> Result<Vec<String>, FileError> {
    let mut names = vec![settings.node.value.to_string().to_lowercase()];
    let host = host::host_name()?.to_lowercase();
    if !names.contains(&host) {
        names.push(host);
    }
    Ok(names)
}

/// The variable, then the file (`NETRC`, or `~/.netrc`), then whoever is there.
fn password(
    user: &str,
    place: &Place,
    ask: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<String, LockOpError> {
    let environment = host::environment();
    if let Some(password) = environment.get(PASSWORD).filter(|password| !password.is_empty()) {
        return Ok(password.clone());
    }
    let home = environment.get("HOME").map(|home| PathBuf::from(home).join(".netrc"));
    if let Some(file) = environment.get("NETRC").map(PathBuf::from).or(home)
        && let Some(text) = files::read_if_there(&file)?
        && let Some(password) = netrc::password(&text, place.host(), user)
    {
        return match files::mode(&file)? & 0o077 {
            0 => Ok(password),
            _ => Err(LockOpError::Open(file)),
        };
    }
    let host = place.host().to_owned();
    let question = format!("Password of {user} on {host}: ");
    ask(&question).ok_or(LockOpError::NoPassword { user: user.to_owned(), host })
}
