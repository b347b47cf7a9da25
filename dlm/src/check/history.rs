//! What clients recorded of one lock.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::{HostName, Token};
use crate::rules::Request;

/// One request to the lock, as its client saw it. Times are of one monotonic clock for all clients, in any unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// What was asked.
    pub request: Request,
    /// When, at the latest, it had not been sent yet.
    pub invoked: u64,
    /// What came back; `None` where that is not known (no answer, a lost connection, a 5xx). Such a call may have its effect at any
    /// time after it was invoked, or never.
    pub returned: Option<Return>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// When, at the earliest, it had come.
    pub at: u64,
    /// What it said.
    pub saw: Saw,
    /// The fencing token, where it said one.
    pub token: Option<Token>,
}

/// What an answer says, as far as the specification knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Saw {
    /// The host holds the lock.
    Granted,
    /// The host does not hold it any more, or never did.
    Released,
    /// No.
    Refused,
    /// There is no such lock.
    Missing,
    /// It was done as asked.
    Done,
    /// The lock.
    Shown {
        /// Whether it is enabled.
        enabled: bool,
        /// Who holds it.
        holders: BTreeSet<HostName>,
    },
}
