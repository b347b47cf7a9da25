//! One client: a host with its certificate, or a user with a login; requests in, statuses and bodies out.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, Error};

/// Anything that ends the program.
pub type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// What came back.
#[derive(Debug)]
pub enum Reply {
    /// An answer.
    Answer(u16, Value),
    /// The request was never sent: nobody was there.
    NotSent,
    /// It may have been sent, and nothing came back in time, or not all of it.
    Lost,
}

/// A client.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    login: Option<String>,
}

impl Client {
    /// The host of this name, with the certificate that the folder has for it.
    pub fn host(certs: &Path, name: &str, patience: Duration) -> Result<Client, Trouble> {
        let certificate = Certificate::from_pem(&read(&certs.join(format!("{name}.pem")))?)?;
        let key = PrivateKey::from_pem(&read(&certs.join(format!("{name}.key")))?)?;
        let own = ClientCert::new_with_certs(&[certificate], key);
        Ok(Client { agent: agent(certs, Some(own), patience)?, login: None })
    }

    /// The user of this `login:password`.
    pub fn user(certs: &Path, login: &str, patience: Duration) -> Result<Client, Trouble> {
        Ok(Client {
            agent: agent(certs, None, patience)?,
            login: Some(format!("Basic {}", STANDARD.encode(login))),
        })
    }

    /// Sends a request with a JSON body, or with an empty one.
    pub fn send(&self, method: &str, url: &str, body: Option<&Value>) -> Reply {
        let request = ureq::http::Request::builder().method(method).uri(url);
        let request =
            request.header("Content-Type", "application/json").header("fleet-lock-protocol", "true");
        let request = match &self.login {
            Some(login) => request.header("Authorization", login),
            None => request,
        };
        let text = body.map_or(String::new(), Value::to_string);
        let sent = match request.body(text) {
            Ok(request) => self.agent.run(request),
            Err(error) => Err(Error::Http(error)),
        };
        match sent {
            Ok(mut response) => {
                let status = response.status().as_u16();
                match response.body_mut().with_config().limit(64 << 20).read_to_string() {
                    Ok(text) => {
                        Reply::Answer(status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
                    }
                    Err(_) => Reply::Lost,
                }
            }
            Err(Error::ConnectionFailed | Error::HostNotFound | Error::Timeout(ureq::Timeout::Connect)) => {
                Reply::NotSent
            }
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Reply::NotSent,
            Err(_) => Reply::Lost,
        }
    }
}

fn agent(certs: &Path, own: Option<ClientCert>, patience: Duration) -> Result<Agent, Trouble> {
    let ca = Certificate::from_pem(&read(&certs.join("ca.pem"))?)?;
    let tls =
        TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(vec![ca]))).client_cert(own).build();
    let config =
        Agent::config_builder().tls_config(tls).http_status_as_error(false).timeout_global(Some(patience));
    Ok(config.timeout_connect(Some(Duration::from_secs(1))).max_redirects(0).build().new_agent())
}

fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
}
