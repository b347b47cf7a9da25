//! What a subsystem is to a smart proxy: a feature with settings, providers and capabilities, which knows how it stands.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;

use crate::settings::Value;

/// The name of a feature or a provider: lower-case letters, digits and `_`, a letter first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FeatureName(String);

/// A name that no feature can have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no name of a feature: lower-case letters, digits and `_`, a letter first, 64 at most")]
pub struct NotAName(String);

impl FeatureName {
    /// The name, if it is one.
    pub fn new(name: &str) -> Result<FeatureName, NotAName> {
        let letter = name.starts_with(|c: char| c.is_ascii_lowercase());
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if letter && plain && name.len() <= 64 {
            Ok(FeatureName(name.to_owned()))
        } else {
            Err(NotAName(name.to_owned()))
        }
    }

    /// It as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FeatureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of a setting before any file is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its key.
    pub key: String,
    /// Its value where no file sets it.
    pub default: Value,
    /// Whether it must have a value.
    pub required: bool,
    /// Whether it is shown to those who ask.
    pub exposed: bool,
}

impl Known {
    /// A setting that is shown, and has no value where no file sets it.
    pub fn exposed(key: &str) -> Known {
        Known { key: key.to_owned(), default: Value::Null, required: false, exposed: true }
    }
}

/// What a feature, or a provider, is before anything is read or asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Its name.
    pub name: FeatureName,
    /// Its version, as `/version` says it.
    pub version: String,
    /// Its settings.
    pub settings: Vec<Known>,
    /// What it can always do.
    pub capabilities: Vec<String>,
    /// Whether it is offered where no file says it.
    pub enabled: Value,
    /// What it can be done with; `None` is a feature that needs no provider.
    pub providers: Option<Vec<Provider>>,
}

impl Spec {
    /// A feature of disco's version without settings, capabilities and providers, off where no file enables it.
    pub fn new(name: FeatureName) -> Spec {
        Spec {
            name,
            version: String::from(env!("CARGO_PKG_VERSION")),
            settings: vec![],
            capabilities: vec![],
            enabled: Value::Bool(false),
            providers: None,
        }
    }
}

/// One way of doing what a feature is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Its name, which is that of its settings file too.
    pub name: FeatureName,
    /// Its settings.
    pub settings: Vec<Known>,
    /// What it can always do.
    pub capabilities: Vec<String>,
}

/// How a subsystem stands, in truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is about to work.
    Starting,
    /// It works.
    Running,
    /// It does not, and why.
    Failed(String),
}

/// A back end that can say what it can do. It is asked on a thread of its own, and may take its time, fail or panic.
pub trait Ask: Send + Sync {
    /// What it is called in the log.
    fn name(&self) -> &str;
    /// What it can do.
    fn ask(&self) -> Result<Vec<String>, String>;
}

/// A subsystem that is offered as a feature.
pub trait Feature: Send + Sync {
    /// What it is.
    fn spec(&self) -> Spec;
    /// How it stands. Asked on a thread of its own, never while a reply is made.
    fn standing(&self) -> Standing;
    /// Whom to ask what else it can do, while it is running.
    fn asks(&self) -> Vec<Arc<dyn Ask>> {
        vec![]
    }
}
