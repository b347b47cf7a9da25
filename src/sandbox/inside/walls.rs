//! The walls of the sandbox. A wall that cannot be raised ends the run: nothing ever runs without it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::mount::MsFlags;
use thiserror::Error;

use crate::sandbox::knobs::ACTING;
use crate::sandbox::protocol::{SHIM_SOCKET, Setup};
use crate::sys::channel;
use crate::sys::files::{self, FileError};
use crate::sys::mount::{self, MountError};
use crate::sys::namespace::{self, WallError};
use crate::sys::netns::NetworkNamespace;
use crate::sys::pids;

/// A wall that could not be raised.
#[derive(Debug, Error)]
pub enum Error {
    /// A mount.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// A namespace or limit.
    #[error(transparent)]
    Wall(#[from] WallError),
    /// A file or folder that a mount needs.
    #[error(transparent)]
    File(#[from] FileError),
}

const QUIET: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);

/// Enters new namespaces, and mounts the overlay there: after this it must be served. Returns the network namespace, where
/// that is the sandbox's own.
pub fn mount_overlay(setup: &Setup, fuse: OwnedFd) -> Result<Option<NetworkNamespace>, Error> {
    namespace::die_with_parent()?;
    namespace::hide()?;
    namespace::enter_new(setup.own_network)?;
    let network = setup.own_network.then(NetworkNamespace::own).transpose();
    let network = network.map_err(FileError::at("open", "/proc/thread-self/ns/net"))?;
    if let Some(name) = &setup.host_name {
        namespace::set_host_name(name)?;
    }
    mount::make_all_private()?;
    mount::fuse(fuse.as_fd(), &setup.mountpoint)?;
    Ok(network)
}

/// Mounts the kernel's knobs, in this mount namespace alone: after this they must be served.
pub fn mount_knobs(setup: &Setup, fuse: Option<OwnedFd>) -> Result<(), Error> {
    match (&setup.knobs, fuse) {
        (Some(at), Some(fuse)) => Ok(mount::fuse_of_knobs(fuse.as_fd(), at, QUIET)?),
        (_, _) => Ok(()),
    }
}

/// Everything that all tasks share; ends with the overlay as the root. Returns the listening socket of the shims. `knobs` says
/// whether the kernel's are mounted.
pub fn raise(setup: &Setup, knobs: bool) -> Result<OwnedFd, Error> {
    let root = &setup.mountpoint;
    let inside = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
    mount::read_far_ahead(root)?;
    // What is made here may be merged, with what a step puts into it: whoever starts disco has no say in its mode.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    for missing in &setup.make {
        files::create_dirs(&inside(missing), 0o755)?;
    }
    devices(&root.join("dev"), setup.unprivileged)?;
    if setup.unprivileged && root.join("proc").is_dir() {
        // Root of a user namespace may mount a /proc only where one is mounted that hides nothing (user_namespaces(7)). Each
        // task's covers this one.
        mount::bind_all(Path::new("/proc"), &root.join("proc"))?;
    }
    if knobs {
        show_knobs(setup, root)?;
    } else if root.join("sys").is_dir() {
        mount::kernel("sysfs", &root.join("sys"), QUIET | MsFlags::MS_RDONLY, "")?;
    }
    home(&inside(&setup.home), &setup.view)?;
    for hidden in setup.hidden.iter().map(|path| inside(path)).filter(|path| path.is_dir()) {
        mount::tmpfs(&hidden, QUIET | MsFlags::MS_RDONLY, "mode=700,size=4k")?;
    }
    mount::pivot(root)?;
    listen()
}

/// Shows the kernel's knobs at /sys, and at /proc for each task to take from: its own /proc covers that.
fn show_knobs(setup: &Setup, root: &Path) -> Result<(), Error> {
    let Some(knobs) = &setup.knobs else { return Ok(()) };
    if root.join("sys").is_dir() {
        mount::bind(&knobs.join("sys"), &root.join("sys"))?;
    }
    if root.join("proc").is_dir() {
        mount::bind(knobs, &root.join("proc"))?;
    }
    Ok(())
}

