//! The server's configuration: text (TOML) into plain data. Nothing is read or opened here. A key that is not known is an error,
//! for it would otherwise be passed over in silence.

mod section;

#[cfg(test)]
mod config_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use self::section::Section;
use crate::access::{Permission, roles};
use crate::app::{FleetLock, Set};
use crate::listen::{Limits, ListenConfig, LogLevel, TlsFiles, TrustedProxies};

/// Where the configuration is looked for where nothing is said.
pub const PLACE: &str = "/etc/disco/dlm.toml";
/// A configuration with every key that there is, and what it means: what `disco dlm init` writes.
pub const TEMPLATE: &str = include_str!("template.toml");

/// All that is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything is kept.
    pub store: StoreAt,
    /// Where and how the server listens.
    pub listen: ListenConfig,
    /// What handlers need to know.
    pub set: Set,
}

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAt {
    /// In this file.
    Sqlite(PathBuf),
    /// In this cluster.
    Etcd(EtcdAt),
}

/// A cluster of etcd, and how it knows this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdAt {
    /// `etcd://HOST:PORT,…[/PREFIX]`, or `etcds://` over TLS.
    pub url: String,
    /// The CA of its certificates.
    pub ca: Option<PathBuf>,
    /// This server's certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The user.
    pub user: Option<String>,
    /// The file with its password.
    pub password_file: Option<PathBuf>,
}

/// A configuration that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// No TOML.
    #[error("it is no TOML")]
    Syntax(#[source] Box<toml::de::Error>),
    /// A key that nobody knows.
    #[error("{key}: there is no such key{}", .nearest.as_ref().map(|nearest| format!("; the nearest is {nearest}")).unwrap_or_default())]
    Unknown {
        /// The key, with the tables that it is in.
        key: String,
        /// The known one that is written most like it.
        nearest: Option<String>,
    },
    /// A key that has to be there.
    #[error("{key}: it is missing; {why}")]
    Missing {
        /// The key.
        key: String,
        /// Why it has to be there.
        why: &'static str,
    },
    /// A value that cannot be.
    #[error("{key} = {value}: use {wanted}")]
    Value {
        /// The key.
        key: String,
        /// The value, as TOML.
        value: String,
        /// What it can be.
        wanted: &'static str,
    },
}

const PLAIN: &str = "a table";
const ALL: [&str; 13] = [
    "store",
    "etcd",
    "listen",
    "tls",
    "trusted_proxies",
    "hosts",
    "roles",
    "fleetlock",
    "per_page",
    "stale_hours",
    "events",
    "limits",
    "log",
];

/// What this text sets.
pub fn parse(text: &str) -> Result<Config, ConfigError> {
    let table: toml::Table = text.parse().map_err(|error| ConfigError::Syntax(Box::new(error)))?;
    let top = Section::new("", &table, &ALL)?;
    let hosts = top.section("hosts", &["auto_create"])?;
    let set = Set {
        roles: all_roles(&top)?,
        auto_create: hosts.choice("auto_create", "never", "\"never\" or \"cert\"", |word| match word {
            "never" => Some(false),
            "cert" => Some(true),
            _ => None,
        })?,
        fleetlock: top.choice(
            "fleetlock",
            "off",
            "\"off\", \"enrolled\" or \"anybody\"",
            |word| match word {
                "off" => Some(FleetLock::Off),
                "enrolled" => Some(FleetLock::Enrolled),
                "anybody" => Some(FleetLock::Anybody),
                _ => None,
            },
        )?,
        per_page: top.number("per_page", 20, 1..=10_000)?,
        stale_hours: top.number("stale_hours", 4, 1..=100_000)?,
    };
    Ok(Config { store: store(&top)?, listen: listen(&top)?, set })
}

fn store(top: &Section<'_>) -> Result<StoreAt, ConfigError> {
    let wanted = "sqlite:///PATH, or etcd://HOST:PORT,HOST:PORT (etcds:// over TLS)";
    let etcd = top.section("etcd", &["ca", "certificate", "key", "user", "password_file"])?;
    let url = top.text("store")?.unwrap_or_else(|| String::from("sqlite:///var/lib/disco-dlm/locks.db"));
    match url.split_once("://") {
        Some(("sqlite", path)) if path.starts_with('/') && !path.ends_with('/') => {
            Ok(StoreAt::Sqlite(PathBuf::from(path)))
        }
        Some(("etcd" | "etcds", hosts)) if !hosts.is_empty() && !hosts.starts_with('/') => {
            Ok(StoreAt::Etcd(EtcdAt {
                ca: etcd.path("ca")?,
                cert: etcd.path("certificate")?,
                key: etcd.path("key")?,
                user: etcd.text("user")?,
                password_file: etcd.path("password_file")?,
                url,
            }))
        }
        _ => Err(top.bad("store", wanted)),
    }
}

fn listen(top: &Section<'_>) -> Result<ListenConfig, ConfigError> {
    let standard = ListenConfig::default();
    let wanted = "a list of ADDRESS:PORT, such as [\"0.0.0.0:8443\"]";
    let addresses = match top.list("listen")? {
        None => vec![SocketAddr::from(([127, 0, 0, 1], 8443))],
        Some(words) => words
            .iter()
            .map(|word| word.parse().map_err(|_| top.bad("listen", wanted)))
            .collect::<Result<Vec<SocketAddr>, _>>()?,
    };
    if addresses.is_empty() {
        return Err(top.bad("listen", wanted));
    }
    let tls = tls(top)?;
    if tls.is_none() && addresses.iter().any(|address| !address.ip().is_loopback()) {
        let why = "without it only loopback addresses are listened on, for a proxy";
        return Err(ConfigError::Missing { key: String::from("tls.certificate"), why });
    }
    let (limits, verifications) = limits(top)?;
    let events = top.section("events", &["keep_days"])?;
    Ok(ListenConfig {
        addresses,
        tls,
        trusted_proxies: proxies(top)?,
        limits,
        verifications,
        log: top.choice("log", "info", "\"error\", \"warn\", \"info\" or \"debug\"", |word| match word {
            "error" => Some(LogLevel::Error),
            "warn" => Some(LogLevel::Warn),
            "info" => Some(LogLevel::Info),
            "debug" => Some(LogLevel::Debug),
            _ => None,
        })?,
        keep_events_days: match events.number("keep_days", 14, 0..=100_000)? {
            0 => None,
            days => Some(days),
        },
        ..standard
    })
}

