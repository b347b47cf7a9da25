//! Who asks, as the listener found out: an extension of every request. A request without it is refused what is not for everybody.

use std::net::IpAddr;

use disco_listen::Certificate;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// From where.
    pub address: IpAddr,
    /// How.
    pub over: Over,
}

/// How somebody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Over {
    /// Over plain HTTP.
    Http,
    /// Over HTTPS, with what was shown there.
    Https(Shown),
}

/// What a client has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Nothing.
    Nothing,
    /// A verified certificate with this CN, in lower case.
    Named(String),
    /// A verified certificate from which no name can be read.
    Nameless,
}

impl Shown {
    /// The name in a verified certificate, by the one rule that all of disco's servers have.
    pub fn of_der(der: &[u8]) -> Shown {
        Certificate::of_der(der).into()
    }
}

impl From<Certificate> for Shown {
    fn from(certificate: Certificate) -> Shown {
        match certificate {
            Certificate::None => Shown::Nothing,
            Certificate::Named(name) => Shown::Named(name),
            Certificate::Nameless => Shown::Nameless,
        }
    }
}

impl From<&disco_listen::Peer> for Peer {
    fn from(peer: &disco_listen::Peer) -> Peer {
        let over = match &peer.over {
            disco_listen::Over::Plain => Over::Http,
            disco_listen::Over::Tls(certificate) => Over::Https(certificate.clone().into()),
        };
        Peer { address: peer.address.ip(), over }
    }
}
