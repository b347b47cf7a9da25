//! What a sandbox, a run or a merge needs of a machine, and whether it is there.

use serde::Serialize;

/// Whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is there.
    Ok,
    /// It is not, or not all of it; disco does without, and says what does not hold then.
    Degraded,
    /// It is not, and there is no sandbox without it.
    Missing,
}

impl Standing {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Ok => "ok",
            Standing::Degraded => "degraded",
            Standing::Missing => "missing",
        }
    }
}

/// One thing that is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Requirement {
    /// Its name, of letters and dashes.
    pub name: &'static str,
    /// Whether it is there.
    pub standing: Standing,
    /// What was found, on one line.
    pub found: String,
    /// What it is needed for.
    pub needed_for: &'static str,
    /// What still holds without it.
    pub without: &'static str,
    /// What to do to have it.
    pub todo: &'static str,
}
