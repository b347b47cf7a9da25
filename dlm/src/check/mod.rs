//! Whether what clients saw of a lock can have come from the rules: a checker of recorded histories, for tests of stores and
//! servers under faults. Locks are independent, so each is checked alone (linearizability is local: Herlihy and Wing, 1990).
//!
//! - [`history`]: what clients recorded: who asked what, when, and what came back, if anything did.
//! - [`spec`]: the sequential specification. It *is* [`crate::rules::decide`], seen without time: whether the lock is there and
//!   enabled, its slots, and who holds it.
//! - [`search`]: [`linearize`] looks for an order of the calls that the specification explains and that real time allows.
//! - [`quick`]: two checks that need no search and no specification.
//!
//! What passes time is not in the specification: histories of locks with an expiry, windows, a gap, freezing or a fair queue are
//! for the quick checks alone.

pub mod history;
pub mod quick;
pub mod search;
pub mod spec;

#[cfg(test)]
mod history_tests;

pub use history::{Call, Return, Saw};
pub use quick::{Overlap, TokenFault, overlap, token_fault};
pub use search::{Verdict, linearize};
pub use spec::State;
