//! A server: it listens, bounds what clients take, and ends without leaving anybody half answered.
//!
//! At SIGHUP the certificates are read again, and whoever has another configuration may bring that: who is connected is answered, however
//! long that takes within the age of a connection, and has to connect again. At SIGTERM or SIGINT nobody new is let in, and those who are
//! being answered have [`crate::config::Limits::grace`].

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
use crate::connection::{self, Order, Served};
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
    now: Arc<RwLock<Now>>,
    log: Log,
    /// What those who are connected are told.
    orders: watch::Sender<Order>,
    /// Turns true when nobody new is let in.
    closed: watch::Sender<bool>,
    listeners: JoinSet<()>,
    connections: Arc<Connections>,
}

/// What those who come now are served with.
struct Now {
    routes: Router,
    listen: ListenConfig,
    /// The certificates; nothing where TLS is another's business.
    tls: Option<Arc<ServerConfig>>,
}

/// Another configuration that has proved good.
pub struct Ready {
    listen: ListenConfig,
    tls: Option<Arc<ServerConfig>>,
}

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
    let tls = certificates(listen, &log)?;
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
    let now = Now { routes: told(routes, &log), listen: listen.clone(), tls };
    let mut running = Running {
        addresses: vec![],
        listen: listen.clone(),
        now: Arc::new(RwLock::new(now)),
        log: log.clone(),
        orders: watch::Sender::new(Order::GoOn),
        closed: watch::Sender::new(false),
        listeners: JoinSet::new(),
        connections: Arc::new(Connections::new(most, listen.limits.connections_per_address)),
    };
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    for (socket, address) in doors {
        log.info(format_args!("listening on {scheme}://{address}"));
        running.addresses.push(address);
        let door = Door {
            now: Arc::clone(&running.now),
            log: log.clone(),
            connections: Arc::clone(&running.connections),
            orders: running.orders.subscribe(),
        };
        running.listeners.spawn(door.open(socket, running.closed.subscribe()));
    }
    Ok(running)
}

fn certificates(listen: &ListenConfig, log: &Log) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    listen.tls.as_ref().map(|files| tls::load(files, clock::now(), log)).transpose()
}

/// The routes with a line in the log for each request.
fn told(routes: Router, log: &Log) -> Router {
    routes.layer(from_fn_with_state(log.clone(), layers::told))
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
                self.now.write().unwrap_or_else(PoisonError::into_inner).tls = Some(config);
                self.orders.send_replace(Order::Renew);
                self.log.info(format_args!("the certificates were read again"));
            }
            Err(error) => {
                self.log.error(format_args!("the certificates stay as they were: {}", causes(&error)));
            }
        }
    }

    /// Whether it could go on with another configuration, on the addresses that it has: its certificates are read. Nothing changes yet.
    pub fn ready(&self, listen: &ListenConfig) -> Result<Ready, ListenError> {
        self.addresses.iter().try_for_each(|address| sockets::allowed(listen, *address))?;
        let listen = ListenConfig { addresses: self.listen.addresses.clone(), ..listen.clone() };
        Ok(Ready { tls: certificates(&listen, &self.log)?, listen })
    }

    /// Goes on with that, and with these routes. Those of before stay until the last who is being answered by them has been.
    pub fn renew(&mut self, ready: Ready, routes: Router) {
        let Ready { listen, tls } = ready;
        let most = files_for(listen.limits.connections, &self.log);
        self.connections.bound(most, listen.limits.connections_per_address);
        self.listen = listen.clone();
        let now = Now { routes: told(routes, &self.log), listen, tls };
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = now;
        self.orders.send_replace(Order::Renew);
    }

    /// How many are connected.
    pub fn connected(&self) -> usize {
        self.connections.count()
    }

    /// Lets nobody new in, and waits for those who are being answered.
    pub async fn stop(mut self) {
        self.closed.send_replace(true);
        let grace = self.listen.limits.grace;
        self.orders.send_replace(Order::End(grace));
        let all = async { while self.listeners.join_next().await.is_some() {} };
        // Connections have the grace, and a second to say goodbye.
        if timeout(grace + Duration::from_secs(1), all).await.is_err() {
            self.log.warn(format_args!("{} connections did not end in time", self.connections.count()));
        }
    }
}

/// One address that is listened on.
struct Door {
    now: Arc<RwLock<Now>>,
    log: Log,
    connections: Arc<Connections>,
    orders: watch::Receiver<Order>,
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
                    self.log.error(format_args!("nobody can be let in: {error}"));
                    sleep(OUT_OF_FILES).await;
                    continue;
                }
            };
            // In this order: what changes between the two is heard of.
            let mut orders = self.orders.clone();
            orders.mark_unchanged();
            let (served, tls, share) = self.now(address.ip());
            let Some(place) = self.connections.admit(address.ip(), share, Instant::now()) else {
                self.log.warn(format_args!("{address}: turned away, there are too many connections"));
                continue;
            };
            inside.spawn(connection::serve(served, tcp, address, tls, place, orders));
        }
        drop(socket);
        while inside.join_next().await.is_some() {}
    }

    /// What somebody who comes from there now is served with.
    fn now(&self, from: IpAddr) -> (Served, Option<Arc<ServerConfig>>, Share) {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        let served = Served { routes: now.routes.clone(), limits: now.listen.limits, log: self.log.clone() };
        let share = if is_in(from, &now.listen.unlimited) { Share::Unlimited } else { Share::Limited };
        (served, now.tls.clone(), share)
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
