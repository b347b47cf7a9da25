//! The store's clock: the wall's, but never before a time that was seen already, in the file or here.

#![allow(clippy::disallowed_methods, reason = "a store has the clock by which leases end")]

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use disco_dlm::model::Time;

/// A clock that stands where the wall's steps back.
pub struct Clock {
    wall: Box<dyn Fn() -> Time + Send + Sync>,
    latest: Mutex<Time>,
}

impl Clock {
    /// A clock over the wall's.
    pub fn new() -> Clock {
        Clock::over(wall)
    }

    /// A clock over another one.
    pub fn over(wall: impl Fn() -> Time + Send + Sync + 'static) -> Clock {
        Clock { wall: Box::new(wall), latest: Mutex::new(Time::default()) }
    }

    /// The time now, not before any that it said, and not before `seen`.
    pub fn now(&self, seen: Time) -> Time {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = (self.wall)().max(seen).max(*latest);
        *latest
    }
}

fn wall() -> Time {
    // Before 1970 no clock of a running machine is.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::new(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[test]
    fn it_never_goes_back() {
        let hand = Arc::new(AtomicI64::new(100));
        let read = hand.clone();
        let clock = Clock::over(move || Time::new(read.load(Ordering::SeqCst), 0));
        let at = |seen: i64| clock.now(Time::new(seen, 0)).seconds();
        assert_eq!(at(0), 100);
        hand.store(40, Ordering::SeqCst);
        assert_eq!(at(0), 100, "the wall's clock stepped back");
        assert_eq!(at(300), 300, "the file knows a later time");
        hand.store(200, Ordering::SeqCst);
        assert_eq!(at(0), 300);
        assert!(Clock::new().now(Time::default()).seconds() > 1_700_000_000);
    }
}
