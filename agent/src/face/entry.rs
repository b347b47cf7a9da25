//! The replies, field by field in the order of the wire.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::face::ring::{Level, Record, Ring};
use crate::settings::Value;

/// A map that goes out in its own order.
#[derive(Debug, Clone, PartialEq)]
pub struct Ordered<T>(pub Vec<(String, T)>);

impl<T: Serialize> Serialize for Ordered<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// What `/v2/features` says of one feature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Whether it is offered over plain HTTP.
    pub http_enabled: bool,
    /// Whether it is offered over HTTPS.
    pub https_enabled: bool,
    /// The settings that it shows.
    pub settings: Ordered<Value>,
    /// Its state.
    pub state: &'static str,
    /// What it can do, sorted.
    pub capabilities: Vec<String>,
}

/// What `/version` says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Version {
    /// Of the proxy.
    pub version: String,
    /// Of the features that are running.
    pub modules: Ordered<String>,
}

/// What `/logs` says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Logs<'a> {
    /// Of the log.
    pub info: Info,
    /// The records.
    pub logs: Vec<&'a Record>,
}

/// What `/logs` says of the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Info {
    /// How many records it keeps.
    pub size: usize,
    /// How many errors besides.
    pub tail_size: usize,
    /// Always nothing, as in a smart proxy.
    pub level: Option<Level>,
    /// The number of the level from which they are errors.
    pub level_tail: u8,
    /// Which features are in trouble, and why.
    pub failed_modules: Ordered<String>,
}

impl Info {
    /// Of that ring, with these troubles.
    pub fn of(ring: &Ring, failed_modules: Ordered<String>) -> Info {
        let Ring { size, tail_size, .. } = ring;
        Info { size: *size, tail_size: *tail_size, level: None, level_tail: Ring::TAIL as u8, failed_modules }
    }
}
