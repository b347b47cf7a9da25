//! The text of a module's `on-change`.

use crate::model::glob::{NoGlob, PathGlob};
use crate::model::module::OnChange;

/// A line that says nothing that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Which, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
    /// What is wrong with a pattern in it; none where something else is.
    pub source: Option<NoGlob>,
}

/// What a text wants run, one a line: `GLOB… : COMMAND`, in its order.
pub fn parse_on_change(text: &str) -> Result<Vec<OnChange>, BadLine> {
    lines(text).map(|line| line.map(|(_, on_change)| on_change)).collect()
}

/// The same line by line, each with its number from 1; a bad line hides no other.
///
/// Absolute patterns apart from each other by blanks, a colon alone, and all that follows is the command. A line that starts
/// with `#` is a comment (within a command `#` is the shell's); blank lines count for nothing.
pub fn lines(text: &str) -> impl Iterator<Item = Result<(usize, OnChange), BadLine>> {
    text.lines().enumerate().filter_map(|(index, whole)| {
        let line = whole.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let bad = |source| BadLine { line: index + 1, text: whole.to_owned(), source };
        let Some((globs, command)) = divide(line) else { return Some(Err(bad(None))) };
        let globs: Result<Vec<PathGlob>, NoGlob> = globs.split_whitespace().map(str::parse).collect();
        Some(match globs {
            // Reports have a command on a line of its own.
            Ok(globs) if globs.is_empty() || command.contains(|c: char| c.is_control() && c != '\t') => {
                Err(bad(None))
            }
            Ok(globs) => Ok((index + 1, OnChange { globs, command: command.to_owned() })),
            Err(error) => Err(bad(Some(error))),
        })
    })
}

/// What is before the first colon that has blanks on both sides, and what is after it.
fn divide(line: &str) -> Option<(&str, &str)> {
    let is_apart = |at: usize| {
        let (before, after) = (&line[..at], &line[at + 1..]);
        before.ends_with(char::is_whitespace) && after.starts_with(char::is_whitespace)
    };
    let (at, _) = line.match_indices(':').find(|(at, _)| is_apart(*at))?;
    Some((&line[..at], line[at + 1..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_a_command_are_read() {
        let text = "# the server\n\n/etc/ssh/** /etc/default/ssh : systemctl reload ssh # now\n\
                    \t/etc/a:b\t:\techo : \"#1\"  \n  # no\n";
        let read: Vec<_> = parse_on_change(text)
            .unwrap()
            .into_iter()
            .map(|one| (one.globs.iter().map(|glob| glob.text().to_owned()).collect::<Vec<_>>(), one.command))
            .collect();
        assert_eq!(
            read,
            [
                (
                    vec!["/etc/ssh/**".to_owned(), "/etc/default/ssh".to_owned()],
                    "systemctl reload ssh # now".to_owned()
                ),
                (vec!["/etc/a:b".to_owned()], "echo : \"#1\"".to_owned()),
            ]
        );
        assert_eq!(parse_on_change("").unwrap(), []);
    }

    #[test]
    fn bad_lines_are_named() {
        for (text, line, named) in [
            ("/etc/x", 1, false),
            ("# x\n\n/etc/x : ", 3, false),
            ("/etc/x: true", 1, false),
            ("/etc/x :true", 1, false),
            (": true", 1, false),
            ("/etc/x : a\u{1b}[1m", 1, false),
            ("/a : true\netc/x : true", 2, true),
            ("/etc/[x : true", 1, true),
        ] {
            let bad = parse_on_change(text).unwrap_err();
            assert_eq!((bad.line, bad.source.is_some()), (line, named), "{text}");
        }
        assert_eq!(lines("/etc/x\n/etc/y : true\n").filter(Result::is_ok).count(), 1);
    }
}
