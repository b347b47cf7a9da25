//! Copy-up: brings an object of the lower into the upper before it is changed. It is made whole in the work
//! directory and moved into place in one step; nothing is synced, because a scratch can be thrown away.

use crate::links::Links;
use crate::node::{Layer, Node, Opened};
use crate::place::Place;
use crate::seen::Copied;
use crate::touched::Extent;
use crate::{Overlay, Result, Stat, content, xattr};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// What of a file's content is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    All,
    /// The caller is going to empty the file.
    Nothing,
}

/// A copy that is complete but not in place.
struct Copy {
    name: String,
    stat: Stat,
    /// Of which state it is, where it has its content.
    copied: Option<Copied>,
    file: Option<File>,
}

impl Overlay {
    /// Makes sure that the node's object is in the upper. The caller holds the tree, and no stripe.
    pub(crate) fn copy_up(&self, node: &Arc<Node>, what: Content) -> Result<()> {
        match node.layer() {
            Layer::Upper | Layer::Merged => return Ok(()),
            // Whoever brought it may still be linking its names, or have failed to.
            Layer::Indexed => return self.materialise_all(node),
            Layer::Sealed => return Err(Errno::ROFS),
            Layer::Shim(_) => return Err(Errno::STALE),
            // One that was removed while somebody has it open goes the way of a file.
            Layer::Lower if node.is_dir() && node.any_name().is_some() => return self.ensure_upper(node),
            Layer::Lower => {}
        }
        if let Some((parent, _)) = node.any_name() {
            self.ensure_upper(&parent)?;
        }
        {
            let copying = node.copying.lock();
            if node.layer() != Layer::Lower {
                drop(copying);
                return self.copy_up(node, what);
            }
            let from = self.place(node)?;
            let stat = from.stat()?;
            if stat.kind() != node.kind {
                return Err(Errno::STALE);
            }
            // A file that is open without a name may have others that nobody has looked up.
            let several = stat.nlink > 1 && !stat.is_dir();
            let elsewhere = several && self.links.count_removed(node.id) < stat.nlink;
            if elsewhere {
                // Before anything changes: this is what can fail, and takes long.
                self.find_names(node, &stat)?;
            }
            let copy = self.make_copy(&from, &stat, what)?;
            match node.any_name() {
                _ if elsewhere => self.install_index(node, copy, &stat)?,
                Some((parent, name)) => self.install(node, &parent, &name, copy, &stat)?,
                None => self.install_orphan(node, copy)?,
            }
        }
        match node.layer() {
            Layer::Indexed => self.materialise_all(node),
            _ => Ok(()),
        }
    }

    /// Makes sure that a directory is in the upper, and all above it. The caller holds no stripe.
    pub(crate) fn ensure_upper(&self, directory: &Arc<Node>) -> Result<()> {
        match directory.layer() {
            Layer::Upper | Layer::Merged => return Ok(()),
            Layer::Sealed => return Err(Errno::ROFS),
            Layer::Indexed | Layer::Shim(_) => return Err(Errno::NOTDIR),
            Layer::Lower => {}
        }
        let (parent, _) = directory.any_name().ok_or(Errno::NOENT)?;
        self.ensure_upper(&parent)?;
        let _copying = directory.copying.lock();
        if directory.layer() != Layer::Lower {
            return Ok(());
        }
        let (parent, name) = directory.any_name().ok_or(Errno::NOENT)?;
        let from = self.place(directory)?;
        let stat = from.stat()?;
        if !stat.is_dir() {
            return Err(Errno::STALE);
        }
        let copy = self.make_copy(&from, &stat, Content::All)?;
        self.install(directory, &parent, &name, copy, &stat)
    }

    /// Moves a copy to its name, which must still be the node's, and makes the node use it.
    fn install(
        &self,
        node: &Arc<Node>,
        parent: &Arc<Node>,
        name: &OsStr,
        copy: Copy,
        stat: &Stat,
    ) -> Result<()> {
        let _stripe = self.stripe(parent);
        if node.lock().names.is_empty() {
            return self.install_orphan(node, copy);
        }
        let directory = self.upper_of(parent)?;
        let times = Place::Fd(directory.clone());
        let before = times.stat()?;
        let flags = RenameFlags::NOREPLACE;
        rustix::fs::renameat_with(&self.work, &copy.name, &directory, name, flags)?;
        times.restore_times(&before)?;
        self.ids.copied(copy.stat.ino, node.id);
        self.note_base(parent, name, stat, copy.copied);
        self.touch_name(parent, name, Extent::Itself);
        let layer = if node.is_dir() { Layer::Merged } else { Layer::Upper };
        switch(node, layer, copy.file, None);
        self.note_copied(node);
        Ok(())
    }

