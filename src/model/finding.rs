//! What a check of a module found.

use std::path::PathBuf;

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A dance would fail on it.
    Error,
    /// It may not do what its author means.
    Warning,
}

impl Severity {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// Which check found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The folder of the module: names and types of what it holds.
    Layout,
    /// Its `requires`.
    Requires,
    /// Its `on-change`.
    OnChange,
    /// Its default parameters.
    Parameters,
    /// Its Tera templates.
    Tera,
    /// `bash -n` of its scripts and bash templates.
    Bash,
    /// shellcheck of the same.
    Shellcheck,
}

/// One thing that is wrong, or may be. Ordered by place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file or folder.
    pub file: PathBuf,
    /// Which line of it, from 1, where there is one.
    pub line: Option<usize>,
    /// How bad it is.
    pub severity: Severity,
    /// Who found it.
    pub check: Check,
    /// What it is, on one line.
    pub message: String,
}
