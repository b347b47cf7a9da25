//! The wall clock, for lines of the log and the ends of certificates.
#![allow(clippy::disallowed_methods, reason = "it is the one place of this crate that asks what time it is")]

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in seconds since 1970. A clock before that is one that was never set, and is 0.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
