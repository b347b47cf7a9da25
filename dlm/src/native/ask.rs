//! What is asked of the server. A field that the server does not know is an error, so that nothing asked for is left out in silence.

use serde::{Deserialize, Serialize};

use crate::model::{HostName, LockName, Policy, Token};

/// The longest note, reason or detail, in bytes; a longer one is refused.
pub const LONGEST_NOTE: usize = 1000;
/// The longest that a server waits with its answer, in seconds; who asks for more is answered then.
pub const LONGEST_WAIT: u64 = 60;

/// `POST …/acquire`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Acquire {
    /// What the host will do with it.
    pub note: String,
    /// For how many seconds the server may wait for a slot before it refuses.
    pub wait: u64,
}

/// `POST …/release`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Release {
    /// How the work ended.
    pub result: WorkResult,
    /// What is to be said about it.
    pub note: String,
    /// The grant that is meant; another one's is not released.
    pub token: Option<Token>,
}

/// How the work ended for which a lock was held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkResult {
    /// Well.
    #[default]
    Ok,
    /// Not well: it counts towards the policy's `freeze_after`.
    Failed,
}

/// `POST …/force-release`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForceRelease {
    /// Whose slot; without it, everybody's.
    pub host: Option<HostName>,
    /// Why; it must not be empty.
    pub reason: String,
}

/// `POST …/thaw`, `…/enable`, `…/disable`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Because {
    /// Why; may be empty.
    pub reason: String,
}

/// `PUT` of a lock that there is not yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Create {
    /// Foreman's type; `null` is its base class.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Whether it can be acquired.
    pub enabled: bool,
    /// What governs it.
    pub policy: Policy,
}

impl Default for Create {
    fn default() -> Create {
        Create {
            kind: Some(String::from("ForemanDlm::Dlmlock::Update")),
            enabled: true,
            policy: Policy::default(),
        }
    }
}

/// `PATCH` of a lock. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rename {
    /// Its new name.
    pub name: Option<LockName>,
}
