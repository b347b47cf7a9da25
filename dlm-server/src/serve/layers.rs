//! What is around the wires: who asks, and in that the bounds of `disco_listen`. What no wire has is nowhere.

use axum::Router;
use disco_listen::{Limits, bounded};

use crate::identity::{self, Identity};
use crate::wire::failure;

/// The routes with all of it around them.
pub fn around(routes: Router, identity: Identity, limits: Limits) -> Router {
    identity::layer(bounded(routes.fallback(async || failure::no_route()), limits), identity)
}
