//! The whole server: its store, and all that it speaks, as its configuration has them.

use std::sync::Arc;

use axum::Router;

use crate::app::App;
use crate::config::Config;
use crate::metrics::{self, Metrics};
use crate::opening;
use crate::pages;
use crate::serve::{self, ServeError};
use crate::wire::{fleetlock, foreman, native};
use disco_listen::Log;

/// Serves until a signal ends it.
pub fn run(config: &Config) -> Result<(), ServeError> {
    serve::run(&config.listen, async || {
        let metrics = Metrics::default();
        let store = metrics::around(
            opening::open(&config.store).await?,
            metrics.clone(),
            Log::stderr(config.listen.log),
        );
        let app = App { store, set: Arc::new(config.set.clone()) };
        let routes = routes(app.clone(), metrics);
        Ok((app, routes))
    })
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
