//! The changes of an overlay as a lower layer of another one.

use crate::clone::read_only_clone;
use crate::place::Place;
use crate::{Overlay, scratch, xattr};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

impl Overlay {
    /// Returns what was changed, to lie upon the same lower in another overlay. Nobody may be served by this one any more: what it
    /// needs for further changes is gone.
    pub fn as_lower(&self) -> io::Result<OwnedFd> {
        self.bring_moved()?;
        // Names of its own would count as links of the files that have them.
        scratch::clear(&self.work)?;
        xattr::set(&Place::Fd(self.upper.clone()), xattr::LAYER, b"y", 0)?;
        read_only_clone(&PathBuf::from(format!("/proc/self/fd/{}", self.upper.as_raw_fd())))
    }
}
