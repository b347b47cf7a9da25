//! What each module changed, and what the run changed in all: scans of the sandbox between modules, compared.

use crate::changes::compare::compare;
use crate::changes::scan::{self, ScanError};
use crate::changes::snapshot::Snapshot;
use crate::model::change::ChangeSet;
use crate::model::layer::LayerEntry;
use crate::model::path::RootedPath;
use crate::sandbox::{self, Layers, SandboxError, Scratch};
use crate::sys::tree::{Root, TreeError};

use super::DanceError;

/// Follows the sandbox from module to module.
#[derive(Debug)]
pub struct Differences {
    upper: Root,
    lower: Root,
    exclude: Vec<RootedPath>,
    last: Snapshot,
    entries: Vec<LayerEntry>,
}

impl Differences {
    /// Starts with nothing changed. `exclude` is never looked at and never merges.
    pub fn new(layers: &Layers, exclude: Vec<RootedPath>) -> Result<Differences, DanceError> {
        let duplicate = |fd: std::os::fd::BorrowedFd<'_>, label: &str| -> Result<Root, DanceError> {
            let fd = fd
                .try_clone_to_owned()
                .map_err(|source| SandboxError::Cannot { action: "reach the layers", source })?;
            Ok(Root::from_fd(fd, label))
        };
        let (upper, lower) =
            (duplicate(layers.upper(), "scratchpad")?, duplicate(layers.lower(), "live root")?);
        Ok(Differences { upper, lower, exclude, last: Snapshot::default(), entries: Vec::new() })
    }

    /// What has changed since the last call (since the start, for the first).
    pub fn since_last(&mut self, layers: &Layers) -> Result<ChangeSet, DanceError> {
        self.entries = layers.entries()?;
        let now = self.scan()?;
        let changes = compare(&self.last, &now);
        self.last = now;
        Ok(changes)
    }

    /// What the whole run has changed, now that nothing can change it any more.
    pub fn in_all(&mut self, sealed: &Scratch) -> Result<ChangeSet, DanceError> {
        self.since_last(sealed.layers())?;
        Ok(compare(&Snapshot::default(), &self.last))
    }

    /// The scratchpad, as of the last call.
    pub fn scratchpad(&self) -> (&Root, &[LayerEntry]) {
        (&self.upper, &self.entries)
    }

    /// What never merges.
    pub fn excluded(&self) -> &[RootedPath] {
        &self.exclude
    }

    fn scan(&mut self) -> Result<Snapshot, ScanError> {
        let layers = scan::Layers {
            entries: &self.entries,
            upper: &self.upper,
            lower: &self.lower,
            private: &sandbox::is_private_xattr,
            exclude: &self.exclude,
        };
        scan::scan(&layers, &mut self.last)
    }
}

impl From<TreeError> for DanceError {
    fn from(error: TreeError) -> Self {
        DanceError::Scan(ScanError::Read(error))
    }
}
