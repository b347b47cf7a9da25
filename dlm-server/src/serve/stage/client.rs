//! A client that says what it is told to, to the byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::ca::{Ca, Cert};

/// Who asks.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    /// The header of a login.
    pub authorization: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Said {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

impl Said {
    /// A header's value; its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let of = |line: &&str| line.split(':').next().is_some_and(|found| found.eq_ignore_ascii_case(name));
        self.headers.lines().find(of).and_then(|line| line.split_once(": ")).map(|(_, value)| value)
    }

    /// Status and body in one line.
    pub fn line(&self) -> String {
        format!("{} {}", self.status, self.body)
    }
}

/// A stream of bytes, with TLS or without.
pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Client {
    /// Somebody who shows this certificate, or none; without TLS where the server has none.
    pub fn new(address: SocketAddr, ca: &Ca, cert: Option<&Cert>, tls: bool) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(ca.der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match cert {
            Some(cert) => {
                let key = PrivateKeyDer::try_from(cert.key.clone()).unwrap();
                // A certificate of another CA is sent as well: rustls would keep it back.
                let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
                let certified = rustls::sign::CertifiedKey::new(vec![cert.der.clone()], key);
                builder.with_client_cert_resolver(Arc::new(Always(Arc::new(certified))))
            }
            None => builder.with_no_client_auth(),
        };
        let tls = tls.then(|| Arc::new(config));
        Client { address, tls, authorization: None }
    }

    /// A connection; with TLS, after its handshake.
    pub fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        let tcp = TcpStream::connect(self.address)?;
        tcp.set_read_timeout(Some(Duration::from_secs(20)))?;
        let Some(tls) = &self.tls else { return Ok(Box::new(tcp)) };
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = StreamOwned::new(ClientConnection::new(Arc::clone(tls), name).unwrap(), tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Box::new(stream))
    }

    /// Whether its handshake was whole, after whatever the server has said behind one before.
    pub fn handshake(&self) -> rustls::HandshakeKind {
        let (mut tcp, name) =
            (TcpStream::connect(self.address).unwrap(), ServerName::try_from("localhost").unwrap());
        let mut session = ClientConnection::new(Arc::clone(self.tls.as_ref().unwrap()), name).unwrap();
        let text = b"GET /api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        session.writer().write_all(text).unwrap();
        while session.complete_io(&mut tcp).is_ok_and(|(read, _)| read > 0) && !session.wants_write() {
            let mut answer = vec![];
            if session.reader().read_to_end(&mut answer).is_ok() {
                break;
            }
        }
        session.handshake_kind().unwrap()
    }

    /// Sends these bytes and gives what comes until the end.
    pub fn raw(&self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stream = self.connect()?;
        stream.write_all(bytes)?;
        stream.flush()?;
        rest(&mut *stream)
    }

    /// A request with these headers (lines) and this body.
    pub fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> std::io::Result<Said> {
        let authorization =
            self.authorization.as_ref().map_or(String::new(), |value| format!("Authorization: {value}\r\n"));
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{authorization}{headers}{length}\r\n{body}"
        );
        said(&self.raw(text.as_bytes())?)
    }

    /// A request with a JSON body, or with an empty one and its type all the same, as `foreman_dlm_updater` sends.
    pub fn json(&self, method: &str, path: &str, body: &str) -> Said {
        self.send(method, path, "Content-Type: application/json\r\n", body).unwrap()
    }

    /// A GET over HTTP/2, by hyper's client: status and body.
    pub async fn over_http2(&self, path: &str) -> String {
        let mut config = self.tls.as_deref().unwrap().clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let tcp = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut send, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
        let driven = tokio::spawn(connection);
        let request =
            axum::http::Request::get(format!("https://localhost{path}")).body(String::new()).unwrap();
        let response = send.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        driven.abort();
        format!("{status} {}", String::from_utf8_lossy(&body))
    }

    pub fn get(&self, path: &str) -> Said {
        self.send("GET", path, "", "").unwrap()
    }
}

/// All that comes until the end; that TLS was not said goodbye to is no matter here.
pub fn rest(stream: &mut dyn Stream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![];
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(bytes),
    }
}

/// The first answer in these bytes.
pub fn said(bytes: &[u8]) -> std::io::Result<Said> {
    let text = String::from_utf8_lossy(bytes);
    let nothing = || std::io::Error::other(format!("no answer: {text:?}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(nothing)?;
    let (first, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(nothing)?;
    Ok(Said { status, headers: headers.to_owned(), body: body.to_owned() })
}

/// Shows its certificate whatever the server would like.
#[derive(Debug)]
struct Always(Arc<rustls::sign::CertifiedKey>);

impl rustls::client::ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

pub fn basic(login: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{login}:{password}")))
}
