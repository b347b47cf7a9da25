//! This node as a smart proxy among others: what `disco proxy` does, without its words and its files. Blocking.
//!
//! - [`config`]: its folder of settings, with `register.yml`, which says as whom it registers.
//! - [`identity`]: the certificates with which it asks.
//! - [`would`]: what it would say if all it offers worked.
//! - [`look`]: another proxy, or its own face, looked at: what stays known of it, and what has drifted from the settings.
//! - [`enrol`]: its registration with a Foreman, made or refreshed.

pub mod config;
pub mod enrol;
pub mod identity;
pub mod look;
pub mod would;

#[cfg(test)]
mod tests;

pub use config::{Config, ConfigError, Register};
