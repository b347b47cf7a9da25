//! Extended attributes: of a place, of a node, and which names are the overlay's own.

use crate::node::Layer;
use crate::place::Place;
use crate::unprivileged::is_unprivileged;
use crate::{Overlay, Result};
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;

/// Everything with this prefix is the overlay's own, neither shown nor taken.
const PRIVATE: &[u8] = b"trusted.disco.";
/// The same where nobody may set such; see `unprivileged`.
const PRIVATE_OF_USER: &[u8] = b"user.disco.";
/// On a whiteout.
pub(crate) const WHITEOUT: &CStr = c"trusted.disco.whiteout";
/// On a directory of a layer: the path of the one below it, if that is not what has the same name; empty if there is none.
pub(crate) const UNDER: &CStr = c"trusted.disco.under";
/// On the root of an upper that may be mounted again, or below another one: whoever has it as a lower reads what is marked in it.
pub(crate) const LAYER: &CStr = c"trusted.disco.layer";
/// On the upper's root, when its own attributes were changed.
pub(crate) const CHANGED: &CStr = c"trusted.disco.changed";

/// Returns true for the names that are the overlay's own and must not be merged.
pub fn is_private_xattr(name: &OsStr) -> bool {
    is_private(name.as_bytes())
}

fn is_private(name: &[u8]) -> bool {
    name.starts_with(PRIVATE) || is_unprivileged() && name.starts_with(PRIVATE_OF_USER)
}

/// The name by which one of the overlay's own is kept; any other stays as it is.
fn kept_as(name: &CStr) -> Cow<'_, CStr> {
    let own = name.to_bytes().strip_prefix(PRIVATE).filter(|_| is_unprivileged());
    let kept = own.and_then(|own| CString::new([PRIVATE_OF_USER, own].concat()).ok());
    kept.map_or(Cow::Borrowed(name), Cow::Owned)
}

/// How XFS keeps the access lists that it tells of under their usual names too. Elsewhere they would be attributes like others,
/// and say what the lists were once.
const LISTS_OF_XFS: [&[u8]; 2] = [b"trusted.SGI_ACL_FILE", b"trusted.SGI_ACL_DEFAULT"];

/// Whether an attribute can be copied from one file system to another; others are made up by theirs.
fn is_portable(name: &[u8]) -> bool {
    if LISTS_OF_XFS.contains(&name) {
        return false;
    }
    let kept: [&[u8]; 4] = [b"user.", b"trusted.", b"security.", b"system.posix_acl_"];
    kept.iter().any(|prefix| name.starts_with(prefix)) && !is_private(name)
}

/// Reads a value into `buffer`.
pub(crate) fn get(place: &Place, name: &CStr, buffer: &mut [u8]) -> Result<usize> {
    let (path, name) = (place.proc_path()?, &*kept_as(name));
    match place.follows() {
        true => rustix::fs::getxattr(&path, name, buffer),
        false => rustix::fs::lgetxattr(&path, name, buffer),
    }
}

pub(crate) fn list(place: &Place, buffer: &mut [u8]) -> Result<usize> {
    let path = place.proc_path()?;
    match place.follows() {
        true => rustix::fs::listxattr(&path, buffer),
        false => rustix::fs::llistxattr(&path, buffer),
    }
}

pub(crate) fn set(place: &Place, name: &CStr, value: &[u8], flags: u32) -> Result<()> {
    let (path, name) = (place.proc_path()?, &*kept_as(name));
    let flags = XattrFlags::from_bits_retain(flags);
    match place.follows() {
        true => rustix::fs::setxattr(&path, name, value, flags),
        false => rustix::fs::lsetxattr(&path, name, value, flags),
    }
}

pub(crate) fn remove(place: &Place, name: &CStr) -> Result<()> {
    let (path, name) = (place.proc_path()?, &*kept_as(name));
    match place.follows() {
        true => rustix::fs::removexattr(&path, name),
        false => rustix::fs::lremovexattr(&path, name),
    }
}

