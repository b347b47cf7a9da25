//! Where a cluster is: `etcd://HOST:PORT,HOST:PORT/PREFIX`, as plain data. Nothing here connects to anything.

use std::fmt;
use std::str::FromStr;

use hyper::http::uri::Authority;
use thiserror::Error;

/// The port where none is said.
pub const PORT: u16 = 2379;
/// The prefix of all keys where none is said.
pub const PREFIX: &str = "/disco";

/// The members of a cluster, and where disco's keys are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether members are spoken to over TLS (`etcds://`).
    pub tls: bool,
    /// The members, each as `HOST:PORT`; at least one.
    pub members: Vec<String>,
    /// The prefix of all keys: a slash first, none at the end.
    pub prefix: String,
}

/// A text that is no address of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Another scheme.
    #[error("{0:?}: an address of etcd is etcd://HOST:PORT,HOST:PORT/PREFIX, or etcds:// for TLS")]
    Scheme(String),
    /// A member that cannot be one.
    #[error("{member:?} in {address:?}: a member of etcd is HOST or HOST:PORT")]
    Member {
        /// The member.
        member: String,
        /// The whole address.
        address: String,
    },
    /// A prefix with what no prefix has.
    #[error("{0:?}: the prefix of an address of etcd has no blanks, no ? and no #")]
    Prefix(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let (tls, rest) = match (text.strip_prefix("etcd://"), text.strip_prefix("etcds://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            (None, None) => return Err(AddressError::Scheme(text.to_owned())),
        };
        let (members, prefix) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '?' || c == '#';
        if prefix.contains(bad) {
            return Err(AddressError::Prefix(text.to_owned()));
        }
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { PREFIX } else { prefix };
        let members = members.split(',').map(|one| {
            member(one)
                .ok_or_else(|| AddressError::Member { member: one.to_owned(), address: text.to_owned() })
        });
        Ok(Address { tls, members: members.collect::<Result<_, _>>()?, prefix: prefix.to_owned() })
    }
}

/// `HOST:PORT` of a member. No user: a password does not belong where addresses are shown.
fn member(text: &str) -> Option<String> {
    let authority: Authority = text.parse().ok()?;
    let host = authority.host();
    // A colon without a port, and a port that is none, parse as part of nothing: what was said must be what is used.
    let port = match text.strip_prefix(host)? {
        "" => PORT,
        port => port.strip_prefix(':')?.parse().ok().filter(|port| *port > 0)?,
    };
    (!host.is_empty()).then(|| format!("{host}:{port}"))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "etcds" } else { "etcd" };
        write!(f, "{scheme}://{}{}", self.members.join(","), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, written) in [
            ("etcd://a:1", "etcd://a:1/disco"),
            ("etcd://a,b:3,[::1]", "etcd://a:2379,b:3,[::1]:2379/disco"),
            ("etcds://a.example/x/y/", "etcds://a.example:2379/x/y"),
            ("etcd://127.0.0.1:7/", "etcd://127.0.0.1:7/disco"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), written);
        }
        for wrong in [
            "",
            "http://a",
            "etcd://",
            "etcd://a,",
            "etcd://a:x",
            "etcd://a:",
            "etcd://a:0",
            "etcd://u@a",
            "etcd://u:p@a:1",
            "etcd://a b",
            "etcd://a/x y",
            "etcd://a/x?y",
            "etcd://a:99999",
            "etcd:///x",
        ] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong:?}");
        }
    }

    proptest! {
        /// Any text is refused, or means what it says when it is written and read again.
        #[test]
        fn any_text_is_refused_or_stays(text in "(etcds?://)?[a-z0-9:,/@\\[\\]?# .-]{0,30}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(&address.to_string().parse::<Address>().unwrap(), &address);
                prop_assert!(!address.members.is_empty());
            }
        }
    }
}
