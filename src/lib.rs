//! disco: a configuration-management client that runs everything in a copy-on-write view of the node's own root, shows
//! every difference, and merges only when all of it has succeeded.
//!
//! The map, from the ground up; a module sees only the floors below its own (`tests/suite/floors.rs` decides):
//!
//! | floor | modules | |
//! |---|---|---|
//! | 0 | [`model`] | plain data |
//! | 1 | [`sys`] | effects: files, processes, what the host says of itself |
//! | 2 | [`fetch`] | the node's parameters and modules, from the master by rsync |
//! | 2 | [`modules`] | a module's folder, read or made new |
//! | 2 | [`params`] | the parameter tree on disk |
//! | 2 | [`plan`] | the order of a run |
//! | 2 | [`render`] | a tera template becomes text |
//! | 2 | [`settings`] | flags, environment, parameters, defaults: each value with where it came from |
//! | 5 | [`ops`] | one function a command |
//! | 6 | [`cli`] | arguments in, text or JSON out |

pub mod cli;
pub mod fetch;
pub mod model;
pub mod modules;
pub mod ops;
pub mod params;
pub mod plan;
pub mod render;
pub mod settings;
pub mod sys;
