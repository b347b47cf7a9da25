//! How true the report of a step is.

use serde::{Deserialize, Serialize};

/// How far what a step did in the sandbox is what it would do on the live system. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truth {
    /// Everything it did is in the report.
    #[default]
    Exact,
    /// A stubbed command or a stopped call could have changed its course.
    Approximate,
    /// It could talk to a host beyond the package sources.
    Unknown,
}