fn tls(top: &Section<'_>) -> Result<Option<TlsFiles>, ConfigError> {
    let tls = top.section("tls", &["certificate", "key", "client_ca", "crl"])?;
    let (cert, key) = (tls.path("certificate")?, tls.path("key")?);
    let (client_ca, crl) = (tls.path("client_ca")?, tls.path("crl")?);
    let missing = |key: &str, why| ConfigError::Missing { key: format!("tls.{key}"), why };
    match (cert, key) {
        (Some(cert), Some(key)) => match (&client_ca, &crl) {
            (None, Some(_)) => {
                Err(missing("client_ca", "a list of what it has revoked says nothing without it"))
            }
            _ => Ok(Some(TlsFiles { cert, key, client_ca, crl })),
        },
        (None, None) if client_ca.is_none() && crl.is_none() => Ok(None),
        (None, _) => Err(missing("certificate", "TLS needs it")),
        (_, None) => Err(missing("key", "TLS needs it")),
    }
}

fn proxies(top: &Section<'_>) -> Result<Option<TrustedProxies>, ConfigError> {
    if !top.has("trusted_proxies") {
        return Ok(None);
    }
    let section = top.section("trusted_proxies", &["addresses", "header", "verify_header"])?;
    let wanted = "a list of IP addresses, such as [\"127.0.0.1\"]";
    let addresses = section
        .list("addresses")?
        .unwrap_or_default()
        .iter()
        .map(|word| word.parse().map_err(|_| section.bad("addresses", wanted)))
        .collect::<Result<Vec<IpAddr>, _>>()?;
    if addresses.is_empty() {
        let why = "it says from where the header is believed";
        return Err(ConfigError::Missing { key: String::from("trusted_proxies.addresses"), why });
    }
    let header = |key| match section.text(key)? {
        Some(name)
            if name.is_empty()
                || name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_') =>
        {
            Err(section.bad(key, "the name of a header"))
        }
        name => Ok(name),
    };
    let why = "it says which header has the host's name";
    let missing = || ConfigError::Missing { key: String::from("trusted_proxies.header"), why };
    let name_header = header("header")?.ok_or_else(missing)?;
    Ok(Some(TrustedProxies { addresses, name_header, verify_header: header("verify_header")? }))
}

fn limits(top: &Section<'_>) -> Result<(Limits, usize), ConfigError> {
    let known = [
        "connections",
        "connections_per_address",
        "head_bytes",
        "body_bytes",
        "handshake_seconds",
        "head_seconds",
        "body_seconds",
        "idle_seconds",
        "age_seconds",
        "grace_seconds",
        "verifications",
    ];
    let section = top.section("limits", &known)?;
    let standard = Limits::default();
    let size = |key, otherwise: usize, least| {
        let number = section.number(key, otherwise as u64, least..=(1 << 30))?;
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    };
    let seconds = |key, otherwise: Duration| {
        Ok(Duration::from_secs(section.number(key, otherwise.as_secs(), 1..=86_400)?))
    };
    let limits = Limits {
        connections: size("connections", standard.connections, 1)?,
        connections_per_address: size("connections_per_address", standard.connections_per_address, 1)?,
        head_bytes: size("head_bytes", standard.head_bytes, 8192)?,
        body_bytes: size("body_bytes", standard.body_bytes, 1024)?,
        handshake: seconds("handshake_seconds", standard.handshake)?,
        head: seconds("head_seconds", standard.head)?,
        body: seconds("body_seconds", standard.body)?,
        idle: seconds("idle_seconds", standard.idle)?,
        age: seconds("age_seconds", standard.age)?,
        grace: seconds("grace_seconds", standard.grace)?,
    };
    Ok((limits, size("verifications", ListenConfig::default().verifications, 1)?))
}

/// The roles that are always there, and those of the configuration.
fn all_roles(top: &Section<'_>) -> Result<BTreeMap<String, BTreeSet<Permission>>, ConfigError> {
    let mut all = roles();
    let Some(own) = top.table("roles")? else { return Ok(all) };
    let wanted = "a list of view_dlmlocks, create_dlmlocks, edit_dlmlocks, destroy_dlmlocks, view_dlmlock_events and view_hosts";
    for (name, value) in own {
        let key = format!("roles.{name}");
        let bad = |wanted| ConfigError::Value { key: key.clone(), value: value.to_string(), wanted };
        let permission = |value: &toml::Value| {
            let word = value.as_str()?;
            Permission::ALL.into_iter().find(|permission| permission.name() == word)
        };
        let list = value.as_array().ok_or_else(|| bad(wanted))?;
        let permissions: Option<BTreeSet<Permission>> = list.iter().map(permission).collect();
        if all.insert(name.clone(), permissions.ok_or_else(|| bad(wanted))?).is_some() {
            return Err(bad("another name: this role is always there"));
        }
    }
    Ok(all)
}
