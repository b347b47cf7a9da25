//! disco: a configuration-management client that runs everything in a copy-on-write view of the node's own root, shows
//! every difference, and merges only when all of it has succeeded.
//!
//! The map, from the ground up; a module sees only the floors below its own (`tests/suite/floors.rs` decides):
//!
//! | floor | modules | |
//! |---|---|---|
//! | 0 | [`model`] | plain data |
//! | 1 | [`sys`] | every effect: files, processes, mounts, time, what the host says of itself |
//! | 2 | [`settings`] [`params`] [`fetch`] [`modules`] [`plan`] [`plans`] [`render`] [`changes`] [`merge`] [`actions`] [`runs`] [`sources`] [`monitors`] [`reports`] [`secrets`] [`uploads`] [`schedule`] | parts that do not see each other |
//! | 3 | [`sandbox`] | walls, supervisor, shims; owns the overlay |
//! | 4 | [`step`] | one step in a sandbox, and its record |
//! | 5 | [`ops`] | one function a command; no printing |
//! | 6 | [`cli`] | arguments in, text out |

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

pub mod actions;
pub mod changes;
pub mod cli;
pub mod fetch;
pub mod lock;
pub mod merge;
pub mod model;
pub mod modules;
pub mod monitors;
pub mod ops;
pub mod params;
pub mod pki;
pub mod plan;
pub mod plans;
pub mod render;
pub mod reports;
pub mod runs;
pub mod sandbox;
pub mod schedule;
pub mod secrets;
pub mod settings;
pub mod sources;
pub mod step;
pub mod sys;
pub mod uploads;

#[cfg(test)]
mod layered;
