//! The mounts of a plain tree are boundaries in the view too: what the kernel would refuse on the tree itself, because
//! names do not move or link from one mount to another and mount points stay, is refused here with the same error.
//! Layers of an overlay have no mounts that mean anything.

use crate::lookup::Depth;
use crate::node::{Layer, Node};
use crate::{Overlay, Result, Stat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::sync::Arc;

impl Overlay {
    /// Returns the mount on which a directory of the view would be, were it on the tree itself.
    fn mount_under(&self, directory: &Arc<Node>) -> Result<u64> {
        let mut at = directory.clone();
        while at.layer() == Layer::Upper {
            (at, _) = at.any_name().ok_or(Errno::NOENT)?;
        }
        Ok(Stat::of(self.lower_of(&at)?.top())?.mount)
    }

    /// Refuses what would lead from one mount to another.
    pub(crate) fn within_a_mount(&self, one: &Arc<Node>, other: &Arc<Node>) -> Result<()> {
        if !self.lowers.is_plain()
            || one.id == other.id
            || self.mount_under(one)? == self.mount_under(other)?
        {
            return Ok(());
        }
        Err(Errno::XDEV)
    }

    /// Refuses to take its name from a mount point.
    pub(crate) fn no_mount_point(&self, directory: &Arc<Node>, name: &OsStr) -> Result<()> {
        if !self.lowers.is_plain() || self.mounts.is_one() {
            return Ok(());
        }
        match self.survey(directory, name, Depth::Both)?.below {
            Some(below) if below.stat.mount != self.mount_under(directory)? => Err(Errno::BUSY),
            _ => Ok(()),
        }
    }
}
