//! The rules of disco's lock server: who may hold a lock, from when to when, and what everybody else is told. Nothing else: no
//! network, no clock, no disk, no chance, no async. Time is an argument.
//!
//! Every store (one file, a cluster) and every wire (Foreman's, FleetLock's, disco's own) uses the one function
//! [`rules::decide`], so that there is one place where two hosts could be let in at once, and that place can be tested with any
//! history at any time. A store reads a lock, decides, and writes what came out, if the lock is still what it read; if not,
//! it begins again. It never decides anything itself.
//!
//! - [`model`]: the nouns. A [`model::Lock`] is all that is stored of a lock; a [`model::Policy`] is what governs it.
//! - [`rules`]: a lock, a [`rules::Request`] and the [`rules::Facts`] in; the lock afterwards, events and an answer out.
//! - [`check`]: whether what clients saw can have come from these rules; for tests of whole servers under faults.
//!
//! - [`native`]: disco's own wire, as plain data for server and client.
//!
//! `model` knows neither of the others, `rules` knows `model`, `native` too, `check` knows both.

pub mod check;
pub mod model;
pub mod native;
pub mod rules;
