//! The listener's configuration: text (TOML) into plain data. Nothing is read or opened here. A key that is not known is an error, for it
//! would otherwise be passed over in silence.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use disco_listen::{Limits, ListenConfig, LogLevel, Plain, TlsFiles};
use serde::Deserialize;
use thiserror::Error;

use crate::runs::client::SOCKET;

/// Where keys are, where nothing else is said.
pub const KEYS: &str = "/etc/disco/agent.keys";
/// Where the configuration is looked for where nothing is said.
pub const PLACE: &str = "/etc/disco/agent.toml";
/// A configuration with every key that there is, and what it means: what `disco agent init` writes.
pub const TEMPLATE: &str = include_str!("template.toml");
/// The port of disco's own interface.
pub const PORT: u16 = 8453;

/// All that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where and how it listens for disco's own interface.
    pub listen: ListenConfig,
    /// How much is written to stderr.
    pub log: LogLevel,
    /// The helper's socket.
    pub helper: PathBuf,
    /// The file with the keys.
    pub keys: PathBuf,
    /// Who may ask.
    pub auth: Auth,
    /// How often.
    pub rate: Rate,
    /// The folder with a smart proxy's settings.
    pub proxy: PathBuf,
    /// Under which address others reach `/v1/runs`; `None` is the node's name and the first port.
    pub url: Option<String>,
    /// puppet-twitch's paths.
    pub twitch: Twitch,
}

/// Who may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Whoever has a good certificate of one of these names, or a key.
    Needed(BTreeSet<String>),
    /// Any program of this machine, whoever's it is.
    AnyoneHere,
}

/// How often somebody may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rate {
    /// Requests a second of one address.
    pub client_per_second: NonZeroU32,
    /// So many at once, before that.
    pub client_burst: NonZeroU32,
    /// Requests a second of all.
    pub all_per_second: NonZeroU32,
    /// So many at once, before that.
    pub all_burst: NonZeroU32,
}

impl Default for Rate {
    fn default() -> Rate {
        let of = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Rate { client_per_second: of(20), client_burst: of(100), all_per_second: of(100), all_burst: of(500) }
    }
}

/// puppet-twitch's paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Twitch {
    /// Whether they are there.
    pub enabled: bool,
    /// The address.
    pub bind: IpAddr,
    /// The port.
    pub port: u16,
    /// So long `async=false` waits for the end of a run.
    pub wait_seconds: u64,
}

