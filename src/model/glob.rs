//! Patterns of paths: `*` and `?` within a name, `**` over any number of folders, `[ab]`, `{a,b}`; they start with `/`.

use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

use crate::model::path::RootedPath;

/// A pattern of absolute paths.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathGlob(GlobMatcher);

/// Text that is no pattern of paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no pattern of paths: {why}")]
pub struct NoGlob {
    text: String,
    why: String,
}

impl PathGlob {
    /// Whether it is a pattern of that path.
    pub fn matches(&self, path: &RootedPath) -> bool {
        self.0.is_match(path.absolute())
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        self.0.glob().glob()
    }
}

impl FromStr for PathGlob {
    type Err = NoGlob;

    fn from_str(text: &str) -> Result<PathGlob, NoGlob> {
        let bad = |why: String| NoGlob { text: text.to_owned(), why };
        if !text.starts_with('/') {
            return Err(bad("it must start with '/'".to_owned()));
        }
        let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
        Ok(PathGlob(glob.map_err(|error| bad(error.kind().to_string()))?.compile_matcher()))
    }
}

impl TryFrom<String> for PathGlob {
    type Error = NoGlob;

    fn try_from(text: String) -> Result<PathGlob, NoGlob> {
        text.parse()
    }
}

impl From<PathGlob> for String {
    fn from(glob: PathGlob) -> String {
        glob.text().to_owned()
    }
}

impl PartialEq for PathGlob {
    fn eq(&self, other: &PathGlob) -> bool {
        self.text() == other.text()
    }
}

impl Eq for PathGlob {}

impl fmt::Display for PathGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (glob, path, matches) in [
            ("/etc/hosts", "/etc/hosts", true),
            ("/etc/hosts", "/etc/hosts.allow", false),
            ("/etc/*", "/etc/hosts", true),
            ("/etc/*", "/etc/ssh/sshd_config", false),
            ("/etc/**", "/etc/ssh/sshd_config", true),
            ("/etc/**/*.conf", "/etc/a/b/x.conf", true),
            ("/etc/{a,b}", "/etc/b", true),
            ("/etc/[ab]?", "/etc/ax", true),
        ] {
            let glob: PathGlob = glob.parse().unwrap();
            assert_eq!(glob.matches(&RootedPath::new(path).unwrap()), matches, "{glob} {path}");
        }
        for text in ["", "etc/x", "/etc/[", "/etc/{a"] {
            assert!(text.parse::<PathGlob>().is_err(), "{text}");
        }
    }
}
