//! What the server speaks.

pub mod failure;
