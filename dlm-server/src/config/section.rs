//! One table of the configuration, and its values by the kind that they must be of.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::{Table, Value};

use super::{ConfigError, PLAIN};

/// A table, of which every key is known.
pub struct Section<'a> {
    path: String,
    table: Option<&'a Table>,
}

impl<'a> Section<'a> {
    /// The table at this path, if each of its keys is one of these.
    pub fn new(path: &str, table: &'a Table, known: &[&str]) -> Result<Section<'a>, ConfigError> {
        let section = Section { path: path.to_owned(), table: Some(table) };
        match table.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(section),
            Some(unknown) => {
                let alike = |known: &&&str| (strsim::jaro_winkler(unknown, known) * 1000.0) as u64;
                let nearest = known.iter().max_by_key(alike).map(|known| section.key(known));
                Err(ConfigError::Unknown { key: section.key(unknown), nearest })
            }
        }
    }

    fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.table.and_then(|table| table.get(key))
    }

    /// The error that this key has another value than those wanted.
    pub fn bad(&self, key: &str, wanted: &'static str) -> ConfigError {
        let value = self.value(key).map(Value::to_string).unwrap_or_default();
        ConfigError::Value { key: self.key(key), value, wanted }
    }

    /// Whether it is set.
    pub fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// A table within, whatever its keys are.
    pub fn table(&self, key: &str) -> Result<Option<&'a Table>, ConfigError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Table(table)) => Ok(Some(table)),
            Some(_) => Err(self.bad(key, PLAIN)),
        }
    }

    /// A table within, whose keys are some of these; an empty one where there is none.
    pub fn section(&self, key: &str, known: &[&str]) -> Result<Section<'a>, ConfigError> {
        match self.table(key)? {
            None => Ok(Section { path: self.key(key), table: None }),
            Some(table) => Section::new(&self.key(key), table, known),
        }
    }

    /// Some text.
    pub fn text(&self, key: &str) -> Result<Option<String>, ConfigError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.bad(key, "text in quotes")),
        }
    }

    /// A path from the root.
    pub fn path(&self, key: &str) -> Result<Option<PathBuf>, ConfigError> {
        match self.text(key)? {
            Some(path) if !path.starts_with('/') => Err(self.bad(key, "a path that begins with /")),
            path => Ok(path.map(PathBuf::from)),
        }
    }

    /// A list of texts.
    pub fn list(&self, key: &str) -> Result<Option<Vec<String>>, ConfigError> {
        let wanted = "a list of texts, as in [\"a\", \"b\"]";
        match self.value(key) {
            None => Ok(None),
            Some(Value::Array(values)) => {
                let words: Option<Vec<String>> =
                    values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
                words.map(Some).ok_or_else(|| self.bad(key, wanted))
            }
            Some(_) => Err(self.bad(key, wanted)),
        }
    }

    /// A number within a range, or this one where nothing is said.
    pub fn number(&self, key: &str, otherwise: u64, range: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        let Some(value) = self.value(key) else { return Ok(otherwise) };
        let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| ConfigError::Value {
            key: self.key(key),
            value: value.to_string(),
            wanted: if *range.start() == 0 {
                "a whole number, 0 or more, and no huge one"
            } else {
                "a whole number that is neither too small nor huge"
            },
        })
    }

    /// One of some words, or this one where nothing is said.
    pub fn choice<T>(
        &self,
        key: &str,
        otherwise: &str,
        wanted: &'static str,
        meant: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let word = match self.value(key) {
            None => otherwise,
            Some(value) => value.as_str().unwrap_or_default(),
        };
        meant(word).ok_or_else(|| self.bad(key, wanted))
    }
}
