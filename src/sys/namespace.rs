//! Namespaces, capabilities and limits of this process.

use std::io;

use caps::{CapSet, Capability};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use thiserror::Error;

/// A wall that could not be raised.
#[derive(Debug, Error)]
#[error("cannot {wall}")]
pub struct WallError {
    wall: &'static str,
    #[source]
    source: io::Error,
}

impl WallError {
    fn new(wall: &'static str, source: impl Into<io::Error>) -> Self {
        WallError { wall, source: source.into() }
    }
}

/// Closes every descriptor of this process but standard input, output and error.
pub fn close_inherited() -> Result<(), WallError> {
    let wall = "close inherited descriptors";
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")
        .map_err(|error| WallError::new(wall, error))?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        // EBADF is the descriptor of the listing itself.
        let _ = nix::unistd::close(fd);
    }
    Ok(())
}

/// Enters mount, ipc, uts and cgroup namespaces of its own, and a network namespace if `network`, with its loopback up.
pub fn enter_new(network: bool) -> Result<(), WallError> {
    let mut flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    flags.set(CloneFlags::CLONE_NEWNET, network);
    unshare(flags).map_err(|errno| WallError::new("enter new namespaces", errno))?;
    if network {
        super::loopback::up().map_err(|error| WallError::new("bring the loopback up", error))?;
    }
    Ok(())
}

/// Names this uts namespace's host.
pub fn set_host_name(name: &str) -> Result<(), WallError> {
    nix::unistd::sethostname(name).map_err(|errno| WallError::new("set the host name", errno))
}

/// What a step keeps of root's capabilities: what changing files and being other users needs, nothing that acts on the
/// kernel, its clock, its modules, its devices or its network. Nor what opens files by their number, past every wall
/// (CAP_DAC_READ_SEARCH; what else it gives CAP_DAC_OVERRIDE gives too), or raises limits, that on core dumps first
/// (CAP_SYS_RESOURCE).
const KEPT: [Capability; 19] = [
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
    Capability::CAP_KILL,
    Capability::CAP_SETUID,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_SETFCAP,
    Capability::CAP_MKNOD,
    Capability::CAP_LINUX_IMMUTABLE,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_NET_RAW,
    Capability::CAP_IPC_LOCK,
    Capability::CAP_IPC_OWNER,
    Capability::CAP_SYS_CHROOT,
    Capability::CAP_SYS_NICE,
    Capability::CAP_LEASE,
    Capability::CAP_AUDIT_WRITE,
];

/// What raising the walls needs: namespaces and mounts; the loopback of a new network; descriptors and memory of the processes
/// of a step.
const RAISING: [Capability; 3] =
    [Capability::CAP_SYS_ADMIN, Capability::CAP_NET_ADMIN, Capability::CAP_SYS_PTRACE];

/// Whether this process lacks one of the capabilities that raise walls.
pub fn lacks(name: &str) -> io::Result<bool> {
    let held = effective()?;
    Ok(RAISING.iter().any(|capability| capability.to_string() == name && !held.contains(capability)))
}

fn effective() -> io::Result<caps::CapsHashSet> {
    caps::read(None, CapSet::Effective).map_err(|error| io::Error::other(error.to_string()))
}

/// Which capabilities this process lacks of those that steps keep.
pub fn lacking() -> io::Result<Vec<String>> {
    let held = effective()?;
    Ok(KEPT
        .into_iter()
        .filter(|capability| !held.contains(capability))
        .map(|capability| capability.to_string())
        .collect())
}

/// Drops every capability but those that a step keeps, for this process and whatever it executes.
pub fn drop_capabilities() -> Result<(), WallError> {
    let failed = |error: caps::errors::CapsError| {
        WallError::new("drop capabilities", io::Error::other(error.to_string()))
    };
    let held = caps::read(None, CapSet::Permitted).map_err(failed)?;
    let kept: caps::CapsHashSet = KEPT.into_iter().filter(|capability| held.contains(capability)).collect();
    for capability in caps::read(None, CapSet::Bounding).map_err(failed)? {
        if !kept.contains(&capability) {
            caps::drop(None, CapSet::Bounding, capability).map_err(failed)?;
        }
    }
    caps::clear(None, CapSet::Inheritable).map_err(failed)?;
    caps::set(None, CapSet::Effective, &kept).map_err(failed)?;
    caps::set(None, CapSet::Permitted, &kept).map_err(failed)
}

/// No core file, and no core handler either: a pipe handler runs on the host, and 1 is the limit that stops it (core(5)).
pub fn forbid_core_dumps() -> Result<(), WallError> {
    setrlimit(Resource::RLIMIT_CORE, 1, 1).map_err(|errno| WallError::new("forbid core dumps", errno))
}

/// Ends this process (it aborts) when it asks for more address space than that, in bytes.
pub fn limit_memory(most: u64) -> Result<(), WallError> {
    setrlimit(Resource::RLIMIT_AS, most, most).map_err(|errno| WallError::new("limit the memory", errno))
}

/// Hides this process and those that it forks from a step that sees them in /proc: their program (a file of the live
/// root, on a mount that can be written), their descriptors and their memory. A program that is executed shows again.
pub fn hide() -> Result<(), WallError> {
    nix::sys::prctl::set_dumpable(false)
        .map_err(|errno| WallError::new("hide this process from the steps", errno))
}

/// Has the kernel end others before this process, and those that it forks, when memory runs out: whoever tells of it must
/// live. Where that is not allowed, they are small.
pub fn outlive_others() {
    let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
}

/// Takes that back for this process, and those that it forks; without capabilities, they cannot have it again.
pub fn outlive_nobody() {
    let _ = std::fs::write("/proc/self/oom_score_adj", "0");
}

/// Ends this process when its parent ends.
pub fn die_with_parent() -> Result<(), WallError> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)
        .map_err(|errno| WallError::new("bind this process to its parent", errno))
}
