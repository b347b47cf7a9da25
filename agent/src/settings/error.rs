//! Settings that cannot be used: which file, which line, which key, and why.

use std::path::PathBuf;

use saphyr_parser::ScanError;
use thiserror::Error;

/// Settings that cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// A file that cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A text that is no YAML.
    #[error("{file}:{line}: no valid YAML")]
    Yaml {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// Why.
        #[source]
        source: ScanError,
    },
    /// YAML in a form that no settings file has.
    #[error("{file}:{line}: {why}")]
    Form {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// Why.
        why: String,
    },
    /// A key that cannot be, or whose value cannot.
    #[error("{file}:{line}: `:{key}:` {why}")]
    Key {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The key, without its colons.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file without a key that there must be.
    #[error("{file}: {why}")]
    Whole {
        /// The file.
        file: String,
        /// What is wrong with all of it.
        why: String,
    },
}
