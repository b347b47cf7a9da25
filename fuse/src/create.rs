//! New names: files, directories, nodes, symlinks, and further links of what is there.

use crate::copy_up::Content;
use crate::links::Links;
use crate::node::{Hold, Layer};
use crate::place::Place;
use crate::touched::Extent;
use crate::{Overlay, Result, Stat, xattr};
use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

const SET_GROUP_ID: u32 = 0o2000;

/// Who makes something, and with which mode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maker {
    pub uid: u32,
    pub gid: u32,
    /// As asked for, before the mask.
    pub mode: u32,
    pub umask: u32,
}

impl Overlay {
    /// Makes a regular file.
    pub(crate) fn create(&self, parent: u64, name: &OsStr, maker: Maker) -> Result<(Hold<'_>, Stat)> {
        let maker = Maker { mode: maker.mode & 0o7777 | FileType::RegularFile.as_raw_mode(), ..maker };
        self.make_node(parent, name, maker, 0)
    }

    /// Makes a file, a device, a fifo or a socket.
    pub(crate) fn make_node(
        &self,
        parent: u64,
        name: &OsStr,
        maker: Maker,
        device: u64,
    ) -> Result<(Hold<'_>, Stat)> {
        let kind = match FileType::from_raw_mode(maker.mode) {
            FileType::Unknown => FileType::RegularFile,
            kind => kind,
        };
        self.make(parent, name, maker, |directory, name| {
            rustix::fs::mknodat(directory, name, kind, Mode::from_raw_mode(maker.mode & 0o7777), device)
        })
    }

    /// Makes a directory.
    pub(crate) fn make_directory(&self, parent: u64, name: &OsStr, maker: Maker) -> Result<(Hold<'_>, Stat)> {
        self.make(parent, name, maker, |directory, name| {
            rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(maker.mode & 0o7777))
        })
    }

    /// Makes a symlink.
    pub(crate) fn make_symlink(
        &self,
        parent: u64,
        name: &OsStr,
        target: &OsStr,
        maker: Maker,
    ) -> Result<(Hold<'_>, Stat)> {
        self.make(parent, name, maker, |directory, name| {
            rustix::fs::symlinkat(target.as_bytes(), directory, name)
        })
    }

    /// Makes something with `create`, which gets a directory and a name in it, and sees to owner and mode.
    fn make(
        &self,
        parent: u64,
        name: &OsStr,
        maker: Maker,
        create: impl Fn(&OwnedFd, &OsStr) -> Result<()>,
    ) -> Result<(Hold<'_>, Stat)> {
        let _tree = self.tree.read();
        let parent = self.table.node(parent)?;
        let free = self.free(&parent, name)?;
        self.touch_name(&parent, name, Extent::Itself);
        let stat = self.put(&free, |directory, at| {
            create(directory, at)?;
            let place = Place::new(directory, at);
            self.adopt(&free.directory, &place, maker)?;
            if free.hidden && place.stat()?.is_dir() {
                xattr::set(&place, xattr::UNDER, b"", 0)?;
            }
            place.stat()
        })?;
        let id = self.ids.born(stat.ino, |id| self.table.contains(id));
        self.drop_descriptors(id);
        let node = self.intern(id, Layer::Upper, &stat);
        node.add_name(&parent, name);
        self.names_changed(&parent);
        let stat = self.shown(&node, stat);
        Ok((node, stat))
    }

    /// Gives a new object the owner, the group and the mode that a local file system would have given it.
    fn adopt(&self, directory: &Arc<OwnedFd>, place: &Place, maker: Maker) -> Result<()> {
        let parent = Stat::of(directory)?;
        let stat = place.stat()?;
        let inherits = parent.mode & SET_GROUP_ID != 0;
        let gid = if inherits { parent.gid } else { maker.gid };
        let owned = (stat.uid, stat.gid) == (maker.uid, gid);
        if !owned {
            place.chown(Some(maker.uid), Some(gid))?;
        }
        if stat.kind() == FileType::Symlink {
            return Ok(());
        }
        let mut wanted = maker.mode & 0o7777 & !maker.umask;
        if stat.is_dir() {
            wanted = wanted & !SET_GROUP_ID | if inherits { SET_GROUP_ID } else { 0 };
        }
        // A default list of the directory rules instead of the mask, and the file system has applied it.
        if stat.permissions() != wanted
            && xattr::has(&Place::Fd(directory.clone()), c"system.posix_acl_default")?
        {
            // It was perhaps made aside, in a directory that passes on the list alone.
            wanted = stat.permissions() & !SET_GROUP_ID | wanted & SET_GROUP_ID;
        }
        // Changing the owner takes set-id bits away.
        if stat.permissions() != wanted || (!owned && wanted & 0o6000 != 0) {
            place.chmod(wanted)?;
        }
        Ok(())
    }

    /// Gives an object one more name; for a shim it is the file that has the name.
    pub(crate) fn make_link(&self, id: u64, parent: u64, name: &OsStr) -> Result<(Hold<'_>, Stat)> {
        let _tree = self.tree.read();
        let node = self.real(self.table.node(id)?)?;
        let parent = self.table.node(parent)?;
        if node.is_dir() {
            return Err(Errno::PERM);
        }
        if let Some((directory, _)) = node.any_name() {
            self.within_a_mount(&directory, &parent)?;
        }
        self.copy_up(&node, Content::All)?;
        let free = self.free(&parent, name)?;
        self.touch_name(&parent, name, Extent::Itself);
        // One that has lost the names that are known may have others.
        let from = match node.layer() {
            Layer::Indexed => Place::new(&self.index, OsStr::new(&Links::name(node.id))),
            _ => self.place(&node)?,
        };
        self.put(&free, |directory, at| match &from {
            Place::In(from, old) => {
                rustix::fs::linkat(from, old.as_os_str(), directory, at, AtFlags::empty())?;
                Place::new(directory, at).stat()
            }
            // Only a file without any name is reached by a descriptor; the kernel allows no link to it.
            Place::Fd(_) => Err(Errno::NOENT),
        })?;
        node.add_name(&parent, name);
        self.names_changed(&parent);
        drop(free);
        let stat = self.look(&node)?;
        let stat = self.shown(&node, stat);
        Ok((node, stat))
    }
}
