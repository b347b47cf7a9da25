//! The rules of the lock server, and nothing else: no network, no clock, no disk, no chance.
//!
//! - [`model`]: the nouns. A [`model::Lock`] is all that is stored of a lock.

pub mod model;
pub mod rules;
