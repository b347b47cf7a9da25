//! Where a feature is offered: what `:enabled:` says.

use crate::settings::value::Value;

/// Where a feature is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enabled {
    /// On both.
    Both,
    /// Over plain HTTP alone.
    Http,
    /// Over HTTPS alone.
    Https,
    /// Nowhere.
    Off,
    /// Nowhere, by a value that means nothing. A smart proxy reads the settings of such a feature all the same.
    Unclear,
}

impl Enabled {
    /// What the value means.
    pub fn of(value: &Value) -> Enabled {
        match value {
            Value::Bool(true) => Enabled::Both,
            Value::Text(text) if text == "http" => Enabled::Http,
            Value::Text(text) if text == "https" => Enabled::Https,
            other if other.is_truthy() => Enabled::Unclear,
            _ => Enabled::Off,
        }
    }

    /// Whether it is offered over plain HTTP.
    pub fn http(self) -> bool {
        matches!(self, Enabled::Both | Enabled::Http)
    }

    /// Whether it is offered over HTTPS.
    pub fn https(self) -> bool {
        matches!(self, Enabled::Both | Enabled::Https)
    }

    /// Whether it is offered anywhere.
    pub fn anywhere(self) -> bool {
        self.http() || self.https()
    }
}