/// What each task has of its own: /proc of its pid namespace, with what acts on the kernel pretending or out of reach; and
/// numbers for its processes, above that one.
pub fn raise_for_task(pids_above: Option<u32>) -> Result<(), Error> {
    let proc = Path::new("/proc");
    if !proc.is_dir() {
        return Ok(());
    }
    let knobs = files::open_folder(proc).map_err(FileError::at("open", proc))?;
    mount::kernel("proc", proc, QUIET, "")?;
    if let Some(above) = pids_above {
        pids::begin_above(above).map_err(FileError::at("write", "/proc/sys/kernel/ns_last_pid"))?;
    }
    let knobs = PathBuf::from(format!("/proc/self/fd/{}/proc", knobs.as_raw_fd()));
    let pretending = knobs.is_dir();
    for name in ACTING {
        let path = proc.join(name);
        if !path.exists() {
            continue;
        }
        if pretending {
            mount::bind(&knobs.join(name), &path)?;
        } else {
            mount::bind(&path, &path)?;
            mount::make_read_only(&path)?;
        }
    }
    for name in [
        "kcore",
        "keys",
        "timer_list",
        "sched_debug",
        "latency_stats",
        "kmsg",
        "kpagecount",
        "kpageflags",
        "kpagecgroup",
    ] {
        let path = proc.join(name);
        if path.exists() {
            mount::bind(Path::new("/dev/null"), &path)?;
        }
    }
    Ok(())
}

/// A /dev of its own: the harmless devices, terminals of its own, no disks.
fn devices(dev: &Path, unprivileged: bool) -> Result<(), Error> {
    if !dev.is_dir() {
        return Ok(());
    }
    mount::tmpfs(dev, MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV, "mode=755,size=16m")?;
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        let (host, here) = (Path::new("/dev").join(name), dev.join(name));
        if host.exists() {
            files::create_empty(&here)?;
            mount::bind(&host, &here)?;
            // It is the host's own node: a chmod of it would be one of the host's.
            mount::make_node_read_only(&here)?;
        }
    }
    // A user namespace may have no name for the group tty (5).
    let terminals = match unprivileged {
        true => "newinstance,ptmxmode=0666,mode=620",
        false => "newinstance,ptmxmode=0666,mode=620,gid=5",
    };
    for (name, kind, flags, options) in [
        ("pts", "devpts", MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, terminals),
        ("shm", "tmpfs", MsFlags::MS_NOSUID | MsFlags::MS_NODEV, "mode=1777"),
        ("mqueue", "mqueue", QUIET, ""),
    ] {
        let here = dev.join(name);
        files::create_new_dir(&here, 0o755)?;
        mount::kernel(kind, &here, flags, options)?;
    }
    for (name, target) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        let here = dev.join(name);
        files::create_link(&here, target)?;
    }
    Ok(())
}

/// disco's home: this run's parameters and modules, read-only, and nothing else.
fn home(home: &Path, view: &Path) -> Result<(), Error> {
    mount::tmpfs(home, QUIET, "mode=755,size=64k")?;
    for name in ["parameters", "modules"] {
        let here = home.join(name);
        files::create_new_dir(&here, 0o755)?;
        mount::bind(&view.join(name), &here)?;
        mount::make_read_only(&here)?;
    }
    Ok(mount::make_read_only(home)?)
}

/// The shims' socket, where every user of the sandbox may connect.
fn listen() -> Result<OwnedFd, Error> {
    let path = Path::new(SHIM_SOCKET);
    let socket = channel::listen(path).map_err(FileError::at("listen at", path))?;
    // A mount point cannot be removed: a step that clears /dev leaves the next one its shims.
    mount::bind(path, path)?;
    Ok(socket)
}
