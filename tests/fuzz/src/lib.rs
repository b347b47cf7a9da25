//! What is held against any input.

pub mod server;
