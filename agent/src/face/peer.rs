//! Who asks, as the listener found out: an extension of every request. A request without it is refused what is not for everybody.

use std::net::IpAddr;

use x509_parser::prelude::{FromDer, X509Certificate};

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
    /// The name in a verified certificate: its CN. Where there are several, or one with a blank, a slash or a comma in it (of
    /// which a smart proxy takes the part before), it is nobody's.
    pub fn of_der(der: &[u8]) -> Shown {
        let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Shown::Nameless };
        let mut names = certificate.subject().iter_common_name();
        let name = match (names.next(), names.next()) {
            (Some(one), None) => one.as_str().unwrap_or_default(),
            _ => "",
        };
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ',');
        if name.is_empty() || name.contains(odd) {
            Shown::Nameless
        } else {
            Shown::Named(name.to_lowercase())
        }
    }
}
