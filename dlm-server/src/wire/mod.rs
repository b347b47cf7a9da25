//! What the server speaks: each wire turns its requests into [`crate::store::Ask`]s, and what came of them back. None decides anything.

pub mod failure;
pub mod fleetlock;
pub mod foreman;
pub mod native;
