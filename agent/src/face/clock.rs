//! The time, as `/logs` has it.
#![allow(clippy::disallowed_methods, reason = "the one place of this crate that looks at the clock")]

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time: microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Time {
    /// In seconds, with a fraction.
    pub fn seconds(self) -> f64 {
        // Exact up to the year 2255.
        self.0 as f64 / 1e6
    }

    /// Whole seconds since then; 0 where that is to come.
    pub fn since(self, then: Time) -> u64 {
        self.0.saturating_sub(then.0) / 1_000_000
    }
}

/// Who says what time it is.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// The machine's clock.
pub fn system() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    })
}
