//! What a module changed, in the calm view: one line a path, and the difference of its content below it. Pure. Whatever is
//! cut is counted.

use crate::changes::diff::DiffStyle;
use crate::changes::text;
use crate::cli::line::{Ink, Line, Signs};
use crate::cli::report_table::size;
use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{Change, ChangeKind, ChangeSet, ContentChange};

/// How much of the differences is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// In the unified form, and no more than somebody reads.
    Enough,
    /// All of it, in that form.
    All(DiffStyle),
}

/// The most lines of one file's difference, where enough is enough.
const MOST_OF_FILE: usize = 40;
/// The most of one module's.
const MOST_OF_MODULE: usize = 400;
/// The longest line of a difference, in characters.
const LONGEST: usize = 400;

/// The lines of a module's changes.
pub fn changes(all: &ChangeSet, detail: Detail, signs: &Signs) -> Vec<Line> {
    let mut lines = Vec::new();
    let (mut left, mut passed_over) = (MOST_OF_MODULE, 0);
    for change in &all.0 {
        let difference = difference(change, detail);
        lines.push(headline(change, counted(change, detail, &difference), signs));
        if difference.is_empty() {
            continue;
        }
        let most = match detail {
            Detail::All(_) => usize::MAX,
            Detail::Enough if left == 0 => {
                passed_over += 1;
                continue;
            }
            // One line more costs as much as saying that it was cut.
            Detail::Enough if difference.len() == left.min(MOST_OF_FILE) + 1 => difference.len(),
            Detail::Enough => left.min(MOST_OF_FILE),
        };
        let longest = if detail == Detail::Enough { LONGEST } else { usize::MAX };
        lines.extend(difference.iter().take(most).map(|line| painted(line, longest, signs)));
        let cut = difference.len().saturating_sub(most);
        if cut > 0 {
            lines.push(rest(&format!("{cut} more lines"), signs));
        }
        left = left.saturating_sub(most.min(difference.len()));
    }
    if passed_over > 0 {
        let files = if passed_over == 1 { "file" } else { "files" };
        lines.push(rest(&format!("and the content of {passed_over} more {files}"), signs));
    }
    lines
}

fn rest(what: &str, signs: &Signs) -> Line {
    Line::new(Ink::Dim, format!("    {} {what}; --diff unified shows all", signs.more))
}

/// The lines of the difference of a change's content; none where it is not of lines.
fn difference(change: &Change, detail: Detail) -> Vec<String> {
    let style = match detail {
        Detail::Enough => DiffStyle::Unified,
        // The numbers are in the line of the path.
        Detail::All(DiffStyle::Stat) => return Vec::new(),
        Detail::All(style) => style,
    };
    if !matches!(change.content, ContentChange::Text { .. }) || only_links(change) {
        return Vec::new();
    }
    let text = text::content(change, style);
    // The names of the unified form are in the line above, and so is that all of it came or went.
    let skip = match (style, &change.kind) {
        (DiffStyle::Unified, ChangeKind::Modified { .. }) => 2,
        (DiffStyle::Unified, ChangeKind::Created { .. } | ChangeKind::Deleted { .. }) => 3,
        (DiffStyle::Normal | DiffStyle::Stat | DiffStyle::None, _) => 0,
    };
    text.split_terminator('\n').skip(skip).map(str::to_owned).collect()
}

/// Whether all that there is of it is links: their targets are in the line of the path.
fn only_links(change: &Change) -> bool {
    let link = |side: &Attributes| side.kind == FileKind::Symlink;
    match &change.kind {
        ChangeKind::Created { after: one } | ChangeKind::Deleted { before: one } => link(one),
        ChangeKind::Modified { before, after } => link(before) && link(after),
    }
}

/// How many lines came and went, where that is known.
fn counted(change: &Change, detail: Detail, difference: &[String]) -> Option<String> {
    let count = |sign: char| difference.iter().filter(|line| line.starts_with(sign)).count();
    let (come, gone) = match detail {
        Detail::Enough | Detail::All(DiffStyle::Unified) => (count('+'), count('-')),
        Detail::All(DiffStyle::Normal) => (count('>'), count('<')),
        Detail::All(DiffStyle::Stat) => {
            return Some(text::content(change, DiffStyle::Stat).trim_end().to_owned());
        }
        Detail::All(DiffStyle::None) => return None,
    };
    Some(format!("+{come} -{gone}"))
}

fn painted(line: &str, longest: usize, signs: &Signs) -> Line {
    let ink = match line.chars().next() {
        Some('+' | '>') => Ink::Good,
        Some('-' | '<') if line != "---" => Ink::Bad,
        Some(' ') => Ink::Plain,
        Some(_) | None => Ink::Dim,
    };
    let cut = line.char_indices().nth(longest).map(|(at, _)| &line[..at]);
    let text = cut.map_or_else(|| line.to_owned(), |start| format!("{start}{}", signs.more));
    Line::new(Ink::Plain, "    ").and(ink, text)
}

