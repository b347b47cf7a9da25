//! Numbers that nobody can know before: names for transactions, and pauses that differ.

use std::time::Duration;

/// Any number. Without the machine's source of chance, which there always is, numbers of this process that never repeat.
pub fn number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    getrandom::u64()
        .unwrap_or_else(|_| (u64::from(std::process::id()) << 32) + NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A number less than this one; 0 below 0.
pub fn below(most: u64) -> u64 {
    number().checked_rem(most).unwrap_or(0)
}

/// From half of a span to all of it.
pub fn part(span: Duration) -> Duration {
    let half = u64::try_from(span.as_micros() / 2).unwrap_or(u64::MAX);
    Duration::from_micros(half + below(half + 1))
}
