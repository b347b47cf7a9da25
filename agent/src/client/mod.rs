//! What other proxies say of themselves, smart proxies and disco's.
//!
//! - [`http`]: one question over HTTP, and its answer: the only place here that acts; blocking.
//! - [`ask`]: which questions, and when the older one. [`reply`]: what was said, as plain data.
//! - [`known`]: the names that a Foreman knows. [`keep`]: what stays of what was known before. [`drift`]: how it differs from what
//!   is set. [`show`]: as text and JSON. All pure.

pub mod ask;
pub mod drift;
pub mod http;
pub mod keep;
pub mod known;
pub mod reply;
pub mod show;

#[cfg(test)]
mod ask_tests;
#[cfg(test)]
mod keep_tests;
