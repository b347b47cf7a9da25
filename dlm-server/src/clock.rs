//! The wall clock, for lines of the log and the ends of tokens and certificates. Locks go by their store's clock, never by this one.
#![allow(
    clippy::disallowed_methods,
    reason = "it is the one place of this crate, stores apart, that asks what time it is"
)]

use std::time::{SystemTime, UNIX_EPOCH};

use disco_dlm::model::Time;

/// Now.
pub fn now() -> Time {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Time::new(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos()),
        // A clock before 1970 is one that was never set.
        Err(_) => Time::default(),
    }
}
