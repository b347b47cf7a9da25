//! The line of a script that is under way: bash says how far it has read it.
//!
//! Before bash starts a program it sets the position of the script's file (its descriptor 255) to the end of the command that
//! it is at. What is not a program of its own (a builtin) may come while it has read further.

use std::path::{Path, PathBuf};

use crate::sys::files;
use crate::sys::inspect;
use crate::sys::tree::Root;

/// Where bash keeps the script that it reads.
const SCRIPT: i32 = 255;
/// How far up whoever runs the script is looked for.
const GENERATIONS: usize = 64;
/// How many lines above the end of a command its words are looked for.
const FAR: usize = 200;

/// Where the text of scripts is, for this side of the sandbox.
#[derive(Debug)]
pub(super) struct Scripts {
    /// disco's home, as steps see it.
    pub(super) home: PathBuf,
    /// The folder of the host that it shows.
    pub(super) view: PathBuf,
    /// The root that the sandbox shows.
    pub(super) lower: Root,
    /// The process that all of the sandbox's come from: above it is whoever started disco, with scripts of their own.
    pub(super) inside: i32,
}

impl Scripts {
    /// The line of the script that process `pid` belongs to, where that can be told. Of a command of several lines it is the
    /// last one that has these words (all in a row, or else the first), or else its end.
    pub(super) fn line_of(&self, pid: i32, words: &[String]) -> Option<u32> {
        let (mut at, mut itself) = (pid, true);
        for _ in 0..GENERATIONS {
            if let Some(path) = inspect::descriptor(at, SCRIPT).ok().filter(|path| path.is_absolute()) {
                let position = usize::try_from(inspect::position(at, SCRIPT).ok()?).ok()?;
                return line(&self.text(&path)?, position, itself, words);
            }
            (at, itself) = (inspect::parent(at).filter(|parent| *parent != self.inside)?, false);
        }
        None
    }

    /// The text of a script: of a step's own in the view, of any other as the root has it.
    fn text(&self, path: &Path) -> Option<String> {
        match path.strip_prefix(&self.home) {
            Ok(inner) => files::read_if_there(&self.view.join(inner)).ok().flatten(),
            Err(_) => self.lower.text_behind(path).ok().flatten(),
        }
    }
}

/// The number of the line, from 1, of the command that ends at `position`. `itself` says that it is bash itself that acts:
/// then a position at the end of all that it has read says nothing.
fn line(text: &str, position: usize, itself: bool, words: &[String]) -> Option<u32> {
    let read = text.as_bytes().get(..position)?;
    let is_end = position == 0 || position == text.len() || !read.ends_with(b"\n");
    if itself && is_end {
        return only_line(text, words);
    }
    let read = String::from_utf8_lossy(read);
    let lines: Vec<&str> = read.trim_end_matches('\n').split('\n').collect();
    let whole = words.join(" ");
    let near =
        || lines.iter().enumerate().rev().take(FAR).filter(|(_, line)| !line.trim_start().starts_with('#'));
    let first =
        words.first().map(|word| word.rsplit('/').next().unwrap_or(word)).filter(|word| !word.is_empty());
    let found = near()
        .find(|(_, line)| !whole.is_empty() && line.contains(&whole))
        .or_else(|| near().find(|(_, line)| first.is_some_and(|word| line.contains(word))))
        .map_or(lines.len(), |(at, _)| at + 1);
    u32::try_from(found).ok()
}

/// The one line of a script that has one of these words, the first that is in any; none where several have it.
fn only_line(text: &str, words: &[String]) -> Option<u32> {
    let lines = || text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'));
    let holds = |line: &str, word: &str| {
        line.split(|c: char| c.is_whitespace() || "\"'`$();&|<>".contains(c)).any(|part| part == word)
    };
    let word = words
        .iter()
        .filter(|word| !word.is_empty())
        .find(|word| lines().any(|(_, line)| holds(line, word)))?;
    let mut having = lines().filter(|(_, line)| holds(line, word));
    let (at, _) = having.next()?;
    having.next().is_none().then_some(at)?.checked_add(1)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_that_of_the_command() {
        let text = "#!/bin/bash\n# service x stop\nservice x start\nif true; then\n  service x stop\n  curl y\nfi\nlast\n";
        let end_of = |line: usize| text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
        let words = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (position, itself, asked, expected) in [
            (end_of(3), false, "service x start", Some(3)),
            (end_of(7), false, "service x stop", Some(5)),
            (end_of(7), false, "/usr/bin/curl y", Some(6)),
            (end_of(7), false, "sendmail", Some(7)),
            (text.len(), false, "last", Some(8)),
            (text.len(), true, "kill -HUP 1", None),
            (text.len(), true, "/etc/none curl", Some(6)),
            (text.len(), true, "service", None),
            (end_of(7), true, "kill -HUP 1", Some(7)),
            (text.len() + 1, false, "x", None),
        ] {
            assert_eq!(line(text, position, itself, &words(asked)), expected, "{position} {asked}");
        }
    }
}
