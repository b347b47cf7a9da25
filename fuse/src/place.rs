//! How an object is reached: a name in an open directory, or a descriptor when no name is left.
//! Nothing here decides which layer to look at.

use crate::{Result, Stat};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// Where an object can be reached right now.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// By its name in a directory.
    In(Arc<OwnedFd>, OsString),
    /// By an `O_PATH` descriptor of its own.
    Fd(Arc<OwnedFd>),
}

/// A time to set, as a request gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    Now,
    At(i64, u32),
}

impl Place {
    pub(crate) fn new(directory: &Arc<OwnedFd>, name: &OsStr) -> Place {
        Place::In(directory.clone(), name.to_owned())
    }

    pub(crate) fn stat(&self) -> Result<Stat> {
        match self {
            Place::In(directory, name) => Stat::at(directory, name.as_os_str()),
            Place::Fd(fd) => Stat::of(fd),
        }
    }

    /// Opens the object. Only regular files are ever opened for data, and what turns out not to be one
    /// (somebody swapped it on the live lower) is refused: `NONBLOCK` keeps such an open free of waiting.
    pub(crate) fn open(&self, flags: OFlags) -> Result<File> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = match self {
            Place::In(directory, name) => {
                rustix::fs::openat(directory, name.as_os_str(), flags | OFlags::NOFOLLOW, Mode::empty())?
            }
            Place::Fd(_) => rustix::fs::open(self.proc_path()?, flags, Mode::empty())?,
        };
        match Stat::of(&fd)?.kind() {
            rustix::fs::FileType::RegularFile => Ok(File::from(fd)),
            _ => Err(Errno::STALE),
        }
    }

    /// Returns an `O_PATH` descriptor that keeps the object reachable when its names are gone.
    pub(crate) fn pin(&self) -> Result<Arc<OwnedFd>> {
        match self {
            Place::In(directory, name) => {
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                Ok(Arc::new(rustix::fs::openat(directory, name.as_os_str(), flags, Mode::empty())?))
            }
            Place::Fd(fd) => Ok(fd.clone()),
        }
    }

    /// Returns a path of this process for the object, for the calls that know no directory descriptor.
    /// Only [`Place::In`] must not be followed at the end; see [`Place::follows`].
    pub(crate) fn proc_path(&self) -> Result<CString> {
        let bytes = match self {
            Place::In(directory, name) => {
                let mut path = format!("/proc/self/fd/{}/", directory.as_raw_fd()).into_bytes();
                path.extend_from_slice(name.as_bytes());
                path
            }
            Place::Fd(fd) => format!("/proc/self/fd/{}", fd.as_raw_fd()).into_bytes(),
        };
        CString::new(bytes).map_err(|_nul| Errno::INVAL)
    }

    /// Whether [`Place::proc_path`] ends in a magic link that leads to the object.
    pub(crate) fn follows(&self) -> bool {
        matches!(self, Place::Fd(_))
    }

    pub(crate) fn readlink(&self) -> Result<CString> {
        match self {
            Place::In(directory, name) => rustix::fs::readlinkat(directory, name.as_os_str(), Vec::new()),
            Place::Fd(fd) => rustix::fs::readlinkat(fd, c"", Vec::new()),
        }
    }

    /// Sets the permission bits; never called for a symlink, which has none.
    pub(crate) fn chmod(&self, permissions: u32) -> Result<()> {
        let mode = Mode::from_raw_mode(permissions & 0o7777);
        match self {
            Place::In(directory, name) => {
                rustix::fs::chmodat(directory, name.as_os_str(), mode, AtFlags::empty())
            }
            Place::Fd(_) => rustix::fs::chmodat(rustix::fs::CWD, self.proc_path()?, mode, AtFlags::empty()),
        }
    }

    pub(crate) fn chown(&self, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
        match self {
            Place::In(directory, name) => {
                rustix::fs::chownat(directory, name.as_os_str(), uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            }
            Place::Fd(fd) => rustix::fs::chownat(fd, c"", uid, gid, AtFlags::EMPTY_PATH),
        }
    }

    /// Sets the times that are given and leaves the others.
    pub(crate) fn set_times(&self, atime: Option<Time>, mtime: Option<Time>) -> Result<()> {
        let spec = |time: Option<Time>| match time {
            None => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
            Some(Time::Now) => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW },
            Some(Time::At(seconds, nanoseconds)) => {
                Timespec { tv_sec: seconds, tv_nsec: i64::from(nanoseconds) as _ }
            }
        };
        let times = Timestamps { last_access: spec(atime), last_modification: spec(mtime) };
        match self {
            Place::In(directory, name) => {
                rustix::fs::utimensat(directory, name.as_os_str(), &times, AtFlags::SYMLINK_NOFOLLOW)
            }
            Place::Fd(_) => {
                rustix::fs::utimensat(rustix::fs::CWD, self.proc_path()?, &times, AtFlags::empty())
            }
        }
    }

    /// Sets both times to those of `stat`.
    pub(crate) fn restore_times(&self, stat: &Stat) -> Result<()> {
        self.set_times(
            Some(Time::At(stat.atime, stat.atime_nsec)),
            Some(Time::At(stat.mtime, stat.mtime_nsec)),
        )
    }
}
