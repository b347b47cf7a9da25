//! The agent's listener: who may ask a node for runs, over HTTP, and what is answered. It has no privileges and no state that matters:
//! what is to be done it asks of the helper.
//!
//! - [`config`]: the configuration, text into plain data. [`keys`]: keys as they are kept, pure; [`keyring`]: their file.
//! - [`helper`]: the way to the helper, async. [`standing`]: how the node stands, asked in the background.
//! - [`guard`]: who asks, how often, and who may.
//! - [`native`]: `/v1/…`, with [`asked`] (what a request says), [`said`] (answers) and [`follow`] (a log that goes on).
//! - [`twitch`]: puppet-twitch's three paths. [`proxy`]: the face of a smart proxy behind this listener.
//! - [`metrics`]: what Prometheus is told. [`parts`]: all that is behind the sockets, by the configuration.
//! - [`serve`]: all of it, until a signal ends it. [`reload`]: with another configuration, while it runs.

pub mod asked;
pub mod config;
pub mod follow;
pub mod guard;
pub mod helper;
pub mod keyring;
pub mod keys;
pub mod metrics;
pub mod native;
pub mod parts;
pub mod proxy;
pub mod reload;
pub mod said;
pub mod serve;
pub mod standing;
pub mod twitch;

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
mod config_tests;
#[cfg(test)]
mod guard_tests;
#[cfg(test)]
mod native_tests;
#[cfg(test)]
mod proxy_tests;
#[cfg(test)]
mod reload_tests;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod twitch_tests;
