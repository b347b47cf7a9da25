//! How a root finds addresses: the name servers and search list of resolv.conf(5), and the table of hosts(5). Pure.

use std::net::{IpAddr, Ipv4Addr};

use crate::model::host;

/// What resolv.conf(5) says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolver {
    /// The servers that are asked; never empty: without one it is this machine itself.
    pub servers: Vec<IpAddr>,
    /// What is put behind a name that is not found as it is.
    pub search: Vec<String>,
}

/// How many servers the C library asks.
const MOST_SERVERS: usize = 3;

/// Reads resolv.conf(5); lines that are none are passed over, as the C library does.
pub fn resolver(text: &str) -> Resolver {
    let mut resolver = Resolver::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            // An address of a link has the link's name behind it, and no other network namespace has that link.
            Some("nameserver") => {
                resolver.servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok()))
            }
            // The last one counts.
            Some("search" | "domain") => resolver.search = words.filter_map(host::name).collect(),
            _ => {}
        }
    }
    resolver.servers.truncate(MOST_SERVERS);
    if resolver.servers.is_empty() {
        resolver.servers.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    resolver
}

/// Reads hosts(5): each address with its names, in lower case; lines that are none are passed over.
pub fn hosts(text: &str) -> Vec<(IpAddr, Vec<String>)> {
    let lines = text.lines().map(|line| line.split_once('#').map_or(line, |(line, _)| line));
    let entries = lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next()?.parse().ok()?;
        Some((address, words.filter_map(host::name).collect()))
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_searches() {
        let addresses =
            |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        for (text, servers, search) in [
            ("", &["127.0.0.1"][..], &[][..]),
            ("# x\nnameserver 192.0.2.1\nnameserver ::1\noptions edns0\n", &["192.0.2.1", "::1"], &[]),
            ("nameserver fe80::1%eth0\nnameserver x\n", &["127.0.0.1"], &[]),
            (
                "search a.example b.example\nnameserver 192.0.2.1\nsearch C.example.",
                &["192.0.2.1"],
                &["c.example"],
            ),
            (
                "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4",
                &["192.0.2.1", "192.0.2.2", "192.0.2.3"],
                &[],
            ),
        ] {
            let read = resolver(text);
            assert_eq!(read.servers, addresses(servers), "{text}");
            assert_eq!(read.search, search, "{text}");
        }
    }

    #[test]
    fn the_table_of_hosts() {
        let text = "127.0.0.1\tlocalhost Node.Example # me\n::1 localhost\nnonsense x\n\n192.0.2.7\n";
        let read: Vec<String> = hosts(text)
            .into_iter()
            .map(|(address, names)| format!("{address}={}", names.join(",")))
            .collect();
        assert_eq!(read, ["127.0.0.1=localhost,node.example", "::1=localhost", "192.0.2.7="]);
    }
}
