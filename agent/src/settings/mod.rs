//! The settings of a smart proxy, in its own form: `settings.yml` and `settings.d/NAME.yml`, with keys that are Ruby's symbols.
//!
//! - [`yaml`]: text into entries, each with its line.
//! - [`global`]: `settings.yml`. [`enabled`]: what `:enabled:` means.
//! - [`load`]: the files themselves. [`stamp`]: whether they have changed.

pub mod enabled;
pub mod error;
pub mod global;
pub mod load;
mod scalar;
pub mod stamp;
pub mod value;
pub mod yaml;

#[cfg(test)]
mod global_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod yaml_tests;

pub use enabled::Enabled;
pub use error::SettingsError;
pub use value::Value;
pub use yaml::Settings;
