//! The difference of two texts: as diff(1) prints it, with context, or as two numbers. Pure. The edit script comes from
//! `similar`; its runs of changes are then moved as diff(1) moves them, so that both print the same for the same script.

use std::fmt::Write;
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices, group_diff_ops};

/// How differences of content are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DiffStyle {
    /// As diff(1) prints it without options.
    #[default]
    Normal,
    /// With three lines of context, as `diff -u` prints it.
    Unified,
    /// How many lines came and went: `+3 -1`.
    Stat,
    /// Not at all.
    None,
}

const CONTEXT: usize = 3;
const NO_NEWLINE: &str = "\\ No newline at end of file";

/// The normal form: `2c2`, `< old`, `---`, `> new`. Empty where the texts are equal.
pub fn normal(before: &str, after: &str) -> String {
    let (old, new) = (lines(before), lines(after));
    let mut out = String::new();
    for (gone, come) in hunks(&old, &new) {
        let letter = match (gone.is_empty(), come.is_empty()) {
            (true, _) => 'a',
            (_, true) => 'd',
            (false, false) => 'c',
        };
        put(&mut out, format_args!("{}{letter}{}\n", span(&gone), span(&come)));
        write_lines(&mut out, "< ", &old[gone.clone()]);
        if letter == 'c' {
            out.push_str("---\n");
        }
        write_lines(&mut out, "> ", &new[come]);
    }
    out
}

/// The unified form with three lines of context under the two names. Empty where the texts are equal.
pub fn unified(before: &str, after: &str, old_name: &str, new_name: &str) -> String {
    let (old, new) = (lines(before), lines(after));
    let ops = operations(&hunks(&old, &new), old.len(), new.len());
    let mut out = String::new();
    for group in group_diff_ops(ops, CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        if out.is_empty() {
            put(&mut out, format_args!("--- {old_name}\n+++ {new_name}\n"));
        }
        let gone = first.old_range().start..last.old_range().end;
        let come = first.new_range().start..last.new_range().end;
        put(&mut out, format_args!("@@ -{} +{} @@\n", place(&gone), place(&come)));
        for op in &group {
            if let DiffOp::Equal { .. } = op {
                write_lines(&mut out, " ", &old[op.old_range()]);
            } else {
                write_lines(&mut out, "-", &old[op.old_range()]);
                write_lines(&mut out, "+", &new[op.new_range()]);
            }
        }
    }
    out
}

/// How many lines came and went: `+3 -1`.
pub fn stat(before: &str, after: &str) -> String {
    let hunks = hunks(&lines(before), &lines(after));
    let came: usize = hunks.iter().map(|(_, come)| come.len()).sum();
    let gone: usize = hunks.iter().map(|(gone, _)| gone.len()).sum();
    format!("+{came} -{gone}")
}

/// For each line of `after` which line of `before` it is, counted from 0; none where it is new.
pub fn same_lines(before: &str, after: &str) -> Vec<Option<usize>> {
    let (old, new) = (lines(before), lines(after));
    let (mut same, mut at) = (Vec::with_capacity(new.len()), 0);
    for (gone, come) in hunks(&old, &new) {
        let stayed = gone.start - at;
        same.extend((at..at + stayed).map(Some));
        same.extend(come.map(|_| None));
        at = gone.end;
    }
    same.extend((at..old.len()).map(Some));
    same
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}

fn write_lines(out: &mut String, prefix: &str, lines: &[&str]) {
    for line in lines {
        out.push_str(prefix);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push('\n');
            out.push_str(NO_NEWLINE);
            out.push('\n');
        }
    }
}

/// Line numbers in the normal form: the line before an empty range, else first and last.
fn span(range: &Range<usize>) -> String {
    match range.len() {
        0 | 1 => range.end.to_string(),
        _ => format!("{},{}", range.start + 1, range.end),
    }
}

/// Line numbers in the unified form: first line and count.
fn place(range: &Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => range.end.to_string(),
        length => format!("{},{length}", range.start + 1),
    }
}

type Hunk = (Range<usize>, Range<usize>);

