//! Bearer keys as they are kept: a name, the SHA-256 of 32 random bytes, an end. Pure, but for the bytes of a new one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

/// What the file begins with.
const HEAD: &str =
    "# Keys of disco's agent: `disco agent key` writes this file. Of each key only its hash is here.\n\n";

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// What it is called.
    pub name: KeyName,
    /// SHA-256 of it, in hex.
    pub sha256: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// When it ends; `None` is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
    /// What it was before it was rotated, while that counts too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
}

/// What a key was before it was rotated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// SHA-256 of it, in hex.
    pub sha256: String,
    /// When it ends.
    pub expires: i64,
}

/// What a key is called: letters, digits, `.`, `_`, `-`, `@`, 64 at most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(String);

/// A name that no key can have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no name of a key: letters, digits, `.`, `_`, `-` and `@`, 64 at most")]
pub struct NotAKeyName(String);

impl KeyName {
    /// It as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for KeyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for KeyName {
    type Error = NotAKeyName;

    fn try_from(name: String) -> Result<KeyName, NotAKeyName> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
        if (1..=64).contains(&name.len()) && name.chars().all(plain) {
            Ok(KeyName(name))
        } else {
            Err(NotAKeyName(name))
        }
    }
}

impl std::str::FromStr for KeyName {
    type Err = NotAKeyName;

    fn from_str(name: &str) -> Result<KeyName, NotAKeyName> {
        KeyName::try_from(name.to_owned())
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> String {
        name.0
    }
}

/// All keys of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// They, as the file has them.
    #[serde(default, rename = "key", skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<Key>,
}

