//! The certificates with which a node asks others.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::client::http::{Http, PemError};
use crate::node::config::Config;
use crate::settings::{SettingsError, load};

/// Where systems keep the authorities that everybody believes.
const SYSTEM: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Certificates that cannot be had.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// A file cannot be read.
    #[error("a certificate cannot be read")]
    File(#[from] SettingsError),
    /// What the files say cannot be used.
    #[error("certificates cannot be used: {}", files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", "))]
    Pem {
        /// The files.
        files: Vec<PathBuf>,
        /// Why.
        #[source]
        source: PemError,
    },
}

/// The files of certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The authorities; those of the system where none is named.
    pub ca: Option<PathBuf>,
    /// The certificate that is shown, and its key.
    pub own: Option<(PathBuf, PathBuf)>,
}

impl Identity {
    /// As a proxy asks another one, or itself.
    pub fn to_proxies(config: &Config) -> Identity {
        let ssl = config.global.ssl.as_ref();
        Identity {
            ca: ssl.map(|ssl| ssl.ca.clone()),
            own: ssl.map(|ssl| (ssl.certificate.clone(), ssl.key.clone())),
        }
    }

    /// As a proxy asks its Foreman.
    pub fn to_foreman(config: &Config) -> Identity {
        let (global, other) = (&config.global, Identity::to_proxies(config));
        let own = global.foreman_ssl_cert.clone().zip(global.foreman_ssl_key.clone());
        Identity { ca: global.foreman_ssl_ca.clone().or(other.ca), own: own.or(other.own) }
    }

    /// Whoever asks with these.
    pub fn http(&self) -> Result<Http, IdentityError> {
        let system = || SYSTEM.map(PathBuf::from).into_iter().find(|path| load::is_there(path));
        let ca = self.ca.clone().or_else(system);
        let roots = ca.as_deref().map(text).transpose()?;
        let own = self.own.as_ref().map(|(chain, key)| Ok::<_, SettingsError>((text(chain)?, text(key)?)));
        let own = own.transpose()?;
        let pair = own.as_ref().map(|(chain, key)| (chain.as_str(), key.as_str()));
        Http::new(roots.as_deref(), pair).map_err(|source| {
            let own = self.own.iter().flat_map(|(chain, key)| [chain.clone(), key.clone()]);
            IdentityError::Pem { files: ca.into_iter().chain(own).collect(), source }
        })
    }
}

fn text(path: &Path) -> Result<String, SettingsError> {
    load::text(path)
}
