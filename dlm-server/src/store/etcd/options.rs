//! How a server comes into a cluster: certificates, a login, how long it waits. Files are read once, when it connects.
#![allow(clippy::disallowed_methods, reason = "a store reads the files that it is told of")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

/// What is said beside the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The certificates of who signs those of the members, in PEM; needed for `etcds://`.
    pub ca: Option<PathBuf>,
    /// This server's certificate and its chain, in PEM, where the members want one.
    pub cert: Option<PathBuf>,
    /// Its key, in PEM.
    pub key: Option<PathBuf>,
    /// The user, where the cluster has users. The certificate's name is not enough: etcd's gateway does not look at it.
    pub user: Option<String>,
    /// A file with that user's password, whose last line end does not count.
    pub password_file: Option<PathBuf>,
    /// After how long a request without an outcome is given up.
    pub deadline: Duration,
    /// After how long a member that says nothing is left for the next one.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            ca: None,
            cert: None,
            key: None,
            user: None,
            password_file: None,
            deadline: Duration::from_secs(5),
            patience: Duration::from_secs(1),
        }
    }
}

/// Options that cannot be used.
#[derive(Debug, Error)]
pub enum OptionsError {
    /// A file that cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that is no PEM, or lacks what it is for.
    #[error("{path} has no {what}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it is for.
        what: &'static str,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// Certificates that do not fit.
    #[error("the certificates for etcd cannot be used")]
    Tls(#[source] rustls::Error),
    /// One without the other.
    #[error("{0}")]
    Missing(&'static str),
}

/// A user and the password.
#[derive(Clone)]
pub struct Login {
    /// Who.
    pub user: String,
    /// What nobody else knows.
    pub password: String,
}

impl Options {
    /// The login, if one is said.
    pub fn login(&self) -> Result<Option<Login>, OptionsError> {
        match (&self.user, &self.password_file) {
            (None, None) => Ok(None),
            (Some(user), Some(path)) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| OptionsError::Read { path: path.clone(), source })?;
                let password = text.strip_suffix('\n').unwrap_or(&text);
                let password = password.strip_suffix('\r').unwrap_or(password).to_owned();
                Ok(Some(Login { user: user.clone(), password }))
            }
            (Some(_), None) => Err(OptionsError::Missing("a user of etcd needs a password file")),
            (None, Some(_)) => Err(OptionsError::Missing("a password file for etcd needs a user")),
        }
    }

    /// The TLS of the connections; for a cluster without TLS it is never asked.
    pub fn tls(&self, wanted: bool) -> Result<ClientConfig, OptionsError> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            Some(ca) => {
                for certificate in certificates(ca)? {
                    roots.add(certificate).map_err(OptionsError::Tls)?;
                }
            }
            None if wanted => return Err(OptionsError::Missing("etcds:// needs the certificates of its CA")),
            None => {}
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(OptionsError::Tls)?
            .with_root_certificates(roots);
        match (&self.cert, &self.key) {
            (None, None) => Ok(config.with_no_client_auth()),
            (Some(cert), Some(key)) => {
                let parsed =
                    PrivateKeyDer::from_pem_file(key).map_err(|source| pem(key, "private key", source))?;
                config.with_client_auth_cert(certificates(cert)?, parsed).map_err(OptionsError::Tls)
            }
            (Some(_), None) => Err(OptionsError::Missing("a certificate for etcd needs its key")),
            (None, Some(_)) => Err(OptionsError::Missing("a key for etcd needs its certificate")),
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, OptionsError> {
    let read = |source| pem(path, "certificate", source);
    let all: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(read)?.collect::<Result<_, _>>().map_err(read)?;
    if all.is_empty() { Err(read(rustls_pki_types::pem::Error::NoItemsFound)) } else { Ok(all) }
}

fn pem(path: &Path, what: &'static str, source: rustls_pki_types::pem::Error) -> OptionsError {
    OptionsError::Pem { path: path.to_owned(), what, source }
}
