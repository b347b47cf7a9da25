//! The hash of all that a Foreman takes over from a proxy: when it changes, the registration is refreshed. Pure.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What is kept of a registration, in a file, between two looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The form of the file.
    pub schema: u32,
    /// The Foreman.
    pub foreman: String,
    /// Our name there.
    pub name: String,
    /// Our url there.
    pub url: String,
    /// Our number there.
    pub id: u64,
    /// The hash of what it took over.
    pub print: String,
}

/// The hash of what `/v2/features` says.
pub fn print(v2: &impl Serialize) -> Result<String, serde_json::Error> {
    let hash = Sha256::digest(serde_json::to_vec(v2)?);
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether a registration is to be refreshed: there is none, or for something else, or what is offered has changed.
pub fn is_stale(kept: Option<&Registered>, foreman: &str, name: &str, url: &str, print: &str) -> bool {
    !kept.is_some_and(|kept| {
        kept.schema == 1
            && kept.foreman == foreman
            && kept.name == name
            && kept.url == url
            && kept.print == print
    })
}
