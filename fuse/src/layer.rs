//! Decodes the upper layer for whoever compares and merges. It needs the directory alone, neither the mount
//! nor a running overlay.

use crate::lower::Under;
use crate::place::Place;
use crate::readdir::for_each;
use crate::{Result, Stat, whiteout, xattr};
use rustix::fs::{FileType, Mode, OFlags};
use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One object of the upper layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerEntry {
    /// Path relative to the root, without a leading slash; empty for the root itself, which is listed only
    /// when its own attributes were changed.
    pub path: PathBuf,
    /// What it does to the lower.
    pub kind: LayerKind,
    /// What it is.
    pub attributes: Stat,
    /// For a directory that was moved: the path at which the lower has what is in it. None is left after
    /// [`Overlay::bring_moved`](crate::Overlay::bring_moved).
    pub origin: Option<PathBuf>,
}

/// What an object of the upper layer does to the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// It says that the name is gone.
    Whiteout,
    /// It is a directory.
    Directory {
        /// Whether it replaces the directory of the lower instead of being laid over it.
        opaque: bool,
    },
    /// It replaces what the lower has.
    Other,
}

/// Returns what is in the directory `upper` of an overlay, sorted by the bytes of the path: every directory
/// comes before what is in it.
pub fn read_layer(upper: BorrowedFd<'_>) -> io::Result<Vec<LayerEntry>> {
    let root = Arc::new(upper.try_clone_to_owned()?);
    let mut entries = Vec::new();
    if xattr::has(&Place::Fd(root.clone()), xattr::CHANGED)? {
        let kind = LayerKind::Directory { opaque: false };
        entries.push(LayerEntry { path: PathBuf::new(), kind, attributes: Stat::of(&root)?, origin: None });
    }
    collect(&root, Path::new(""), &mut entries)?;
    entries.sort_unstable_by(|one, other| {
        one.path.as_os_str().as_bytes().cmp(other.path.as_os_str().as_bytes())
    });
    Ok(entries)
}

/// Decodes one object of the upper; `path` is what it is called.
pub(crate) fn decode(place: &Place, path: PathBuf) -> Result<LayerEntry> {
    let attributes = place.stat()?;
    let (kind, origin) = match attributes.kind() {
        FileType::Directory => match Under::of(place)? {
            Under::Same => (LayerKind::Directory { opaque: false }, None),
            Under::Nothing => (LayerKind::Directory { opaque: true }, None),
            Under::At(path) => (LayerKind::Directory { opaque: true }, Some(path)),
        },
        _ if whiteout::may_be(&attributes) && xattr::has(place, xattr::WHITEOUT)? => {
            (LayerKind::Whiteout, None)
        }
        _ => (LayerKind::Other, None),
    };
    Ok(LayerEntry { path, kind, attributes, origin })
}

pub(crate) fn collect(directory: &Arc<OwnedFd>, path: &Path, entries: &mut Vec<LayerEntry>) -> Result<()> {
    let mut names: Vec<OsString> = Vec::new();
    for_each(directory, |name, _, _| {
        names.push(name.to_owned());
        Ok(())
    })?;
    for name in names {
        let inside = path.join(&name);
        let entry = decode(&Place::new(directory, &name), inside.clone())?;
        let below = matches!(entry.kind, LayerKind::Directory { .. });
        entries.push(entry);
        if below {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let below = rustix::fs::openat(directory, &name, flags, Mode::empty())?;
            collect(&Arc::new(below), &inside, entries)?;
        }
    }
    Ok(())
}
