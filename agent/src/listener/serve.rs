//! The whole listener, by its configuration: until a signal ends it. One thread is enough for it, and keeps it small; who resolves names
//! and who is asked for capabilities has threads of its own.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use disco_listen::{
    Limits, ListenConfig, ListenError, Log, Plain, Running, Signals, bounded, sockets, start_on,
};
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::config::Config;
use super::guard::{Guard, Paces, guarded, paced, too_often};
use super::helper::Helper;
use super::keyring::Keyring;
use super::metrics::{self, Metrics};
use super::native::{self, App};
use super::proxy::{self, Proxy, ProxyError};
use super::standing::{self, Seen};
use super::twitch;
use crate::face::watch::{Pace, watch};

/// How often the settings of the proxy's features are looked at for a change.
const LOOK: Duration = Duration::from_secs(5);

/// A listener that cannot begin.
#[derive(Debug, Error)]
pub enum ServeError {
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Its face cannot be shown.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The machine does not let it.
    #[error("the agent cannot begin")]
    System(#[source] std::io::Error),
}

/// Serves until a signal ends it, on the sockets that were given to this process, or else on those that it opens.
pub fn run(config: &Config) -> Result<(), ServeError> {
    // Before there is any other thread: it reads the environment.
    let given = sockets::given()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::System)?;
    let ended = runtime.block_on(async {
        let signals = Signals::hear()?;
        let agent = start(config, given, Log::stderr(config.log))?;
        signals.until_end(|| agent.reload()).await;
        agent.stop().await;
        Ok(())
    });
    // A back end that hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// A listener that runs.
pub struct Agent {
    /// Where it listens: disco's own interface, puppet-twitch's, and the proxy's ports.
    pub running: Vec<Running>,
    proxy: Option<Arc<Proxy>>,
    background: JoinSet<()>,
}

/// Begins. In a tokio runtime.
pub fn start(config: &Config, given: Option<Vec<TcpListener>>, log: Log) -> Result<Agent, ServeError> {
    let seen = Seen::default();
    let metrics = Metrics::new(seen.clone());
    let helper = Arc::new(Helper::new(config.helper.clone()));
    let url = config.url.clone().unwrap_or_else(|| own_url(&config.listen));
    let limits = config.listen.limits;
    let proxy = proxy::open(&config.proxy, &url, &seen, limits, log.clone())?.map(Arc::new);

    let mut sockets = Given(given);
    let mut running = vec![];
    let paces = Arc::new(Paces::new(config.rate, metrics.clone()));
    if config.twitch.enabled {
        let address = SocketAddr::new(config.twitch.bind, config.twitch.port);
        let longest = Duration::from_secs(config.twitch.wait_seconds);
        // Whoever waits for the end of a run is not cut off before that.
        let limits = Limits { age: limits.age.max(longest + Duration::from_secs(60)), ..limits };
        let listen = ListenConfig {
            addresses: vec![address],
            plain: Plain::Anywhere,
            limits,
            ..ListenConfig::default()
        };
        let routes = twitch::router(Arc::clone(&helper), metrics.clone(), log.clone(), longest);
        let routes = paced(bounded(routes, limits), Arc::clone(&paces), twitch::too_often);
        let listening = sockets.of_port(config.twitch.port, || sockets::open(&listen))?;
        running.push(start_on(listening, &listen, routes, log.clone())?);
    }
    for door in proxy.iter().flat_map(|proxy| proxy.doors.iter().map(move |door| (proxy, door))) {
        let (proxy, door) = door;
        let port = door.at.first().and_then(|at| at.first()).map_or(0, SocketAddr::port);
        let open = || {
            let cannot = |at: &[SocketAddr]| {
                let address = at.first().copied().unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], port)));
                move |source| ListenError::Listen { address, source }
            };
            door.at.iter().map(|at| proxy::first_of(at).map_err(cannot(at))).collect()
        };
        let routes = paced(bounded(proxy.whole(), limits), Arc::clone(&paces), too_often);
        running.push(start_on(sockets.of_port(port, open)?, &door.listen, routes, log.clone())?);
    }
    let keys = Keyring::new(config.keys.clone(), log.clone());
    let guard = Arc::new(Guard::new(config.auth.clone(), keys, log.clone()));
    let app = App { helper: Arc::clone(&helper), metrics: metrics.clone() };
    let routes = own(app, guard, proxy.as_deref(), limits);
    let routes = paced(metrics::around(routes, metrics), paces, too_often);
    let listening = sockets.rest(|| sockets::open(&config.listen))?;
    // The last, so that its line in the log says that all of it is there.
    running.insert(0, start_on(listening, &config.listen, routes, log.clone())?);

    let mut background = JoinSet::new();
    let (tell, told) = oneshot::channel();
    background.spawn(standing::watch(helper, seen, log.clone(), tell));
    if let Some(proxy) = proxy.clone() {
        background.spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                if proxy.look_again() {
                    log.info(format_args!(
                        "the settings of the proxy's features have changed, and are read again"
                    ));
                }
            }
        });
    }
    if let Some(board) = proxy.as_ref().map(|proxy| Arc::clone(&proxy.board)) {
        background.spawn(async move {
            // Who is asked before the helper was has nothing to say yet. That it has gone is no reason not to ask.
            let _ = told.await;
            let mut watching = watch(&board, Pace { every: standing::EVERY, ..Pace::default() });
            while watching.join_next().await.is_some() {}
        });
    }
    Ok(Agent { running, proxy, background })
}

