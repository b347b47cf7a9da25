//! Listings of the merged view. The place of an entry in a listing is a hash of its name, so that a reader
//! who goes on after others have changed the directory misses nothing that stayed and sees nothing twice.

use crate::node::{Layer, Node};
use crate::{Overlay, Result, Stat};
use rustix::fs::{FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// One entry of a directory.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Where a reader goes on after this entry.
    pub cookie: u64,
    pub name: Box<OsStr>,
    pub id: u64,
    pub kind: FileType,
}

/// A directory as it was when its reader began.
#[derive(Debug)]
pub(crate) struct Listing(Vec<Entry>);

impl Listing {
    fn after(&self, cookie: u64) -> &[Entry] {
        &self.0[self.0.partition_point(|entry| entry.cookie <= cookie)..]
    }
}

/// Returns the place of a name; 1 and 2 are those of `.` and `..`.
fn cookie(name: &OsStr) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    (hasher.finish() >> 2) + 3
}

impl Overlay {
    /// Hands entries after `offset` to `emit` until it says that there is room for no more.
    pub(crate) fn read_directory(
        &self,
        id: u64,
        offset: u64,
        mut emit: impl FnMut(&Entry) -> bool,
    ) -> Result<()> {
        let _tree = self.tree.read();
        let node = self.table.node(id)?;
        let listing = self.listing(&node, offset)?;
        for entry in listing.after(offset) {
            if emit(entry) {
                break;
            }
        }
        Ok(())
    }

    /// The same with the attributes of each entry; those that were taken are remembered by the kernel.
    pub(crate) fn read_directory_plus(
        &self,
        id: u64,
        offset: u64,
        mut emit: impl FnMut(&Entry, &Stat) -> bool,
    ) -> Result<()> {
        let _tree = self.tree.read();
        let node = self.table.node(id)?;
        let listing = self.listing(&node, offset)?;
        let mut taken = false;
        for entry in listing.after(offset) {
            let full = if entry.cookie <= 2 {
                emit(entry, &dot(entry.id))
            } else {
                match self.visible(&node, &entry.name) {
                    Ok(Some((child, stat))) => {
                        let stat = self.shown(&child, stat);
                        let full = emit(entry, &stat);
                        if !full {
                            child.remembered();
                        }
                        full
                    }
                    // Gone since the listing was made.
                    Ok(None) => false,
                    Err(errno) if !taken => return Err(errno),
                    // What was taken must be answered; the next request meets the error again.
                    Err(_) => true,
                }
            };
            if full {
                break;
            }
            taken = true;
        }
        Ok(())
    }

    /// Returns the listing that a reader at `offset` goes on with; a new one for whoever begins.
    fn listing(&self, node: &Arc<Node>, offset: u64) -> Result<Arc<Listing>> {
        let known = node.lock().listing().cloned().filter(|_| offset != 0);
        if let Some(listing) = known {
            if listing.after(offset).is_empty() {
                // The reader is through; nobody needs to keep it.
                node.lock().set_listing(None);
            }
            return Ok(listing);
        }
        // Somebody else is under way: what he was told before must not be taken for the end of what this one gets.
        self.names_changed(node);
        let listing = Arc::new(self.list(node)?);
        node.lock().set_listing(Some(listing.clone()));
        Ok(listing)
    }

    /// Notes that a directory has other names than somebody may just have been told in part. The kernel keeps what it is told
    /// when it was told all, and looks for a change only before it begins to read: who begins after a change, while another's
    /// reading is under way, would go on with what that one got.
    pub(crate) fn names_changed(&self, directory: &Node) {
        let under_way = directory.lock().take_listing();
        if under_way.is_some()
            && let Some(listener) = self.listener.get()
        {
            listener.0(directory.id);
        }
    }

