//! When runs by timer are: every so many seconds since 1970, each node a while later that is its own and never changes, so that not
//! all ask their master at once. Pure: clocks are arguments, and may be put forward and back, or stand still while a node sleeps.

use sha2::{Digest as _, Sha256};

#[cfg(test)]
mod tests;

/// The longest that a node which was asleep at its moment waits before it catches up, in seconds.
const CATCH_UP: u64 = 300;

/// The moments of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moments {
    interval: u64,
    offset: u64,
    catch_up: u64,
}

/// When the next run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Now.
    Now,
    /// Then, in seconds since 1970.
    At(i64),
}

impl Moments {
    /// Those of the node with that name: every `interval` seconds, spread over `splay` of them; 0 puts all nodes at one moment.
    pub fn of(node: &str, interval: u64, splay: u64) -> Moments {
        let interval = interval.max(1);
        let hash = Sha256::digest(node.as_bytes());
        let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let within = |span: u64| if span == 0 { 0 } else { number % span };
        let spread = splay.min(interval);
        Moments { interval, offset: within(spread), catch_up: within(spread.min(CATCH_UP)) }
    }

    /// The first moment after that time.
    pub fn after(&self, time: i64) -> i64 {
        let (interval, offset) = (i128::from(self.interval), i128::from(self.offset));
        let passed = (i128::from(time) - offset).div_euclid(interval) + 1;
        i64::try_from(passed * interval + offset).unwrap_or(i64::MAX)
    }

    /// When the next run is, where one began (or was let go) at `last`, and the node is awake since `awake`. A moment, or many, that
    /// passed while the node was asleep or off are caught up on once, after a while that is this node's own.
    pub fn next(&self, last: i64, awake: i64, now: i64) -> Next {
        let last = match last > now {
            false => last,
            // The clock was put back by less than an interval: what was done then is not done again.
            true if last.abs_diff(now) < self.interval => last,
            // Or by more: that time tells nothing.
            true => now,
        };
        let moment = self.after(last);
        let due = if moment < awake.min(now) {
            // Whenever it is caught up on, the run of the next moment would be another one.
            let late = awake.min(now).saturating_add_unsigned(self.catch_up);
            late.min(self.after(awake.min(now)))
        } else {
            moment
        };
        if due <= now { Next::Now } else { Next::At(due) }
    }
}

/// Since when a node is awake, as seen by somebody who looks again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wakefulness {
    awake: i64,
    looked: i64,
}

impl Wakefulness {
    /// Awake since now.
    pub fn new(now: i64) -> Wakefulness {
        Wakefulness { awake: now, looked: now }
    }

    /// Since when it is awake, seen now by somebody who has meant to look after `most` seconds at the latest: a longer gap was sleep,
    /// or the clock was put forward, which is the same to a schedule.
    pub fn since(&mut self, now: i64, most: u64) -> i64 {
        let gap = now.saturating_sub(self.looked);
        if gap < 0 || gap.unsigned_abs() > most.saturating_mul(2) {
            self.awake = now;
        }
        self.looked = now;
        self.awake
    }
}
