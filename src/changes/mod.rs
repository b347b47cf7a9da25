//! What the scratchpad changes: [`scan`] reads its state, [`rescan`] what of it was touched since, [`compare`] finds the differences between two states,
//! [`text`] and [`diff`] write them down. Nothing here changes anything.

pub mod compare;
pub mod diff;
pub mod rescan;
pub mod scan;
pub mod snapshot;
pub mod text;
