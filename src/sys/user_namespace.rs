//! A user namespace of its own: root over what this user owns, and nothing more. See user_namespaces(7).

use std::fs;
use std::io;

use nix::sched::{CloneFlags, unshare};

/// Makes this process root of a new user namespace in which its own user and group are 0 and nobody else is anybody. For a
/// process with one thread.
pub fn enter_as_root() -> io::Result<()> {
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    // Without this the kernel lets nobody map a group that he could leave thereby.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))
}
