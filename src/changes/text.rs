//! The classic text of differences, which users' scripts may read: its words and their order never change. Pure. Not
//! here: colour, and other forms such as JSON.

use crate::changes::diff::{self, DiffStyle};
use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{Change, ChangeKind, ChangeSet, ContentChange};

/// What is said of content that only root can read.
pub const WITHHELD: &str = "content withheld: only root can read it; --show-secrets shows it on a terminal";

/// The text of all differences, each line ended. A created directory that is plainly the parent of something created is
/// implied by it and not printed.
pub fn change_set(changes: &ChangeSet, style: DiffStyle) -> String {
    let mut out = String::new();
    for (at, one) in changes.0.iter().enumerate() {
        // Sorted by path: what a directory holds follows it.
        if !changes.0.get(at + 1).is_some_and(|next| implies(next, one)) {
            out.push_str(&change(one, style));
        }
    }
    out
}

/// The text of one difference, each line ended.
pub fn change(change: &Change, style: DiffStyle) -> String {
    let words = match &change.kind {
        ChangeKind::Created { after } => format!("Created : {}", described(after)),
        ChangeKind::Modified { before, after } => format!("Modified : {}", compared(before, after)),
        ChangeKind::Deleted { .. } => "Deleted".to_owned(),
    };
    format!("info: File: file: {} : {words}\n{}", change.path, content(change, style))
}

fn implies(inner: &Change, outer: &Change) -> bool {
    let plain = match &outer.kind {
        ChangeKind::Created { after } => {
            after.kind == FileKind::Directory
                && (after.uid, after.gid, after.mode & 0o7777) == (0, 0, 0o755)
                && after.xattrs.is_empty()
        }
        ChangeKind::Modified { .. } | ChangeKind::Deleted { .. } => false,
    };
    plain && matches!(inner.kind, ChangeKind::Created { .. }) && inner.path.is_within(&outer.path)
}

/// The content difference in the given style, each line ended; empty where there is none to show.
pub fn content(change: &Change, style: DiffStyle) -> String {
    let sides = change.kind.sides();
    match (&change.content, style) {
        (ContentChange::Same, _) | (_, DiffStyle::None) => String::new(),
        (ContentChange::Text { before, after }, DiffStyle::Normal) => {
            diff::normal(&before.shown(), &after.shown())
        }
        (ContentChange::Text { before, after }, DiffStyle::Unified) => {
            let name =
                |side: Option<&Attributes>| side.map_or("/dev/null".to_owned(), |_| change.path.to_string());
            diff::unified(&before.shown(), &after.shown(), &name(sides.0), &name(sides.1))
        }
        (ContentChange::Text { before, after }, DiffStyle::Stat) => {
            if before == after {
                String::new()
            } else {
                format!("{}\n", diff::stat(&before.shown(), &after.shown()))
            }
        }
        (ContentChange::Withheld { .. }, _) => format!("{WITHHELD}\n"),
        (ContentChange::Binary { before, after }, _) => by_hash("binary content", sides, *before, *after),
        (ContentChange::Large { before, after }, _) => by_hash("large content", sides, *before, *after),
    }
}

/// Content that is not shown line by line, by size and hash.
fn by_hash(what: &str, sides: (Option<&Attributes>, Option<&Attributes>), before: u64, after: u64) -> String {
    let side = |attributes: Option<&Attributes>, size: u64| {
        Some(format!("{size} bytes, md5 {}", attributes?.md5.as_deref()?))
    };
    match (side(sides.0, before), side(sides.1, after)) {
        (Some(old), Some(new)) => format!("{what}: {old} => {new}\n"),
        (None, Some(one)) | (Some(one), None) => format!("{what}: {one}\n"),
        (None, None) => String::new(),
    }
}

/// The attributes of something created.
fn described(a: &Attributes) -> String {
    let mut words = vec![
        format!("type=[{}]", type_word(a)),
        format!("device=[{:x}]", a.device),
        format!("mode=[{:x}]", a.mode),
        format!("selinux=[{}]", or_unknown(&a.selinux)),
    ];
    words.extend(a.md5.as_ref().map(|md5| format!("md5=[{md5}]")));
    words.push(format!("perms=[{}]", perms(a)));
    words.extend(a.target.as_ref().map(|target| format!("target=[{target}]")));
    words.extend(a.rdev.map(|rdev| format!("rdev=[{}]", numbers(Some(rdev)))));
    if !a.xattrs.is_empty() {
        words.push(format!("xattrs=[{}]", xattrs(a)));
    }
    words.join(" ")
}

/// The attributes that differ, old and new.
fn compared(old: &Attributes, new: &Attributes) -> String {
    let pairs = [
        ("type", type_word(old).to_owned(), type_word(new).to_owned()),
        ("device", format!("{:x}", old.device), format!("{:x}", new.device)),
        ("md5", or_unknown(&old.md5), or_unknown(&new.md5)),
        ("perms", perms(old), perms(new)),
        ("mode", format!("{:x}", old.mode), format!("{:x}", new.mode)),
        ("selinux", or_unknown(&old.selinux), or_unknown(&new.selinux)),
        ("xattrs", xattrs(old), xattrs(new)),
        ("target", or_unknown(&old.target), or_unknown(&new.target)),
        ("rdev", numbers(old.rdev), numbers(new.rdev)),
    ];
    let differing = pairs.into_iter().filter(|(_, old, new)| old != new);
    differing.map(|(name, old, new)| format!("{name}=[{old} => {new}]")).collect::<Vec<_>>().join(" ")
}

/// The type in the words of stat(1).
fn type_word(a: &Attributes) -> &'static str {
    match a.kind {
        FileKind::Regular if a.size == 0 => "regular empty file",
        FileKind::Regular => "regular file",
        FileKind::Directory => "directory",
        FileKind::Symlink => "symbolic link",
        FileKind::CharacterDevice => "character special file",
        FileKind::BlockDevice => "block special file",
        FileKind::Fifo => "fifo",
        FileKind::Socket => "socket",
    }
}

fn perms(a: &Attributes) -> String {
    format!("{}:{} {:o}", a.group, a.owner, a.mode & 0o7777)
}

fn or_unknown(value: &Option<String>) -> String {
    value.clone().unwrap_or_else(|| "?".to_owned())
}

fn numbers(rdev: Option<(u32, u32)>) -> String {
    rdev.map_or_else(|| "?".to_owned(), |(major, minor)| format!("{major},{minor}"))
}

fn xattrs(a: &Attributes) -> String {
    a.xattrs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
