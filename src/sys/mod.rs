//! The only floor with effects: files, processes, mounts, time, environment.

pub mod accounts;
pub mod metadata;
pub mod object;
pub mod tree;
