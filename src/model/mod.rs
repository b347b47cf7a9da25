//! Nouns: plain data that the stages of a run hand to each other. No I/O, no handles; stable order; `serde` where it is kept on disk.

pub mod action;
pub mod attempt;
pub mod attributes;
pub mod change;
pub mod conflict;
pub mod duty;
pub mod facts;
pub mod finding;
pub mod glob;
pub mod host;
pub mod layer;
pub mod look;
pub mod module;
pub mod names;
pub mod params;
pub mod path;
pub mod plan;
pub mod requirement;
pub mod root;
pub mod run;
pub mod saved;
pub mod secret;
pub mod step;
pub mod told;
pub mod truth;
