//! Finds secrets in text and puts their names in their places. Pure: built once from what is known, and asked line by line.
//!
//! What it is asked for is a line, so a form has no newline in it, but for those that an escape stands for. What goes on in the
//! next line is followed ([`Carry`]): base64 that is wrapped, the lines of a value that has several, a long line that is
//! told in pieces. Nothing is held back for that: what may be a beginning is hidden when it comes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::AhoCorasick;

use super::escapes::{self, Undone};
use super::forms;

/// So much of a form is looked for; where that is found, as much of the rest as follows it belongs to it. It bounds what the
/// matcher needs.
const LOOKED_FOR: usize = 32;
/// Fewer bytes at the end of a line are no sign of a form that goes on in the next.
const SIGN: usize = 6;
/// From here on a line may be a piece of a longer one.
const PIECE: usize = 64 << 10;
/// From here on a line of nothing but digits of base64 may be one of several.
const WRAPPED: usize = 16;

/// One form of one secret.
#[derive(Debug, Clone)]
struct Form {
    bytes: Arc<[u8]>,
    /// The value's number, and that of its name.
    name: usize,
    is_base64: bool,
}

/// Knows what to look for.
#[derive(Debug)]
pub(super) struct Redactor {
    matcher: AhoCorasick,
    /// The forms that begin with each of the matcher's patterns.
    begun: Vec<Vec<usize>>,
    /// Sorted by their bytes.
    forms: Vec<Form>,
    /// The first two bytes of each form: what a line ends with is looked for only where it begins like one.
    heads: HashSet<[u8; 2]>,
    /// What each value is called, in the order in which they were given.
    names: Vec<String>,
    /// Values of several lines, as they are.
    sequences: Vec<(usize, Vec<Vec<u8>>)>,
    has_spaces: bool,
}

/// What of a secret may go on in the next line of the same text.
#[derive(Debug, Clone, Default)]
pub struct Carry {
    /// A form, and how much of it was there. More may be looked for by the next line: it is no number of one.
    rests: Vec<(Form, usize)>,
    /// A value of several lines, and which of its lines comes next.
    sequences: Vec<(usize, usize)>,
}

type Found = Vec<(Range<usize>, usize)>;

impl Redactor {
    /// That looks for these values, each with its name. One that is given twice has its first name.
    pub(super) fn new<'a>(
        secrets: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Redactor, aho_corasick::BuildError> {
        let (mut names, mut sequences, mut all) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (name, value) in secrets {
            let at = names.len();
            names.push(name.to_owned());
            let shown = String::from_utf8_lossy(value).into_owned().into_bytes();
            let lines: Vec<_> = shown.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            if lines.len() > 1 && lines.iter().all(|line| !line.is_empty()) {
                sequences.push((at, lines));
            }
            all.entry(shown).or_insert((at, false));
            for form in forms::base64(value) {
                all.entry(form).or_insert((at, true));
            }
        }
        let has_spaces = all.keys().any(|form| form.contains(&b' '));
        let (mut patterns, mut begun) = (Vec::<&[u8]>::new(), Vec::<Vec<usize>>::new());
        for (at, form) in all.keys().enumerate() {
            let pattern = &form[..form.len().min(LOOKED_FOR)];
            // Sorted: those that begin alike follow one another.
            match begun.last_mut() {
                Some(alike) if patterns.last() == Some(&pattern) => alike.push(at),
                Some(_) | None => {
                    patterns.push(pattern);
                    begun.push(vec![at]);
                }
            }
        }
        let matcher = AhoCorasick::new(&patterns)?;
        let heads = all.keys().filter_map(|form| form.first_chunk().copied()).collect();
        let forms =
            all.into_iter().map(|(bytes, (name, is_base64))| Form { bytes: bytes.into(), name, is_base64 });
        Ok(Redactor { matcher, begun, forms: forms.collect(), heads, names, sequences, has_spaces })
    }

