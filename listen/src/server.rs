//! A server: it listens, bounds what clients take, and ends without leaving anybody half answered.
//!
//! At SIGHUP the certificates are read again: who is connected is answered, and has to connect again. At SIGTERM or SIGINT nobody new is
//! let in, and those who are being answered have [`crate::config::Limits::grace`].

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::middleware::from_fn_with_state;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustls::ServerConfig;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::ListenConfig;
use crate::connection::{self, Served};
use crate::connections::{Connections, Share};
use crate::log::{Log, causes};
use crate::network::is_in;
use crate::tls::{self, TlsError};
use crate::{clock, layers, sockets};

/// Descriptors for all that is no connection: a store, the log, listening.
const OTHER_FILES: u64 = 128;
/// So long nobody is let in after the machine had no descriptor for one more.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// A server that cannot begin.
#[derive(Debug, Error)]
pub enum ListenError {
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
    /// Something is given that is no socket to listen on.
    #[error("the sockets that were given cannot be listened on")]
    Given(#[source] std::io::Error),
    /// Without TLS, where others than this machine could listen.
    #[error("{0} would be plain HTTP: without a certificate the server listens on loopback addresses alone")]
    Plain(SocketAddr),
    /// Its certificates.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// The machine does not let it.
    #[error("the server cannot begin")]
    System(#[source] std::io::Error),
}

/// A server that runs.
pub struct Running {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// How it listens.
    pub listen: ListenConfig,
    tls: Arc<Tls>,
    log: Log,
    /// Changes when who is connected has to connect again.
    stop: watch::Sender<u64>,
    /// Turns true when nobody new is let in.
    closed: watch::Sender<bool>,
    listeners: JoinSet<()>,
    connections: Arc<Connections>,
}

/// The certificates as they are now; nothing where TLS is another's business.
type Tls = RwLock<Option<Arc<ServerConfig>>>;

/// Begins to serve these routes on the addresses of the configuration. Each request carries a [`crate::peer::Peer`].
pub fn start(listen: &ListenConfig, routes: Router, log: Log) -> Result<Running, ListenError> {
    start_on(sockets::open(listen)?, listen, routes, log)
}

/// The same on sockets that there are already. In a tokio runtime.
pub fn start_on(
    sockets: Vec<std::net::TcpListener>,
    listen: &ListenConfig,
    routes: Router,
    log: Log,
) -> Result<Running, ListenError> {
    let config = match &listen.tls {
        Some(files) => Some(tls::load(files, clock::now(), &log)?),
        None => None,
    };
    if sockets.is_empty() {
        return Err(ListenError::NoAddress);
    }
    let mut doors = vec![];
    for socket in sockets {
        let address = socket.local_addr().map_err(ListenError::System)?;
        sockets::allowed(listen, address)?;
        socket.set_nonblocking(true).map_err(ListenError::System)?;
        doors.push((TcpListener::from_std(socket).map_err(ListenError::System)?, address));
    }
    let most = files_for(listen.limits.connections, &log);
    let routes = routes.layer(from_fn_with_state(log.clone(), layers::told));
    let mut running = Running {
        addresses: vec![],
        listen: listen.clone(),
        tls: Arc::new(RwLock::new(config)),
        log: log.clone(),
        stop: watch::Sender::new(0),
        closed: watch::Sender::new(false),
        listeners: JoinSet::new(),
        connections: Arc::new(Connections::new(most, listen.limits.connections_per_address)),
    };
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    for (socket, address) in doors {
        log.info(format_args!("listening on {scheme}://{address}"));
        running.addresses.push(address);
        let door = Door {
            served: Served { routes: routes.clone(), limits: listen.limits, log: log.clone() },
            tls: Arc::clone(&running.tls),
            connections: Arc::clone(&running.connections),
            unlimited: listen.unlimited.clone(),
            stop: running.stop.subscribe(),
        };
        running.listeners.spawn(door.open(socket, running.closed.subscribe()));
    }
    Ok(running)
}

/// The signals that a server hears.
pub struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    /// Hears them from now on: they end the process no more. In a tokio runtime.
    pub fn hear() -> Result<Signals, ListenError> {
        let on = |kind| signal(kind).map_err(ListenError::System);
        Ok(Signals {
            term: on(SignalKind::terminate())?,
            int: on(SignalKind::interrupt())?,
            hup: on(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGTERM or SIGINT, and calls `reload` at each SIGHUP.
    pub async fn until_end(mut self, mut reload: impl FnMut()) {
        loop {
            tokio::select! {
                _ = self.term.recv() => return,
                _ = self.int.recv() => return,
                _ = self.hup.recv() => reload(),
            }
        }
    }
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
    }
}

/// One address that is listened on.
struct Door {
    served: Served,
    tls: Arc<Tls>,
    connections: Arc<Connections>,
    unlimited: Vec<IpAddr>,
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
                // A socket of IPv6 that hears IPv4 too writes its addresses as those of IPv6.
                Ok((tcp, address)) => (tcp, SocketAddr::new(address.ip().to_canonical(), address.port())),
                Err(error) => {
                    self.served.log.error(format_args!("nobody can be let in: {error}"));
                    sleep(OUT_OF_FILES).await;
                    continue;
                }
            };
            let share = if is_in(address.ip(), &self.unlimited) { Share::Unlimited } else { Share::Limited };
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
