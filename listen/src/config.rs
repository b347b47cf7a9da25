//! Where and how a server listens: plain data. A configuration fills it from a file, tests by hand, [`crate::server`] acts on it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// All that is set about listening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenConfig {
    /// The addresses; at least one where no socket is given. Port 0 is any free one, and is told in the log.
    pub addresses: Vec<SocketAddr>,
    /// The files of TLS. `None` is plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Where plain HTTP may be heard.
    pub plain: Plain,
    /// Addresses from which any number of connections may come, as from a proxy in front of everybody.
    pub unlimited: Vec<IpAddr>,
    /// What clients may take.
    pub limits: Limits,
}

impl Default for ListenConfig {
    fn default() -> ListenConfig {
        ListenConfig {
            addresses: vec![],
            tls: None,
            plain: Plain::Loopback,
            unlimited: vec![],
            limits: Limits::default(),
        }
    }
}

/// Where plain HTTP may be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// On loopback addresses alone: behind a proxy, or for this machine.
    Loopback,
    /// Anywhere: somebody has asked for it by name.
    Anywhere,
}

/// The files of TLS, all PEM. They are read again at SIGHUP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those between it and its CA.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The CA, or several, that clients' certificates come from. Without it no certificate is asked for, and nobody is known by one.
    pub client_ca: Option<PathBuf>,
    /// What these CAs have revoked. With it, a certificate of a CA that has no list in it is refused.
    pub crl: Option<PathBuf>,
}

/// What clients may take, each of them and all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most connections. When they are reached the one that has been idle longest is closed.
    pub connections: usize,
    /// The most of one address (of one /64 of IPv6), `unlimited` ones apart.
    pub connections_per_address: usize,
    /// The longest head of a request, in bytes; at least 8192.
    pub head_bytes: usize,
    /// The longest body, in bytes.
    pub body_bytes: usize,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// How long the head of a request may take, and a connection of HTTP/1 may be idle.
    pub head: Duration,
    /// How long a body may take.
    pub body: Duration,
    /// How long any connection may be idle.
    pub idle: Duration,
    /// How old a connection becomes: who stays longer connects again, and is looked at again.
    pub age: Duration,
    /// How long those who are being answered have when the server ends, or their connection has its age; and how long one of HTTP/2 may
    /// ask on after it was told to connect again.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 4096,
            connections_per_address: 1024,
            head_bytes: 16 * 1024,
            body_bytes: 64 * 1024,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            age: Duration::from_secs(600),
            grace: Duration::from_secs(10),
        }
    }
}

/// How much is written to stderr; each level has those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What keeps the server from its work.
    Error,
    /// Who was turned away, and why.
    Warn,
    /// A line for each request.
    Info,
    /// A line for each connection.
    Debug,
}
