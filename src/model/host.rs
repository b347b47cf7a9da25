//! A host of the network as an allow-list names it: `deb.example.org`, `*.example.org`, `192.0.2.7:3142`, `[2001:db8::7]`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The ports of a host that is named without one: those of http and https, so that the one may lead to the other.
pub const WEB: [u16; 2] = [80, 443];

/// Who is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Who {
    /// The host of that name, in lower case, without a dot at its end.
    Name(String),
    /// Every host below that name, which has none of its own.
    Below(String),
    /// The host at that address.
    Address(IpAddr),
}

/// A host, or all below a name, with a port or those of the web.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host {
    /// Who.
    pub who: Who,
    /// The one port; those of the web where there is none.
    pub port: Option<u16>,
}

impl Host {
    /// The ports that are meant.
    pub fn ports(&self) -> Vec<u16> {
        self.port.map_or_else(|| WEB.to_vec(), |port| vec![port])
    }

    /// Whether a name, in lower case and without a dot at its end, is this one or below it.
    pub fn is_called(&self, name: &str) -> bool {
        match &self.who {
            Who::Name(own) => own == name,
            Who::Below(above) => {
                name.strip_suffix(above.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            Who::Address(_) => false,
        }
    }
}

/// What names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host: use NAME, *.NAME or ADDRESS, and :PORT where it is not 80 and 443")]
pub struct NoHost(String);

impl FromStr for Host {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Host, NoHost> {
        parse(text).ok_or_else(|| NoHost(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Host> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            (address, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        // More than one colon is an address without a port.
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (text, None),
        },
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port: &u16| *port > 0)?),
        None => None,
    };
    let who = match (host.parse::<IpAddr>(), host.strip_prefix("*.")) {
        (Ok(address), _) => Who::Address(address),
        (Err(_), _) if text.starts_with('[') => return None,
        (Err(_), Some(above)) => Who::Below(name(above)?),
        (Err(_), None) => Who::Name(name(host)?),
    };
    Some(Host { who, port })
}

/// The name in lower case, without a dot at its end; `None` where it is none.
pub fn name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    (name.len() <= 253 && name.split('.').all(label)).then_some(name)
}

/// Whether nobody but who is named by it should be reached there: it is this machine's own, or not of the public network.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || first == 0
                // Shared address space (RFC 6598).
                || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_private(IpAddr::V4(v4)),
            None => is_private_v6(v6),
        },
    }
}

fn is_private_v6(v6: Ipv6Addr) -> bool {
    v6.is_loopback()
        || v6.is_unspecified()
        || v6.is_multicast()
        || v6.is_unique_local()
        || v6.is_unicast_link_local()
}

/// Whether it is the machine's own, or of its own cable: what an image must not be able to name.
pub fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4.octets()[0] == 0,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_local(IpAddr::V4(v4)),
            None => v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local(),
        },
    }
}

impl TryFrom<String> for Host {
    type Error = NoHost;

    fn try_from(text: String) -> Result<Host, NoHost> {
        text.parse()
    }
}

impl From<Host> for String {
    fn from(host: Host) -> String {
        host.to_string()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Who::Name(name) => f.write_str(name)?,
            Who::Below(name) => write!(f, "*.{name}")?,
            Who::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Who::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_and_shown() {
        for (text, shown) in [
            ("deb.example.org", Some("deb.example.org")),
            ("Deb.Example.ORG.", Some("deb.example.org")),
            ("mirror:8080", Some("mirror:8080")),
            ("*.example.org", Some("*.example.org")),
            ("*.example.org:443", Some("*.example.org:443")),
            ("192.0.2.7:3142", Some("192.0.2.7:3142")),
            ("2001:db8::7", Some("[2001:db8::7]")),
            ("[2001:db8::7]:80", Some("[2001:db8::7]:80")),
            ("[2001:db8::7]", Some("[2001:db8::7]")),
            ("a_b.example", Some("a_b.example")),
            ("", None),
            ("*", None),
            ("*.", None),
            ("a.*.example", None),
            ("a..b", None),
            ("a b", None),
            ("$arch.example.org", None),
            ("a:0", None),
            ("a:65536", None),
            ("a:", None),
            ("[name]:80", None),
            ("[2001:db8::7]80", None),
            ("http://a", None),
        ] {
            let host: Option<Host> = text.parse().ok();
            assert_eq!(host.as_ref().map(Host::to_string).as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn names_are_whole_and_wildcards_have_something_before_them() {
        for (host, name, called) in [
            ("example.org", "example.org", true),
            ("example.org", "a.example.org", false),
            ("*.example.org", "a.example.org", true),
            ("*.example.org", "b.a.example.org", true),
            ("*.example.org", "example.org", false),
            ("*.example.org", "badexample.org", false),
            ("*.example.org", ".example.org", false),
            ("192.0.2.7", "192.0.2.7", false),
        ] {
            assert_eq!(host.parse::<Host>().unwrap().is_called(name), called, "{host} {name}");
        }
        assert_eq!("a".parse::<Host>().unwrap().ports(), [80, 443]);
        assert_eq!("a:81".parse::<Host>().unwrap().ports(), [81]);
    }

    #[test]
    fn what_is_not_of_the_public_network_is_known() {
        for (address, private, local) in [
            ("127.0.0.53", true, true),
            ("0.0.0.0", true, true),
            ("169.254.169.254", true, true),
            ("10.1.2.3", true, false),
            ("100.64.0.1", true, false),
            ("192.168.1.1", true, false),
            ("151.101.2.132", false, false),
            ("::1", true, true),
            ("::ffff:127.0.0.1", true, true),
            ("fe80::1", true, true),
            ("fd00::1", true, false),
            ("2a04:4e42::644", false, false),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!((is_private(address), is_local(address)), (private, local), "{address}");
        }
    }
}
