//! Lists in messages: short enough to be read, and with their number.

use std::fmt;

/// So many of a list are told one by one; the rest is counted.
const TOLD: usize = 20;

/// One of a list as it is; more of them under `N HEADLINE`, each on a line of its own.
pub(super) fn list(f: &mut fmt::Formatter<'_>, all: &[impl fmt::Display], headline: &str) -> fmt::Result {
    if let [one] = all {
        return write!(f, "{one}");
    }
    write!(f, "{} {headline}", all.len())?;
    for one in all.iter().take(TOLD) {
        write!(f, "\n  {one}")?;
    }
    match all.len().saturating_sub(TOLD) {
        0 => Ok(()),
        more => write!(f, "\n  and {more} more"),
    }
}
