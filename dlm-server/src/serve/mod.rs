//! The server: it listens, bounds what clients take, and ends without leaving anybody half answered. `run` is all that a command needs;
//! tests [`start`] one of their own. It knows no wire: the routes are given.
//!
//! At SIGHUP the certificates are read again: who is connected is answered, and has to connect again. At SIGTERM or SIGINT nobody new is
//! let in, and those who are being answered have [`crate::listen::Limits::grace`].

mod connection;
mod connections;
mod layers;

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
pub(crate) mod stage;
#[cfg(test)]
mod tls_tests;

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::Router;
use disco_dlm::model::Time;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustls::ServerConfig;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::app::App;
use crate::clock;
use crate::identity::{Identity, IdentityError, is_in};
use crate::listen::ListenConfig;
use crate::log::{Log, causes};
use crate::store::StoreError;
use crate::tls::{self, TlsError};
use connection::Served;
use connections::{Connections, Share};

/// Descriptors for all that is no connection: the store, the log, listening.
const OTHER_FILES: u64 = 128;
/// So long nobody is let in after the machine had no descriptor for one more.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// A server that cannot begin.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Without an address.
    #[error("no address to listen on")]
    NoAddress,
    /// An address that cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Without TLS, where others than this machine could listen.
    #[error("{0} would be plain HTTP: without a certificate the server listens on loopback addresses alone")]
    Plain(SocketAddr),
    /// Its certificates.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// Its store.
    #[error("the store cannot be opened")]
    Store(#[from] StoreError),
    /// Its passwords.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The machine does not let it.
    #[error("the server cannot begin")]
    System(#[source] std::io::Error),
}

/// Serves until a signal ends it. `open` opens the store and makes the routes; it runs where async code can.
pub fn run<O>(listen: &ListenConfig, open: O) -> Result<(), ServeError>
where
    O: AsyncFnOnce() -> Result<(App, Router), StoreError>,
{
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::System)?;
    let log = Log::stderr(listen.log);
    let ended = runtime.block_on(async {
        let on = |kind| signal(kind).map_err(ServeError::System);
        let (mut term, mut int, mut hup) =
            (on(SignalKind::terminate())?, on(SignalKind::interrupt())?, on(SignalKind::hangup())?);
        let (app, routes) = open().await?;
        let running = start(listen, app, routes, log.clone()).await?;
        loop {
            tokio::select! {
                _ = term.recv() => break,
                _ = int.recv() => break,
                _ = hup.recv() => running.reload(),
            }
        }
        running.stop().await;
        Ok(())
    });
    // A password that is being verified, or a store that hangs, must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// A server that runs.
pub struct Running {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    listen: ListenConfig,
    tls: Arc<Tls>,
    log: Log,
    /// Changes when who is connected has to connect again.
    stop: watch::Sender<u64>,
    /// Turns true when nobody new is let in.
    closed: watch::Sender<bool>,
    listeners: JoinSet<()>,
    connections: Arc<Connections>,
    sweep: JoinSet<()>,
}

/// The certificates as they are now; nothing where TLS is another's business.
type Tls = RwLock<Option<Arc<ServerConfig>>>;

/// Begins to serve these routes.
pub async fn start(listen: &ListenConfig, app: App, routes: Router, log: Log) -> Result<Running, ServeError> {
    let config = match &listen.tls {
        Some(files) => Some(tls::load(files, clock::now(), &log)?),
        None => None,
    };
    if let (None, Some(open)) = (&config, listen.addresses.iter().find(|address| !address.ip().is_loopback()))
    {
        return Err(ServeError::Plain(*open));
    }
    let mut sockets = vec![];
    for address in &listen.addresses {
        let cannot = |source| ServeError::Listen { address: *address, source };
        sockets.push(TcpListener::bind(address).await.map_err(cannot)?);
    }
    if sockets.is_empty() {
        return Err(ServeError::NoAddress);
    }
    let most = files_for(listen.limits.connections, &log);
    let store = Arc::clone(&app.store);
    let identity =
        Identity::new(app, listen.trusted_proxies.clone(), listen.limits.verifications, log.clone())?;
    let routes = layers::around(routes, identity, listen.limits, log.clone());
    let mut running = Running {
        addresses: vec![],
        listen: listen.clone(),
        tls: Arc::new(RwLock::new(config)),
        log: log.clone(),
        stop: watch::Sender::new(0),
        closed: watch::Sender::new(false),
        listeners: JoinSet::new(),
        connections: Arc::new(Connections::new(most, listen.limits.connections_per_address)),
        sweep: JoinSet::new(),
    };
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    for socket in sockets {
        let address = socket.local_addr().map_err(ServeError::System)?;
        log.info(format_args!("listening on {scheme}://{address}"));
        running.addresses.push(address);
        let served = Served { routes: routes.clone(), limits: listen.limits, log: log.clone() };
        let door = Door {
            served,
            tls: Arc::clone(&running.tls),
            connections: Arc::clone(&running.connections),
            proxies: listen.trusted_proxies.iter().flat_map(|proxies| proxies.addresses.clone()).collect(),
            stop: running.stop.subscribe(),
        };
        running.listeners.spawn(door.open(socket, running.closed.subscribe()));
    }
    let (every, keep) = (listen.sweep_every, listen.keep_events_days);
    running.sweep.spawn(async move {
        loop {
            sleep(every).await;
            let days = keep.map(|days| i64::try_from(days.saturating_mul(86400)).unwrap_or(i64::MAX));
            let before = days.map_or(i64::MIN, |days| clock::now().seconds().saturating_sub(days));
            if let Err(error) = store.sweep(Time::new(before, 0)).await {
                log.error(format_args!("what has expired was not looked for: {}", causes(&error)));
            }
        }
    });
    Ok(running)
}

impl Running {
    /// Reads the certificates again. Where they cannot be read those of before stay.
    pub fn reload(&self) {
        let Some(files) = &self.listen.tls else { return };
        match tls::load(files, clock::now(), &self.log) {
            Ok(config) => {
                *self.tls.write().unwrap_or_else(PoisonError::into_inner) = Some(config);
                self.stop.send_modify(|times| *times += 1);
                self.log.info(format_args!("the certificates were read again"));
            }
            Err(error) => {
                self.log.error(format_args!("the certificates stay as they were: {}", causes(&error)));
            }
        }
    }

    /// How many are connected.
    pub fn connected(&self) -> usize {
        self.connections.count()
    }

    /// Lets nobody new in, and waits for those who are being answered.
    pub async fn stop(mut self) {
        self.closed.send_replace(true);
        self.stop.send_modify(|times| *times += 1);
        let all = async { while self.listeners.join_next().await.is_some() {} };
        // Connections have the grace, and a second to say goodbye.
        if timeout(self.listen.limits.grace + Duration::from_secs(1), all).await.is_err() {
            self.log.warn(format_args!("{} connections did not end in time", self.connections.count()));
        }
        self.sweep.shutdown().await;
    }
}

/// One address that is listened on.
struct Door {
    served: Served,
    tls: Arc<Tls>,
    connections: Arc<Connections>,
    proxies: Vec<std::net::IpAddr>,
    stop: watch::Receiver<u64>,
}

impl Door {
    /// Lets clients in until it is closed, then waits for those who are in.
    async fn open(self, socket: TcpListener, mut closed: watch::Receiver<bool>) {
        let mut inside = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                _ = closed.changed() => break,
                Some(_) = inside.join_next(), if !inside.is_empty() => continue,
            };
            let (tcp, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.served.log.error(format_args!("nobody can be let in: {error}"));
                    sleep(OUT_OF_FILES).await;
                    continue;
                }
            };
            let share = if is_in(address.ip(), &self.proxies) { Share::Unlimited } else { Share::Limited };
            let Some(place) = self.connections.admit(address.ip(), share, Instant::now()) else {
                self.served.log.warn(format_args!("{address}: turned away, there are too many connections"));
                continue;
            };
            // In this order: certificates that change between the two are heard of.
            let mut stop = self.stop.clone();
            stop.mark_unchanged();
            let tls = self.tls.read().unwrap_or_else(PoisonError::into_inner).clone();
            inside.spawn(connection::serve(self.served.clone(), tcp, address, tls, place, stop));
        }
        drop(socket);
        while inside.join_next().await.is_some() {}
    }
}

/// Lets the process have enough descriptors, and gives how many connections that is good for.
fn files_for(connections: usize, log: &Log) -> usize {
    let wanted = connections as u64 + OTHER_FILES;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return connections };
    let raised = wanted.min(hard);
    if soft < raised
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, raised, hard)
    {
        log.warn(format_args!("only {soft} files can be open: {error}"));
    }
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(soft, |(soft, _)| soft);
    if limit >= wanted {
        return connections;
    }
    let fits = usize::try_from(limit.saturating_sub(OTHER_FILES).max(16)).unwrap_or(connections);
    log.warn(format_args!(
        "{fits} connections at most, and not {connections}: only {limit} files can be open"
    ));
    fits
}
