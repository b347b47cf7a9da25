//! Who wrote which line of a text: from what is there now back through the differences that led to it, until each line has
//! come from somewhere. Pure.

use crate::changes::diff;

/// A text at one time, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Side<'a> {
    pub text: Option<&'a str>,
    /// Its hash: what is kept of a text may have its secrets left out.
    pub md5: Option<&'a str>,
}

/// A write: the text before and after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stage<'a> {
    pub before: Side<'a>,
    pub after: Side<'a>,
}

/// The way back from the text of now.
#[derive(Debug)]
pub(super) struct Walk {
    owners: Vec<Option<usize>>,
    /// Lines of the text of now that nobody is found for yet, each with its number at the time that was reached.
    open: Vec<(usize, usize)>,
    text: Option<String>,
    md5: Option<String>,
}

impl Walk {
    pub(super) fn new(now: Side<'_>) -> Walk {
        let lines = now.text.map_or(0, |text| text.lines().count());
        let mut walk = Walk {
            owners: vec![None; lines],
            open: (0..lines).map(|at| (at, at)).collect(),
            text: None,
            md5: None,
        };
        walk.reach(now);
        walk
    }

    /// Goes one write further back, which was `author`'s.
    pub(super) fn back(&mut self, stage: &Stage<'_>, author: usize) {
        let reached = Side { text: self.text.as_deref(), md5: self.md5.as_deref() };
        // What came between the write and what followed it is not disco's.
        let kept = same_lines(stage.after, reached);
        self.open.retain_mut(|(_, at)| kept.map(at));
        let kept = same_lines(stage.before, stage.after);
        let (open, owners) = (&mut self.open, &mut self.owners);
        open.retain_mut(|(line, at)| {
            let before = kept.map(at);
            if !before {
                owners[*line] = Some(author);
            }
            before
        });
        self.reach(stage.before);
    }

    /// Whether all lines have come from somewhere.
    pub(super) fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    /// Who wrote each line; nobody of disco's where there is none.
    pub(super) fn owners(self) -> Vec<Option<usize>> {
        self.owners
    }

    fn reach(&mut self, side: Side<'_>) {
        (self.text, self.md5) = (side.text.map(str::to_owned), side.md5.map(str::to_owned));
    }
}

/// Which lines of a later text were in an earlier one, and where.
enum Kept {
    All,
    Some(Vec<Option<usize>>),
}

impl Kept {
    /// Makes a line's number that of the earlier text; whether it was there.
    fn map(&self, at: &mut usize) -> bool {
        match self {
            Kept::All => true,
            Kept::Some(lines) => {
                let before = lines.get(*at).copied().flatten();
                *at = before.unwrap_or(*at);
                before.is_some()
            }
        }
    }
}

fn same_lines(earlier: Side<'_>, later: Side<'_>) -> Kept {
    if earlier.md5.is_some() && earlier.md5 == later.md5 {
        return Kept::All;
    }
    match (earlier.text, later.text) {
        (Some(earlier), Some(later)) => Kept::Some(diff::same_lines(earlier, later)),
        // What is no text has no lines that could have stayed.
        (_, _) => Kept::Some(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(text: &str) -> Side<'_> {
        Side { text: Some(text), md5: None }
    }

    /// Who wrote each line of the last text, by the letters of the writes, `-` for nobody of disco's.
    fn told(now: &str, stages: &[(&str, &str)]) -> String {
        let mut walk = Walk::new(side(now));
        for (at, (before, after)) in stages.iter().enumerate().rev() {
            walk.back(&Stage { before: side(before), after: side(after) }, at);
        }
        let letter = |owner: Option<usize>| owner.map_or('-', |at| char::from(b'a' + at as u8));
        walk.owners().into_iter().map(letter).collect()
    }

    #[test]
    fn each_line_is_its_last_writers() {
        for (now, stages, expected) in [
            ("1\n2\n3\n", &[("", "1\n2\n"), ("1\n2\n", "1\n2\n3\n")][..], "aab"),
            ("0\n1\nX\n3\n", &[("1\n2\n3\n", "1\n2\n3\n4\n"), ("1\n2\n3\n4\n", "0\n1\nX\n3\n")], "b-b-"),
            // Somebody else before, between and after.
            ("1\n2\nmine\n", &[("1\n", "1\n2\n")], "-a-"),
            ("1\nmine\n2\n", &[("", "1\n"), ("1\nmine\n", "1\nmine\n2\n")], "a-b"),
            ("old\n", &[("old\n", "old\nnew\n")], "-"),
            ("", &[("1\n", "")], ""),
            ("no end", &[("no", "no end")], "a"),
        ] {
            assert_eq!(told(now, stages), expected, "{now:?}");
        }
    }

    #[test]
    fn equal_hashes_are_equal_texts_also_where_a_secret_was_left_out() {
        let hashed = |text, md5| Side { text: Some(text), md5: Some(md5) };
        let mut walk = Walk::new(hashed("user\nhunter2\n", "x"));
        walk.back(&Stage { before: side("user\n"), after: hashed("user\n******\n", "x") }, 0);
        assert_eq!(walk.owners(), [None, Some(0)]);
        let mut walk = Walk::new(hashed("user\n", "y"));
        walk.back(&Stage { before: Side::default(), after: hashed("user\n", "y") }, 0);
        assert_eq!(walk.owners(), [Some(0)], "what was no text before has no line of it");
    }
}
