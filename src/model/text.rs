//! The text of a file, as differences hold it: in memory, or put away where memory would not do for all of them.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where texts are put away. It gives back what was put there.
pub trait Store: fmt::Debug + Send + Sync {
    /// The text of so many bytes at that place.
    fn read(&self, at: u64, length: usize) -> io::Result<String>;
}

/// A text. A clone is the same one, and costs nothing.
#[derive(Debug, Clone)]
pub struct Text(Place);

#[derive(Debug, Clone)]
enum Place {
    Held(Arc<str>),
    Away { store: Arc<dyn Store>, at: u64, length: usize },
}

impl Text {
    /// The text that a store has at that place.
    pub fn away(store: Arc<dyn Store>, at: u64, length: usize) -> Text {
        Text(Place::Away { store, at, length })
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match &self.0 {
            Place::Held(text) => text.len(),
            Place::Away { length, .. } => *length,
        }
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text itself. It can fail where it was put away and the disk does.
    pub fn read(&self) -> io::Result<Cow<'_, str>> {
        match &self.0 {
            Place::Held(text) => Ok(Cow::Borrowed(text)),
            Place::Away { store, at, length } => Ok(Cow::Owned(store.read(*at, *length)?)),
        }
    }

    /// The same for whoever shows it: where the disk fails, a line that says so stands for the text.
    pub fn shown(&self) -> Cow<'_, str> {
        self.read().unwrap_or_else(|error| format!("(this text cannot be read again: {error})\n").into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text(Place::Held(text.into()))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(Place::Held(text.into()))
    }
}

impl Default for Text {
    fn default() -> Text {
        Text::from("")
    }
}

impl PartialEq for Text {
    /// One that cannot be read is equal to none.
    fn eq(&self, other: &Text) -> bool {
        let is_same = || match (self.read(), other.read()) {
            (Ok(one), Ok(other)) => one == other,
            (_, _) => false,
        };
        self.len() == other.len() && is_same()
    }
}

impl Eq for Text {}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.read().map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        String::deserialize(deserializer).map(Text::from)
    }
}
