//! The face of a smart proxy behind this listener: disco's subsystems as features, with how they stand from the helper. Its settings are
//! the administrator's, in a smart proxy's own form; the ports that are set there are listened on, too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use disco_listen::{Limits, ListenConfig, Log, Plain, TlsFiles};
use thiserror::Error;

use super::standing::{Known, Seen};
use crate::face::board::Set;
use crate::face::builtin::{self, Stands, Subsystem};
use crate::face::feature::NotAName;
use crate::face::names::System;
use crate::face::ring::{Level, Record, Ring};
use crate::face::trust::Trust;
use crate::face::{Board, Feature, Peer, Spec, Standing, clock, log, router};
use crate::runs;
use crate::settings::global::Global;
use crate::settings::{SettingsError, Value, load};

/// A face that cannot be shown.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// Its settings.
    #[error("the proxy's settings cannot be used")]
    Settings(#[from] SettingsError),
    /// A bug: a feature's name is none.
    #[error("a feature cannot be offered")]
    Name(#[from] NotAName),
    /// An address that is none.
    #[error("{file}: `:bind_host:` has {host}, which is no address")]
    Host {
        /// The file.
        file: PathBuf,
        /// What it has.
        host: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// The face, and where else it is shown.
pub struct Proxy {
    /// All features.
    pub board: Arc<Board>,
    /// The ports of its settings.
    pub doors: Vec<Door>,
    folder: PathBuf,
    set: Setting,
}

/// What all of it is made from.
#[derive(PartialEq)]
struct Setting {
    file: PathBuf,
    global: Global,
    url: String,
    limits: Limits,
}

/// A port of a smart proxy's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// How it is listened on; the addresses are in `at`.
    pub listen: ListenConfig,
    /// Where. Of each list the first that there is on this machine.
    pub at: Vec<Vec<SocketAddr>>,
}

/// The face by the settings in that folder; `None` where there is no `settings.yml` in it.
pub fn open(
    folder: &Path,
    url: &str,
    seen: &Seen,
    limits: Limits,
    to: Log,
) -> Result<Option<Proxy>, ProxyError> {
    let file = folder.join("settings.yml");
    let Some(settings) = load::load(&file)? else { return Ok(None) };
    let global = Global::of(&settings)?;
    for warning in &global.warnings {
        to.warn(format_args!("{warning}"));
    }
    let ring = Ring::new(global.log_buffer, global.log_buffer_errors);
    let told = move |record: &Record| match record.level {
        Level::Error | Level::Fatal => to.error(format_args!("proxy: {}", record.message)),
        Level::Warn => to.warn(format_args!("proxy: {}", record.message)),
        Level::Debug | Level::Info => to.debug(format_args!("proxy: {}", record.message)),
    };
    let log = log::Log::new(ring, Level::of(&global.log_level), clock::system(), Box::new(told));
    let trust = Trust { hosts: global.trusted_hosts.clone(), forward_verify: global.forward_verify };
    let set = Set { version: String::from(env!("CARGO_PKG_VERSION")), trust };
    let board = Board::new(set, log, clock::system(), features(url, seen)?);
    let doors = doors(&global, &file, limits)?;
    let folder = global.settings_directory.clone().unwrap_or_else(|| folder.join("settings.d"));
    let set = Setting { file, global, url: url.to_owned(), limits };
    let proxy = Proxy { board: Arc::new(board), doors, folder, set };
    proxy.load();
    Ok(Some(proxy))
}

impl Proxy {
    /// Whether [`open`] would make the same of this, but for the features' own settings.
    pub fn is_of(&self, folder: &Path, url: &str, limits: Limits) -> Result<bool, ProxyError> {
        let file = folder.join("settings.yml");
        let Some(settings) = load::load(&file)? else { return Ok(false) };
        let global = Global::of(&settings)?;
        Ok(self.set == Setting { file, global, url: url.to_owned(), limits })
    }

    /// Reads the features' settings, again if they have been read.
    pub fn load(&self) {
        self.board.load(|name| load::of_feature(&self.folder, name.as_str()));
    }

    /// Its paths.
    pub fn routes(&self) -> Router {
        router::routes(Arc::clone(&self.board), Arc::new(System)).layer(from_fn(known))
    }

    /// All of it, for a port that has nothing else.
    pub fn whole(&self) -> Router {
        router::router(Arc::clone(&self.board), Arc::new(System)).layer(from_fn(known))
    }
}

/// What a node says that is no proxy: its version, and no features.
pub fn version_alone() -> Router {
    let said = concat!("{\"version\":\"", env!("CARGO_PKG_VERSION"), "\",\"modules\":{}}");
    Router::new().route("/version", get(async move || ([("content-type", "application/json")], said)))
}

/// Who asks, in the words of the face.
async fn known(mut request: Request, next: Next) -> axum::response::Response {
    let peer = request.extensions().get::<disco_listen::Peer>().map(Peer::from);
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    next.run(request).await
}

fn doors(global: &Global, file: &Path, limits: Limits) -> Result<Vec<Door>, ProxyError> {
    let at = |port| -> Result<Vec<Vec<SocketAddr>>, ProxyError> {
        global.bind_host.iter().map(|host| addresses(host, port, file)).collect()
    };
    let base = ListenConfig { plain: Plain::Anywhere, limits, ..ListenConfig::default() };
    let mut doors = vec![];
    if let Some(port) = global.http_port {
        doors.push(Door { listen: base.clone(), at: at(port)? });
    }
    if let Some(ssl) = &global.ssl {
        let tls = TlsFiles {
            cert: ssl.certificate.clone(),
            key: ssl.key.clone(),
            client_ca: Some(ssl.ca.clone()),
            crl: None,
        };
        doors.push(Door { listen: ListenConfig { tls: Some(tls), ..base }, at: at(global.https_port)? });
    }
    Ok(doors)
}

fn addresses(host: &str, port: u16, file: &Path) -> Result<Vec<SocketAddr>, ProxyError> {
    if host == "*" {
        // Both, where the machine has IPv6: a socket of that hears IPv4, too.
        let all = [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
        return Ok(all.map(|address| SocketAddr::new(address, port)).to_vec());
    }
    let none = |source| ProxyError::Host { file: file.to_owned(), host: host.to_owned(), source };
    Ok((host, port).to_socket_addrs().map_err(none)?.collect())
}

/// Opens the first of these that can be had.
pub fn first_of(addresses: &[SocketAddr]) -> std::io::Result<TcpListener> {
    TcpListener::bind(addresses)
}

fn features(url: &str, seen: &Seen) -> Result<Vec<Arc<dyn Feature>>, NotAName> {
    let by = |says: fn(&runs::Standing) -> Standing| -> Stands {
        let seen = seen.clone();
        Box::new(move || match seen.now() {
            Known::Nothing => Standing::Starting,
            Known::Silent(why) => Standing::Failed(why),
            Known::Said(standing) => says(&standing),
        })
    };
    let subsystem =
        |spec: Spec, stands: Stands| -> Arc<dyn Feature> { Arc::new(Subsystem::new(spec, stands)) };
    let mut trigger = builtin::trigger()?;
    for setting in trigger.settings.iter_mut().filter(|setting| setting.key == "trigger_url") {
        setting.default = Value::Text(url.to_owned());
    }
    Ok(vec![
        subsystem(builtin::dance()?, by(dance)),
        subsystem(builtin::noop()?, by(noop)),
        subsystem(builtin::lock()?, by(lock)),
        subsystem(trigger, by(|_| Standing::Running)),
        // It works wherever this face does.
        subsystem(builtin::logs()?, Box::new(|| Standing::Running)),
        subsystem(builtin::facts()?, by(|_| Standing::Running)),
    ])
}

fn dance(standing: &runs::Standing) -> Standing {
    match (&standing.trouble, &standing.disabled) {
        (Some(why), _) => Standing::Failed(why.clone()),
        (None, Some(why)) => Standing::Failed(format!("live runs are disabled: {why}")),
        (None, None) => Standing::Running,
    }
}

fn noop(standing: &runs::Standing) -> Standing {
    standing.trouble.clone().map_or(Standing::Running, Standing::Failed)
}

fn lock(standing: &runs::Standing) -> Standing {
    match standing.lock_url {
        Some(_) => Standing::Running,
        None => Standing::Failed(String::from("no lock server is set (disco/dlm/url)")),
    }
}
