//! What a certificate can be for: names that are also good names of files, checked where they come in.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest name that a certificate takes (RFC 5280, ub-common-name).
const LONGEST: usize = 64;

/// A name that no certificate gets.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no name for a certificate: use the host's full name, of a-z, 0-9, '.', '-' and '_', at most {LONGEST} long"
)]
pub struct BadName(String);

/// The name of a host, as the lock server will know it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CertificateName(String);

impl CertificateName {
    /// The checked name. Capitals are refused: the server reads names in lower case.
    pub fn new(name: &str) -> Result<CertificateName, BadName> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
        let edges = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let good = name.len() <= LONGEST
            && name.chars().all(fits)
            && name.chars().next().is_some_and(edges)
            && name.chars().last().is_some_and(edges)
            && !name.contains("..");
        if good { Ok(CertificateName(name.to_owned())) } else { Err(BadName(name.to_owned())) }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for CertificateName {
    type Err = BadName;
    fn from_str(name: &str) -> Result<CertificateName, BadName> {
        CertificateName::new(name)
    }
}

impl TryFrom<String> for CertificateName {
    type Error = BadName;
    fn try_from(name: String) -> Result<CertificateName, BadName> {
        CertificateName::new(&name)
    }
}

impl From<CertificateName> for String {
    fn from(name: CertificateName) -> String {
        name.0
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Another name by which a server is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AltName {
    /// A name.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

impl std::str::FromStr for AltName {
    type Err = BadName;
    fn from_str(text: &str) -> Result<AltName, BadName> {
        if let Ok(address) = text.parse() {
            return Ok(AltName::Ip(address));
        }
        let name = text.strip_prefix("*.").unwrap_or(text).to_ascii_lowercase();
        CertificateName::new(&name).map(|_| AltName::Dns(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for AltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AltName::Dns(name) => f.write_str(name),
            AltName::Ip(address) => write!(f, "{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        for (name, good) in [
            ("web1.example.com", true),
            ("a", true),
            ("web_1", true),
            ("", false),
            ("Web1", false),
            ("../x", false),
            ("a/b", false),
            (".a", false),
            ("a.", false),
            ("-a", false),
            ("a..b", false),
            ("a b", false),
            ("ä", false),
            (&"a".repeat(64), true),
            (&"a".repeat(65), false),
        ] {
            assert_eq!(CertificateName::new(name).is_ok(), good, "{name:?}");
        }
        for (text, good) in
            [("10.0.0.1", true), ("::1", true), ("*.example.com", true), ("*", false), ("a*", false)]
        {
            assert_eq!(text.parse::<AltName>().is_ok(), good, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_good_name_is_a_good_file_name(name in "\\PC{0,70}") {
            if let Ok(name) = CertificateName::new(&name) {
                prop_assert!(!name.as_str().contains(['/', '\0']) && !name.as_str().starts_with('.'));
            }
        }
    }
}
