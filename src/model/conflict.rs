//! What becomes of a path that somebody has changed on the live root since the sandbox first saw it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::glob::{NoGlob, PathGlob};
use crate::model::path::RootedPath;

/// Whose state of a path is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// Nobody's: nothing is merged.
    #[default]
    Abort,
    /// What is there: the run's change of it is left out.
    Theirs,
    /// The run's: what is there is replaced, and kept for an undo.
    Mine,
}

/// What to do about conflicts: rules for patterns of paths, of which the first that matches counts, and one for the rest.
/// As text: `theirs=/etc/hosts mine=/var/lib/** abort`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OnConflict {
    rules: Vec<(PathGlob, Whose)>,
    rest: Whose,
}

/// Text that says nothing about conflicts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoOnConflict {
    /// It is neither a word nor a rule.
    #[error("{0:?} is not abort, theirs or mine, or such a word=GLOB")]
    Word(String),
    /// Its pattern is none.
    #[error(transparent)]
    Glob(#[from] NoGlob),
}

impl OnConflict {
    /// What is done about a conflict at `path`.
    pub fn at(&self, path: &RootedPath) -> Whose {
        self.rules.iter().find(|(glob, _)| glob.matches(path)).map_or(self.rest, |(_, whose)| *whose)
    }
}

impl Whose {
    fn word(self) -> &'static str {
        match self {
            Whose::Abort => "abort",
            Whose::Theirs => "theirs",
            Whose::Mine => "mine",
        }
    }
}

impl FromStr for OnConflict {
    type Err = NoOnConflict;

    fn from_str(text: &str) -> Result<OnConflict, NoOnConflict> {
        let whose = |word: &str| {
            let all = [Whose::Abort, Whose::Theirs, Whose::Mine];
            all.into_iter()
                .find(|whose| whose.word() == word)
                .ok_or_else(|| NoOnConflict::Word(word.to_owned()))
        };
        let mut on = OnConflict::default();
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some((word, glob)) => on.rules.push((glob.parse()?, whose(word)?)),
                None => on.rest = whose(word)?,
            }
        }
        Ok(on)
    }
}

impl fmt::Display for OnConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (glob, whose) in &self.rules {
            write!(f, "{}={glob} ", whose.word())?;
        }
        f.write_str(self.rest.word())
    }
}

impl TryFrom<String> for OnConflict {
    type Error = NoOnConflict;

    fn try_from(text: String) -> Result<OnConflict, NoOnConflict> {
        text.parse()
    }
}

impl From<OnConflict> for String {
    fn from(on: OnConflict) -> String {
        on.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_counts() {
        let on: OnConflict = "mine=/etc/hosts theirs=/etc/** mine".parse().unwrap();
        let at = |path: &str| on.at(&RootedPath::new(path).unwrap());
        assert_eq!((at("/etc/hosts"), at("/etc/x/y"), at("/srv")), (Whose::Mine, Whose::Theirs, Whose::Mine));
        assert_eq!(on.to_string(), "mine=/etc/hosts theirs=/etc/** mine");
        let by_default = OnConflict::default();
        assert_eq!(
            (by_default.to_string().as_str(), by_default.at(&RootedPath::default())),
            ("abort", Whose::Abort)
        );
        for text in ["ours", "mine=etc", "=/x", "yours=/etc"] {
            assert!(text.parse::<OnConflict>().is_err(), "{text}");
        }
    }
}
