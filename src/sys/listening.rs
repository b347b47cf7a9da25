//! The addresses at which a process listens, by /proc: whatever its configuration says.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// They, sorted; none of a process that is not there.
pub fn of(pid: i32) -> Vec<SocketAddr> {
    let folder = format!("/proc/{pid}/fd");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    let sockets: BTreeSet<u64> = links
        .filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect();
    let all = ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")));
    let found = all.iter().flatten().flat_map(|text| text.lines()).filter_map(listening);
    let mut found: Vec<SocketAddr> =
        found.filter(|(_, socket)| sockets.contains(socket)).map(|(address, _)| address).collect();
    found.sort();
    found
}

/// The address of a line of the kernel's table and its socket's number, where that socket listens.
fn listening(line: &str) -> Option<(SocketAddr, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let (address, port) = fields.nth(1)?.split_once(':')?;
    let (state, socket) = (fields.nth(1)?, fields.nth(5)?);
    let ip = address_of(address)?;
    let port = u16::from_str_radix(port, 16).ok()?;
    (state == "0A").then_some(())?;
    Some((SocketAddr::new(ip, port), socket.parse().ok()?))
}

/// Words of 32 bits in the order of this machine's bytes.
fn address_of(digits: &str) -> Option<IpAddr> {
    let words: Option<Vec<u8>> = digits
        .as_bytes()
        .chunks(8)
        .map(|word| Some(u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?.to_ne_bytes()))
        .collect::<Option<Vec<[u8; 4]>>>()
        .map(|words| words.concat());
    let words = words?;
    match words.len() {
        4 => <[u8; 4]>::try_from(words).ok().map(|four| Ipv4Addr::from(four).into()),
        16 => <[u8; 16]>::try_from(words).ok().map(|sixteen| Ipv6Addr::from(sixteen).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn its_own_listeners_are_found_and_go() {
        let own = i32::try_from(std::process::id()).unwrap();
        let both = ["127.0.0.1:0", "[::1]:0"].map(|at| TcpListener::bind(at).unwrap());
        let addresses = both.iter().map(|one| one.local_addr().unwrap());
        let found = of(own);
        assert!(addresses.clone().all(|address| found.contains(&address)), "{found:?}");
        let gone: Vec<SocketAddr> = addresses.collect();
        drop(both);
        assert!(!of(own).iter().any(|address| gone.contains(address)));
        assert_eq!(of(i32::MAX), []);
    }
}
