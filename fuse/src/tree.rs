//! Brings a whole tree into the upper, so that it can move: correct, and as dear as copying it.

use crate::copy_up::Content;
use crate::dirfd::Side;
use crate::node::{Layer, Node};
use crate::place::Place;
use crate::readdir::for_each;
use crate::{Overlay, Result, xattr};
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::ffi::OsString;
use std::sync::Arc;

impl Overlay {
    /// Makes an object independent of the lower, with everything below it. The caller has the tree alone.
    pub(crate) fn bring_whole(&self, node: &Arc<Node>) -> Result<()> {
        if node.layer() == Layer::Sealed {
            // A mount point of a pseudo file system does not move.
            return Err(Errno::BUSY);
        }
        self.copy_up(node, Content::All)?;
        if node.layer() != Layer::Merged || node.is_root() {
            return Ok(());
        }
        let place = Place::Fd(self.dir(node, Side::Upper)?);
        let before = place.stat()?;
        for name in self.names_in(node)? {
            if let Some((child, _)) = self.child(node, &name)? {
                self.bring_whole(&child)?;
            }
        }
        xattr::set(&place, xattr::OPAQUE, b"y", 0)?;
        self.drop_whiteouts(node)?;
        place.restore_times(&before)?;
        node.lock().layer = Layer::Upper;
        Ok(())
    }

    /// Removes the whiteouts of a directory that hides the lower altogether.
    fn drop_whiteouts(&self, node: &Arc<Node>) -> Result<()> {
        let directory = self.dir(node, Side::Upper)?;
        let mut whiteouts: Vec<OsString> = Vec::new();
        for_each(&directory, |name, ino, kind| {
            if self.hides(&directory, name, ino, kind)? {
                whiteouts.push(name.to_owned());
            }
            Ok(())
        })?;
        whiteouts.iter().try_for_each(|name| rustix::fs::unlinkat(&directory, name, AtFlags::empty()))
    }
}
