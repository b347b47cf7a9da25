//! Who may be reached from a sandbox that may fetch: hosts by their names, each with its ports. Pure.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::model::host::{self, Host, Who};
use crate::sources::resolver::Resolver;

/// Who may be reached, and how a step finds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Who.
    pub hosts: BTreeSet<Host>,
    /// The root's own name servers and search list.
    pub resolver: Resolver,
    /// The root's own table of hosts.
    pub table: Vec<(IpAddr, Vec<String>)>,
    /// What the node is called, in lower case: anybody may ask for its own addresses.
    pub own_name: Option<String>,
    /// Whether the root is the running node's own. Another one cannot name an address of this machine itself.
    pub own_root: bool,
}

/// What becomes of a question for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is looked up on the host by this name; its addresses can be reached at these ports.
    Open {
        name: String,
        ports: BTreeSet<u16>,
        /// Only an address of the public network may be meant: nobody has named this very host.
        public_only: bool,
    },
    /// It is looked up on the host by this name, and that is all.
    Answer { name: String },
    /// There is such a name, and nothing of the kind that is asked for is said about it.
    Silence,
    /// It is none of the hosts.
    Refuse,
}

impl Policy {
    /// Judges a question for a name, in lower case and without a dot at its end; `for_address` says whether its addresses are
    /// what is asked for.
    pub(super) fn judge(&self, asked: &str, for_address: bool) -> Verdict {
        // A service of a host that may be reached, such as _http._tcp.NAME.
        let bare = without_services(asked);
        for name in std::iter::once(bare).chain(self.without_search(bare)) {
            if !self.is_own(name) && !self.hosts.iter().any(|host| host.is_called(name)) {
                continue;
            }
            if !for_address || bare != asked {
                return Verdict::Silence;
            }
            let called = |host: &&Host| host.is_called(name);
            let ports: BTreeSet<u16> = self.hosts.iter().filter(called).flat_map(Host::ports).collect();
            let exact = self.hosts.iter().filter(called).any(|host| matches!(host.who, Who::Name(_)));
            let name = name.to_owned();
            return match ports.is_empty() {
                true => Verdict::Answer { name },
                false => Verdict::Open { name, ports, public_only: !exact },
            };
        }
        Verdict::Refuse
    }

    fn is_own(&self, name: &str) -> bool {
        name == "localhost" || self.own_name.as_deref() == Some(name)
    }

    /// A name as it may have been before the search list was put behind it.
    pub(super) fn without_search<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let stripped = |search: &'a String| name.strip_suffix(search.as_str())?.strip_suffix('.');
        self.resolver.search.iter().filter_map(stripped)
    }

    /// Those that are known by their addresses alone, or from the table of hosts: a step asks nobody about them.
    pub(super) fn known(&self) -> BTreeSet<SocketAddr> {
        let mut known = BTreeSet::new();
        for host in &self.hosts {
            let addresses: Vec<IpAddr> = match &host.who {
                Who::Address(address) => vec![*address],
                Who::Name(name) if name == "localhost" => vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
                Who::Name(_) | Who::Below(_) => Vec::new(),
            };
            let public_only = matches!(host.who, Who::Below(_));
            let in_table =
                self.table.iter().filter(|(_, names)| names.iter().any(|name| host.is_called(name)));
            for address in addresses.into_iter().chain(in_table.map(|(address, _)| *address)) {
                if self.admits(address, public_only) {
                    known.extend(host.ports().into_iter().map(|port| SocketAddr::new(address, port)));
                }
            }
        }
        known
    }

    /// Whether an address that a host's name leads to may be reached.
    pub(super) fn admits(&self, address: IpAddr, public_only: bool) -> bool {
        match (public_only, self.own_root) {
            (true, _) => !host::is_private(address),
            (false, true) => !address.is_unspecified() && !address.is_multicast(),
            (false, false) => !host::is_local(address) && !address.is_multicast(),
        }
    }
}

