//! Whom to ask, with which certificates and password.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::lock::identity::{self, IdentityError, Said};
use crate::lock::netrc;
use crate::settings::Settings;
use crate::sys::files::{self, FileError};
use crate::sys::host;
use crate::sys::http::{Certificates, Http};
use crate::uploads::Target;

/// Why somebody cannot be asked, although an address is set.
#[derive(Debug, Error)]
pub enum ReachError {
    /// Certificates.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// One of two that belong together.
    #[error("{0} is set and {1} is not: they belong together")]
    Half(&'static str, &'static str),
    /// Others can read the file with the password.
    #[error("others can read {}, which holds a password: chmod 600", .0.display())]
    Open(PathBuf),
    /// Nobody has said the password.
    #[error("there is no password for {0}: set disco/upload/password_file")]
    NoPassword(String),
}

/// A server that can be asked.
#[derive(Debug)]
pub struct Reach {
    /// Its address, to be shown.
    pub shown: String,
    /// Its address: of the Foreman without a path, of the webhook whole.
    pub url: String,
    /// What asks it.
    pub http: Http,
    /// The header `Authorization`.
    pub login: Option<String>,
}

/// Everything to ask the server of that target; `None` where none is set.
pub fn reach(settings: &Settings, target: Target) -> Result<Option<Reach>, ReachError> {
    let Some(shown) = super::goes_to(settings, target) else { return Ok(None) };
    let upload = &settings.upload;
    match target {
        Target::Report | Target::Facts => {
            match (&upload.cert.value, &upload.key.value) {
                (Some(_), None) => return Err(ReachError::Half("upload/cert", "upload/key")),
                (None, Some(_)) => return Err(ReachError::Half("upload/key", "upload/cert")),
                (Some(_), Some(_)) | (None, None) => {}
            }
            let user = upload.user.value.as_deref();
            let login = match user {
                Some(user) => {
                    let login = format!("{user}:{}", password(settings, user, &shown)?);
                    Some(format!("Basic {}", STANDARD.encode(login)))
                }
                None => None,
            };
            if is_plain(&shown) {
                return Ok(Some(Reach { url: shown.clone(), shown, http: plain(), login }));
            }
            let said = Said {
                cert: upload.cert.value.clone(),
                key: upload.key.value.clone(),
                ca: upload.ca.value.clone(),
                login: user.is_some(),
            };
            let identity = identity::find(&said, &crate::ops::lock::names(settings)?)?;
            let http = Http::new(&identity.roots, identity.own.as_ref().map(|(_, _, own)| own));
            Ok(Some(Reach { url: shown.clone(), shown, http, login }))
        }
        Target::Webhook => {
            let Some(url) = upload.webhook.value.clone() else { return Ok(None) };
            if is_plain(&url) {
                return Ok(Some(Reach { shown, url, http: plain(), login: None }));
            }
            // It is somebody else's server: it is not shown who we are, and believed as everybody believes it.
            let roots = identity::believed(upload.ca.value.as_deref())?;
            Ok(Some(Reach { shown, url, http: Http::new(&roots, None), login: None }))
        }
    }
}

/// Whether it is this node itself, without encryption: that needs no authority.
fn is_plain(url: &str) -> bool {
    url.starts_with("http://")
}

fn plain() -> Http {
    Http::new(&Certificates::none(), None)
}

/// The first line of the file that is set, or what `NETRC` or `~/.netrc` has for the host.
fn password(settings: &Settings, user: &str, url: &str) -> Result<String, ReachError> {
    let private = |file: &PathBuf| match files::mode(file)? & 0o077 {
        0 => Ok(()),
        _ => Err(ReachError::Open(file.clone())),
    };
    if let Some(file) = &settings.upload.password_file.value {
        let text = files::read_to_string(file)?;
        private(file)?;
        let first = text.lines().next().unwrap_or_default().to_owned();
        return if first.is_empty() { Err(ReachError::NoPassword(user.to_owned())) } else { Ok(first) };
    }
    let environment = host::environment();
    let home = environment.get("HOME").map(|home| PathBuf::from(home).join(".netrc"));
    let file = environment.get("NETRC").map(PathBuf::from).or(home);
    if let Some(file) = file
        && let Some(text) = files::read_if_there(&file)?
        && let Some(password) = netrc::password(&text, host_of(url), user)
    {
        private(&file)?;
        return Ok(password);
    }
    Err(ReachError::NoPassword(user.to_owned()))
}

/// The host of an address, as a file of passwords names it.
fn host_of(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or(authority),
    }
}
