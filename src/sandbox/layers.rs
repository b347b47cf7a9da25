//! The two layers of a sandbox as plain folders, and what the scratchpad holds as plain data.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;

use crate::model::layer::{Extent, LayerEntry, LayerKind, Stamp, Touched};
use crate::model::path::RootedPath;
use crate::sandbox::{Layers, SandboxError, cannot};

impl Layers {
    /// What the scratchpad holds, sorted by path.
    pub fn entries(&self) -> Result<Vec<LayerEntry>, SandboxError> {
        self.stand_alone()?;
        read(disco_fuse::read_layer(self.upper()))
    }

    /// Has what was moved copied into the scratchpad, which then says all that has changed.
    fn stand_alone(&self) -> Result<(), SandboxError> {
        cannot("copy what was moved", self.overlay.bring_moved())
    }

    /// What the scratchpad holds at a path, or also below it, sorted by path.
    pub fn entries_at(&self, path: &RootedPath, extent: Extent) -> Result<Vec<LayerEntry>, SandboxError> {
        read(match extent {
            Extent::Itself => {
                let found = disco_fuse::read_layer_at(self.upper(), path.relative());
                found.map(|entry| entry.into_iter().collect())
            }
            Extent::Whole => disco_fuse::read_layer_within(self.upper(), path.relative()),
        })
    }

    /// What was changed in the sandbox since this was asked last. Who asks must be one: it is told once.
    pub fn take_touched(&self) -> Result<Touched, SandboxError> {
        self.stand_alone()?;
        let disco_fuse::Touched { paths, inodes } = self.overlay.take_touched();
        let paths = paths.into_iter().map(|(path, extent)| {
            let extent = match extent {
                disco_fuse::Extent::Itself => Extent::Itself,
                disco_fuse::Extent::Whole => Extent::Whole,
            };
            Ok((cannot("read the scratchpad", RootedPath::new(path).map_err(io::Error::other))?, extent))
        });
        Ok(Touched { paths: paths.collect::<Result<_, SandboxError>>()?, inodes })
    }

    /// The files that steps have opened since this was asked last, of those that not everybody can read.
    pub fn take_private(&self) -> Vec<(String, Arc<File>)> {
        let opened = self.overlay.take_private().into_iter();
        opened.map(|one| (format!("/{}", one.path.display()), one.file)).collect()
    }

    /// The scratchpad's tree.
    pub fn upper(&self) -> BorrowedFd<'_> {
        self.overlay.upper_dir()
    }

    /// The live root, read-only.
    pub fn lower(&self) -> BorrowedFd<'_> {
        self.lower.as_fd()
    }
}

fn read(entries: io::Result<Vec<disco_fuse::LayerEntry>>) -> Result<Vec<LayerEntry>, SandboxError> {
    cannot("read the scratchpad", entries)?.into_iter().map(entry).collect()
}

fn entry(entry: disco_fuse::LayerEntry) -> Result<LayerEntry, SandboxError> {
    let kind = match entry.kind {
        disco_fuse::LayerKind::Whiteout => LayerKind::Whiteout,
        disco_fuse::LayerKind::Directory { opaque } => LayerKind::Directory { opaque },
        disco_fuse::LayerKind::Other => LayerKind::Object,
    };
    let path = RootedPath::new(entry.path).map_err(io::Error::other);
    let stat = entry.attributes;
    let stamp = Some(Stamp {
        device: stat.dev,
        inode: stat.ino,
        size: stat.size,
        mtime: (stat.mtime, stat.mtime_nsec.into()),
        ctime: (stat.ctime, stat.ctime_nsec.into()),
    });
    Ok(LayerEntry { path: cannot("read the scratchpad", path)?, kind, stamp })
}