impl Default for Twitch {
    fn default() -> Twitch {
        Twitch { enabled: false, bind: IpAddr::from([0, 0, 0, 0]), port: 2023, wait_seconds: 3600 }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// No TOML, a key that nobody knows, a value of another kind.
    #[error("it cannot be read")]
    Syntax(#[source] Box<toml::de::Error>),
    /// A key that has to be there.
    #[error("{key}: it is missing; {why}")]
    Missing {
        /// The key.
        key: &'static str,
        /// Why it has to be there.
        why: &'static str,
    },
    /// A value that cannot be.
    #[error("{key} = {value}: use {wanted}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What it can be.
        wanted: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: Vec<Address>,
    log: Level,
    helper: PathBuf,
    keys: PathBuf,
    auth: Word,
    names: Vec<String>,
    proxy: PathBuf,
    url: Option<String>,
    tls: Option<Tls>,
    limits: Bounds,
    rate: Rate,
    twitch: Twitch,
}

impl Default for File {
    fn default() -> File {
        File {
            listen: vec![Address(SocketAddr::from(([127, 0, 0, 1], PORT)))],
            log: Level::Info,
            helper: PathBuf::from(SOCKET),
            keys: PathBuf::from(KEYS),
            auth: Word::Needed,
            names: vec![],
            proxy: PathBuf::from("/etc/disco/proxy"),
            url: None,
            tls: None,
            limits: Bounds::default(),
            rate: Rate::default(),
            twitch: Twitch::default(),
        }
    }
}

/// An address of `listen`: what is none is told with one that is.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Address(SocketAddr);

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Address, String> {
        let none = |error| format!("{error}: use an address such as 127.0.0.1:{PORT}");
        text.parse().map(Address).map_err(none)
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Word {
    Needed,
    None,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Tls {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
    crl: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Bounds {
    connections: usize,
    connections_per_address: usize,
    handshake_seconds: u64,
    head_seconds: u64,
    body_seconds: u64,
    idle_seconds: u64,
    age_seconds: u64,
    grace_seconds: u64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            connections: 256,
            connections_per_address: 128,
            handshake_seconds: 10,
            head_seconds: 10,
            body_seconds: 10,
            idle_seconds: 75,
            age_seconds: 3600,
            grace_seconds: 10,
        }
    }
}

/// The template, for keys that are in this file.
pub fn template(keys: &Path) -> String {
    let said = |keys: &Path| format!("keys = {}", toml::Value::from(keys.to_string_lossy().into_owned()));
    TEMPLATE.replace(&said(Path::new(KEYS)), &said(keys))
}

/// What this text sets.
pub fn parse(text: &str) -> Result<Config, ConfigError> {
    let file: File = toml::from_str(text).map_err(|error| ConfigError::Syntax(Box::new(error)))?;
    let tls = file.tls.map(tls).transpose()?.flatten();
    if file.listen.is_empty() {
        let wanted = "a list of ADDRESS:PORT, such as [\"0.0.0.0:8453\"]";
        return Err(ConfigError::Value { key: "listen", value: "[]".to_owned(), wanted });
    }
    if !file.helper.is_absolute() {
        // Each who looks for it is in another folder.
        let (value, wanted) = (file.helper.display().to_string(), "the whole path of the socket");
        return Err(ConfigError::Value { key: "helper", value, wanted });
    }
    let auth = auth(file.auth, file.names, tls.as_ref())?;
    let limits = limits(&file.limits)?;
    let addresses = file.listen.into_iter().map(|Address(address)| address).collect();
    let listen = ListenConfig { addresses, tls, plain: Plain::Loopback, unlimited: vec![], limits };
    let config = Config {
        listen,
        log: match file.log {
            Level::Error => LogLevel::Error,
            Level::Warn => LogLevel::Warn,
            Level::Info => LogLevel::Info,
            Level::Debug => LogLevel::Debug,
        },
        helper: file.helper,
        keys: file.keys,
        auth,
        rate: file.rate,
        proxy: file.proxy,
        url: file.url,
        twitch: file.twitch,
    };
    config.check().map(|()| config)
}

impl Config {
    /// Whether it may listen where it is set to: parsing looks at it, and so does whoever changes the addresses afterwards.
    pub fn check(&self) -> Result<(), ConfigError> {
        let open = self.listen.addresses.iter().find(|address| !address.ip().is_loopback());
        match (open, &self.auth, &self.listen.tls) {
            (None, _, _) | (Some(_), Auth::Needed(_), Some(_)) => Ok(()),
            (Some(_), _, None) => {
                let why = "without it only loopback addresses are listened on";
                Err(ConfigError::Missing { key: "tls.certificate", why })
            }
            (Some(address), Auth::AnyoneHere, Some(_)) => Err(ConfigError::Value {
                key: "auth",
                value: format!("\"none\" with {address}"),
                wanted: "it where every address of `listen` is one of loopback, or \"needed\"",
            }),
        }
    }
}

fn tls(tls: Tls) -> Result<Option<TlsFiles>, ConfigError> {
    let missing = |key, why| Err(ConfigError::Missing { key, why });
    match (tls.certificate, tls.key) {
        (Some(_), Some(_)) if tls.client_ca.is_none() && tls.crl.is_some() => {
            missing("tls.client_ca", "a list of what it has revoked says nothing without it")
        }
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key, client_ca: tls.client_ca, crl: tls.crl })),
        (None, None) if tls.client_ca.is_none() && tls.crl.is_none() => Ok(None),
        (None, _) => missing("tls.certificate", "TLS needs it"),
        (_, None) => missing("tls.key", "TLS needs it"),
    }
}

fn auth(word: Word, names: Vec<String>, tls: Option<&TlsFiles>) -> Result<Auth, ConfigError> {
    match word {
        Word::None => Ok(Auth::AnyoneHere),
        Word::Needed => {
            if !names.is_empty() && tls.is_none_or(|tls| tls.client_ca.is_none()) {
                let why = "no certificate is asked for without it, so `names` would let nobody in";
                return Err(ConfigError::Missing { key: "tls.client_ca", why });
            }
            // Names are compared in lower case, as they are read from certificates.
            Ok(Auth::Needed(names.into_iter().map(|name| name.to_lowercase()).collect()))
        }
    }
}

fn limits(set: &Bounds) -> Result<Limits, ConfigError> {
    let seconds = |key, value: u64| match value {
        1..=86_400 => Ok(Duration::from_secs(value)),
        _ => Err(ConfigError::Value { key, value: value.to_string(), wanted: "1 to 86400" }),
    };
    for (key, value) in [
        ("limits.connections", set.connections),
        ("limits.connections_per_address", set.connections_per_address),
    ] {
        if !(1..=100_000).contains(&value) {
            return Err(ConfigError::Value { key, value: value.to_string(), wanted: "1 to 100000" });
        }
    }
    Ok(Limits {
        connections: set.connections,
        connections_per_address: set.connections_per_address,
        handshake: seconds("limits.handshake_seconds", set.handshake_seconds)?,
        head: seconds("limits.head_seconds", set.head_seconds)?,
        body: seconds("limits.body_seconds", set.body_seconds)?,
        idle: seconds("limits.idle_seconds", set.idle_seconds)?,
        age: seconds("limits.age_seconds", set.age_seconds)?,
        grace: seconds("limits.grace_seconds", set.grace_seconds)?,
        ..Limits::default()
    })
}
