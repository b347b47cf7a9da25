//! Where and how the server listens: plain data. `config` fills it from a file, tests by hand, [`crate::serve`] acts on it. The larger
//! part is any server's: `disco_listen`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use disco_listen::{Limits, LogLevel, TlsFiles};

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
    /// How many passwords are verified at once; each takes a CPU and 19 MiB for some 30 ms.
    pub verifications: usize,
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
            verifications: 2,
            log: LogLevel::Info,
            sweep_every: Duration::from_secs(10),
            keep_events_days: Some(14),
        }
    }
}

impl ListenConfig {
    /// What any server has.
    pub fn plain(&self) -> disco_listen::ListenConfig {
        disco_listen::ListenConfig {
            addresses: self.addresses.clone(),
            tls: self.tls.clone(),
            unlimited: self.trusted_proxies.iter().flat_map(|proxies| proxies.addresses.clone()).collect(),
            limits: self.limits,
            ..disco_listen::ListenConfig::default()
        }
    }
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
