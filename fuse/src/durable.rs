//! What an `fsync` of the view comes to: nothing, for a scratch that can be thrown away; or that of the upper's file.

use crate::node::Layer;
use crate::{Overlay, Result};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

impl Overlay {
    /// Returns the overlay with an `fsync` that reaches the upper's disk. Otherwise it is answered without that: what is in a
    /// scratch need not survive the machine.
    pub fn durable(mut self) -> Overlay {
        self.durable = true;
        self
    }

    /// Writes what was changed of an object to its disk, if that was promised.
    pub(crate) fn sync(&self, id: u64, data_alone: bool) -> Result<()> {
        if !self.durable {
            return Ok(());
        }
        let node = self.table.node(id)?;
        match (node.layer(), node.kind) {
            // Nothing of it was changed.
            (Layer::Lower | Layer::Sealed | Layer::Shim(_), _) => Ok(()),
            (_, FileType::RegularFile) => {
                let file = self.readable(id)?;
                if data_alone { rustix::fs::fdatasync(&*file) } else { rustix::fs::fsync(&*file) }
            }
            (_, FileType::Directory) => {
                let _tree = self.tree.read();
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let directory = self.upper_of(&node);
                match directory.and_then(|fd| rustix::fs::openat(&fd, c".", flags, Mode::empty())) {
                    Ok(directory) => rustix::fs::fsync(&directory),
                    // It was removed while somebody has it open: no disk needs to know it.
                    Err(Errno::NOENT | Errno::STALE) => Ok(()),
                    Err(errno) => Err(errno),
                }
            }
            // The kernel syncs devices by itself; what is left has no data.
            _ => Ok(()),
        }
    }
}