/// What differs: ranges of lines on both sides, in order, never both empty.
fn hunks(old: &[&str], new: &[&str]) -> Vec<Hunk> {
    let (mut gone, mut come) = (Flags::new(old.len()), Flags::new(new.len()));
    for op in capture_diff_slices(Algorithm::Myers, old, new) {
        if !matches!(op, DiffOp::Equal { .. }) {
            op.old_range().for_each(|line| gone.set(line, true));
            op.new_range().for_each(|line| come.set(line, true));
        }
    }
    settle(old, &mut gone, &come);
    settle(new, &mut come, &gone);
    let (mut found, mut i, mut j) = (Vec::new(), 0, 0);
    while i < old.len() || j < new.len() {
        let (from, to) = (i, j);
        while gone.get(i) {
            i += 1;
        }
        while come.get(j) {
            j += 1;
        }
        if from == i && to == j {
            (i, j) = (i + 1, j + 1);
        } else {
            found.push((from..i, to..j));
        }
    }
    found
}

fn operations(hunks: &[Hunk], old_len: usize, new_len: usize) -> Vec<DiffOp> {
    let (mut ops, mut old_index, mut new_index) = (Vec::new(), 0, 0);
    for (gone, come) in hunks.iter().cloned().chain([(old_len..old_len, new_len..new_len)]) {
        if gone.start > old_index {
            ops.push(DiffOp::Equal { old_index, new_index, len: gone.start - old_index });
        }
        (old_index, new_index) = (gone.end, come.end);
        let (old_len, new_len) = (gone.len(), come.len());
        if old_len + new_len > 0 {
            ops.push(DiffOp::Replace { old_index: gone.start, old_len, new_index: come.start, new_len });
        }
    }
    ops
}

/// Which lines of one side are changed; no line outside it is.
struct Flags(Vec<bool>);

impl Flags {
    fn new(length: usize) -> Flags {
        Flags(vec![false; length])
    }

    fn get(&self, line: usize) -> bool {
        self.0.get(line).copied().unwrap_or(false)
    }

    /// The line before `line`.
    fn before(&self, line: usize) -> bool {
        line > 0 && self.get(line - 1)
    }

    fn set(&mut self, line: usize, changed: bool) {
        self.0[line] = changed;
    }
}

/// Moves each run of changed lines as diff(1) does: as far down as it can slide, merging with the runs that it meets, or
/// up again to where it stands against a run of the other side.
fn settle(lines: &[&str], flags: &mut Flags, other: &Flags) {
    let (mut end, mut across) = (0, 0);
    loop {
        // The next run, and the line of the other side that it stands at.
        while end < lines.len() && !flags.get(end) {
            across = after_run(other, across) + 1;
            end += 1;
        }
        if end == lines.len() {
            return;
        }
        let mut start = end;
        end = after_run(flags, end);
        across = after_run(other, across);
        let mut beside;
        loop {
            let length = end - start;
            while start > 0 && lines[start - 1] == lines[end - 1] {
                (start, end) = (start - 1, end - 1);
                flags.set(start, true);
                flags.set(end, false);
                while flags.before(start) {
                    start -= 1;
                }
                across = before_run(other, across);
            }
            beside = other.before(across).then_some(end);
            while end < lines.len() && lines[start] == lines[end] {
                flags.set(start, false);
                flags.set(end, true);
                start += 1;
                end = after_run(flags, end + 1);
                across += 1;
                if other.get(across) {
                    across = after_run(other, across);
                    beside = Some(end);
                }
            }
            if length == end - start {
                break;
            }
        }
        while beside.is_some_and(|beside| beside < end) {
            (start, end) = (start - 1, end - 1);
            flags.set(start, true);
            flags.set(end, false);
            across = before_run(other, across);
        }
    }
}

fn after_run(flags: &Flags, mut line: usize) -> usize {
    while flags.get(line) {
        line += 1;
    }
    line
}

/// The unchanged line above `line`, past the run that stands between.
fn before_run(flags: &Flags, line: usize) -> usize {
    let mut line = line.saturating_sub(1);
    while flags.get(line) && line > 0 {
        line -= 1;
    }
    line
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