    /// A text of any number of lines without its secrets; as many lines, each where it was.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let (mut carry, mut hidden) = (Carry::default(), None::<String>);
        let mut at = 0;
        for line in text.split('\n') {
            let end = (at + line.len() + 1).min(text.len());
            match (self.line(&mut carry, line), &mut hidden) {
                (Cow::Borrowed(_), None) => {}
                (line, hidden) => {
                    let hidden = hidden.get_or_insert_with(|| text[..at].to_owned());
                    hidden.push_str(&line);
                    hidden.push_str(if text[..end].ends_with('\n') && end > at { "\n" } else { "" });
                }
            }
            at = end;
        }
        hidden.map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// One line without its secrets, after those that the carry has seen.
    pub(super) fn line<'a>(&self, carry: &mut Carry, line: &'a str) -> Cow<'a, str> {
        let found = self.find_in_line(carry, line.as_bytes());
        if found.is_empty() { Cow::Borrowed(line) } else { Cow::Owned(self.replaced(line, found)) }
    }

    /// Where the secrets of a line are, and what each is called, in their order.
    pub(super) fn places(&self, line: &str) -> Vec<(Range<usize>, &str)> {
        let found = merged(line, self.find_in_line(&mut Carry::default(), line.as_bytes()));
        found.into_iter().map(|(range, name)| (range, self.names[name].as_str())).collect()
    }

    /// The numbers of the values that are in a text, in any form.
    pub(super) fn values_in(&self, text: &str) -> BTreeSet<usize> {
        let mut carry = Carry::default();
        let lines = text.split('\n').flat_map(|line| self.find_in_line(&mut carry, line.as_bytes()));
        lines.map(|(_, value)| value).collect()
    }

    fn find_in_line(&self, carry: &mut Carry, line: &[u8]) -> Found {
        let before = std::mem::take(carry);
        let mut found = Found::new();
        self.find(line, &mut found, Some(carry));
        let mut undone = |undone: Option<Undone>| {
            let Some(undone) = undone else { return };
            let mut inside = Found::new();
            self.find(&undone.bytes, &mut inside, None);
            for (range, name) in inside {
                let (start, end) = undone.place(range.start, range.end);
                found.push((start..end, name));
            }
        };
        undone(escapes::percent(line, false));
        if self.has_spaces {
            undone(escapes::percent(line, true));
        }
        undone(escapes::quotes(line));
        if let Some(once) = escapes::backslashes(line) {
            // JSON within JSON, or within a shell's quotes.
            let mut inside = Found::new();
            if let Some(twice) = escapes::backslashes(&once.bytes) {
                self.find(&twice.bytes, &mut inside, None);
                inside.iter_mut().for_each(|(range, _)| {
                    let (start, end) = twice.place(range.start, range.end);
                    *range = start..end;
                });
            }
            let outside = inside.into_iter().map(|(range, name)| {
                let (start, end) = once.place(range.start, range.end);
                (start..end, name)
            });
            let outside: Vec<_> = outside.collect();
            undone(Some(once));
            found.extend(outside);
        }
        self.go_on(&before, carry, line, &mut found);
        self.ends_with_a_beginning(carry, line, &mut found);
        found
    }

    /// Finds the forms as they stand.
    fn find(&self, text: &[u8], found: &mut Found, mut carry: Option<&mut Carry>) {
        if !self.matcher.is_match(text) {
            return;
        }
        for hit in self.matcher.find_overlapping_iter(text) {
            for &at in &self.begun[hit.pattern().as_usize()] {
                let Form { bytes, name, is_base64 } = &self.forms[at];
                let (start, end) = (hit.start(), hit.start() + alike(&text[hit.start()..], bytes));
                if let Some(carry) = carry.as_mut()
                    && end == text.len()
                    && end - start < bytes.len()
                    && may_go_on(text, *is_base64)
                {
                    carry.rests.push((self.forms[at].clone(), end - start));
                }
                found.push((if *is_base64 { widened(text, start..end) } else { start..end }, *name));
            }
        }
    }

    /// What the lines before have begun.
    fn go_on(&self, before: &Carry, carry: &mut Carry, line: &[u8], found: &mut Found) {
        for (form, was) in &before.rests {
            let Form { bytes, name, is_base64 } = form;
            let (rest, indent) =
                (&bytes[*was..], if *is_base64 { line.len() - line.trim_ascii_start().len() } else { 0 });
            let shown = &line[indent..];
            let length = alike(shown, rest);
            if length == rest.len() {
                let all = indent..indent + length;
                found.push((if *is_base64 { widened(line, all) } else { all }, *name));
            } else if length == shown.trim_ascii_end().len() && length > 0 && may_go_on(line, *is_base64) {
                found.push((0..line.len(), *name));
                carry.rests.push((form.clone(), was + length));
            }
        }
        for &(at, next) in &before.sequences {
            let (name, lines) = &self.sequences[at];
            if next + 1 == lines.len() && line.starts_with(&lines[next]) {
                found.push((0..lines[next].len(), *name));
            } else if line == lines[next] {
                found.push((0..line.len(), *name));
                carry.sequences.push((at, next + 1));
            }
        }
        for (at, (_, lines)) in self.sequences.iter().enumerate() {
            if line.ends_with(&lines[0]) {
                carry.sequences.push((at, 1));
            }
        }
    }

    /// Whether the end of a line that may go on is the beginning of a form.
    fn ends_with_a_beginning(&self, carry: &mut Carry, line: &[u8], found: &mut Found) {
        let (wrapped, piece) = (may_go_on(line, true), line.len() >= PIECE);
        if !wrapped && !piece {
            return;
        }
        let text = if piece { line } else { line.trim_ascii_end() };
        for start in text.len().saturating_sub(LOOKED_FOR)..text.len() {
            let tail = &text[start..];
            if tail.first_chunk().is_some_and(|head| !self.heads.contains(head)) {
                continue;
            }
            let first = self.forms.partition_point(|form| *form.bytes < *tail);
            let begun = self.forms[first..].iter().take_while(|form| form.bytes.starts_with(tail));
            for form in begun {
                if form.bytes.len() > tail.len() && (form.is_base64 || piece) {
                    carry.rests.push((form.clone(), tail.len()));
                    if tail.len() >= SIGN {
                        found.push((start..text.len(), form.name));
                    }
                }
            }
        }
    }

    fn replaced(&self, line: &str, found: Found) -> String {
        let (mut hidden, mut at) = (String::with_capacity(line.len()), 0);
        for (range, name) in merged(line, found) {
            hidden.push_str(&line[at..range.start]);
            hidden.push_str(&marker(&self.names[name]));
            at = range.end;
        }
        hidden + &line[at..]
    }
}

