//! The server: what listens is `disco_listen`, with who asks found out in front of the wires, and a sweep beside it. `run` is all that a
//! command needs; tests [`start`] one of their own. It knows no wire: the routes are given.

mod layers;

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
pub(crate) mod stage;
#[cfg(test)]
mod tls_tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use disco_dlm::model::Time;
use disco_listen::log::causes;
use disco_listen::{ListenError, Log, Signals};
use thiserror::Error;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::app::App;
use crate::clock;
use crate::identity::{Identity, IdentityError};
use crate::listen::ListenConfig;
use crate::store::{Store, StoreError};

/// A server that cannot begin.
#[derive(Debug, Error)]
pub enum ServeError {
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
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
        let signals = Signals::hear()?;
        let (app, routes) = open().await?;
        let running = start(listen, app, routes, log.clone()).await?;
        disco_listen::pages::give_back_for_ever();
        signals.until_end(|| running.reload()).await;
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
    door: disco_listen::Running,
    sweep: JoinSet<()>,
}

/// Begins to serve these routes.
pub async fn start(listen: &ListenConfig, app: App, routes: Router, log: Log) -> Result<Running, ServeError> {
    let store = Arc::clone(&app.store);
    let identity = Identity::new(app, listen.trusted_proxies.clone(), listen.verifications, log.clone())?;
    let routes = layers::around(routes, identity, listen.limits);
    let door = disco_listen::start(&listen.plain(), routes, log.clone())?;
    let mut sweep = JoinSet::new();
    sweep.spawn(sweeping(store, listen.sweep_every, listen.keep_events_days, log));
    Ok(Running { addresses: door.addresses.clone(), door, sweep })
}

/// Looks for what has expired, over and over.
async fn sweeping(store: Arc<dyn Store>, every: Duration, keep: Option<u64>, log: Log) {
    loop {
        sleep(every).await;
        let days = keep.map(|days| i64::try_from(days.saturating_mul(86400)).unwrap_or(i64::MAX));
        let before = days.map_or(i64::MIN, |days| clock::now().seconds().saturating_sub(days));
        if let Err(error) = store.sweep(Time::new(before, 0)).await {
            log.error(format_args!("what has expired was not looked for: {}", causes(&error)));
        }
    }
}

impl Running {
    /// Reads the certificates again. Where they cannot be read those of before stay.
    pub fn reload(&self) {
        self.door.reload();
    }

    /// How many are connected.
    pub fn connected(&self) -> usize {
        self.door.connected()
    }

    /// Lets nobody new in, and waits for those who are being answered.
    pub async fn stop(mut self) {
        self.door.stop().await;
        self.sweep.shutdown().await;
    }
}