/// Whether the attribute is there.
pub(crate) fn has(place: &Place, name: &CStr) -> Result<bool> {
    match get(place, name, &mut [0; 8]) {
        Ok(_) | Err(Errno::RANGE) => Ok(true),
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// The longest value, and the longest list of names, that Linux allows.
const LONGEST: usize = 64 * 1024;

/// Reads all of what `read` offers: nearly all of it fits the first, small buffer.
pub(crate) fn whole(read: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    let mut small = [0; 256];
    match read(&mut small) {
        Ok(length) => Ok(small[..length].to_vec()),
        Err(Errno::RANGE) => {
            let mut buffer = vec![0; LONGEST];
            let length = read(&mut buffer)?;
            buffer.truncate(length);
            Ok(buffer)
        }
        Err(errno) => Err(errno),
    }
}

/// Returns the names of a list as the kernel gives it.
fn names(list: &[u8]) -> impl Iterator<Item = &CStr> {
    list.split_inclusive(|byte| *byte == 0).filter_map(|name| CStr::from_bytes_with_nul(name).ok())
}

/// Copies the attributes that another file system can hold.
pub(crate) fn copy(from: &Place, to: &Place) -> Result<()> {
    let list = match whole(|buffer| list(from, buffer)) {
        Err(Errno::NOTSUP) => return Ok(()),
        list => list?,
    };
    for name in names(&list).filter(|name| is_portable(name.to_bytes())) {
        match whole(|buffer| get(from, name, buffer)) {
            Ok(value) => set(to, name, &value, 0)?,
            // Removed on the live lower since the list was made.
            Err(Errno::NODATA) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

impl Overlay {
    /// Returns a value.
    pub(crate) fn get_xattr(&self, id: u64, name: &CStr) -> Result<Vec<u8>> {
        let _tree = self.tree.read();
        let node = self.table.node(id)?;
        if is_private(name.to_bytes()) || matches!(node.layer(), Layer::Shim(_)) {
            return Err(Errno::NODATA);
        }
        let place = self.place(&node)?;
        whole(|buffer| get(&place, name, buffer))
    }

    /// Returns the names, each ended by a zero byte.
    pub(crate) fn list_xattrs(&self, id: u64) -> Result<Vec<u8>> {
        let _tree = self.tree.read();
        let node = self.table.node(id)?;
        if matches!(node.layer(), Layer::Shim(_)) {
            return Ok(Vec::new());
        }
        let place = self.place(&node)?;
        let all = whole(|buffer| list(&place, buffer))?;
        let shown = names(&all).filter(|name| !is_private(name.to_bytes()));
        Ok(shown.flat_map(|name| name.to_bytes_with_nul().iter().copied()).collect())
    }

    /// Sets a value; on a shim, of the file that has the name.
    pub(crate) fn set_xattr(&self, id: u64, name: &CStr, value: &[u8], flags: u32) -> Result<()> {
        self.change_xattr(id, name, |place| set(place, name, value, flags))
    }

    /// Removes a value; on a shim, of the file that has the name.
    pub(crate) fn remove_xattr(&self, id: u64, name: &CStr) -> Result<()> {
        self.change_xattr(id, name, |place| remove(place, name))
    }

    fn change_xattr(&self, id: u64, name: &CStr, change: impl Fn(&Place) -> Result<()>) -> Result<()> {
        if is_private(name.to_bytes()) {
            return Err(Errno::PERM);
        }
        let _tree = self.tree.read();
        let node = self.table.node(id)?;
        let node = self.real(node)?;
        self.copy_up(&node, crate::copy_up::Content::All)?;
        self.touch(&node);
        change(&self.place(&node)?)?;
        self.note_changed(&node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_prefix_is_private() {
        for (name, private) in [
            ("trusted.disco.whiteout", true),
            ("trusted.disco.", true),
            ("trusted.disco", false),
            ("user.trusted.disco.x", false),
            ("security.capability", false),
        ] {
            assert_eq!(is_private_xattr(OsStr::new(name)), private, "{name}");
        }
    }

    #[test]
    fn what_a_file_system_keeps_for_itself_is_not_copied() {
        for (name, copied) in [
            ("user.x", true),
            ("trusted.x", true),
            ("security.capability", true),
            ("system.posix_acl_default", true),
            ("system.nfs4_acl", false),
            ("trusted.SGI_ACL_FILE", false),
            ("trusted.SGI_ACL_DEFAULT", false),
            ("trusted.disco.whiteout", false),
        ] {
            assert_eq!(is_portable(name.as_bytes()), copied, "{name}");
        }
    }
}
