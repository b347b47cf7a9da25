//! One object of a tree: a handle that names it without opening it, whatever its type is. Not here: how it is reached
//! ([`crate::sys::tree`]).

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use rustix::fs::{AtFlags, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use crate::model::attributes::FileKind;
use crate::sys::tree::{Place, TreeError};
use crate::sys::user_namespace;

/// What stat(2) says of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
    /// `st_mode`: type and permission bits.
    pub mode: u32,
    /// `st_nlink`.
    pub links: u64,
    /// `st_uid`.
    pub uid: u32,
    /// `st_gid`.
    pub gid: u32,
    /// `st_rdev` as major and minor number.
    pub rdev: (u32, u32),
    /// `st_size`.
    pub size: u64,
    /// What it takes of its disk, in bytes.
    pub taken: u64,
    /// Last access: seconds and nanoseconds.
    pub atime: (i64, i64),
    /// Last change of content.
    pub mtime: (i64, i64),
    /// Last change of anything.
    pub ctime: (i64, i64),
}

/// Who is unknown in a user namespace is shown as root, as the view of a sandbox shows him.
fn shown_id(id: u32) -> u32 {
    if id == 65_534 && user_namespace::is_settled() { 0 } else { id }
}

impl Stat {
    #[allow(clippy::unnecessary_cast)] // the field types differ by architecture
    fn from_raw(raw: &rustix::fs::Stat) -> Stat {
        Stat {
            device: raw.st_dev as u64,
            inode: raw.st_ino as u64,
            mode: raw.st_mode as u32,
            links: raw.st_nlink as u64,
            uid: shown_id(raw.st_uid as u32),
            gid: shown_id(raw.st_gid as u32),
            rdev: (rustix::fs::major(raw.st_rdev), rustix::fs::minor(raw.st_rdev)),
            size: raw.st_size as u64,
            taken: raw.st_blocks as u64 * 512,
            atime: (raw.st_atime as i64, raw.st_atime_nsec as i64),
            mtime: (raw.st_mtime as i64, raw.st_mtime_nsec as i64),
            ctime: (raw.st_ctime as i64, raw.st_ctime_nsec as i64),
        }
    }
}

/// A handle of one object of any type. It names the object, it does not open it.
#[derive(Debug)]
pub struct Object {
    fd: OwnedFd,
    place: Place,
    stat: Stat,
    kind: FileKind,
}

impl Object {
    pub(super) fn new(fd: OwnedFd, place: Place) -> Result<Object, TreeError> {
        let raw = rustix::fs::statat(&fd, "", AtFlags::EMPTY_PATH).map_err(place.error("look at"))?;
        let stat = Stat::from_raw(&raw);
        let kind =
            FileKind::from_mode(stat.mode).ok_or(Errno::INVAL).map_err(place.error("tell the type of"))?;
        Ok(Object { fd, place, stat, kind })
    }

    /// What stat(2) said when the handle was made.
    pub fn stat(&self) -> &Stat {
        &self.stat
    }

    /// What stat(2) says of it now.
    pub fn look_again(&self) -> Result<Stat, TreeError> {
        let raw = rustix::fs::statat(&self.fd, "", AtFlags::EMPTY_PATH).map_err(self.error("look at"))?;
        Ok(Stat::from_raw(&raw))
    }

    /// The type of the object.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// The object as a path of this process: follows the handle, not a name, and stops at a symbolic link itself.
    pub(super) fn proc_path(&self) -> String {
        format!("/proc/self/fd/{}", self.fd.as_raw_fd())
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// An error about this object.
    pub(super) fn error(&self, action: &'static str) -> impl Fn(Errno) -> TreeError + '_ {
        self.place.error(action)
    }

    pub(super) fn io_error(&self, action: &'static str) -> impl Fn(io::Error) -> TreeError + '_ {
        self.place.io_error(action)
    }

    /// A regular file, opened for reading; an error for everything else.
    pub fn read(&self) -> Result<File, TreeError> {
        self.open(OFlags::RDONLY, "read")
    }

    /// A regular file, opened for writing; an error for everything else.
    pub fn write(&self) -> Result<File, TreeError> {
        self.open(OFlags::WRONLY, "write")
    }

    pub(super) fn open(&self, flags: OFlags, action: &'static str) -> Result<File, TreeError> {
        if self.kind != FileKind::Regular {
            return Err(self.error(action)(Errno::INVAL));
        }
        let fd = rustix::fs::open(self.proc_path(), flags | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty());
        Ok(File::from(fd.map_err(self.error(action))?))
    }

    /// The target of a symbolic link.
    pub fn target(&self) -> Result<OsString, TreeError> {
        let target = rustix::fs::readlinkat(&self.fd, "", Vec::new()).map_err(self.error("read the link"))?;
        Ok(OsString::from_vec(target.into_bytes()))
    }

    /// Whether a file system is mounted here, or the object is marked as immutable or append-only.
    pub fn obstacle(&self) -> Result<Option<Obstacle>, TreeError> {
        let statx = rustix::fs::statx(&self.fd, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
            .map_err(self.error("look at"))?;
        let marks = statx.stx_attributes;
        Ok(if marks.contains(StatxAttributes::MOUNT_ROOT) {
            Some(Obstacle::MountPoint)
        } else if marks.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND) {
            Some(Obstacle::Immutable)
        } else {
            None
        })
    }
}

/// What keeps an object from being replaced, whatever its permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// A file system is mounted on it.
    MountPoint,
    /// It is marked as immutable or append-only (chattr +i, +a).
    Immutable,
}
