//! A user namespace of its own: root over what this user owns, and nothing more. See user_namespaces(7).

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sched::{CloneFlags, unshare};

use crate::sys::mount;

/// Whether this process has settled in one. It is one for the whole process.
static SETTLED: AtomicBool = AtomicBool::new(false);

/// Makes this process root of a user namespace for good, with a mount namespace that belongs to it.
pub fn settle() -> io::Result<()> {
    enter_as_root()?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount::make_all_private().map_err(io::Error::other)?;
    SETTLED.store(true, Ordering::Relaxed);
    Ok(())
}

/// Whether this process has done so: its own id is all that has a name there.
pub fn is_settled() -> bool {
    SETTLED.load(Ordering::Relaxed)
}

/// Whether this process is in a user namespace that is not the first, its own or that of a container, where root is not
/// what it is on the host.
pub fn is_in_one() -> bool {
    // Where there is no such file there are no user namespaces.
    is_settled() || fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| !is_first(&map))
}

/// Whether that is the map of the first namespace: all ids, each as itself.
fn is_first(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_namespace_has_all_ids() {
        for (map, expected) in [
            ("         0          0 4294967295\n", true),
            ("         0       1000          1\n", false),
            ("         0     100000      65536\n", false),
            ("         0          0          1\n         1     100000      65536\n", false),
            ("", false),
        ] {
            assert_eq!(is_first(map), expected, "{map}");
        }
    }
}
