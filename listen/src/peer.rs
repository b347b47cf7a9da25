//! From where a request comes, and the name in a certificate. One rule for all of disco's servers: the name is the CN. Where there are
//! several, or one with anything in it that another program may cut it at, it is nobody's: what one takes for web1 another must not take
//! for web2.

use std::net::SocketAddr;

use x509_parser::prelude::{FromDer, X509Certificate};

/// From where a request comes, and what was shown there: an extension of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// From where.
    pub address: SocketAddr,
    /// How.
    pub over: Over,
}

impl Peer {
    /// What it has shown; nothing can be shown over plain HTTP.
    pub fn certificate(&self) -> Certificate {
        match &self.over {
            Over::Plain => Certificate::None,
            Over::Tls(certificate) => certificate.clone(),
        }
    }
}

/// How somebody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Over {
    /// Over plain HTTP.
    Plain,
    /// Over TLS, with what was shown in the handshake, verified.
    Tls(Certificate),
}

/// What a client has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// Nothing.
    None,
    /// A good certificate of this name, in lower case.
    Named(String),
    /// A good certificate without a name, or with one that is nobody's.
    Nameless,
}

impl Certificate {
    /// The name in a verified certificate.
    pub fn of_der(der: &[u8]) -> Certificate {
        let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Certificate::Nameless };
        let mut names = certificate.subject().iter_common_name();
        match (names.next(), names.next()) {
            (Some(one), None) => one.as_str().map_or(Certificate::Nameless, Certificate::named),
            _ => Certificate::Nameless,
        }
    }

    /// That name, in lower case, if it can be somebody's.
    pub fn named(name: &str) -> Certificate {
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ',');
        if name.is_empty() || name.contains(odd) {
            Certificate::Nameless
        } else {
            Certificate::Named(name.to_lowercase())
        }
    }
}

/// When a certificate ends, in seconds since 1970.
pub fn ends(der: &[u8]) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    #[test]
    fn the_name_is_the_one_cn() {
        let shown = |names: &[&str]| {
            let mut params = CertificateParams::default();
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::OrganizationName, "CN=other");
            // rcgen keeps one of each type: the second is of the same one, by its number.
            let types = [DnType::CommonName, DnType::CustomDnType(vec![2, 5, 4, 3])];
            for (name, kind) in names.iter().zip(types) {
                params.distinguished_name.push(kind, *name);
            }
            let key = KeyPair::generate().unwrap();
            Certificate::of_der(params.self_signed(&key).unwrap().der())
        };
        let named = |name: &str| Certificate::Named(name.to_owned());
        assert_eq!(shown(&["Web1.Example.com"]), named("web1.example.com"));
        assert_eq!(shown(&["Grüße"]), named("grüße"));
        let nobodys: [&[&str]; 8] = [
            &[],
            &[""],
            &["web1", "web2"],
            &[" web1"],
            &["web1\n"],
            &["web1\0.example.com"],
            &["web1/CN=web2"],
            &["web1,O=x"],
        ];
        for names in nobodys {
            assert_eq!(shown(names), Certificate::Nameless, "{names:?}");
        }
        assert_eq!(Certificate::of_der(b"junk"), Certificate::Nameless);
        assert_eq!(ends(b""), None);
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_shown_panics(der in proptest::collection::vec(0u8.., 0..80), name in ".{0,40}") {
            Certificate::of_der(&der);
            if let Certificate::Named(named) = Certificate::named(&name) {
                proptest::prop_assert_eq!(named, name.to_lowercase());
            }
        }
    }
}
