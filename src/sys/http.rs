//! One question to a server over HTTPS, and its answer; blocking. What the answer means is not known here.

pub mod trouble;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use ureq::http::{Request, header};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};

pub use trouble::Trouble;

/// The longest that it may take to reach a server.
const CONNECT: Duration = Duration::from_secs(10);
/// The largest answer that is read, in bytes.
const LARGEST: u64 = 64 << 20;
/// How often somebody who waits looks whether to go on.
const LOOK: Duration = Duration::from_millis(50);

/// Certificates that cannot be used.
#[derive(Debug, Error)]
pub enum PemError {
    /// There is no certificate in the text.
    #[error("there is no certificate in it, in the form PEM")]
    NoCertificate,
    /// There is no key in the text, or one under a password.
    #[error("there is no private key in it, in the form PEM and without a password")]
    NoKey(#[source] rustls_pki_types::pem::Error),
    /// The key is of a kind that cannot be used.
    #[error("the key cannot be used")]
    Kind(#[source] Box<ureq::Error>),
    /// The text is damaged.
    #[error("it is damaged")]
    Damaged(#[source] rustls_pki_types::pem::Error),
    /// The two do not belong together, or are of a kind that cannot be used.
    #[error("the certificate and the key cannot be used together")]
    Pair(#[source] rustls::Error),
}

/// Certificates in the form in which they are sent.
#[derive(Debug, Clone)]
pub struct Certificates(Vec<CertificateDer<'static>>);

impl Certificates {
    /// Those of a text in the form PEM; at least one.
    pub fn of_pem(text: &str) -> Result<Certificates, PemError> {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        let all = all.map_err(PemError::Damaged)?;
        if all.is_empty() { Err(PemError::NoCertificate) } else { Ok(Certificates(all)) }
    }

    /// None at all, for whoever asks without encryption.
    pub fn none() -> Certificates {
        Certificates(Vec::new())
    }

    /// The first one, as DER.
    pub fn first(&self) -> &[u8] {
        self.0.first().map_or(&[], |first| first.as_ref())
    }
}

/// A certificate that says who we are, with its key.
#[derive(Debug, Clone)]
pub struct Own(ClientCert);

impl Own {
    /// The chain and the key, both in the form PEM; an error where they do not belong together.
    pub fn of_pem(chain: &Certificates, text: &str) -> Result<Own, PemError> {
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(PemError::NoKey)?;
        // What is asked with them takes for granted that they do.
        rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                let roots = rustls::RootCertStore::empty();
                builder.with_root_certificates(roots).with_client_auth_cert(chain.0.clone(), key.clone_key())
            })
            .map_err(PemError::Pair)?;
        let chain: Vec<_> =
            chain.0.iter().map(|one| Certificate::from_der(one.as_ref()).to_owned()).collect();
        let key = PrivateKey::from_pem(text.as_bytes()).map_err(|error| PemError::Kind(Box::new(error)))?;
        Ok(Own(ClientCert::new_with_certs(&chain, key)))
    }
}

/// Who may ask, and whom to believe.
#[derive(Debug, Clone)]
pub struct Http {
    roots: Arc<Vec<Certificate<'static>>>,
    own: Option<ClientCert>,
}

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The method.
    pub method: &'a str,
    /// Where, whole.
    pub url: &'a str,
    /// What the header `Authorization` says.
    pub login: Option<&'a str>,
    /// Further headers, names in lower case.
    pub headers: &'a [(&'a str, &'a str)],
    /// JSON to send; with POST, PUT and PATCH an empty text where there is none.
    pub body: Option<&'a str>,
    /// How long all of it may take.
    pub within: Duration,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// After how many seconds to ask again, if it says that.
    pub retry_after: Option<u64>,
    /// Its text.
    pub body: String,
}

impl Http {
    /// Believes servers with certificates of these authorities, and shows them `own`.
    pub fn new(roots: &Certificates, own: Option<&Own>) -> Http {
        let roots = roots.0.iter().map(|root| Certificate::from_der(root.as_ref()).to_owned()).collect();
        Http { roots: Arc::new(roots), own: own.map(|own| own.0.clone()) }
    }

    /// Asks, and waits for the answer. Redirections are not followed, and no proxy is asked.
    pub fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Trouble> {
        send(&self.agent(ask.within), ask)
    }

    /// The same, until `stop` is set: then the connection is closed, so that the server need not go on with it either.
    pub fn ask_until(&self, ask: &Ask<'_>, stop: &AtomicBool) -> Result<Answer, Trouble> {
        let agent = self.agent(ask.within);
        std::thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let asking = agent.clone();
            scope.spawn(move || {
                // Whoever waits has ended only where the answer is not wanted any more.
                let _ = tell.send(send(&asking, ask));
            });
            loop {
                match told.recv_timeout(LOOK) {
                    Ok(answer) => return answer,
                    Err(RecvTimeoutError::Timeout) if stop.load(Ordering::SeqCst) => {
                        agent.shutdown();
                        return Err(Trouble::Stopped);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(Trouble::Lost(io::Error::other("the thread that asked has ended")));
                    }
                }
            }
        })
    }

    fn agent(&self, within: Duration) -> ureq::Agent {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::Specific(self.roots.clone()))
            .client_cert(self.own.clone())
            .build();
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_connect(Some(CONNECT.min(within)))
            .timeout_global(Some(within))
            .user_agent(concat!("disco/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build()
            .new_agent()
    }
}

fn send(agent: &ureq::Agent, ask: &Ask<'_>) -> Result<Answer, Trouble> {
    let mut request =
        Request::builder().method(ask.method).uri(ask.url).header(header::ACCEPT, "application/json");
    if let Some(login) = ask.login {
        request = request.header(header::AUTHORIZATION, login);
    }
    for (name, value) in ask.headers {
        request = request.header(*name, *value);
    }
    let with_body = ask.body.is_some() || matches!(ask.method, "POST" | "PUT" | "PATCH");
    let response = if with_body {
        request = request.header(header::CONTENT_TYPE, "application/json");
        let request = request.body(ask.body.unwrap_or_default()).map_err(ureq::Error::from);
        request.and_then(|request| agent.run(request))
    } else {
        request.body(()).map_err(ureq::Error::from).and_then(|request| agent.run(request))
    };
    let mut response = response.map_err(Trouble::from)?;
    let retry_after = response.headers().get(header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(LARGEST).lossy_utf8(true).read_to_string();
    Ok(Answer { status, retry_after, body: body.map_err(Trouble::from)? })
}
