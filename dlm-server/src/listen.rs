//! Where and how the server listens: plain data. `config` fills it from a file, tests by hand, [`crate::serve`] acts on it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// All that is set about listening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenConfig {
    /// The addresses; at least one. Port 0 is any free one, and is told in the log.
    pub addresses: Vec<SocketAddr>,
    /// The files of TLS. `None` is plain HTTP, which is served on loopback addresses alone (behind a proxy, or for tests).
    pub tls: Option<TlsFiles>,
    /// Proxies that are believed when they say who a client is; `None` is none.
    pub trusted_proxies: Option<TrustedProxies>,
    /// What clients may take.
    pub limits: Limits,
    /// What is written to stderr.
    pub log: LogLevel,
    /// How often what has expired is looked for.
    pub sweep_every: Duration,
    /// For how many days events are kept; `None` is for ever.
    pub keep_events_days: Option<u64>,
}

impl Default for ListenConfig {
    fn default() -> ListenConfig {
        ListenConfig {
            addresses: vec![],
            tls: None,
            trusted_proxies: None,
            limits: Limits::default(),
            log: LogLevel::Info,
            sweep_every: Duration::from_secs(10),
            keep_events_days: Some(14),
        }
    }
}

/// The files of TLS, all PEM. They are read again at SIGHUP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those between it and its CA.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The CA, or several, that hosts' certificates come from. Without it no certificate is asked for, and no host is known.
    pub client_ca: Option<PathBuf>,
    /// What these CAs have revoked. With it, a certificate of a CA that has no list in it is refused.
    pub crl: Option<PathBuf>,
}

/// Proxies that end TLS for this server, and say in a header whose certificate they have verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxies {
    /// From where they come. From everybody else the headers mean nothing.
    pub addresses: Vec<IpAddr>,
    /// The header with the host's name, or with the subject of its certificate (`CN=web1,O=Example`, or `/CN=web1`).
    pub name_header: String,
    /// The header that must be exactly `SUCCESS` for the name to count, as Apache's and nginx's `SSL_CLIENT_VERIFY`; `None`
    /// where the proxy sends the name of verified certificates alone.
    pub verify_header: Option<String>,
}

/// What clients may take, each of them and all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most connections. When they are reached the one that has been idle longest is closed.
    pub connections: usize,
    /// The most of one address (of one /64 of IPv6), trusted proxies apart.
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
    /// How long those who are being answered have when the server ends.
    pub grace: Duration,
    /// How many passwords are verified at once; each takes a CPU and 19 MiB for some 30 ms.
    pub verifications: usize,
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
            verifications: 2,
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
