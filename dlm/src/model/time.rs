//! Points in time and spans of it, as numbers that come from outside. Nothing here reads a clock, and no sum overflows.

use serde::{Deserialize, Serialize};

const NANOSECONDS: u32 = 1_000_000_000;

/// A point in time, since 1970-01-01 UTC. As JSON it is `[seconds, nanoseconds]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(i64, u32)", into = "(i64, u32)")]
pub struct Time {
    seconds: i64,
    nanoseconds: u32,
}

impl Time {
    /// The time so many seconds and nanoseconds after 1970; a full second of nanoseconds is carried.
    pub fn new(seconds: i64, nanoseconds: u32) -> Time {
        Time {
            seconds: seconds.saturating_add(i64::from(nanoseconds / NANOSECONDS)),
            nanoseconds: nanoseconds % NANOSECONDS,
        }
    }

    /// Whole seconds since 1970, negative before.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds after those, less than a second.
    pub fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// The time so much later, or the last there is.
    pub fn after(self, span: Seconds) -> Time {
        Time { seconds: self.seconds.saturating_add_unsigned(span.0), ..self }
    }

    /// Whole seconds from `earlier` until this time; 0 where it is not earlier.
    pub fn since(self, earlier: Time) -> Seconds {
        if self <= earlier {
            return Seconds(0);
        }
        let whole = self.seconds.abs_diff(earlier.seconds);
        Seconds(if self.nanoseconds < earlier.nanoseconds { whole.saturating_sub(1) } else { whole })
    }
}

impl From<(i64, u32)> for Time {
    fn from((seconds, nanoseconds): (i64, u32)) -> Time {
        Time::new(seconds, nanoseconds)
    }
}

impl From<Time> for (i64, u32) {
    fn from(time: Time) -> (i64, u32) {
        (time.seconds, time.nanoseconds)
    }
}

/// A span of time, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seconds(pub u64);

impl Seconds {
    /// The span so many times over, or the longest there is.
    pub fn times(self, factor: u64) -> Seconds {
        Seconds(self.0.saturating_mul(factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_carry_and_saturate() {
        assert_eq!(Time::new(1, 2_500_000_000), Time::new(3, 500_000_000));
        assert_eq!(Time::new(i64::MAX, 0).after(Seconds(u64::MAX)), Time::new(i64::MAX, 0));
        assert_eq!(Time::new(i64::MIN, 0).after(Seconds(u64::MAX)), Time::new(i64::MAX, 0));
        assert_eq!(Time::new(i64::MAX, u32::MAX).seconds(), i64::MAX);
        assert_eq!(Time::new(10, 0).since(Time::new(7, 1)), Seconds(2));
        assert_eq!(Time::new(10, 1).since(Time::new(7, 1)), Seconds(3));
        assert_eq!(Time::new(7, 0).since(Time::new(10, 0)), Seconds(0));
        assert_eq!(Time::new(i64::MAX, 0).since(Time::new(i64::MIN, 0)), Seconds(u64::MAX));
    }
}
