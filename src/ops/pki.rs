//! `disco pki`: one function for each of its commands.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::pki::folder::day;
use crate::pki::sign;
use crate::pki::{AltName, Authority, CertificateName, Entry, Files, Kind, PkiError};
use crate::sys::clock;

/// Whether a certificate counts today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Valid {
    /// Until that day.
    Until(String),
    /// It has come to its end on that day.
    Ended(String),
    /// It was revoked on that day.
    Revoked(String),
}

impl Valid {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Valid::Until(day) => format!("valid until {day}"),
            Valid::Ended(day) => format!("expired {day}"),
            Valid::Revoked(day) => format!("revoked {day}"),
        }
    }
}

/// Makes an authority, of that name or of one that no other has.
pub fn init(folder: &Path, name: Option<&str>) -> Result<Authority, PkiError> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => format!("disco locks {}", sign::serial()?.split_at(8).0),
    };
    Authority::init(folder, &name)
}

/// A new key and certificate; also where the authority's own is.
pub fn issue(
    folder: &Path,
    name: &CertificateName,
    kind: Kind,
    also: &[AltName],
    days: u32,
) -> Result<(Files, PathBuf), PkiError> {
    let mut authority = Authority::open(folder)?;
    Ok((authority.issue(name, kind, also, days)?, authority.path("ca.pem")))
}

/// A new certificate for a key that is there.
pub fn renew(folder: &Path, name: &CertificateName, days: u32) -> Result<(Files, PathBuf, Kind), PkiError> {
    let mut authority = Authority::open(folder)?;
    let files = authority.renew(name, days)?;
    let kind = authority.issued().last().map_or(Kind::Host, |entry| entry.kind);
    Ok((files, authority.path("ca.pem"), kind))
}

/// Revokes all certificates of a name: how many they were, and where the list of revoked ones is.
pub fn revoke(folder: &Path, name: &CertificateName) -> Result<(usize, PathBuf), PkiError> {
    let mut authority = Authority::open(folder)?;
    Ok((authority.revoke(name)?, authority.path("crl.pem")))
}

/// Writes the list of revoked certificates anew: until which day it counts, and where it is.
pub fn renew_crl(folder: &Path) -> Result<(String, PathBuf), PkiError> {
    let mut authority = Authority::open(folder)?;
    Ok((day(authority.write_crl()?), authority.path("crl.pem")))
}

/// All that was issued, and until which day the list of revoked ones counts.
pub fn list(folder: &Path) -> Result<(Vec<(Entry, Valid)>, String), PkiError> {
    let authority = Authority::open(folder)?;
    let now = i64::try_from(clock::since_epoch().as_secs()).unwrap_or(i64::MAX);
    let judged = authority.issued().iter().map(|entry| {
        let valid = match entry.revoked {
            Some(at) => Valid::Revoked(day(at)),
            None if entry.until <= now => Valid::Ended(day(entry.until)),
            None => Valid::Until(day(entry.until)),
        };
        (entry.clone(), valid)
    });
    Ok((judged.collect(), day(authority.crl_until())))
}
