//! TLS: the files into what a handshake needs. A client may show a certificate or none; one that is shown must be good (of the CA, in its
//! time, not revoked), or the handshake ends with the alert that says which, and the log says it too. Sessions are never
//! resumed, so that each connection is looked at with the lists and the time as they are.
#![allow(clippy::disallowed_methods, reason = "its files are the administrator's, outside of disco's home")]

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme};
use thiserror::Error;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::config::TlsFiles;
use crate::log::Log;
use crate::peer::{self, Certificate};

/// A certificate that ends so soon is told of when it is loaded: 30 days.
const SOON: i64 = 30 * 24 * 3600;

/// Files that TLS cannot begin with.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file that cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file without what it is for.
    #[error("{path}: no {what} in PEM form in it")]
    Nothing {
        /// The file.
        path: PathBuf,
        /// `certificate`, `private key`, `revocation list`.
        what: &'static str,
    },
    /// A file that is damaged.
    #[error("{path}: no valid PEM")]
    Pem {
        /// The file.
        path: PathBuf,
        /// How.
        #[source]
        source: pem::Error,
    },
    /// A certificate and a key that do not belong together, or are of a kind that is not known.
    #[error("certificate {cert} and key {key} cannot be used together")]
    Pair {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// A CA that cannot be one.
    #[error("{path}: no CA")]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// CAs and lists that do not make a verifier.
    #[error("clients cannot be verified with {ca} and its revocation lists")]
    Verifier {
        /// The CA's file.
        ca: PathBuf,
        /// Why.
        #[source]
        source: VerifierBuilderError,
    },
    /// No version of TLS; cannot be with what is built in.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// Reads the files. What is not an error but should be known is told to the log.
pub fn load(files: &TlsFiles, now: i64, log: &Log) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let chain = certificates(&files.cert)?;
    warn_of_end(&files.cert, &chain, now, log);
    warn_of_others(&files.key, log);
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::Nothing { path: files.key.clone(), what: "private key" },
        source => TlsError::Pem { path: files.key.clone(), source },
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?;
    let builder = match &files.client_ca {
        Some(ca) => {
            builder.with_client_cert_verifier(verifier(ca, files.crl.as_deref(), provider, now, log)?)
        }
        None => builder.with_no_client_auth(),
    };
    let pair = |source| TlsError::Pair { cert: files.cert.clone(), key: files.key.clone(), source };
    let mut config = builder.with_single_cert(chain, key).map_err(pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn verifier(
    ca: &Path,
    crl: Option<&Path>,
    provider: Arc<CryptoProvider>,
    now: i64,
    log: &Log,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    let authorities = certificates(ca)?;
    warn_of_end(ca, &authorities, now, log);
    for authority in authorities {
        let refused = |source| TlsError::Authority { path: ca.to_owned(), source };
        roots.add(authority).map_err(refused)?;
    }
    let mut builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).allow_unauthenticated();
    if let Some(path) = crl {
        builder = builder.with_crls(lists(path, now, log)?).only_check_end_entity_revocation();
    }
    let inner = builder.build().map_err(|source| TlsError::Verifier { ca: ca.to_owned(), source })?;
    Ok(Arc::new(Telling { inner, log: log.clone() }))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let broken = |source| TlsError::Pem { path: path.to_owned(), source };
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<_, _>>().map_err(broken)?;
    if found.is_empty() {
        return Err(TlsError::Nothing { path: path.to_owned(), what: "certificate" });
    }
    Ok(found)
}

fn lists(path: &Path, now: i64, log: &Log) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let broken = |source| TlsError::Pem { path: path.to_owned(), source };
    let found: Vec<_> = CertificateRevocationListDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(broken)?;
    if found.is_empty() {
        return Err(TlsError::Nothing { path: path.to_owned(), what: "revocation list" });
    }
    for list in &found {
        // Used all the same: an old list is better than a fleet that nobody knows any more.
        let next = CertificateRevocationList::from_der(list).ok().and_then(|(_, list)| list.next_update());
        if next.is_some_and(|next| next.timestamp() < now) {
            log.warn(format_args!(
                "{}: a revocation list is out of date, and is used as it is",
                path.display()
            ));
        }
    }
    Ok(found)
}

/// A key that cannot be looked at is told of where it is read.
fn warn_of_others(key: &Path, log: &Log) {
    if std::fs::metadata(key).is_ok_and(|found| found.mode() & 0o004 != 0) {
        log.warn(format_args!(
            "{}: every user can read this key, and be this server: chmod o-r",
            key.display()
        ));
    }
}

fn warn_of_end(path: &Path, chain: &[CertificateDer<'_>], now: i64, log: &Log) {
    let ends = chain.first().and_then(|first| peer::ends(first));
    let Some(left) = ends.map(|end| end.saturating_sub(now)) else { return };
    if left < 0 {
        log.error(format_args!("{}: the certificate has expired", path.display()));
    } else if left < SOON {
        log.warn(format_args!("{}: the certificate expires in {} days", path.display(), left / 86400));
    }
}

/// Verifies as webpki does, and tells of whom it refuses: the name is not proven, but it helps to find the machine.
#[derive(Debug)]
struct Telling {
    inner: Arc<dyn ClientCertVerifier>,
    log: Log,
}

impl ClientCertVerifier for Telling {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.inner.verify_client_cert(leaf, between, now).inspect_err(|why| {
            let name = match Certificate::of_der(leaf) {
                Certificate::Named(name) => name,
                Certificate::None | Certificate::Nameless => String::from("nobody"),
            };
            self.log.warn(format_args!("a certificate that names {name} is refused: {why}"));
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }

    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }
}
