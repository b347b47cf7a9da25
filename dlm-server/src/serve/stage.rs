//! For tests: a real server on loopback with certificates of its own, and a client that says what it is told to, to the byte.
#![allow(clippy::disallowed_methods, reason = "tests write their certificates")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use disco_dlm::model::{HostName, Time, UserName};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Running, start};
use crate::access::{ApiToken, HostChange, User, roles};
use crate::app::{App, FleetLock, Set};
use crate::listen::{ListenConfig, LogLevel, TlsFiles};
use crate::log::Log;
use crate::store::Store;
use crate::store::memory::MemoryStore;
use crate::wire::foreman;

/// The store's clock at the start: 2026-11-22 07:43:39 UTC.
pub fn now() -> Time {
    Time::new(1_795_333_419, 0)
}

/// A CA.
pub struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Cert {
    pub pem: String,
    pub key_pem: String,
    der: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Ca {
    pub fn new(name: &str) -> Ca {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ca { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate; `change` makes it another than a good one of a host of this name.
    pub fn issue(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Cert {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "CN=other");
        for name in names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Cert {
            pem: cert.pem(),
            key_pem: key.serialize_pem(),
            der: cert.der().clone(),
            key: key.serialize_der(),
        }
    }

    pub fn host(&self, name: &str) -> Cert {
        self.issue(&[name], |_| {})
    }

    /// A certificate of a host with this serial number.
    pub fn numbered(&self, name: &str, serial: u64) -> Cert {
        self.issue(&[name], |params| params.serial_number = Some(SerialNumber::from(serial)))
    }

    fn server(&self) -> Cert {
        self.issue(&["server"], |params| {
            params.subject_alt_names = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()])
                .unwrap()
                .subject_alt_names;
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        })
    }

    /// The list of what it has revoked.
    pub fn list(&self, serials: &[u64]) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2096, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

/// Where the log goes.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Waits until a line has this in it: a client may know the end of it before the server has told it.
    pub fn wait_for(&self, what: &str) -> String {
        let start = std::time::Instant::now();
        while !self.text().contains(what) {
            assert!(start.elapsed() < Duration::from_secs(10), "no {what:?} in {}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.text()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// A server that runs, and all that belongs to it.
pub struct Stage {
    pub runtime: Runtime,
    pub running: Option<Running>,
    pub store: Arc<MemoryStore>,
    pub ca: Ca,
    pub dir: TempDir,
    pub log: Lines,
    pub address: SocketAddr,
}

impl Stage {
    /// A server with hosts `web1`, `web2`, and users `admin`, `viewer`, `locker` (role Distributed Lock Manager), `nobody` (no role), each
    /// with its login as password, and `robot` with the token `secret-token` alone.
    pub fn new() -> Stage {
        Stage::with(|_, _, _| {})
    }

    pub fn with(change: impl FnOnce(&mut ListenConfig, &mut Set, &Ca)) -> Stage {
        let runtime = Runtime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::new("The CA");
        let server = ca.server();
        for (name, text) in
            [("ca.pem", &ca.pem()), ("server.pem", &server.pem), ("server.key", &server.key_pem)]
        {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        std::fs::write(dir.path().join("crl.pem"), ca.list(&[])).unwrap();
        let path = |name: &str| -> PathBuf { dir.path().join(name) };
        let mut listen = ListenConfig {
            addresses: vec!["127.0.0.1:0".parse().unwrap()],
            tls: Some(TlsFiles {
                cert: path("server.pem"),
                key: path("server.key"),
                client_ca: Some(path("ca.pem")),
                crl: Some(path("crl.pem")),
            }),
            log: LogLevel::Debug,
            ..ListenConfig::default()
        };
        let mut set = plain();
        change(&mut listen, &mut set, &ca);
        let store = Arc::new(MemoryStore::at(now()));
        runtime.block_on(people(store.as_ref()));
        let app = App { store: Arc::<MemoryStore>::clone(&store), set: Arc::new(set) };
        let log = Lines::default();
        // What takes a while, to be answered while the server ends.
        let slow = get(async || {
            tokio::time::sleep(Duration::from_millis(700)).await;
            "slow"
        });
        let routes = foreman::routes(app.clone()).route("/slow", slow);
        let running =
            runtime.block_on(start(&listen, app.clone(), routes, Log::to(listen.log, log.clone()))).unwrap();
        let address = running.addresses[0];
        Stage { runtime, running: Some(running), store, ca, dir, log, address }
    }

    /// What the server is set to, by default.
    pub fn set(&self) -> Arc<Set> {
        Arc::new(plain())
    }

    /// Somebody with a certificate of this name.
    pub fn host(&self, name: &str) -> Client {
        self.client(Some(&self.ca.host(name)))
    }

    /// Somebody with a login.
    pub fn user(&self, login: &str, password: &str) -> Client {
        let mut client = self.client(None);
        client.authorization = Some(basic(login, password));
        client
    }

    /// Somebody with this certificate, or none.
    pub fn client(&self, cert: Option<&Cert>) -> Client {
        self.client_of(cert, true)
    }

    /// The same; without TLS where the server has none.
    pub fn client_of(&self, cert: Option<&Cert>, tls: bool) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.issuer.der().clone()).unwrap();
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
        Client { address: self.address, tls, authorization: None }
    }
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

fn plain() -> Set {
    Set { roles: roles(), auto_create: false, fleetlock: FleetLock::Off, per_page: 20, stale_hours: 4 }
}

/// A hash as a user's, which takes no time.
fn cheap(password: &str) -> String {
    let params = Params::new(8, 1, 1, None).unwrap();
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    hasher.hash_password(password.as_bytes()).unwrap().to_string()
}

async fn people(store: &dyn Store) {
    for name in ["web1", "web2"] {
        store.put_host(&HostName::new(name).unwrap(), HostChange::default()).await.unwrap();
    }
    let roles = [
        ("admin", ""),
        ("viewer", "Viewer"),
        ("locker", "Distributed Lock Manager"),
        ("nobody", ""),
        ("robot", "Viewer"),
    ];
    for (login, role) in roles {
        let token = |expires| ApiToken {
            name: format!("{expires:?}"),
            // SHA-256 of `secret-token`, and of `old-token`.
            sha256: String::from(match expires {
                None => "930bbdc51b6aed5c2a5678fd6e28dee7a05e8a4b643cfc0b4427c3efb86c0d94",
                Some(_) => "9bdf10a691a1cfda89d9ff66629d1609ab176cec9b6a3146a8929f28937a9fce",
            }),
            created: now(),
            expires,
        };
        let user = User {
            login: UserName::new(login).unwrap(),
            password: (login != "robot").then(|| cheap(login)),
            admin: login == "admin",
            roles: (!role.is_empty()).then(|| role.to_owned()).into_iter().collect(),
            tokens: if login == "robot" { vec![token(None), token(Some(Time::new(1, 0)))] } else { vec![] },
        };
        store.put_user(&user).await.unwrap();
    }
}

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
