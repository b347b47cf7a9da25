//! One question over HTTP, and its answer; blocking. Redirections are not followed, and no other proxy is asked.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use ureq::http::{Request, header};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};

/// How long a question may take.
const LONGEST: Duration = Duration::from_secs(60);
/// The largest answer that is read, in bytes.
const LARGEST: u64 = 16 << 20;

/// Certificates that cannot be used.
#[derive(Debug, Error)]
pub enum PemError {
    /// There is no certificate in the text, or a damaged one.
    #[error("there is no certificate in it, in the form PEM")]
    Certificate,
    /// There is no key in the text, or one under a password.
    #[error("there is no private key in it, in the form PEM and without a password")]
    Key(#[source] rustls_pki_types::pem::Error),
    /// The key is of a kind that cannot be used.
    #[error("the key cannot be used")]
    Kind(#[source] Box<ureq::Error>),
    /// The two do not belong together.
    #[error("the certificate and the key cannot be used together")]
    Pair(#[source] rustls::Error),
}

/// A question that has no answer.
#[derive(Debug, Error)]
#[error("cannot reach {url}")]
pub struct Unreachable {
    /// Who was asked.
    pub url: String,
    /// Why.
    #[source]
    pub source: Box<ureq::Error>,
}

/// Who may ask, and whom to believe.
#[derive(Debug, Clone)]
pub struct Http {
    agent: ureq::Agent,
}

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The method.
    pub method: &'a str,
    /// Where, whole.
    pub url: &'a str,
    /// Headers besides.
    pub headers: &'a [(&'a str, String)],
    /// JSON to send.
    pub body: Option<&'a str>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Its text.
    pub body: String,
}

fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or(PemError::Certificate)
}

impl Http {
    /// Believes servers with certificates of `roots`, and shows them `own`, which is a chain and its key; all in the form PEM.
    /// Without roots only plain HTTP can be asked.
    pub fn new(roots: Option<&str>, own: Option<(&str, &str)>) -> Result<Http, PemError> {
        let roots = roots.map(certificates).transpose()?.unwrap_or_default();
        let roots = roots.iter().map(|root| Certificate::from_der(root.as_ref()).to_owned()).collect();
        let own = own.map(|(chain, key)| client_cert(chain, key)).transpose()?;
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .client_cert(own)
            .build();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_connect(Some(LONGEST / 6))
            .timeout_global(Some(LONGEST))
            .user_agent(concat!("disco/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build()
            .new_agent();
        Ok(Http { agent })
    }

    /// Asks, and waits for the answer.
    pub fn ask(&self, question: &Question<'_>) -> Result<Answer, Unreachable> {
        let unreachable = |source| Unreachable { url: question.url.to_owned(), source: Box::new(source) };
        let mut request = Request::builder()
            .method(question.method)
            .uri(question.url)
            .header(header::ACCEPT, "application/json");
        for (name, value) in question.headers {
            request = request.header(*name, value);
        }
        let sent = match question.body {
            Some(body) => {
                let request = request.header(header::CONTENT_TYPE, "application/json").body(body);
                request.map_err(ureq::Error::from).and_then(|request| self.agent.run(request))
            }
            None => {
                let request = request.body(());
                request.map_err(ureq::Error::from).and_then(|request| self.agent.run(request))
            }
        };
        let mut answer = sent.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(LARGEST).lossy_utf8(true).read_to_string();
        Ok(Answer { status, body: body.map_err(unreachable)? })
    }
}

fn client_cert(chain: &str, key: &str) -> Result<ClientCert, PemError> {
    let chain = certificates(chain)?;
    let der = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(PemError::Key)?;
    // What is asked with them takes for granted that they belong together.
    rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            let roots = rustls::RootCertStore::empty();
            builder.with_root_certificates(roots).with_client_auth_cert(chain.clone(), der)
        })
        .map_err(PemError::Pair)?;
    let chain: Vec<_> = chain.iter().map(|one| Certificate::from_der(one.as_ref()).to_owned()).collect();
    let key = PrivateKey::from_pem(key.as_bytes()).map_err(|error| PemError::Kind(Box::new(error)))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}
