//! What can keep a merge from happening, or from being whole. Not here: exit codes and hints.

use std::path::PathBuf;

use thiserror::Error;

use crate::model::attributes::FileKind;
use crate::model::look::Look;
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::sys::clock;
use crate::sys::files::FileError;
use crate::sys::tree::{Obstacle, TreeError};

/// A merge that was refused, could not be staged, or could not be finished.
#[derive(Debug, Error)]
pub enum MergeError {
    /// Something could not be read; nothing is changed.
    #[error(transparent)]
    Read(#[from] TreeError),
    /// The scratchpad no longer holds what the differences say; nothing is changed.
    #[error("the scratchpad has lost {path}")]
    Lost {
        /// The object.
        path: RootedPath,
    },
    /// The live root is no longer what the sandbox saw; nothing is changed.
    #[error("{path} {conflict} on the live root since the sandbox saw it{}", conflict.then_and_now())]
    Conflict {
        /// Where.
        path: RootedPath,
        /// What happened to it.
        conflict: Conflict,
    },
    /// The directory that holds a target is gone, or is no directory any more; nothing is changed.
    #[error("{parent}, which holds {path}, is no directory of the live root any more")]
    Parent {
        /// The target.
        path: RootedPath,
        /// Its directory.
        parent: RootedPath,
        /// What the system said.
        #[source]
        cause: TreeError,
    },
    /// A mount or a mark keeps an object as it is; nothing is changed.
    #[error("{path} cannot be changed: {}", obstacle_words(.obstacle))]
    Obstacle {
        /// The object.
        path: RootedPath,
        /// What keeps it.
        obstacle: Obstacle,
    },
    /// The file system is mounted read-only; nothing is changed.
    #[error("{path} cannot be changed: its file system is read-only")]
    ReadOnly {
        /// The object.
        path: RootedPath,
    },
    /// Replacing a directory would take disco's own home with it; nothing is changed.
    #[error("{path} cannot be removed: it holds {home}, where disco keeps its own files")]
    Home {
        /// The directory.
        path: RootedPath,
        /// disco's home.
        home: RootedPath,
    },
    /// Something new could not be made beside its place; nothing that shows is changed.
    #[error("could not stage {path}{}", remains(.left, "; could not be removed again"))]
    Stage {
        /// The target.
        path: RootedPath,
        /// What the system said.
        #[source]
        cause: TreeError,
        /// What was staged and could not be removed.
        left: Vec<RootedPath>,
    },
    /// The staged objects could not be brought to the disk; nothing that shows is changed.
    #[error("could not bring the staged files to the disk{}", remains(.left, "; could not be removed again"))]
    Sync {
        /// What the system said.
        #[source]
        cause: TreeError,
        /// What was staged and could not be removed.
        left: Vec<RootedPath>,
    },
    /// The journal could not be written or read, and nothing that shows is changed; or not be removed once all was merged, and
    /// the next live run does what was left to do.
    #[error("cannot keep the journal of the merge")]
    Journal(#[source] FileError),
    /// The journal of a merge that was stopped is damaged: what it says cannot be trusted.
    #[error("the journal {} of a merge that was stopped is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// There is no such merge that could be undone.
    #[error("run {0} has merged nothing that can be undone any more")]
    NoUndo(RunId),
    /// What a merge has made was changed since; nothing is changed.
    #[error("run {run} cannot be undone: {}", conflict_words(.conflicts))]
    UndoConflicts {
        /// The run.
        run: RunId,
        /// Where, and what happened to it.
        conflicts: Vec<(RootedPath, Conflict)>,
    },
    /// Something that disco has kept could not be removed.
    #[error("could not remove {path}")]
    Remove {
        /// Its folder.
        path: RootedPath,
    },
    /// No merge can be undone.
    #[error("there is no merge that can be undone")]
    NothingToUndo,
    /// The journal of a merge that was stopped is of a newer disco.
    #[error("the journal {} of a merge that was stopped is of a newer disco", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// A merge that was stopped cannot be finished.
    #[error("a merge that was stopped cannot be finished: could not merge {path}")]
    Recover {
        /// The target.
        path: RootedPath,
        /// What the system said.
        #[source]
        cause: TreeError,
    },
    /// A change could not be made; the ones before it were taken back.
    #[error("could not merge {path}; everything else was taken back{}", remains(.still, ", except"))]
    Apply {
        /// The target.
        path: RootedPath,
        /// What the system said.
        #[source]
        cause: TreeError,
        /// What could not be taken back and is merged still.
        still: Vec<RootedPath>,
        /// What was staged or set aside and could not be removed.
        left: Vec<RootedPath>,
    },
}

impl MergeError {
    /// The same, with what is left of what was staged.
    pub(super) fn leaving(self, remains: Vec<RootedPath>) -> MergeError {
        match self {
            MergeError::Stage { path, cause, left: _ } => MergeError::Stage { path, cause, left: remains },
            MergeError::Sync { cause, left: _ } => MergeError::Sync { cause, left: remains },
            other => other,
        }
    }
}

/// How the live root differs from what the sandbox saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// Something is there that wasn't.
    Appeared,
    /// It is gone.
    Vanished,
    /// Its type, mode, owner, content or attributes are others.
    Changed,
    /// The same, and it is known what it was at the first look and what it is.
    Drifted(Box<Drifted>),
}

/// An object as the sandbox saw it first, and as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drifted {
    /// What the sandbox saw.
    pub then: Look,
    /// What is there.
    pub now: Look,
}

