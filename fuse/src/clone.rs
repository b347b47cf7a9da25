//! The private read-only clone of a directory tree. Not the overlay's use of it: that is `place` and `lookup`.
//!
//! The clone is the wall in front of the live root: whatever this crate gets wrong, the kernel refuses to
//! write through it, and refuses to open its device nodes.
#![allow(unsafe_code)]

use rustix::mount::{OpenTreeFlags, open_tree};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// Returns a directory descriptor of a detached, private, recursive, read-only clone of the tree at `root`.
pub fn read_only_clone(root: &Path) -> io::Result<OwnedFd> {
    clone(root, OpenTreeFlags::AT_RECURSIVE)
}

/// The same without what is mounted below `root`: that is not there at all.
pub(crate) fn read_only_clone_alone(root: &Path) -> io::Result<OwnedFd> {
    clone(root, OpenTreeFlags::empty())
}

fn clone(root: &Path, extent: OpenTreeFlags) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(rustix::fs::CWD, root, flags | extent)?;
    // Read-only and private in one call: with shared propagation a mount that the host makes later would
    // appear inside the clone, writable.
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NODEV,
        attr_clr: 0,
        propagation: libc::MS_PRIVATE,
        userns_fd: 0,
    };
    // SAFETY: the descriptor is open, the path is an empty C string, and the structure outlives the call;
    // its size is passed with it.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 { Ok(tree) } else { Err(io::Error::last_os_error()) }
}
