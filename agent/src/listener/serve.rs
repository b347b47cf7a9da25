//! The whole listener, by its configuration: until a signal ends it. One thread is enough for it, and keeps it small; who resolves names
//! and who is asked for capabilities has threads of its own.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use disco_listen::{ListenError, Log, LogLevel, Running, Signals, clock, pages, sockets, start_on, tls};
use thiserror::Error;
use tokio::task::JoinSet;

use super::config::Config;
use super::parts::Parts;
use super::proxy::{self, ProxyError};

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

/// Serves until a signal ends it, on the sockets that were given to this process, or else on those that it opens. `again` reads the
/// configuration anew, or says why not; `ready` is told when all of it listens.
pub fn run(
    config: &Config,
    again: &dyn Fn() -> Result<Config, String>,
    ready: impl FnOnce(),
) -> Result<(), ServeError> {
    // Before there is any other thread: it reads the environment.
    let given = sockets::given()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::System)?;
    let ended = runtime.block_on(async {
        let signals = Signals::hear()?;
        let mut agent = start(config, given, Log::stderr(config.log))?;
        ready();
        pages::give_back_for_ever();
        signals.until_end(|| agent.reload(again())).await;
        agent.stop().await;
        Ok(())
    });
    // A back end that hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// A listener that runs.
pub struct Agent {
    /// Where it listens: disco's own interface, puppet-twitch's where it is there, and the proxy's ports.
    pub running: Vec<Running>,
    /// Where the proxy's ports are, in the same order.
    pub(super) doors: Vec<Vec<Vec<SocketAddr>>>,
    pub(super) is_given: bool,
    pub(super) parts: Parts,
    pub(super) background: JoinSet<()>,
    pub(super) log: Log,
}

/// Reads all that a listener by this configuration reads before it listens, and listens nowhere.
pub fn check(config: &Config) -> Result<(), ServeError> {
    // Whoever begins says what is no error.
    let log = Log::to(LogLevel::Error, std::io::sink());
    let parts = Parts::new(config, &log)?;
    let doors = parts.proxy.iter().flat_map(|proxy| &proxy.doors).map(|door| &door.listen);
    for files in doors.chain([&config.listen]).filter_map(|listen| listen.tls.as_ref()) {
        tls::load(files, clock::now(), &log).map_err(ListenError::from)?;
    }
    Ok(())
}

/// Begins. In a tokio runtime.
pub fn start(config: &Config, given: Option<Vec<TcpListener>>, log: Log) -> Result<Agent, ServeError> {
    let is_given = given.is_some();
    let parts = Parts::new(config, &log)?;
    let mut sockets = Given(given);
    let (mut running, mut doors) = (vec![], vec![]);
    if config.twitch.enabled {
        let listen = parts.listen_twitch();
        for address in listen.addresses.iter().filter(|address| !address.ip().is_loopback()) {
            log.warn(format_args!(
                "anybody who reaches {address} can start a live run: `[twitch]` knows no login"
            ));
        }
        let listening = sockets.of_port(config.twitch.port, || sockets::open(&listen))?;
        running.push(start_on(listening, &listen, parts.twitch(), log.clone())?);
    }
    for door in parts.proxy.iter().flat_map(|proxy| &proxy.doors) {
        let port = door.at.first().and_then(|at| at.first()).map_or(0, SocketAddr::port);
        let open = || {
            let cannot = |at: &[SocketAddr]| {
                let address = at.first().copied().unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], port)));
                move |source| ListenError::Listen { address, source }
            };
            door.at.iter().map(|at| proxy::first_of(at).map_err(cannot(at))).collect()
        };
        running.push(start_on(sockets.of_port(port, open)?, &door.listen, parts.face(), log.clone())?);
        doors.push(door.at.clone());
    }
    let listening = sockets.rest(|| sockets::open(&config.listen))?;
    // The last, so that its line in the log says that all of it is there.
    running.insert(0, start_on(listening, &config.listen, parts.own(), log.clone())?);
    let background = parts.watch();
    Ok(Agent { running, doors, is_given, parts, background, log })
}

impl Agent {
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
