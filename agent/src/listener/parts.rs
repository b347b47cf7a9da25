//! What is behind the sockets: all of it by the configuration. Where that has changed there are other parts, with what the change does
//! not touch: whoever was answered too often, or has guessed, is known to those, too.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use disco_listen::{Limits, ListenConfig, Log, Plain, bounded};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::config::{Config, PORT};
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

/// All that is behind the sockets.
pub struct Parts {
    /// What it is made by.
    pub config: Config,
    /// The face of a smart proxy, where this node is one.
    pub proxy: Option<Arc<Proxy>>,
    helper: Arc<Helper>,
    guard: Arc<Guard>,
    paces: Arc<Paces>,
    metrics: Metrics,
    /// How the node stands, as far as is known.
    pub seen: Seen,
    log: Log,
}

impl Parts {
    /// Those of this configuration.
    pub fn new(config: &Config, log: &Log) -> Result<Parts, ProxyError> {
        let seen = Seen::default();
        let metrics = Metrics::new(seen.clone());
        let proxy = face(config, &seen, log)?;
        let keys = Keyring::new(config.keys.clone(), log.clone());
        Ok(Parts {
            config: config.clone(),
            proxy: proxy.map(Arc::new),
            helper: Arc::new(Helper::new(config.helper.clone())),
            guard: Arc::new(Guard::new(config.auth.clone(), keys, log.clone())),
            paces: Arc::new(Paces::new(config.rate, metrics.clone())),
            metrics,
            seen,
            log: log.clone(),
        })
    }

    /// Those of another configuration. These go on as they are.
    pub fn again(&self, config: &Config) -> Result<Parts, ProxyError> {
        let (old, log) = (&self.config, &self.log);
        let same = match &self.proxy {
            Some(proxy) if proxy.is_of(&config.proxy, &url(config), config.listen.limits)? => Some(proxy),
            Some(_) | None => None,
        };
        let keys = (old.keys != config.keys).then(|| Keyring::new(config.keys.clone(), log.clone()));
        Ok(Parts {
            config: config.clone(),
            proxy: match same {
                Some(proxy) => Some(Arc::clone(proxy)),
                None => face(config, &self.seen, log)?.map(Arc::new),
            },
            helper: match old.helper == config.helper {
                true => Arc::clone(&self.helper),
                false => Arc::new(Helper::new(config.helper.clone())),
            },
            guard: Arc::new(self.guard.again(config.auth.clone(), keys)),
            paces: match old.rate == config.rate {
                true => Arc::clone(&self.paces),
                false => Arc::new(Paces::new(config.rate, self.metrics.clone())),
            },
            metrics: self.metrics.clone(),
            seen: self.seen.clone(),
            log: log.clone(),
        })
    }

    /// disco's own interface, with the face beside it: that has rules of its own for who may ask.
    pub fn own(&self) -> Router {
        let limits = self.config.listen.limits;
        let (helper, metrics) = (Arc::clone(&self.helper), self.metrics.clone());
        let app = App { helper, metrics, log: self.log.clone() };
        let face = self.proxy.as_deref().map_or_else(proxy::version_alone, Proxy::routes);
        let guarded = guarded(bounded(native::routes(app.clone()), limits), Arc::clone(&self.guard));
        let open = bounded(face.merge(native::health(app)).fallback(native::no_route), limits);
        let routes = metrics::around(open.merge(guarded), self.metrics.clone());
        paced(routes, Arc::clone(&self.paces), too_often)
    }

    /// puppet-twitch's paths.
    pub fn twitch(&self) -> Router {
        let helper = Arc::clone(&self.helper);
        let routes = twitch::router(helper, self.metrics.clone(), self.log.clone(), self.longest());
        paced(bounded(routes, self.twitch_limits()), Arc::clone(&self.paces), twitch::too_often)
    }

    /// The face alone, for the ports that its settings have.
    pub fn face(&self) -> Router {
        let face = self.proxy.as_deref().map_or_else(proxy::version_alone, Proxy::whole);
        paced(bounded(face, self.config.listen.limits), Arc::clone(&self.paces), too_often)
    }

    /// How puppet-twitch's port is listened on.
    pub fn listen_twitch(&self) -> ListenConfig {
        let twitch = self.config.twitch;
        ListenConfig {
            addresses: vec![SocketAddr::new(twitch.bind, twitch.port)],
            plain: Plain::Anywhere,
            limits: self.twitch_limits(),
            ..ListenConfig::default()
        }
    }

    /// Whoever waits for the end of a run is not cut off before that.
    fn twitch_limits(&self) -> Limits {
        let limits = self.config.listen.limits;
        Limits { age: limits.age.max(self.longest() + Duration::from_secs(60)), ..limits }
    }

    fn longest(&self) -> Duration {
        Duration::from_secs(self.config.twitch.wait_seconds)
    }

    /// Asks in the background how the node stands, for as long as what comes back is kept.
    pub fn watch(&self) -> JoinSet<()> {
        let mut background = JoinSet::new();
        let (tell, told) = oneshot::channel();
        background.spawn(standing::watch(
            Arc::clone(&self.helper),
            self.seen.clone(),
            self.log.clone(),
            tell,
        ));
        if let Some(proxy) = self.proxy.clone() {
            let log = self.log.clone();
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
        let guard = Arc::clone(&self.guard);
        background.spawn(async move {
            loop {
                guard.look_at_keys();
                tokio::time::sleep(standing::EVERY).await;
            }
        });
        if let Some(board) = self.proxy.as_ref().map(|proxy| Arc::clone(&proxy.board)) {
            background.spawn(async move {
                // Who is asked before the helper was has nothing to say yet. That it has gone is no reason not to ask.
                let _ = told.await;
                let mut watching = watch(&board, Pace { every: standing::EVERY, ..Pace::default() });
                while watching.join_next().await.is_some() {}
            });
        }
        background
    }

    /// Whether others have to be asked in the background than by those.
    pub fn asks_as(&self, other: &Parts) -> bool {
        let board = |parts: &Parts| parts.proxy.as_ref().map(|proxy| Arc::as_ptr(&proxy.board));
        let guards = |parts: &Parts| (parts.config.keys.clone(), parts.config.auth.clone());
        Arc::ptr_eq(&self.helper, &other.helper)
            && board(self) == board(other)
            && guards(self) == guards(other)
    }
}

fn face(config: &Config, seen: &Seen, log: &Log) -> Result<Option<Proxy>, ProxyError> {
    proxy::open(&config.proxy, &url(config), seen, config.listen.limits, log.clone())
}

/// Under which address others reach this node's interface.
fn url(config: &Config) -> String {
    config.url.clone().unwrap_or_else(|| own_url(&config.listen))
}

fn own_url(listen: &ListenConfig) -> String {
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    let port = listen.addresses.first().map_or(PORT, SocketAddr::port);
    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{scheme}://{node}:{port}/v1/runs")
}
