//! What this node says of itself, as a smart proxy does.
//!
//! - [`feature`]: what a subsystem is and how it is asked; [`builtin`]: disco's own.
//! - [`module`]: a feature with its settings and its state; [`capability`]: what a back end said, and when. Pure.
//! - [`ring`], [`log`]: the records of `/logs`.
//! - [`board`]: all of it together, as it is now. [`entry`]: as it goes out.
//! - [`watch`]: asks the subsystems, in the background. Nothing is asked while a reply is made.
//! - [`trust`], [`peer`], [`names`]: who may ask. [`route`], [`router`]: what is answered.

pub mod board;
pub mod builtin;
pub mod capability;
pub mod clock;
pub mod entry;
pub mod feature;
pub mod log;
pub mod module;
pub mod names;
pub mod peer;
pub mod ring;
pub mod route;
pub mod router;
pub mod trust;
pub mod watch;

#[cfg(test)]
mod conformance_tests;
#[cfg(test)]
pub(crate) mod live_tests;
#[cfg(test)]
mod module_tests;
#[cfg(test)]
pub(crate) mod stage;
#[cfg(test)]
mod watch_tests;

pub use board::Board;
pub use feature::{Ask, Feature, FeatureName, Known, Provider, Spec, Standing};
pub use peer::Peer;
