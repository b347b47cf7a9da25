//! What the server speaks.

pub mod failure;
pub mod foreman;
