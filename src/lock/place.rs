//! The address of a lock server: checked once, where it comes in.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An address that is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlaceError {
    /// It does not begin as one.
    #[error("{0:?} is no address of a lock server: use https://HOST[:PORT]")]
    NoUrl(String),
    /// What is said there would be said to everybody.
    #[error("{0:?} has no encryption: use https://, http:// is for this node itself (localhost) alone")]
    Plain(String),
    /// It has a login.
    #[error("an address with a login would be shown to everybody: name the user by --user or disco/dlm/user")]
    Login,
}

/// Where a lock server is: scheme, host, port, and what its paths begin with, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place(String);

impl Place {
    /// The checked address.
    pub fn new(text: &str) -> Result<Place, PlaceError> {
        let text = text.trim().trim_end_matches('/');
        let bad = || PlaceError::NoUrl(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            return Err(PlaceError::Login);
        }
        let fits = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}?#".contains(c);
        if authority.is_empty() || authority.starts_with(':') || !rest.chars().all(fits) {
            return Err(bad());
        }
        let host = host_of(authority);
        match scheme {
            "https" => Ok(Place(text.to_owned())),
            "http" if matches!(host, "localhost" | "127.0.0.1" | "[::1]") => Ok(Place(text.to_owned())),
            "http" => Err(PlaceError::Plain(text.to_owned())),
            _ => Err(bad()),
        }
    }

    /// The host alone, as a certificate names it.
    pub fn host(&self) -> &str {
        let authority = self.0.split_once("://").map_or("", |(_, rest)| rest);
        host_of(authority.split('/').next().unwrap_or_default())
    }

    /// The address of a path there.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// As it was said.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The host of `HOST[:PORT]`, the brackets of an IPv6 address with it.
fn host_of(authority: &str) -> &str {
    match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or(authority),
    }
}

impl TryFrom<String> for Place {
    type Error = PlaceError;
    fn try_from(text: String) -> Result<Place, PlaceError> {
        Place::new(&text)
    }
}

impl From<Place> for String {
    fn from(place: Place) -> String {
        place.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses() {
        for (text, host) in [
            ("https://locks.example.com", Some("locks.example.com")),
            ("https://locks:8443/", Some("locks")),
            ("https://[::1]:8443/below/", Some("[::1]")),
            ("http://127.0.0.1:8080", Some("127.0.0.1")),
            ("http://locks.example.com", None),
            ("http://localhost.evil.example", None),
            ("https://user:pw@locks", None),
            ("https://", None),
            ("https://:443", None),
            ("https://a b", None),
            ("https://a?x", None),
            ("locks.example.com", None),
            ("ftp://locks", None),
        ] {
            assert_eq!(Place::new(text).ok().as_ref().map(Place::host), host, "{text}");
        }
        let place = Place::new("https://locks/x/").unwrap();
        assert_eq!(place.at("/disco/v1/whoami"), "https://locks/x/disco/v1/whoami");
    }

    proptest! {
        #[test]
        fn what_is_an_address_stays_one(text in "\\PC{0,40}") {
            if let Ok(place) = Place::new(&format!("https://{text}")) {
                prop_assert_eq!(Place::new(place.as_str()).unwrap(), place.clone());
                prop_assert!(!place.host().is_empty() && !place.as_str().contains('@') || text.contains('/'));
            }
        }
    }
}
