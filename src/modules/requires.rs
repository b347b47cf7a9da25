//! The text of a module's `requires`.

use crate::model::module::{Relation, Requirement};
use crate::model::names::{ModuleName, NameError};

/// A line that says nothing that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Which, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
    /// What is wrong with the name in it; none where there is none.
    pub source: Option<NameError>,
}

/// The requirements that a text states, one a line: `after X`, `before X`, or a bare `X`, the older spelling of `after X`.
/// What follows a `#` is a comment; blank lines count for nothing.
pub fn parse_requires(text: &str) -> Result<Vec<Requirement>, BadLine> {
    lines(text).map(|line| line.map(|(_, requirement)| requirement)).collect()
}

/// The same line by line, each with its number from 1; a bad line hides no other.
pub fn lines(text: &str) -> impl Iterator<Item = Result<(usize, Requirement), BadLine>> {
    text.lines().enumerate().filter_map(|(index, whole)| {
        let line = whole.split_once('#').map_or(whole, |(line, _)| line);
        let words: Vec<&str> = line.split_whitespace().collect();
        let bad = |source| BadLine { line: index + 1, text: whole.to_owned(), source };
        let (relation, name) = match words[..] {
            [] => return None,
            ["after", name] | [name] if name != "after" && name != "before" => (Relation::After, name),
            ["before", name] => (Relation::Before, name),
            _ => return Some(Err(bad(None))),
        };
        Some(match ModuleName::new(name) {
            Ok(module) => Ok((index + 1, Requirement { relation, module })),
            Err(error) => Err(bad(Some(error))),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_read() {
        let text = "# needs\nafter a-1.0\n\n  before\tb  # later\nc\n#after d\n";
        let read: Vec<_> = parse_requires(text)
            .unwrap()
            .into_iter()
            .map(|requirement| (requirement.relation, requirement.module.to_string()))
            .collect();
        assert_eq!(
            read,
            [
                (Relation::After, "a-1.0".to_owned()),
                (Relation::Before, "b".to_owned()),
                (Relation::After, "c".to_owned())
            ]
        );
        assert_eq!(parse_requires("").unwrap(), []);
    }

    #[test]
    fn bad_lines_are_named() {
        for (text, line, named) in [
            ("a\nafter", 2, false),
            ("before", 1, false),
            ("after a b", 1, false),
            ("needs a", 1, false),
            ("\n\nafter ../etc", 3, true),
            ("-x", 1, true),
        ] {
            let bad = parse_requires(text).unwrap_err();
            assert_eq!((bad.line, bad.source.is_some()), (line, named), "{text}");
        }
    }
}