/// Keys that cannot be read or made.
#[derive(Debug, Error)]
pub enum KeysError {
    /// No TOML, or in another form.
    #[error("it cannot be read")]
    Syntax(#[source] Box<toml::de::Error>),
    /// A hash that is none.
    #[error("key {0}: `sha256` is 64 digits of 0-9 and a-f")]
    Hash(KeyName),
    /// Two of one name.
    #[error("key {0} is there already")]
    There(KeyName),
    /// None of that name.
    #[error("there is no key {0}")]
    NotThere(KeyName),
    /// No randomness.
    #[error("the system gives no random bytes")]
    Random(#[source] getrandom::Error),
}

impl Keys {
    /// What this text has.
    pub fn parse(text: &str) -> Result<Keys, KeysError> {
        let keys: Keys = toml::from_str(text).map_err(|error| KeysError::Syntax(Box::new(error)))?;
        for (at, key) in keys.all.iter().enumerate() {
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            let mut hashes =
                [Some(&key.sha256), key.before.as_ref().map(|before| &before.sha256)].into_iter().flatten();
            if hashes.any(|hash| hash.len() != 64 || !hash.bytes().all(hex)) {
                return Err(KeysError::Hash(key.name.clone()));
            }
            if keys.all[..at].iter().any(|other| other.name == key.name) {
                return Err(KeysError::There(key.name.clone()));
            }
        }
        Ok(keys)
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        // Names, hex and numbers alone: this cannot fail.
        format!("{HEAD}{}", toml::to_string(self).unwrap_or_default())
    }

    /// These with one more: and the key itself, which is nowhere else.
    pub fn add(&mut self, name: KeyName, now: i64, days: Option<u64>) -> Result<String, KeysError> {
        if self.all.iter().any(|key| key.name == name) {
            return Err(KeysError::There(name));
        }
        let key = fresh()?;
        let expires = days.map(|days| after(now, days.saturating_mul(DAY)));
        self.all.push(Key { name, sha256: hashed(&key), created: now, expires, before: None });
        Ok(key)
    }

    /// These with another key of that name: and the key itself. What it was counts for so many seconds more, what it was before that
    /// no longer. Without days it lives for as long as the last one did.
    pub fn rotate(
        &mut self,
        name: &KeyName,
        now: i64,
        days: Option<u64>,
        grace: u64,
    ) -> Result<String, KeysError> {
        let key = self.all.iter_mut().find(|key| key.name == *name);
        let key = key.ok_or_else(|| KeysError::NotThere(name.clone()))?;
        let new = fresh()?;
        let end = after(now, grace).min(key.expires.unwrap_or(i64::MAX));
        let sha256 = std::mem::replace(&mut key.sha256, hashed(&new));
        key.before = (end > now).then_some(Before { sha256, expires: end });
        key.expires = match days {
            Some(days) => Some(after(now, days.saturating_mul(DAY))),
            None => key.expires.map(|end| now.saturating_add(end.saturating_sub(key.created))),
        };
        key.created = now;
        Ok(new)
    }

    /// These without that one.
    pub fn remove(&mut self, name: &KeyName) -> Result<(), KeysError> {
        let before = self.all.len();
        self.all.retain(|key| key.name != *name);
        if self.all.len() < before { Ok(()) } else { Err(KeysError::NotThere(name.clone())) }
    }

    /// Whose key this is. It takes as long for a key that is nearly right as for any other.
    pub fn whose(&self, said: &str, now: i64) -> Option<&KeyName> {
        let hash = hashed(said);
        let mut found = None;
        let is = |sha256: &str, expires: Option<i64>| {
            let lives = Choice::from(u8::from(expires.is_none_or(|end| now < end)));
            bool::from(sha256.as_bytes().ct_eq(hash.as_bytes()) & lives)
        };
        for key in &self.all {
            let before = key.before.as_ref().is_some_and(|before| is(&before.sha256, Some(before.expires)));
            if is(&key.sha256, key.expires) | before {
                found = Some(&key.name);
            }
        }
        found
    }
}

/// The seconds of a day.
const DAY: u64 = 86_400;

fn after(now: i64, seconds: u64) -> i64 {
    now.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn fresh() -> Result<String, KeysError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(KeysError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn hashed(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> KeyName {
        name.parse().unwrap()
    }

    #[test]
    fn a_key_is_made_once_kept_as_a_hash_and_ends() {
        let mut keys = Keys::default();
        let key = keys.add(name("ci"), 1000, Some(1)).unwrap();
        let other = keys.add(name("alice@laptop"), 1000, None).unwrap();
        assert!(key.len() == 43 && key != other);
        assert!(matches!(keys.add(name("ci"), 1, None), Err(KeysError::There(_))));
        let text = keys.text();
        assert!(!text.contains(&key) && text.starts_with('#'), "{text}");
        let mut keys = Keys::parse(&text).unwrap();
        assert_eq!(keys.whose(&key, 1000), Some(&name("ci")));
        assert_eq!(keys.whose(&key, 1000 + 86_399), Some(&name("ci")));
        assert_eq!(keys.whose(&key, 1000 + 86_400), None, "it has ended");
        assert_eq!(keys.whose(&other, i64::MAX), Some(&name("alice@laptop")));
        for wrong in ["", "x", &key[1..], &format!("{key} "), &keys.all[0].sha256.clone()] {
            assert_eq!(keys.whose(wrong, 1000), None, "{wrong:?}");
        }
        keys.remove(&name("ci")).unwrap();
        assert_eq!(keys.whose(&key, 1000), None);
        assert!(matches!(keys.remove(&name("ci")), Err(KeysError::NotThere(_))));
        assert_eq!(Keys::parse("").unwrap(), Keys::default());
        assert_eq!(Keys::parse(&Keys::default().text()).unwrap(), Keys::default());
    }

    #[test]
    fn a_rotated_key_is_another_one_and_the_last_one_ends_when_it_is_said() {
        let ci = name("ci");
        let mut keys = Keys::default();
        let first = keys.add(ci.clone(), 1000, Some(1)).unwrap();
        let second = keys.rotate(&ci, 2000, None, 3600).unwrap();
        keys = Keys::parse(&keys.text()).unwrap();
        let whose = |keys: &Keys, key: &str, now| keys.whose(key, now).is_some();
        assert!(whose(&keys, &first, 2000 + 3599) && !whose(&keys, &first, 2000 + 3600));
        assert!(whose(&keys, &second, 2000 + 86_399) && !whose(&keys, &second, 2000 + 86_400));
        // At once; and what was on its way out before is gone too.
        let third = keys.rotate(&ci, 3000, Some(2), 0).unwrap();
        assert!(!whose(&keys, &first, 3000) && !whose(&keys, &second, 3000));
        assert!(whose(&keys, &third, 3000 + 2 * 86_400 - 1) && keys.all[0].before.is_none());
        // No grace makes a key live for longer than it would have.
        let fourth = keys.rotate(&ci, 3000 + 86_400, Some(9), 30 * 86_400).unwrap();
        assert!(whose(&keys, &third, 3000 + 2 * 86_400 - 1) && !whose(&keys, &third, 3000 + 2 * 86_400));
        // One that has ended comes back as another one.
        let late = 3000 + 100 * 86_400;
        let fifth = keys.rotate(&ci, late, None, 3600).unwrap();
        assert!(!whose(&keys, &fourth, late) && whose(&keys, &fifth, late + 9 * 86_400 - 1));
        assert!(matches!(keys.rotate(&name("x"), 0, None, 0), Err(KeysError::NotThere(_))));
    }

    #[test]
    fn a_file_that_is_wrong_is_no_file_of_keys() {
        let hash = "0".repeat(64);
        let key = |name: &str, hash: &str| {
            format!("[[key]]\nname = \"{name}\"\nsha256 = \"{hash}\"\ncreated = 1\n")
        };
        assert!(Keys::parse(&key("ci", &hash)).is_ok());
        for bad in [
            key("ci", "00"),
            key("ci", &"G".repeat(64)),
            key("c i", &hash),
            key("", &hash),
            key("ci", &hash) + &key("ci", &hash),
            key("ci", &hash) + "secret = 1\n",
            key("ci", &hash) + "[key.before]\nsha256 = \"00\"\nexpires = 1\n",
            "keys = 1".to_owned(),
        ] {
            assert!(Keys::parse(&bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            // Whether it can be read is not the question.
            let _ = Keys::parse(&text).map(|keys| keys.whose(&text, 0).cloned());
        }
    }
}
