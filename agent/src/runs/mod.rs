//! Runs that are asked for: what the agent says to the helper that has root, and what the helper answers.
//!
//! The agent's listener has no privileges. What it may ask of root is [`Ask`] and nothing else, over a Unix socket that nobody but the
//! agent's user can open: one line of JSON, one line back ([`Answer`]), the connection ends; of [`Ask::Log`] the bytes of the log
//! follow that line, until the run ends. [`client`] is how it is asked, [`line`] what both ends read and write with.

pub mod ask;
pub mod client;
pub mod line;
pub mod queue;
pub mod state;

pub use ask::{Answer, Ask, Refusal};
pub use client::{Client, ClientError};
pub use state::{Found, RunState, Standing, State, TriggerId};
