//! How many wrong logins came from where. Pure: time is an argument, and memory is bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::network::network;

/// So many wrong logins of one address are too many (Foreman's `failed_login_attempts_limit`).
pub const MOST_FAILURES: u32 = 30;
/// So long after the last of them it may try again.
pub const FORGET: Duration = Duration::from_secs(300);
/// Of so many addresses it is known how often they failed; then who failed longest ago is forgotten.
const MOST_ADDRESSES: usize = 10_000;

/// Who failed, how often, and when last.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: HashMap<IpAddr, (u32, Instant)>,
}

impl Throttle {
    /// Whether an address has failed so often that nothing it says is looked at.
    pub fn blocked(&self, from: IpAddr, now: Instant) -> bool {
        self.failures
            .get(&network(from))
            .is_some_and(|(count, last)| *count >= MOST_FAILURES && now.duration_since(*last) < FORGET)
    }

    /// Counts a wrong login.
    pub fn failed(&mut self, from: IpAddr, now: Instant) {
        let from = network(from);
        if self.failures.len() >= MOST_ADDRESSES && !self.failures.contains_key(&from) {
            self.make_room(now);
        }
        let (count, last) = self.failures.entry(from).or_insert((0, now));
        *count = if now.duration_since(*last) < FORGET { count.saturating_add(1) } else { 1 };
        *last = now;
    }

    fn make_room(&mut self, now: Instant) {
        self.failures.retain(|_, (_, last)| now.duration_since(*last) < FORGET);
        if self.failures.len() >= MOST_ADDRESSES {
            let oldest = self.failures.iter().min_by_key(|(_, (_, last))| *last).map(|(from, _)| *from);
            oldest.map(|from| self.failures.remove(&from));
        }
    }
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
    }
}