    /// Moves a copy to the index; its names are linked afterwards, when the node's lock is free.
    fn install_index(&self, node: &Arc<Node>, copy: Copy, stat: &Stat) -> Result<()> {
        rustix::fs::renameat(&self.work, &copy.name, &self.index, Links::name(node.id))?;
        self.ids.copied(copy.stat.ino, node.id);
        self.links.index(node.id, stat.nlink);
        switch(node, Layer::Indexed, copy.file, None);
        self.note_copied(node);
        Ok(())
    }

    /// Gives an object without a name, which is still open, a copy without a name.
    fn install_orphan(&self, node: &Arc<Node>, copy: Copy) -> Result<()> {
        let pin = Place::new(&self.work, OsStr::new(&copy.name)).pin()?;
        rustix::fs::unlinkat(&self.work, &copy.name, removal(node.is_dir()))?;
        switch(node, Layer::Upper, copy.file, Some(pin));
        Ok(())
    }

    /// Makes a whole copy in the work directory; leaves nothing behind when it fails.
    fn make_copy(&self, from: &Place, stat: &Stat, what: Content) -> Result<Copy> {
        let name = self.temporary_name();
        let to = Place::new(&self.work, OsStr::new(&name));
        let made = self.make_object(from, stat, what, &name).and_then(|file| {
            self.copy_metadata(from, stat, &to)?;
            let copy = to.stat()?;
            let copied = match what {
                Content::All => Some(Copied { of: stat.into(), length: copy.size }),
                Content::Nothing => None,
            };
            Ok(Copy { stat: copy, copied, name: name.clone(), file })
        });
        if made.is_err() {
            // The error that stopped the copy is the one to report; a leftover in the work directory is
            // seen by nobody.
            let _ = rustix::fs::unlinkat(&self.work, &name, removal(stat.is_dir()));
        }
        made
    }

    fn make_object(&self, from: &Place, stat: &Stat, what: Content, name: &str) -> Result<Option<File>> {
        match stat.kind() {
            FileType::RegularFile => {
                let source = from.open(OFlags::RDONLY)?;
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
                let target: OwnedFd = rustix::fs::openat(&self.work, name, flags, Mode::RUSR | Mode::WUSR)?;
                let target = File::from(target);
                if what == Content::All {
                    // A sparse file takes fewer blocks than it is long.
                    self.charge(stat.size.min(stat.blocks * 512))?;
                    content::copy(&source, &target, stat)?;
                }
                Ok(Some(target))
            }
            FileType::Directory => rustix::fs::mkdirat(&self.work, name, Mode::RWXU).map(|()| None),
            FileType::Symlink => rustix::fs::symlinkat(from.readlink()?, &self.work, name).map(|()| None),
            kind => {
                rustix::fs::mknodat(&self.work, name, kind, Mode::RUSR | Mode::WUSR, stat.rdev).map(|()| None)
            }
        }
    }

    /// Copies owner, attributes, mode and times, in the order in which one does not undo another.
    pub(crate) fn copy_metadata(&self, from: &Place, stat: &Stat, to: &Place) -> Result<()> {
        to.chown(Some(stat.uid), Some(stat.gid))?;
        xattr::copy(from, to)?;
        if stat.kind() != FileType::Symlink {
            to.chmod(stat.permissions())?;
        }
        to.restore_times(stat)
    }
}

/// Returns how something is removed.
fn removal(directory: bool) -> AtFlags {
    if directory { AtFlags::REMOVEDIR } else { AtFlags::empty() }
}

/// Makes a node use its copy: whoever has it open reads and writes the copy from now on.
fn switch(node: &Node, layer: Layer, file: Option<File>, pin: Option<Arc<OwnedFd>>) {
    let mut inner = node.lock();
    inner.layer = layer;
    inner.set_pin(pin);
    if let (Some(_), Some(file)) = (inner.opened(), file) {
        inner.set_opened(Some(Opened { file: Arc::new(file), writable: true }));
    }
}
