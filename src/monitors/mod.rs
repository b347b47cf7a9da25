//! What other programs watch a node by: `last-run.json` in disco's home, a file for Prometheus' textfile collector, and
//! messages for the system's log. Pure, and without anything secret: counts, times, names of modules, how a run ended. How it is
//! written down is in `sys`, when in `ops`.

mod last;
mod message;
mod prometheus;
mod standing;
mod state;

pub use last::{LastRun, SCHEMA};
pub use message::{Message, Priority, datagram, line, not_run};
pub use prometheus::text;
pub use standing::{Standing, has_changes};
pub use state::{Side, State};
