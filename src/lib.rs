//! disco: a configuration-management client that runs everything in a copy-on-write view of the node's own root, shows
//! every difference, and merges only when all of it has succeeded.
//!
//! The map, from the ground up; a module sees only the floors below its own (`tests/suite/floors.rs` decides):
//!
//! | floor | modules | |
//! |---|---|---|
//! | 0 | [`model`] | plain data |
//! | 1 | [`sys`] | effects: files, processes, what the host says of itself |
//! | 2 | [`params`] | the parameter tree on disk |

pub mod model;
pub mod params;
pub mod sys;
