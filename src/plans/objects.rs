//! What a scratchpad holds, as far as a merge of its differences needs it, as plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::model::attributes::FileKind;
use crate::model::change::{ChangeKind, ChangeSet};
use crate::model::layer::{LayerEntry, LayerKind};
use crate::model::path::RootedPath;
use crate::plans::standing::cannot_read;
use crate::plans::{PlanFileError, digest};
use crate::sys::metadata::{self, IsPrivate, Metadata};
use crate::sys::sparse;
use crate::sys::tree::{Object, Root};

/// One object of the scratchpad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Where.
    pub path: RootedPath,
    /// What.
    pub what: What,
}

/// What the scratchpad holds at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The word that the live object is gone.
    Whiteout,
    /// A directory; an opaque one hides all that the live one holds.
    Directory {
        /// Whether it does.
        opaque: bool,
        /// What it is.
        metadata: Metadata,
    },
    /// A regular file.
    File {
        /// What it is.
        metadata: Metadata,
        /// How many bytes it has.
        size: u64,
        /// sha256 of them, in hex.
        sha256: String,
        /// Where it has data, from and to, ascending; the rest are holes.
        data: Vec<(u64, u64)>,
    },
    /// A symbolic link.
    Symlink {
        /// What it is.
        metadata: Metadata,
        /// What it says.
        target: OsString,
    },
    /// A named pipe or a device node.
    Special {
        /// What it is, its type included.
        metadata: Metadata,
        /// Major and minor number of a device node.
        rdev: (u32, u32),
    },
    /// One more name of an object that comes before it.
    Link {
        /// That object.
        to: RootedPath,
    },
}

impl What {
    /// How much data a file has in the archive; none for everything that has no content there.
    pub fn data_size(&self) -> Option<u64> {
        match self {
            What::File { data, .. } if !data.is_empty() => {
                Some(data.iter().map(|(start, end)| end.saturating_sub(*start)).fold(0, u64::saturating_add))
            }
            What::File { .. }
            | What::Whiteout
            | What::Directory { .. }
            | What::Symlink { .. }
            | What::Special { .. }
            | What::Link { .. } => None,
        }
    }

    /// The scratchpad's word for it.
    pub fn kind(&self) -> LayerKind {
        match self {
            What::Whiteout => LayerKind::Whiteout,
            What::Directory { opaque, .. } => LayerKind::Directory { opaque: *opaque },
            What::File { .. } | What::Symlink { .. } | What::Special { .. } | What::Link { .. } => {
                LayerKind::Object
            }
        }
    }
}

/// The list of a scratchpad as the merge reads it.
pub fn entries(objects: &[Stored]) -> Vec<LayerEntry> {
    let entry =
        |stored: &Stored| LayerEntry { path: stored.path.clone(), kind: stored.what.kind(), stamp: None };
    objects.iter().map(entry).collect()
}

/// What of a scratchpad a merge of these differences needs: what differs, and what is one file with something that does. What
/// was only opened in the sandbox stays out.
pub fn of_layer(
    changes: &ChangeSet,
    entries: &[LayerEntry],
    upper: &Root,
    private: IsPrivate<'_>,
) -> Result<Vec<Stored>, PlanFileError> {
    let changed: BTreeSet<&RootedPath> = changes.0.iter().map(|change| &change.path).collect();
    let linked = linked(&changed, entries, upper)?;
    let mut first: BTreeMap<(u64, u64), RootedPath> = BTreeMap::new();
    let mut objects = Vec::new();
    for entry in entries {
        if !changed.contains(&entry.path) && !linked.contains(&entry.path) {
            continue;
        }
        let path = entry.path.clone();
        if entry.kind == LayerKind::Whiteout {
            objects.push(Stored { path, what: What::Whiteout });
            continue;
        }
        let object = upper.lookup(&path)?.ok_or_else(|| PlanFileError::Lost(path.clone()))?;
        let inode = (object.stat().device, object.stat().inode);
        if object.kind() != FileKind::Directory
            && let Some(to) = first.get(&inode)
        {
            objects.push(Stored { path, what: What::Link { to: to.clone() } });
            continue;
        }
        if let Some(what) = stored(&path, &object, entry.kind, private)? {
            first.insert(inode, path.clone());
            objects.push(Stored { path, what });
        }
    }
    objects.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(objects)
}

/// All names of the objects that have several, one of which is changed.
fn linked(
    changed: &BTreeSet<&RootedPath>,
    entries: &[LayerEntry],
    upper: &Root,
) -> Result<BTreeSet<RootedPath>, PlanFileError> {
    let mut names: BTreeMap<(u64, u64), Vec<&RootedPath>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.kind == LayerKind::Object) {
        let object = upper.lookup(&entry.path)?;
        let object = object.ok_or_else(|| PlanFileError::Lost(entry.path.clone()))?;
        if object.stat().links > 1 && object.kind() != FileKind::Socket {
            names.entry((object.stat().device, object.stat().inode)).or_default().push(&entry.path);
        }
    }
    let groups = names.into_values().filter(|group| group.iter().any(|path| changed.contains(path)));
    Ok(groups.flatten().cloned().collect())
}

/// An object with all that it is; none for a socket, which never merges.
fn stored(
    path: &RootedPath,
    object: &Object,
    kind: LayerKind,
    private: IsPrivate<'_>,
) -> Result<Option<What>, PlanFileError> {
    let metadata = metadata::metadata(object, private)?;
    Ok(Some(match object.kind() {
        FileKind::Directory => {
            What::Directory { opaque: kind == LayerKind::Directory { opaque: true }, metadata }
        }
        FileKind::Regular => {
            let (file, size) = (object.read()?, object.stat().size);
            let data = sparse::data(&file, size).map_err(cannot_read(path))?;
            let sha256 = digest::sha256_of(object.read()?).map_err(cannot_read(path))?;
            What::File { metadata, size, sha256, data }
        }
        FileKind::Symlink => What::Symlink { metadata, target: object.target()? },
        FileKind::CharacterDevice | FileKind::BlockDevice | FileKind::Fifo => {
            What::Special { metadata, rdev: object.stat().rdev }
        }
        FileKind::Socket => return Ok(None),
    }))
}

/// Whether a path of the differences is one of which the plan has an object.
pub(super) fn has_object(kind: &ChangeKind) -> bool {
    match kind {
        ChangeKind::Created { after } | ChangeKind::Modified { after, .. } => after.kind != FileKind::Socket,
        ChangeKind::Deleted { .. } => false,
    }
}
