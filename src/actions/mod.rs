//! What steps ask of the running system, as values: what a run has set without setting it, and the commands that do it.
//! Pure; nothing here acts.

pub mod knob_effects;
pub mod knobs;
