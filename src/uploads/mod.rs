//! What is told of runs beyond this node: to a Foreman, and to a webhook. docs/uploads.md is its manual.
//!
//! Pure, but for the folder where it waits: how a run looks to a Foreman ([`report`], [`counts`], [`logs`]), and to a webhook
//! ([`webhook`]); what a node says of itself ([`facts`]); what an answer means ([`answer`]). [`spool`] keeps what is to be
//! sent until it is. Sending itself, with certificates and passwords, is in `ops`.

pub mod answer;
mod aside;
pub mod counts;
pub mod facts;
pub mod item;
pub mod logs;
pub mod report;
#[cfg(test)]
mod sample;
pub mod spool;
pub mod webhook;

pub use answer::Meaning;
pub use item::{Item, Target, Touched, Touches};
pub use spool::{Spool, SpoolError};
