//! Attributes of a node as the mount shows them, and their changes. Extended attributes are elsewhere.

use crate::copy_up::Content;
use crate::node::{Layer, Node};
use crate::place::{Place, Time};
use crate::{Overlay, Result, Stat};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// What a request changes; `None` is left alone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Change {
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    /// Whether the size is that of a file that the caller has open: the kernel does not look it up again.
    pub open: bool,
    pub atime: Option<Time>,
    pub mtime: Option<Time>,
    /// Whether the time of the last change is told as well: the kernel keeps the times itself, as it does with gathered writes.
    pub told: bool,
    /// Whether the caller may keep set-id bits over a truncation.
    pub privileged: bool,
}

impl Overlay {
    /// Returns what the mount shows of an object that was looked at as `stat`.
    pub(crate) fn shown(&self, node: &Arc<Node>, mut stat: Stat) -> Stat {
        stat.ino = node.id;
        let (layer, orphan) = {
            let inner = node.lock();
            (inner.layer, inner.names.is_empty() && !node.is_root())
        };
        match layer {
            // How many directories two layers have together is not known without reading them; 1 is what
            // tools take for "do not rely on it".
            Layer::Merged if !orphan => stat.nlink = 1,
            Layer::Lower | Layer::Merged if orphan && (stat.is_dir() || stat.nlink == 1) => stat.nlink = 0,
            Layer::Lower if stat.nlink > 1 && !stat.is_dir() => {
                stat.nlink = stat.nlink.saturating_sub(self.links.count_removed(node.id));
            }
            Layer::Indexed => stat.nlink = stat.nlink.saturating_sub(1) + self.links.unseen(node.id),
            Layer::Shim(_) if orphan => stat.nlink = 0,
            Layer::Lower | Layer::Upper | Layer::Merged | Layer::Sealed | Layer::Shim(_) => {}
        }
        stat
    }

    /// Returns the attributes of a node, with the number that the mount gives it.
    pub(crate) fn get_attributes(&self, id: u64) -> Result<Stat> {
        let _tree = self.tree.read();
        let node = self.table.node(id)?;
        let stat = self.look(&node)?;
        Ok(self.shown(&node, stat))
    }

    /// Looks at the node's object.
    pub(crate) fn look(&self, node: &Arc<Node>) -> Result<Stat> {
        match node.layer() {
            Layer::Shim(index) => Ok(self.shims.stat(index)),
            _ => self.place(node)?.stat(),
        }
    }

    /// Changes attributes and returns them all. On a shim they are those of the file that has the name.
    pub(crate) fn set_attributes(&self, id: u64, change: &Change) -> Result<Stat> {
        let _tree = self.tree.read();
        let asked = self.table.node(id)?;
        if let Some(stat) = self.as_it_is(&asked, change)? {
            return Ok(self.shown(&asked, stat));
        }
        if let (Some(_), Layer::Shim(index)) = (change.size, asked.layer()) {
            let again = self.reveal(&asked);
            if !change.open {
                return Err(again);
            }
            self.shims.truncated(index);
        }
        let node = self.real(self.table.node(id)?)?;
        let content = if change.size == Some(0) { Content::Nothing } else { Content::All };
        self.copy_up(&node, content)?;
        self.touch(&node);
        let place = self.place(&node)?;
        if let Some(size) = change.size {
            self.truncate(&node, &place, size)?;
            if !change.privileged {
                drop_set_ids(&place)?;
            }
        }
        if change.uid.is_some() || change.gid.is_some() {
            place.chown(change.uid, change.gid)?;
        }
        if let Some(mode) = change.mode {
            if node.kind == FileType::Symlink {
                return Err(Errno::OPNOTSUPP);
            }
            place.chmod(mode)?;
        }
        if change.atime.is_some() || change.mtime.is_some() {
            place.set_times(change.atime, change.mtime)?;
        }
        self.note_changed(&node)?;
        let mut stat = self.look(&asked)?;
        if let Some(size) = change.size {
            // Of a shim that was open, too: its reader goes on with the file behind it.
            stat.size = size;
        }
        Ok(self.shown(&asked, stat))
    }

    /// Returns the attributes of an object for which a change changes nothing. A kernel that keeps the times of files
    /// itself tells them after each removal, link and rename too: that is no reason to copy an object up, and
    /// nobody sees the times of one that has no name.
    fn as_it_is(&self, node: &Arc<Node>, change: &Change) -> Result<Option<Stat>> {
        let Change {
            mode: None,
            uid: None,
            gid: None,
            size: None,
            atime: None,
            mtime: Some(mtime),
            told: true,
            ..
        } = *change
        else {
            return Ok(None);
        };
        if node.kind != FileType::RegularFile || matches!(node.layer(), Layer::Shim(_)) {
            return Ok(None);
        }
        let stat = self.look(node)?;
        let kept = mtime == Time::At(stat.mtime, stat.mtime_nsec) || node.lock().names.is_empty();
        Ok(kept.then_some(stat))
    }

    fn truncate(&self, node: &Arc<Node>, place: &Place, size: u64) -> Result<()> {
        match node.kind {
            FileType::RegularFile => {}
            FileType::Directory => return Err(Errno::ISDIR),
            _ => return Err(Errno::INVAL),
        }
        let opened = node.lock().opened().filter(|o| o.writable).map(|o| o.file.clone());
        match opened {
            Some(file) => rustix::fs::ftruncate(&file, size),
            None => rustix::fs::ftruncate(place.open(OFlags::WRONLY)?, size),
        }
    }

    /// Returns the target of a symlink.
    pub(crate) fn read_link(&self, id: u64) -> Result<Vec<u8>> {
        let _tree = self.tree.read();
        let node = self.table.node(id)?;
        if node.kind != FileType::Symlink {
            return Err(Errno::INVAL);
        }
        self.place(&node)?.readlink().map(|target| target.into_bytes())
    }

    /// Returns the room of the file system that takes the changes.
    pub(crate) fn room(&self) -> Result<rustix::fs::StatVfs> {
        let upper: &OwnedFd = &self.upper;
        rustix::fs::fstatvfs(upper)
    }
}

/// Takes the set-id bits from a file, as a write by somebody without privilege does.
pub(crate) fn drop_set_ids(place: &Place) -> Result<()> {
    let mode = place.stat()?.permissions();
    // Set-group-id without the right to execute once meant mandatory locking, and is kept.
    let drop = if mode & 0o010 == 0 { 0o4000 } else { 0o6000 };
    if mode & drop != 0 { place.chmod(mode & !drop) } else { Ok(()) }
}
