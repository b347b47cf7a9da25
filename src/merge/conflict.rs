//! How the live root differs from what the sandbox saw, in words: what was expected at a path, and what is there.

use std::fmt;

use crate::merge::listed::list;
use crate::model::attributes::{Attributes, FileKind};
use crate::model::look::Look;
use crate::model::path::RootedPath;
use crate::sys::clock;
use crate::sys::object::Stat;

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// Something is there that wasn't.
    Appeared,
    /// It is gone.
    Vanished,
    /// Its type, mode, owner, content or attributes are others.
    Changed,
    /// It holds a change, and is no directory any more.
    NoDirectory,
}

/// A path that is not as the sandbox saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// Where.
    pub path: RootedPath,
    /// What happened to it.
    pub conflict: Conflict,
    /// What was expected and what is there, as far as that is known: `size 2 bytes, now 9; …`.
    detail: String,
    /// Whether the run's own is a mixture of both states, which nobody can want.
    pub mixed: bool,
}

/// All paths of a merge that are not as the sandbox saw them; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clashes(pub Vec<Clash>);

impl Clash {
    /// Something is there now.
    pub fn appeared(path: &RootedPath, there: &Stat) -> Clash {
        let kind = FileKind::from_mode(there.mode);
        let size = if kind == Some(FileKind::Regular) {
            format!(" of {}", bytes(there.size))
        } else {
            String::new()
        };
        let detail = format!("expected nothing, there is a {}{size}", word(kind));
        Clash { path: path.clone(), conflict: Conflict::Appeared, detail, mixed: false }
    }

    /// Nothing is there now.
    pub fn vanished(path: &RootedPath, expected: Option<FileKind>) -> Clash {
        let detail = format!("expected a {}", word(expected));
        Clash { path: path.clone(), conflict: Conflict::Vanished, detail, mixed: false }
    }

    /// A directory on the way to a change is none.
    pub fn no_directory(path: &RootedPath, there: Option<FileKind>) -> Clash {
        let there = there.map_or_else(|| "nothing".to_owned(), |kind| format!("a {}", word(Some(kind))));
        let detail = format!("expected a directory that holds what the run has changed, there is {there}");
        Clash { path: path.clone(), conflict: Conflict::NoDirectory, detail, mixed: false }
    }

    /// Another object, or the same one changed, by what two looks saw.
    pub fn drifted(path: &RootedPath, then: &Look, now: &Look, mixed: bool) -> Clash {
        let side = |look: &Look| Side {
            kind: look.kind(),
            permissions: look.mode & 0o7777,
            owner: look.owner,
            size: look.size,
            mtime: Some(look.mtime),
            object: Some(look.object),
            rest: (None, None),
        };
        let also = if mixed { "; the run has worked on both states" } else { "" };
        let detail = side(then).against(&side(now)) + also;
        Clash { path: path.clone(), conflict: Conflict::Changed, detail, mixed }
    }

    /// Another object, or the same one changed, by all that is compared.
    pub fn differs(path: &RootedPath, expected: &Attributes, there: &Attributes) -> Clash {
        let side = |attributes: &Attributes| Side {
            kind: Some(attributes.kind),
            permissions: attributes.mode & 0o7777,
            owner: (attributes.uid, attributes.gid),
            size: attributes.size,
            mtime: None,
            object: None,
            rest: (attributes.md5.clone(), attributes.target.clone()),
        };
        let detail = side(expected).against(&side(there));
        Clash { path: path.clone(), conflict: Conflict::Changed, detail, mixed: false }
    }
}

impl Clash {
    /// What happened, without the path: `has changed on the live root since the sandbox saw it: …`.
    pub fn how(&self) -> String {
        format!("it {} on the live root since the sandbox saw it: {}", self.conflict, self.detail)
    }
}

/// One side of a comparison, as far as it is known.
struct Side {
    kind: Option<FileKind>,
    permissions: u32,
    owner: (u32, u32),
    size: u64,
    mtime: Option<(i64, u32)>,
    object: Option<(u64, u64)>,
    /// The hash of its content, and its target.
    rest: (Option<String>, Option<String>),
}

impl Side {
    /// All that tells the two apart.
    fn against(&self, now: &Side) -> String {
        let (before, after) = (word(self.kind), word(now.kind));
        let mut parts = Vec::new();
        let mut differ = |differs: bool, part: String| parts.extend(differs.then_some(part));
        differ(before != after, format!("a {before}, now a {after}"));
        let replaced = self.object != now.object && before == after;
        differ(replaced, format!("the {before} that it saw, now another object"));
        // The size and the time of a directory are those of its names.
        let sized = self.kind != Some(FileKind::Directory) || before != after;
        differ(sized && self.size != now.size, format!("size {}, now {}", bytes(self.size), now.size));
        if let (true, Some(then), Some(now)) = (sized && self.mtime != now.mtime, self.mtime, now.mtime) {
            differ(true, format!("modified at {}, now at {}", clock::told(then), clock::told(now)));
        }
        differ(
            self.permissions != now.permissions,
            format!("mode {:04o}, now {:04o}", self.permissions, now.permissions),
        );
        let owner = |side: &Side| format!("{}:{}", side.owner.0, side.owner.1);
        differ(self.owner != now.owner, format!("owner {}, now {}", owner(self), owner(now)));
        let (content, target) = (self.rest.0 != now.rest.0, self.rest.1 != now.rest.1);
        differ(content && self.size == now.size, "other content of the same size".to_owned());
        differ(target && before == after, "another target".to_owned());
        if parts.is_empty() {
            parts.push("its attributes or its links".to_owned());
        }
        parts.join("; ")
    }
}

fn bytes(number: u64) -> String {
    format!("{number} byte{}", if number == 1 { "" } else { "s" })
}

fn word(kind: Option<FileKind>) -> &'static str {
    match kind {
        Some(FileKind::Regular) => "file",
        Some(FileKind::Directory) => "directory",
        Some(FileKind::Symlink) => "symbolic link",
        Some(FileKind::CharacterDevice | FileKind::BlockDevice) => "device",
        Some(FileKind::Fifo) => "named pipe",
        Some(FileKind::Socket) => "socket",
        None => "object",
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Conflict::Appeared => "has appeared",
            Conflict::Vanished => "has vanished",
            Conflict::Changed | Conflict::NoDirectory => "has changed",
        })
    }
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Clash { path, conflict, detail, mixed: _ } = self;
        write!(f, "{path} {conflict} on the live root since the sandbox saw it: {detail}")
    }
}

impl fmt::Display for Clashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, &self.0, "paths are not as the sandbox saw them:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_conflicts_are_told_one_by_one_and_then_counted() {
        let clash = |at: usize| {
            Clash::vanished(&RootedPath::new(format!("/etc/{at}")).unwrap(), Some(FileKind::Regular))
        };
        let told = |count: usize| Clashes((0..count).map(clash).collect()).to_string();
        let line = "/etc/0 has vanished on the live root since the sandbox saw it: expected a file";
        assert_eq!(told(1), line);
        assert_eq!(told(2).lines().next(), Some("2 paths are not as the sandbox saw them:"));
        assert_eq!((told(20).lines().count(), told(20).contains("more")), (21, false));
        assert_eq!((told(23).lines().count(), told(23).lines().last()), (22, Some("  and 3 more")));
    }
}
