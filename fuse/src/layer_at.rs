//! Decodes parts of the upper layer: the same as [`read_layer`](crate::read_layer), for whoever knows where to look.

use crate::layer::{LayerEntry, LayerKind, collect, decode};
use crate::place::Place;
use crate::{Result, xattr};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is opened at once of a path: the kernel takes no longer ones than 4096 bytes.
const PIECE: usize = 2048;

/// Returns what the layer has at one path, relative to the root; `None` where it has nothing, also for the root itself when
/// its own attributes are unchanged.
pub fn read_layer_at(upper: BorrowedFd<'_>, path: &Path) -> io::Result<Option<LayerEntry>> {
    let Some(name) = path.file_name() else {
        let root = Place::Fd(Arc::new(upper.try_clone_to_owned()?));
        return match xattr::has(&root, xattr::CHANGED)? {
            true => Ok(Some(decode(&root, PathBuf::new())?)),
            false => Ok(None),
        };
    };
    let found = enter(upper, path.parent().unwrap_or(Path::new("")))
        .and_then(|directory| decode(&Place::new(&directory, name), path.to_owned()));
    match found {
        Ok(entry) => Ok(Some(entry)),
        Err(errno) if is_nothing(errno) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Returns what the layer has at a path and below it, sorted by the bytes of the path.
pub fn read_layer_within(upper: BorrowedFd<'_>, path: &Path) -> io::Result<Vec<LayerEntry>> {
    if path.as_os_str().is_empty() {
        return crate::read_layer(upper);
    }
    let mut entries: Vec<_> = read_layer_at(upper, path)?.into_iter().collect();
    if entries.iter().any(|entry| matches!(entry.kind, LayerKind::Directory { .. })) {
        collect(&enter(upper, path)?, path, &mut entries)?;
    }
    entries.sort_unstable_by(|one, other| {
        one.path.as_os_str().as_bytes().cmp(other.path.as_os_str().as_bytes())
    });
    Ok(entries)
}

/// Opens a directory of the upper.
fn enter(upper: BorrowedFd<'_>, path: &Path) -> Result<Arc<OwnedFd>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
    let mut at = rustix::fs::openat(upper, c".", flags, Mode::empty())?;
    let mut piece = PathBuf::new();
    let mut names = path.iter().peekable();
    while let Some(name) = names.next() {
        piece.push(name);
        if names.peek().is_none_or(|next: &&OsStr| piece.as_os_str().len() + next.len() > PIECE) {
            at = rustix::fs::openat2(&at, &piece, flags, Mode::empty(), beneath)?;
            piece.clear();
        }
    }
    Ok(Arc::new(at))
}

/// Whether an error says that there is no such path.
fn is_nothing(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
}
