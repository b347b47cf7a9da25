//! Names and numbers of locks, hosts and users, each a type of its own; names are checked where they enter (also by serde).

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest name, in bytes.
pub const LONGEST_NAME: usize = 255;

/// A name that does not follow the rules of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind} {name:?}: {rule}")]
pub struct NameError {
    kind: &'static str,
    name: String,
    rule: &'static str,
}

impl NameError {
    /// A name of that kind, which breaks that rule.
    pub fn new(kind: &'static str, name: String, rule: &'static str) -> NameError {
        NameError { kind, name, rule }
    }
}

/// A type for names of one kind, checked on the way in, also by serde: what it is, its name, its kind and its rule in words, the rule
/// as a function. For whoever has `serde`.
#[macro_export]
macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:expr, $check:expr) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The checked name, as it is: nothing is folded or trimmed. An error quotes it and states the rule.
            pub fn new(name: impl Into<String>) -> Result<Self, $crate::model::NameError> {
                let name = name.into();
                let check: fn(&str) -> bool = $check;
                if check(&name) { Ok(Self(name)) } else { Err($crate::model::NameError::new($kind, name, $rule)) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::model::NameError;
            fn try_from(name: String) -> Result<Self, $crate::model::NameError> {
                Self::new(name)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::model::NameError;
            fn from_str(name: &str) -> Result<Self, $crate::model::NameError> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// The rule of names of locks, hosts and users.
const RULE: &str = "use 1 to 255 bytes, not all of them blanks, and no control characters";

fn fits(name: &str) -> bool {
    name.len() <= LONGEST_NAME && !name.chars().any(char::is_control) && !name.trim().is_empty()
}

checked_name!(
    /// The name of a lock. Its case counts, as in Foreman; slashes are allowed.
    LockName,
    "lock name",
    RULE,
    fits
);
checked_name!(
    /// Who a host is: the name in its certificate, or the id that a FleetLock client sends.
    HostName,
    "host name",
    RULE,
    fits
);
checked_name!(
    /// The login of a user.
    UserName,
    "user name",
    RULE,
    fits
);

/// The number of a lock. Given once, never again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LockId(pub u64);

/// A fencing token: every grant has a larger one than all before it. What a holder writes to can refuse whoever comes with
/// a smaller one than it has seen (Kleppmann, "How to do distributed locking", 2016).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Token(pub u64);

impl Token {
    /// The next token after this one; `None` after the last there is.
    pub fn next(self) -> Option<Token> {
        self.0.checked_add(1).map(Token)
    }
}
