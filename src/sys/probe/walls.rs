//! Namespaces and mounts, tried in a child. Each is mounted over /dev there, which every root has.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::mount::MsFlags;
use nix::sched::{CloneFlags, unshare};

use crate::sys::probe::{Found, become_opener, trying};
use crate::sys::{files, loopback, mount, spawn, user_namespace};

/// Where the child mounts things, in a mount namespace of its own.
const PLACE: &str = "/dev";
const QUIET: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);

/// A user namespace in which this user is root.
pub fn user_namespace() -> Found {
    trying(|| user_namespace::enter_as_root().map(|()| "this user can be root of one".to_owned()))
}

/// A mount namespace, cut off, with a mount in it.
pub fn mounts() -> Found {
    trying(|| {
        alone()?;
        mount::tmpfs(Path::new(PLACE), QUIET, "size=16k").map_err(source)?;
        Ok("one of its own, with a mount in it".to_owned())
    })
}

/// An ipc namespace.
pub fn ipc() -> Found {
    namespace(CloneFlags::CLONE_NEWIPC)
}

/// A uts namespace.
pub fn host_name() -> Found {
    namespace(CloneFlags::CLONE_NEWUTS)
}

/// A cgroup namespace.
pub fn cgroups() -> Found {
    namespace(CloneFlags::CLONE_NEWCGROUP)
}

fn namespace(flags: CloneFlags) -> Found {
    trying(|| alone_with(flags).map(|()| "one of its own".to_owned()))
}

/// A network namespace with its loopback up, and its sysfs.
pub fn network() -> Found {
    trying(|| {
        alone_with(CloneFlags::CLONE_NEWNET)?;
        loopback::up()?;
        mount::kernel("sysfs", Path::new(PLACE), QUIET | MsFlags::MS_RDONLY, "").map_err(source)?;
        Ok("one of its own, with a loopback and a /sys".to_owned())
    })
}

/// A pid namespace with its own /proc; what `then` finds in there.
pub fn processes(then: fn() -> Found) -> Found {
    trying(|| {
        alone_with(CloneFlags::CLONE_NEWPID)?;
        trying(|| {
            mount::kernel("proc", Path::new("/proc"), QUIET, "").map_err(source)?;
            then()
        })
    })
}

/// Whether processes of a new pid namespace can be numbered from where disco wants them.
pub fn numbers() -> Found {
    let wanted = 30_000;
    std::fs::write("/proc/sys/kernel/ns_last_pid", wanted.to_string())?;
    let child = nix::unistd::Pid::from_raw(spawn::fork(|| 0)?);
    nix::sys::wait::waitpid(child, None)?;
    match child.as_raw() {
        number if number > wanted => Ok("processes of a step can be numbered above the host's".to_owned()),
        number => Err(io::Error::other(format!("asked for numbers above {wanted}, and got {number}"))),
    }
}

/// /dev/fuse, open for reading and writing.
pub fn fuse_device() -> Found {
    files::open_system("/dev/fuse", true).map(|_| "/dev/fuse opens".to_owned())
}

/// A FUSE mount, which nobody serves and nobody asks.
pub fn fuse_mount() -> Found {
    trying(|| {
        // Who mounts must be in the user namespace of who opened it.
        become_opener()?;
        let fuse = files::open_system("/dev/fuse", true)?;
        cut_off(CloneFlags::empty())?;
        mount::fuse(fuse.as_fd(), Path::new(PLACE)).map_err(source)?;
        Ok("a FUSE file system can be mounted".to_owned())
    })
}

/// Another root in the place of this one.
pub fn pivot() -> Found {
    trying(|| {
        alone()?;
        mount::tmpfs(Path::new(PLACE), QUIET, "size=16k").map_err(source)?;
        mount::pivot(Path::new(PLACE)).map_err(source)?;
        Ok("the root can be changed".to_owned())
    })
}

/// Puts this child into a mount namespace of its own.
pub fn alone() -> io::Result<()> {
    alone_with(CloneFlags::empty())
}

fn alone_with(flags: CloneFlags) -> io::Result<()> {
    become_opener()?;
    cut_off(flags)
}

fn cut_off(flags: CloneFlags) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS | flags)?;
    mount::make_all_private().map_err(source)
}

/// The kernel's word on a mount: what was mounted is known here.
fn source(error: mount::MountError) -> io::Error {
    let errno = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>());
    match errno.and_then(io::Error::raw_os_error) {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::other(error),
    }
}