/// A name without the labels of services at its start (RFC 2782).
pub(super) fn without_services(name: &str) -> &str {
    let mut name = name;
    while let Some((label, rest)) = name.split_once('.')
        && label.starts_with('_')
    {
        name = rest;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::resolver;

    fn policy(hosts: &str, table: &str, own_root: bool) -> Policy {
        Policy {
            hosts: hosts.split_whitespace().map(|host| host.parse().unwrap()).collect(),
            resolver: resolver::resolver("search corp.example\nnameserver 192.0.2.53"),
            table: resolver::hosts(table),
            own_name: Some("node.example".to_owned()),
            own_root,
        }
    }

    #[test]
    fn names_are_judged() {
        let policy = policy("deb.example.org mirror:3142 *.cdn.example:443 exact.cdn.example:8443", "", true);
        let open = |name: &str, ports: &[u16], public_only| Verdict::Open {
            name: name.to_owned(),
            ports: ports.iter().copied().collect(),
            public_only,
        };
        for (asked, verdict) in [
            ("deb.example.org", open("deb.example.org", &[80, 443], false)),
            ("mirror", open("mirror", &[3142], false)),
            ("mirror.corp.example", open("mirror", &[3142], false)),
            ("deb.example.org.corp.example", open("deb.example.org", &[80, 443], false)),
            ("a.cdn.example", open("a.cdn.example", &[443], true)),
            ("exact.cdn.example", open("exact.cdn.example", &[443, 8443], false)),
            ("_http._tcp.deb.example.org", Verdict::Silence),
            ("node.example", Verdict::Answer { name: "node.example".to_owned() }),
            ("localhost", Verdict::Answer { name: "localhost".to_owned() }),
            ("example.org", Verdict::Refuse),
            ("x.deb.example.org", Verdict::Refuse),
            ("deb.example.org.evil.example", Verdict::Refuse),
            ("cdn.example", Verdict::Refuse),
            ("_http._tcp.evil.example", Verdict::Refuse),
            ("corp.example", Verdict::Refuse),
            ("", Verdict::Refuse),
        ] {
            assert_eq!(policy.judge(asked, true), verdict, "{asked}");
        }
        assert_eq!(policy.judge("deb.example.org", false), Verdict::Silence);
        assert_eq!(policy.judge("evil.example", false), Verdict::Refuse);
    }

    #[test]
    fn what_needs_no_question_is_known() {
        let table = "127.0.0.1 localhost\n10.0.0.7 mirror other\n127.0.0.1 here\n10.0.0.8 x.cdn.example";
        for (hosts, own_root, known) in [
            ("192.0.2.7:81 deb.example.org", true, &["192.0.2.7:81"][..]),
            ("mirror", true, &["10.0.0.7:80", "10.0.0.7:443"]),
            ("localhost:3142 here:1", true, &["127.0.0.1:1", "127.0.0.1:3142"]),
            ("localhost:3142 here:1 127.0.0.1:5432 169.254.169.254 mirror:2", false, &["10.0.0.7:2"]),
            ("*.cdn.example", true, &[]),
        ] {
            let known: BTreeSet<SocketAddr> = known.iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(policy(hosts, table, own_root).known(), known, "{hosts}");
        }
    }

    #[test]
    fn where_a_name_may_lead() {
        let (own, other) = (policy("", "", true), policy("", "", false));
        for (address, own_exact, own_wildcard, other_exact) in [
            ("151.101.2.132", true, true, true),
            ("10.0.0.7", true, false, true),
            ("127.0.0.1", true, false, false),
            ("169.254.169.254", true, false, false),
            ("0.0.0.0", false, false, false),
            ("224.0.0.1", false, false, false),
            ("::1", true, false, false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(
                (own.admits(address, false), own.admits(address, true), other.admits(address, false)),
                (own_exact, own_wildcard, other_exact),
                "{address}"
            );
        }
    }
}
