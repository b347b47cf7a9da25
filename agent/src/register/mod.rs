//! This node made known to a Foreman as a smart proxy, and kept so.
//!
//! - [`oauth`]: RFC 5849's signatures. [`login`]: who we are to the Foreman.
//! - [`steps`]: what is to be done, from what the Foreman knows. [`print`]: the hash by which a change is seen. Pure.
//! - [`foreman`]: the questions themselves, and all of them in their order; [`tend`]: only when something has changed; blocking.

pub mod foreman;
pub mod login;
pub mod oauth;
pub mod print;
pub mod steps;
pub mod tend;

#[cfg(test)]
pub(crate) mod foreman_tests;
#[cfg(test)]
mod oauth_tests;
#[cfg(test)]
pub(crate) mod stand_in;