/// The line of a path: how it differs, in a few words.
fn headline(change: &Change, counted: Option<String>, signs: &Signs) -> Line {
    let (sign, ink, words) = match &change.kind {
        ChangeKind::Created { after } => ("+", Ink::Good, created(after, &change.content)),
        ChangeKind::Modified { before, after } => {
            ("~", Ink::Care, modified(before, after, words_of_content(change, counted, signs), signs))
        }
        ChangeKind::Deleted { before } => ("-", Ink::Bad, deleted(before, &change.content)),
    };
    let folder = match &change.kind {
        ChangeKind::Created { after: a } | ChangeKind::Deleted { before: a } => a.kind == FileKind::Directory,
        ChangeKind::Modified { .. } => false,
    };
    let path = format!("{}{}", change.path, if folder { "/" } else { "" });
    Line::new(Ink::Plain, "  ")
        .and(ink, sign)
        .and(Ink::Bold, format!(" {path}"))
        .and(Ink::Plain, format!("  {}", words.join(", ")))
}

fn created(after: &Attributes, content: &ContentChange) -> Vec<String> {
    let mut words = vec![match (after.kind, &after.target) {
        (FileKind::Regular | FileKind::Directory, _) => "created".to_owned(),
        (FileKind::Symlink, Some(target)) => format!("created, link to {target}"),
        (kind, _) => format!("created, {}", kind_word(kind)),
    }];
    if after.kind != FileKind::Symlink {
        words.push(format!("{}:{} {:o}", after.owner, after.group, after.mode & 0o7777));
    }
    words.extend(after.rdev.map(|(major, minor)| format!("device {major},{minor}")));
    words.extend(extent(after, content, Side::After));
    words.extend((!after.xattrs.is_empty()).then(|| names(after)));
    words
}

fn deleted(before: &Attributes, content: &ContentChange) -> Vec<String> {
    let mut words = vec![match before.kind {
        FileKind::Regular | FileKind::Directory => "deleted".to_owned(),
        kind => format!("deleted, {}", kind_word(kind)),
    }];
    words.extend(extent(before, content, Side::Before));
    words
}

/// What became of the content of something that was there before.
fn words_of_content(change: &Change, counted: Option<String>, signs: &Signs) -> Option<String> {
    let sizes = |before: u64, after: u64| format!("{} {} {}", size(before), signs.arrow, size(after));
    match &change.content {
        ContentChange::Same => None,
        ContentChange::Text { .. } if only_links(change) => None,
        ContentChange::Text { .. } => {
            Some(counted.map_or("content".to_owned(), |counted| format!("content {counted}")))
        }
        ContentChange::Binary { before, after } => Some(format!("binary content {}", sizes(*before, *after))),
        ContentChange::Large { before, after } => Some(format!("large content {}", sizes(*before, *after))),
        ContentChange::Withheld { before, after } => Some(format!("content {}", sizes(*before, *after))),
    }
}

fn modified(old: &Attributes, new: &Attributes, content: Option<String>, signs: &Signs) -> Vec<String> {
    let from_to = |what: &str, old: String, new: String| {
        (old != new).then(|| format!("{what} {old} {} {new}", signs.arrow))
    };
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let device =
        |a: &Attributes| a.rdev.map_or("none".to_owned(), |(major, minor)| format!("{major},{minor}"));
    let words = [
        from_to("type", kind_word(old.kind).to_owned(), kind_word(new.kind).to_owned()),
        content,
        from_to("target", or_none(&old.target), or_none(&new.target)),
        from_to("owner", old.owner.clone(), new.owner.clone()),
        from_to("group", old.group.clone(), new.group.clone()),
        from_to("mode", format!("{:o}", old.mode & 0o7777), format!("{:o}", new.mode & 0o7777)),
        from_to("label", or_none(&old.selinux), or_none(&new.selinux)),
        (old.xattrs != new.xattrs).then(|| "extended attributes".to_owned()),
        from_to("device", device(old), device(new)),
        from_to("file system", format!("{:x}", old.device), format!("{:x}", new.device)),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    // Two owners of one name, for instance.
    if words.is_empty() { vec!["modified".to_owned()] } else { words }
}

#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

/// How much content there is on one side.
fn extent(of: &Attributes, content: &ContentChange, side: Side) -> Option<String> {
    let (before, after) = match content {
        ContentChange::Same => return (of.kind == FileKind::Regular).then(|| "empty".to_owned()),
        ContentChange::Text { .. } if of.kind == FileKind::Symlink => return None,
        ContentChange::Text { before, after } => {
            let text = if let Side::Before = side { before } else { after };
            return Some(match text.shown().lines().count() {
                0 => "empty".to_owned(),
                1 => "1 line".to_owned(),
                lines => format!("{lines} lines"),
            });
        }
        ContentChange::Binary { before, after }
        | ContentChange::Withheld { before, after }
        | ContentChange::Large { before, after } => (before, after),
    };
    Some(size(if let Side::Before = side { *before } else { *after }))
}

fn kind_word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Regular => "file",
        FileKind::Directory => "directory",
        FileKind::Symlink => "link",
        FileKind::CharacterDevice => "character device",
        FileKind::BlockDevice => "block device",
        FileKind::Fifo => "named pipe",
        FileKind::Socket => "socket",
    }
}

fn names(of: &Attributes) -> String {
    let names: Vec<&str> = of.xattrs.keys().map(String::as_str).collect();
    format!("with {}", names.join(" "))
}

#[cfg(test)]
#[path = "pretty_changes_tests.rs"]
mod tests;