/// What stands in the place of a secret.
pub(super) fn marker(name: &str) -> String {
    format!("[secret: {name}]")
}

/// How many bytes both begin with.
fn alike(text: &[u8], form: &[u8]) -> usize {
    text.iter().zip(form).take_while(|(a, b)| a == b).count()
}

/// Whether the line after this one may go on with what is at its end.
fn may_go_on(line: &[u8], is_base64: bool) -> bool {
    let text = line.trim_ascii();
    line.len() >= PIECE
        || is_base64 && text.len() >= WRAPPED && text.iter().all(|byte| forms::is_digit(*byte))
}

/// With the digits at both ends that are of the value in part.
fn widened(text: &[u8], range: Range<usize>) -> Range<usize> {
    let start = range.start - usize::from(range.start > 0 && forms::is_digit(text[range.start - 1]));
    let mut end = range.end + usize::from(text.get(range.end).is_some_and(|byte| forms::is_digit(*byte)));
    while text.get(end) == Some(&b'=') {
        end += 1;
    }
    start..end
}

/// Sorted, those that overlap as one, each from a character to a character.
fn merged(line: &str, mut found: Found) -> Found {
    for (range, _) in &mut found {
        while !line.is_char_boundary(range.start) {
            range.start -= 1;
        }
        while !line.is_char_boundary(range.end) {
            range.end += 1;
        }
    }
    found.retain(|(range, _)| !range.is_empty());
    found.sort_by_key(|(range, name)| (range.start, std::cmp::Reverse(range.end), *name));
    let mut merged = Found::new();
    for (range, name) in found {
        match merged.last_mut() {
            Some((last, known)) if range.start < last.end || range.start == last.end && *known == name => {
                last.end = last.end.max(range.end);
            }
            Some(_) | None => merged.push((range, name)),
        }
    }
    merged
}

#[cfg(test)]
#[path = "redactor_tests.rs"]
mod tests;
