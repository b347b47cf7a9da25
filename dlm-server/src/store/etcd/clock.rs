//! The two clocks of a server: the time of day, which can be put to anything at any moment, and the time that passes.
#![allow(clippy::disallowed_methods, reason = "this is the clock")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use disco_dlm::model::Time;

/// What a store knows of time.
pub trait Clock: Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> Time;

    /// How long this clock has run. Whatever the time of day is put to, this goes on, and never faster than time does.
    fn passed(&self) -> Duration;
}

/// The machine's.
pub struct SystemClock {
    from: Instant,
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock { from: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Time::new(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos()),
            // A clock of before 1970 is wrong, and nothing rests on it.
            Err(_) => Time::new(0, 0),
        }
    }

    fn passed(&self) -> Duration {
        self.from.elapsed()
    }
}
