//! What counts as one address. Pure.

use std::net::{IpAddr, Ipv6Addr};

/// What counts as one address: a /64 of IPv6, for that is what one machine has.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

/// Whether an address is one of these, whether it is written as IPv4 or as IPv4 in IPv6.
pub fn is_in(address: IpAddr, addresses: &[IpAddr]) -> bool {
    addresses.iter().any(|one| one.to_canonical() == address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_address_however_it_is_written() {
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(network(at("2001:db8:0:1:ffff::1")), network(at("2001:db8:0:1::2")));
        assert_ne!(network(at("2001:db8:0:1::1")), network(at("2001:db8:0:2::1")));
        assert_eq!(network(at("::ffff:192.0.2.1")), at("192.0.2.1"));
        assert_ne!(network(at("192.0.2.1")), network(at("192.0.2.2")));
        assert!(is_in(at("::ffff:192.0.2.1"), &[at("192.0.2.1")]));
        assert!(!is_in(at("192.0.2.2"), &[at("192.0.2.1")]));
    }
}
