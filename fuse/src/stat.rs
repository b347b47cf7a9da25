//! What an object is: the plain record of one `statx`. Not where it is, and not the numbers the mount shows.

use crate::unprivileged::shown_id;
use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, statx};
use std::os::fd::AsFd;

/// The attributes of an object, as its own file system tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Device of the file system that holds it.
    pub dev: u64,
    /// Inode number on that file system.
    pub ino: u64,
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Time of the last read, seconds.
    pub atime: i64,
    /// Time of the last read, nanoseconds.
    pub atime_nsec: u32,
    /// Time of the last change of the content, seconds.
    pub mtime: i64,
    /// Time of the last change of the content, nanoseconds.
    pub mtime_nsec: u32,
    /// Time of the last change of anything, seconds.
    pub ctime: i64,
    /// Time of the last change of anything, nanoseconds.
    pub ctime_nsec: u32,
    /// The device that a device node stands for.
    pub rdev: u64,
    /// Number of hard links.
    pub nlink: u64,
    /// Allocated blocks of 512 bytes.
    pub blocks: u64,
    /// Preferred size of a read.
    pub blksize: u32,
    /// The mount through which it was seen: two bind mounts of one directory are two objects.
    pub mount: u64,
}

impl Stat {
    /// Returns the type of the object.
    pub fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.mode)
    }

    /// Whether the object is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind() == FileType::Directory
    }

    /// Returns the permission bits, with set-id and sticky.
    pub fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }

    /// Looks at `name` in `directory`, following no symlink; an empty name is the directory itself.
    pub(crate) fn at<P: rustix::path::Arg>(directory: impl AsFd, name: P) -> crate::Result<Stat> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::EMPTY_PATH;
        statx(directory, name, flags, StatxFlags::BASIC_STATS | StatxFlags::MNT_ID).map(Stat::from)
    }

    /// Looks at an open object.
    pub fn of(object: impl AsFd) -> crate::Result<Stat> {
        Stat::at(object, c"")
    }
}

impl From<Statx> for Stat {
    fn from(x: Statx) -> Stat {
        Stat {
            dev: rustix::fs::makedev(x.stx_dev_major, x.stx_dev_minor),
            ino: x.stx_ino,
            mode: u32::from(x.stx_mode),
            uid: shown_id(x.stx_uid),
            gid: shown_id(x.stx_gid),
            size: x.stx_size,
            atime: x.stx_atime.tv_sec,
            atime_nsec: x.stx_atime.tv_nsec,
            mtime: x.stx_mtime.tv_sec,
            mtime_nsec: x.stx_mtime.tv_nsec,
            ctime: x.stx_ctime.tv_sec,
            ctime_nsec: x.stx_ctime.tv_nsec,
            rdev: rustix::fs::makedev(x.stx_rdev_major, x.stx_rdev_minor),
            nlink: u64::from(x.stx_nlink),
            blocks: x.stx_blocks,
            blksize: x.stx_blksize,
            mount: x.stx_mnt_id,
        }
    }
}