    fn list(&self, node: &Arc<Node>) -> Result<Listing> {
        let _stripe = self.stripe(node);
        let (layer, orphan) = {
            let inner = node.lock();
            (inner.layer, inner.names.is_empty() && !node.is_root())
        };
        let above = match node.any_name() {
            Some((parent, _)) => parent.id,
            None => node.id,
        };
        let directory = FileType::Directory;
        let mut entries = vec![
            Entry { cookie: 1, name: OsStr::new(".").into(), id: node.id, kind: directory },
            Entry { cookie: 2, name: OsStr::new("..").into(), id: above, kind: directory },
        ];
        let (upper, lower) = match layer {
            Layer::Sealed => (false, false),
            Layer::Upper => (true, false),
            Layer::Merged => (true, true),
            Layer::Lower => (false, true),
            Layer::Indexed | Layer::Shim(_) => return Err(Errno::NOTDIR),
        };
        if !node.is_dir() {
            return Err(Errno::NOTDIR);
        }
        let mut known: HashSet<OsString> = HashSet::new();
        if upper && !orphan {
            let fd = self.upper_of(node)?;
            for_each(&fd, |name, ino, kind| {
                if lower {
                    known.insert(name.to_owned());
                }
                if self.hides(&fd, name, ino, kind)? {
                    return Ok(());
                }
                let id = self.ids.upper(ino);
                entries.push(Entry { cookie: cookie(name), name: name.into(), id, kind });
                Ok(())
            })?;
        }
        if lower && !orphan {
            let directory = self.lower_of(node)?;
            let parts = directory.parts();
            for (number, part) in parts.iter().enumerate() {
                let mount = self.mounts.of(&Stat::of(&part.fd)?, || Ok(part.fd.as_ref()))?;
                for_each(&part.fd, |name, ino, kind| {
                    if known.contains(name) {
                        return Ok(());
                    }
                    if number + 1 < parts.len() {
                        known.insert(name.to_owned());
                    }
                    if part.may_hide() && kind == FileType::RegularFile {
                        match Stat::at(&part.fd, name) {
                            Ok(stat) if part.hides(name, &stat)? => return Ok(()),
                            Ok(_) => {}
                            Err(Errno::NOENT) => return Ok(()),
                            Err(errno) => return Err(errno),
                        }
                    }
                    let id = self.ids.lower(mount.index, ino);
                    entries.push(Entry { cookie: cookie(name), name: name.into(), id, kind });
                    Ok(())
                })?;
            }
        }
        entries.sort_unstable_by_key(|entry| entry.cookie);
        Ok(Listing(entries))
    }

    /// Whether an entry of the upper is a whiteout.
    pub(crate) fn hides(
        &self,
        directory: &Arc<OwnedFd>,
        name: &OsStr,
        ino: u64,
        kind: FileType,
    ) -> Result<bool> {
        if self.listed_inodes && self.whiteouts.are_all_known() {
            return Ok(self.whiteouts.is_inode(ino));
        }
        if kind != FileType::RegularFile {
            return Ok(false);
        }
        match Stat::at(directory, name) {
            Ok(stat) => self.whiteouts.is_whiteout(directory, name, &stat),
            Err(Errno::NOENT) => Ok(true),
            Err(errno) => Err(errno),
        }
    }

    /// Whether the merged view of a directory, in both layers, has no entries.
    pub(crate) fn is_empty(&self, node: &Arc<Node>) -> Result<bool> {
        Ok(self.list(node)?.0.len() <= 2)
    }

    /// Returns the names in a directory of the merged view.
    pub(crate) fn names_in(&self, node: &Arc<Node>) -> Result<Vec<Box<OsStr>>> {
        Ok(self.list(node)?.0.into_iter().skip(2).map(|entry| entry.name).collect())
    }
}

/// What is said of `.` and `..`: readers look at the number and the type alone.
fn dot(id: u64) -> Stat {
    Stat {
        dev: 0,
        ino: id,
        mode: 0o040_755,
        uid: 0,
        gid: 0,
        size: 0,
        atime: 0,
        atime_nsec: 0,
        mtime: 0,
        mtime_nsec: 0,
        ctime: 0,
        ctime_nsec: 0,
        rdev: 0,
        nlink: 1,
        blocks: 0,
        blksize: 4096,
        mount: 0,
    }
}

/// Calls `each` with the name, the inode and the type of every entry of a directory.
pub(crate) fn for_each(
    directory: &OwnedFd,
    mut each: impl FnMut(&OsStr, u64, FileType) -> Result<()>,
) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = rustix::fs::openat(directory, c".", flags, Mode::empty())?;
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut entries = RawDir::new(&open, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let name = OsStr::from_bytes(name.to_bytes());
        let kind = match entry.file_type() {
            FileType::Unknown => match Stat::at(directory, name) {
                Ok(stat) => stat.kind(),
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno),
            },
            kind => kind,
        };
        each(name, entry.ino(), kind)?;
    }
    Ok(())
}