/// disco's own interface, with the face beside it: that has rules of its own for who may ask.
fn own(app: App, guard: Arc<Guard>, proxy: Option<&Proxy>, limits: Limits) -> Router {
    let face = proxy.map_or_else(proxy::version_alone, Proxy::routes);
    let guarded = guarded(bounded(native::routes(app), limits), guard);
    let open = bounded(face.merge(native::health()).fallback(native::no_route), limits);
    open.merge(guarded)
}

impl Agent {
    /// Reads certificates and the proxy's settings again. Keys need nobody to say that they have changed.
    pub fn reload(&self) {
        self.running.iter().for_each(Running::reload);
        self.proxy.iter().for_each(|proxy| proxy.load());
    }

    /// Lets nobody new in, and waits for those who are being answered.
    pub async fn stop(mut self) {
        let mut stopping = JoinSet::new();
        for running in self.running {
            stopping.spawn(running.stop());
        }
        while stopping.join_next().await.is_some() {}
        self.background.shutdown().await;
    }
}

/// Sockets that were given, handed out by their ports.
struct Given(Option<Vec<TcpListener>>);

impl Given {
    /// Those of this port, or where none was given those that are opened here.
    fn of_port(
        &mut self,
        port: u16,
        open: impl FnOnce() -> Result<Vec<TcpListener>, ListenError>,
    ) -> Result<Vec<TcpListener>, ListenError> {
        let has = |socket: &TcpListener| socket.local_addr().is_ok_and(|address| address.port() == port);
        let of: Vec<TcpListener> = match &mut self.0 {
            Some(all) => all.extract_if(.., |socket| has(socket)).collect(),
            None => vec![],
        };
        if of.is_empty() { open() } else { Ok(of) }
    }

    /// All others, or where none was given those that are opened here.
    fn rest(
        self,
        open: impl FnOnce() -> Result<Vec<TcpListener>, ListenError>,
    ) -> Result<Vec<TcpListener>, ListenError> {
        self.0.filter(|rest| !rest.is_empty()).map_or_else(open, Ok)
    }
}

/// Under which address others reach this node's interface, where nothing is said.
fn own_url(listen: &ListenConfig) -> String {
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    let port = listen.addresses.first().map_or(super::config::PORT, SocketAddr::port);
    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{scheme}://{node}:{port}/v1/runs")
}
