//! Smart proxies: what this node knows of others, and its own registration with a Foreman. What is known is in disco's home:
//! `proxies.json` and `registered.json`.

mod kept;
mod register;

use std::path::{Path, PathBuf};

use disco_agent::client::ask::plain_url;
use disco_agent::client::http::Http;
use disco_agent::client::keep::Features;
use disco_agent::node::enrol::EnrolError;
use disco_agent::node::identity::{Identity, IdentityError};
use disco_agent::node::look::{self, LookError, Seen};
use disco_agent::node::would::{Would, WouldError, would_say};
use disco_agent::node::{Config, ConfigError};
use disco_agent::register::foreman::RegisterError;
use thiserror::Error;

use crate::ops::dance::DanceError;
use crate::settings::Settings;
use crate::sys::files::FileError;

pub use register::{Done, Wanted, register, tend};

/// Where this node's own settings as a proxy are.
pub const FOLDER: &str = "/etc/disco/proxy";

/// What could not be done about proxies.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// The settings of this node's own proxy cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Certificates cannot be had.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A proxy could not be looked at.
    #[error("{url}")]
    Look {
        /// Which.
        url: String,
        /// Why.
        #[source]
        source: LookError,
    },
    /// The settings of features cannot be used.
    #[error(transparent)]
    Wanted(LookError),
    /// What this node would say cannot be known.
    #[error(transparent)]
    Would(#[from] WouldError),
    /// It is not registered.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// The address of the Foreman is none.
    #[error(transparent)]
    Address(RegisterError),
    /// What is sent to the Foreman would be sent in clear, or it is nowhere.
    #[error("the Foreman is said to be {address}: {why}")]
    Unfit {
        /// Where it is said to be.
        address: String,
        /// Why nothing is sent there.
        why: String,
    },
    /// No Foreman is named.
    #[error("no Foreman is named")]
    NoForeman,
    /// Nobody logs in.
    #[error("nobody logs in to the Foreman")]
    NoLogin,
    /// Both a user and a consumer log in.
    #[error("both a user and a consumer of OAuth are named")]
    TwoLogins,
    /// There is no file with a secret, and nobody to ask.
    #[error("there is no {what}")]
    NoSecret {
        /// What is missing.
        what: &'static str,
    },
    /// The file with a secret is not there.
    #[error("{} is not there, which was to have a secret in it", .0.display())]
    Absent(PathBuf),
    /// Others can read a file with a secret.
    #[error("others can read {}, which has a secret in it", .0.display())]
    Open(PathBuf),
    /// A file of disco's own cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// disco's home cannot be used.
    #[error(transparent)]
    Home(Box<DanceError>),
}

/// With whose eyes proxies are looked at.
#[derive(Debug)]
pub struct Eyes {
    http: Http,
}

impl Eyes {
    /// With these certificates, or else those of this node's own proxy where it has settings.
    pub fn new(named: Identity, folder: &Path) -> Result<Eyes, ProxyError> {
        let own = match Config::read(folder) {
            Ok(config) => Identity::to_proxies(&config),
            // Whoever only looks at others needs none.
            Err(ConfigError::Absent(_)) => Identity::default(),
            Err(error) => return Err(error.into()),
        };
        let identity = Identity { ca: named.ca.or(own.ca), own: named.own.or(own.own) };
        Ok(Eyes { http: identity.http()? })
    }

    /// Looks at the proxy at that url, keeps what is known of it now, and compares it with settings where there are some.
    pub fn look(&self, settings: &Settings, url: &str, with: Option<&Config>) -> Result<Seen, ProxyError> {
        let wanted = with.map(look::wanted).transpose().map_err(ProxyError::Wanted)?;
        let mut known = kept::proxies(settings)?;
        let url = plain_url(url);
        let before = known.remove(url).unwrap_or_default();
        let seen = look::look(&self.http, url, &before, wanted.as_ref())
            .map_err(|source| ProxyError::Look { url: url.to_owned(), source })?;
        if seen.features != before {
            known.insert(url.to_owned(), seen.features.clone());
            kept::keep_proxies(settings, &known)?;
        }
        Ok(seen)
    }
}

/// The proxies that are known, by url.
pub fn known(settings: &Settings) -> Result<Vec<(String, Features)>, ProxyError> {
    Ok(kept::proxies(settings)?.into_iter().collect())
}

/// Forgets a proxy; whether it was known.
pub fn forget(settings: &Settings, url: &str) -> Result<bool, ProxyError> {
    let mut known = kept::proxies(settings)?;
    let was_known = known.remove(plain_url(url)).is_some();
    if was_known {
        kept::keep_proxies(settings, &known)?;
    }
    Ok(was_known)
}

/// This node's own settings as a proxy.
pub fn config(folder: &Path) -> Result<Config, ProxyError> {
    Ok(Config::read(folder)?)
}

/// Where this node's own proxy is.
pub fn own_url(config: &Config, settings: &Settings) -> String {
    config.url(settings.node.value.as_str())
}

/// What this node would say if all that it offers worked.
pub fn show(folder: &Path) -> Result<Would, ProxyError> {
    Ok(would_say(&Config::read(folder)?)?)
}
