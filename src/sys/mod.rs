//! The only floor with effects: files, processes, mounts, time, environment. It decides nothing.

pub mod accounts;
pub mod files;
pub mod folders;
pub mod host;
pub mod metadata;
pub mod process;
pub mod tail;
pub mod tree;
pub mod wait;
