//! The whole server: its store, and all that it speaks, as its configuration has them.

use std::sync::Arc;

use axum::Router;

use crate::app::App;
use crate::config::{Config, EtcdAt, StoreAt};
use crate::log::Log;
use crate::metrics::{self, Metrics};
use crate::pages;
use crate::serve::{self, ServeError};
use crate::store::etcd::{AddressError, EtcdStore, Options};
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};
use crate::wire::{fleetlock, foreman, native};

/// Serves until a signal ends it.
pub fn run(config: &Config) -> Result<(), ServeError> {
    serve::run(&config.listen, async || {
        let metrics = Metrics::default();
        let store =
            metrics::around(open(&config.store).await?, metrics.clone(), Log::stderr(config.listen.log));
        let app = App { store, set: Arc::new(config.set.clone()) };
        let routes = routes(app.clone(), metrics);
        Ok((app, routes))
    })
}

/// The store of a configuration. To be called where async code runs.
pub async fn open(at: &StoreAt) -> Result<Arc<dyn Store>, StoreError> {
    match at {
        StoreAt::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path)?)),
        StoreAt::Etcd(at) => Ok(Arc::new(in_etcd(at).await?)),
    }
}

async fn in_etcd(at: &EtcdAt) -> Result<EtcdStore, StoreError> {
    let no_address =
        |error: AddressError| StoreError::Unavailable { store: at.url.clone(), source: error.into() };
    let address = at.url.parse().map_err(no_address)?;
    let options = Options {
        ca: at.ca.clone(),
        cert: at.cert.clone(),
        key: at.key.clone(),
        user: at.user.clone(),
        password_file: at.password_file.clone(),
        ..Options::default()
    };
    EtcdStore::connect(&address, &options).await
}

/// Everything that the server speaks.
fn routes(app: App, metrics: Metrics) -> Router {
    let routes = Router::new()
        .merge(foreman::routes(app.clone()))
        .merge(native::routes(app.clone()))
        .merge(fleetlock::routes(app.clone()))
        .merge(metrics::routes(app.clone(), metrics.clone()))
        .merge(pages::routes(app));
    metrics::layer(routes, metrics)
}
