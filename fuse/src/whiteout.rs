//! Whiteouts: how the upper says that a name of the lower is gone. One empty regular file, linked to every
//! such name; known here by its inode, and to others, who see only the upper, by an attribute.
//!
//! Not a 0:0 character device: kernel overlayfs refuses to hold those, and users may make their own.

use crate::place::Place;
use crate::readdir::for_each;
use crate::{Result, Stat, xattr};
use parking_lot::{Mutex, RwLock};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Whether an object can be a whiteout, as far as its attributes tell.
pub(crate) fn may_be(stat: &Stat) -> bool {
    stat.size == 0 && stat.kind() == FileType::RegularFile && stat.permissions() == 0
}

/// The whiteout inodes of one overlay.
#[derive(Debug)]
pub(crate) struct Whiteouts {
    work: Arc<OwnedFd>,
    inodes: RwLock<HashSet<u64>>,
    /// The name in the work directory to link from; replaced when the file system allows no more links.
    current: Mutex<(String, u64)>,
    /// Whether the upper may hold whiteouts of an earlier mount, which the attribute alone tells.
    others: bool,
}

impl Whiteouts {
    /// Makes the first whiteout. Also says whether a listing numbers entries as a look at them does.
    pub(crate) fn prepare(work: &Arc<OwnedFd>, others: bool) -> Result<(Whiteouts, bool)> {
        let whiteouts = Whiteouts {
            work: work.clone(),
            inodes: RwLock::default(),
            current: Mutex::new((String::new(), 0)),
            others,
        };
        let inode = whiteouts.rotate(&mut whiteouts.current.lock())?;
        let mut same = false;
        for_each(work, |name, ino, _| {
            same |= name == "whiteout-1" && ino == inode;
            Ok(())
        })?;
        Ok((whiteouts, same))
    }

    fn rotate(&self, current: &mut (String, u64)) -> Result<u64> {
        let next = current.1 + 1;
        let name = format!("whiteout-{next}");
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.work, &name, flags, Mode::empty())?;
        xattr::set(&Place::new(&self.work, OsStr::new(&name)), xattr::WHITEOUT, b"y", 0)?;
        let inode = Stat::of(&file)?.ino;
        self.inodes.write().insert(inode);
        *current = (name, next);
        Ok(inode)
    }

    /// Whether an object of the upper is a whiteout.
    pub(crate) fn is_whiteout(&self, directory: &Arc<OwnedFd>, name: &OsStr, stat: &Stat) -> Result<bool> {
        if !may_be(stat) {
            return Ok(false);
        }
        Ok(self.is_inode(stat.ino)
            || self.others && xattr::has(&Place::new(directory, name), xattr::WHITEOUT)?)
    }

    /// Whether an inode of the upper is a whiteout's that this mount has made.
    pub(crate) fn is_inode(&self, ino: u64) -> bool {
        self.inodes.read().contains(&ino)
    }

    /// Whether each whiteout of the upper is one that this mount has made.
    pub(crate) fn are_all_known(&self) -> bool {
        !self.others
    }

    /// Puts a whiteout at a name that is free.
    pub(crate) fn link(&self, directory: &OwnedFd, name: &OsStr) -> Result<()> {
        let mut current = self.current.lock();
        let link = |from: &str| rustix::fs::linkat(&self.work, from, directory, name, AtFlags::empty());
        match link(&current.0) {
            Err(Errno::MLINK) => {
                self.rotate(&mut current)?;
                link(&current.0)
            }
            done => done,
        }
    }

    /// Puts a whiteout over what has the name, which is not a directory, in one step.
    pub(crate) fn replace(&self, directory: &OwnedFd, name: &OsStr, temporary: &str) -> Result<()> {
        self.link(&self.work, OsStr::new(temporary))?;
        rustix::fs::renameat(&self.work, temporary, directory, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than the 65000 links that ext4 allows; elsewhere one inode may do for all.
    #[test]
    fn there_is_no_end_of_whiteouts() {
        let directory = tempfile::tempdir().unwrap();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = rustix::fs::open(directory.path(), flags, Mode::empty()).unwrap();
        let work = Arc::new(open);
        let (whiteouts, same) = Whiteouts::prepare(&work, false).unwrap();
        assert!(same, "a plain file system numbers its listings as its files");
        for number in 0..66_000 {
            whiteouts.link(&work, OsStr::new(&format!("w{number}"))).unwrap();
        }
        for name in ["w0", "w65999"] {
            let stat = Stat::at(&work, name).unwrap();
            assert!(whiteouts.is_whiteout(&work, OsStr::new(name), &stat).unwrap(), "{name}");
        }
        std::fs::write(directory.path().join("plain"), "").unwrap();
        let plain = Stat::at(&work, "plain").unwrap();
        assert!(!whiteouts.is_whiteout(&work, OsStr::new("plain"), &plain).unwrap());
    }
}
