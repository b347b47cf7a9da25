//! The list of what an authority has signed: plain data, as it is on disk.

use serde::{Deserialize, Serialize};

use crate::pki::names::{AltName, CertificateName};

/// The version of the list's form.
pub const SCHEMA: u32 = 1;

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A host, which asks.
    Host,
    /// A server, which answers.
    Server,
    /// Both: a node that answers and asks by one name, such as a smart proxy.
    Both,
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its serial number, in hex.
    pub serial: String,
    /// Whose it is.
    pub name: CertificateName,
    /// What it is for.
    pub kind: Kind,
    /// By what else a server is called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<AltName>,
    /// From when it is valid, in seconds since 1970.
    pub from: i64,
    /// Until when.
    pub until: i64,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<i64>,
}

/// The list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its form: [`SCHEMA`].
    pub schema: u32,
    /// The number of the last list of revoked certificates.
    pub crl: u64,
    /// Until when that one counts, in seconds since 1970.
    pub crl_until: i64,
    /// All certificates, the oldest first.
    pub issued: Vec<Entry>,
}

impl Index {
    /// The certificate of that name that counts at `now`; one that has ended does not.
    pub fn of(&self, name: &CertificateName, now: i64) -> Option<&Entry> {
        self.issued
            .iter()
            .rev()
            .find(|entry| entry.name == *name && entry.revoked.is_none() && entry.until > now)
    }
}