impl Conflict {
    /// `: size 2 bytes, now 9; …`, all that tells the two apart; nothing where that is not known.
    fn then_and_now(&self) -> String {
        let Conflict::Drifted(drifted) = self else { return String::new() };
        let Drifted { then, now } = &**drifted;
        let word = |look: &Look| look.kind().map_or("object", kind_word);
        let permissions = |look: &Look| format!("{:04o}", look.mode & 0o7777);
        let owner = |look: &Look| format!("{}:{}", look.owner.0, look.owner.1);
        let sized = then.kind() != Some(FileKind::Directory) || now.kind() != then.kind();
        let mut parts = Vec::new();
        let mut differ = |differs: bool, part: String| parts.extend(differs.then_some(part));
        differ(word(then) != word(now), format!("a {}, now a {}", word(then), word(now)));
        let replaced = then.object != now.object && word(then) == word(now);
        differ(replaced, format!("the {} that it saw, now another object", word(then)));
        differ(sized && then.size != now.size, format!("size {} bytes, now {}", then.size, now.size));
        let (before, after) = (clock::told(then.mtime), clock::told(now.mtime));
        differ(sized && then.mtime != now.mtime, format!("modified at {before}, now at {after}"));
        let (was, is) = (permissions(then), permissions(now));
        differ(was != is, format!("mode {was}, now {is}"));
        differ(then.owner != now.owner, format!("owner {}, now {}", owner(then), owner(now)));
        if parts.is_empty() {
            parts.push("its attributes or its links".to_owned());
        }
        format!(": {}", parts.join("; "))
    }
}

fn kind_word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Regular => "file",
        FileKind::Directory => "directory",
        FileKind::Symlink => "symbolic link",
        FileKind::CharacterDevice | FileKind::BlockDevice => "device",
        FileKind::Fifo => "named pipe",
        FileKind::Socket => "socket",
    }
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Conflict::Appeared => "has appeared",
            Conflict::Vanished => "has vanished",
            Conflict::Changed | Conflict::Drifted(_) => "has changed",
        })
    }
}

fn conflict_words(conflicts: &[(RootedPath, Conflict)]) -> String {
    const MOST: usize = 20;
    let told = conflicts.iter().take(MOST).map(|(path, conflict)| format!("{path} {conflict} since"));
    let more = conflicts.len().saturating_sub(MOST);
    let rest = (more > 0).then(|| format!("{more} more"));
    told.chain(rest).collect::<Vec<_>>().join("; ")
}

fn obstacle_words(obstacle: &Obstacle) -> &'static str {
    match obstacle {
        Obstacle::MountPoint => "a file system is mounted on it",
        Obstacle::Immutable => "it is marked as immutable or append-only",
    }
}

/// `WORDS: a, b`, or nothing where there is nothing.
fn remains(paths: &[RootedPath], words: &str) -> String {
    if paths.is_empty() {
        return String::new();
    }
    let paths: Vec<String> = paths.iter().map(RootedPath::to_string).collect();
    format!("{words}: {}", paths.join(", "))
}
