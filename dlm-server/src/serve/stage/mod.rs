//! For tests: a real server on loopback with certificates of its own ([`ca`]), and a client ([`client`]).
#![allow(clippy::disallowed_methods, reason = "tests write their certificates")]

mod ca;
mod client;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use axum::routing::get;
use disco_dlm::model::{HostName, Time, UserName};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub use ca::{Ca, Cert};
pub use client::{Client, Said, Stream, basic, rest, said};

use super::{Running, start};
use crate::access::{ApiToken, HostChange, User, roles};
use crate::app::{App, FleetLock, Set};
use crate::listen::{ListenConfig, LogLevel, TlsFiles};
use crate::store::Store;
use crate::store::memory::MemoryStore;
use crate::wire::foreman;
use disco_listen::Log;

/// The store's clock at the start: 2026-11-22 07:43:39 UTC.
pub fn now() -> Time {
    Time::new(1_795_333_419, 0)
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
        Client::new(self.address, &self.ca, cert, tls)
    }
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
