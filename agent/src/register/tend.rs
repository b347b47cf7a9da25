//! A registration that refreshes itself: asked over and over, it goes to the Foreman only when something has changed. Blocking.

use serde::Serialize;
use thiserror::Error;

use crate::register::foreman::{Foreman, RegisterError, Registration};
use crate::register::print::{Registered, is_stale, print};

/// A registration that could not be refreshed.
#[derive(Debug, Error)]
pub enum TendError {
    /// The Foreman did not do it.
    #[error("{name} is not registered")]
    Register {
        /// Our name.
        name: String,
        /// Why.
        #[source]
        source: RegisterError,
    },
    /// What is offered is no JSON.
    #[error("what is offered cannot be written as JSON")]
    Json(#[source] serde_json::Error),
}

/// What this node is there, and what it offers.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a, T> {
    /// Its name.
    pub name: &'a str,
    /// Where its face listens.
    pub url: &'a str,
    /// What runs.
    pub running: &'a [String],
    /// What `/v2/features` says.
    pub v2: &'a T,
}

/// Registers where that is needed: nothing is `kept` yet, or what is offered has changed since. What is to be kept, and what was done;
/// `None` where there was nothing to do. After an error nothing is to be kept: the next call tries again.
pub fn tend<T: Serialize>(
    foreman: &Foreman,
    kept: Option<&Registered>,
    offer: &Offer<'_, T>,
) -> Result<Option<(Registered, Registration)>, TendError> {
    let print = print(offer.v2).map_err(TendError::Json)?;
    if !is_stale(kept, foreman.address(), offer.name, offer.url, &print) {
        return Ok(None);
    }
    let done = foreman
        .register(offer.name, offer.url, offer.running)
        .map_err(|source| TendError::Register { name: offer.name.to_owned(), source })?;
    let registered = Registered {
        schema: 1,
        foreman: foreman.address().to_owned(),
        name: offer.name.to_owned(),
        url: offer.url.to_owned(),
        id: done.id,
        print,
    };
    Ok(Some((registered, done)))
}
