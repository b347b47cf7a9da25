//! How many wrong logins came from where. Pure: time is an argument, and memory is bounded.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::network::network;

/// So many wrong logins of one address within [`FORGET`] are too many (Foreman's `failed_login_attempts_limit`).
pub const MOST_FAILURES: usize = 30;
/// So long a wrong login counts, and so long after one too many an address may try again.
pub const FORGET: Duration = Duration::from_secs(300);
/// Of so many addresses it is known when they failed, at most half a kilobyte of each; then who failed longest ago is forgotten.
const MOST_ADDRESSES: usize = 10_000;

/// Who failed, and when.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: HashMap<IpAddr, Failures>,
}

/// What is known of an address.
#[derive(Debug)]
enum Failures {
    /// It may go on: when it failed, the newest last, fewer than [`MOST_FAILURES`].
    Counted(VecDeque<Instant>),
    /// It has failed too often, the last time then.
    TooMany(Instant),
}

impl Throttle {
    /// Whether an address has failed so often that nothing it says is looked at.
    pub fn blocked(&self, from: IpAddr, now: Instant) -> bool {
        self.failures.get(&network(from)).is_some_and(|failures| failures.is_too_many(now))
    }

    /// Counts a wrong login. Those of an address that is blocked (they were looked at before it was) do not make that longer.
    pub fn failed(&mut self, from: IpAddr, now: Instant) {
        let from = network(from);
        if self.failures.len() >= MOST_ADDRESSES && !self.failures.contains_key(&from) {
            self.make_room(now);
        }
        let failures = self.failures.entry(from).or_insert(Failures::Counted(VecDeque::new()));
        if !failures.is_too_many(now) {
            failures.add(now);
        }
    }

    fn make_room(&mut self, now: Instant) {
        self.failures.retain(|_, failures| failures.last().is_some_and(|last| counts(last, now)));
        if self.failures.len() >= MOST_ADDRESSES {
            let oldest = self.failures.iter().min_by_key(|(_, failures)| failures.last());
            oldest.map(|(from, _)| *from).map(|from| self.failures.remove(&from));
        }
    }
}

impl Failures {
    fn is_too_many(&self, now: Instant) -> bool {
        match self {
            Failures::Counted(_) => false,
            Failures::TooMany(last) => counts(*last, now),
        }
    }

    fn last(&self) -> Option<Instant> {
        match self {
            Failures::Counted(times) => times.back().copied(),
            Failures::TooMany(last) => Some(*last),
        }
    }

    /// One more of an address that may go on.
    fn add(&mut self, now: Instant) {
        let mut times = match self {
            Failures::Counted(times) => std::mem::take(times),
            Failures::TooMany(_) => VecDeque::new(),
        };
        times.retain(|time| counts(*time, now));
        times.push_back(now);
        *self = if times.len() < MOST_FAILURES { Failures::Counted(times) } else { Failures::TooMany(now) };
    }
}

fn counts(failure: Instant, now: Instant) -> bool {
    now.duration_since(failure) < FORGET
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn thirty_failures_block_one_address_until_five_minutes_after_the_last() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in 0..29 {
            throttle.failed(address("192.0.2.1"), at(second));
        }
        assert!(!throttle.blocked(address("192.0.2.1"), at(29)));
        throttle.failed(address("::ffff:192.0.2.1"), at(29));
        assert!(throttle.blocked(address("192.0.2.1"), at(29)));
        assert!(throttle.blocked(address("192.0.2.1"), at(328)));
        assert!(!throttle.blocked(address("192.0.2.1"), at(329)));
        assert!(!throttle.blocked(address("192.0.2.2"), at(29)));
        throttle.failed(address("192.0.2.1"), at(400));
        assert!(!throttle.blocked(address("192.0.2.1"), at(400)), "it begins anew");
    }

    #[test]
    fn failures_that_are_too_old_do_not_count() {
        let (from, start) = (address("127.0.0.1"), Instant::now());
        // Failures with so many milliseconds between them: whether the thirtieth is within five minutes of the first.
        for (between, blocks) in [(60_000, false), (10_345, false), (10_344, true), (1_000, true)] {
            let mut throttle = Throttle::default();
            let mut last = start;
            for number in 0..600 {
                last = start + Duration::from_millis(between * number);
                assert!(!throttle.blocked(from, last), "{number} at {between} ms");
                throttle.failed(from, last);
                if throttle.blocked(from, last) {
                    assert_eq!(number, 29, "at {between} ms");
                    break;
                }
            }
            assert_eq!(throttle.blocked(from, last), blocks, "at {between} ms");
        }
    }

    #[test]
    fn any_five_minutes_count_and_not_only_those_from_the_first_failure_on() {
        let (mut throttle, from, start) = (Throttle::default(), address("192.0.2.1"), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        throttle.failed(from, at(0));
        (271..299).for_each(|second| throttle.failed(from, at(second)));
        throttle.failed(from, at(300));
        assert!(!throttle.blocked(from, at(300)), "the first is five minutes old, 29 are not");
        throttle.failed(from, at(301));
        assert!(throttle.blocked(from, at(301)));
    }

    #[test]
    fn what_is_counted_while_nothing_is_looked_at_makes_that_no_longer() {
        let (mut throttle, from, start) = (Throttle::default(), address("192.0.2.1"), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        (0..30).for_each(|_| throttle.failed(from, at(0)));
        // Begun before the last of them, and found wrong after it.
        (0..40).for_each(|_| throttle.failed(from, at(1)));
        assert!(throttle.blocked(from, at(299)));
        assert!(!throttle.blocked(from, at(300)));
        throttle.failed(from, at(300));
        assert!(!throttle.blocked(from, at(300)), "it begins anew");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_memory_is_bounded() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for host in 0..30u16 {
            throttle.failed(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host)), now);
        }
        assert!(throttle.blocked(address("2001:db8:0:1:ffff::1"), now));
        assert!(!throttle.blocked(address("2001:db8:0:2::1"), now));
        for n in 0..10_500u32 {
            throttle.failed(IpAddr::V4(Ipv4Addr::from(n)), now);
        }
        assert!(throttle.failures.len() <= MOST_ADDRESSES);
        let mut one = Throttle::default();
        (0..5_000).for_each(|n| one.failed(address("192.0.2.1"), now + Duration::from_secs(11 * n)));
        let Some(Failures::Counted(times)) = one.failures.get(&address("192.0.2.1")) else {
            panic!("blocked")
        };
        assert!(times.len() < 30 && times.capacity() < 60, "{times:?}");
    }
}
