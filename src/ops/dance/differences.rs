//! What each module changed, and what the run changed in all: scans of the sandbox between modules, compared.

use crate::changes::compare::compare;
use crate::changes::scan::{self, ScanError};
use crate::changes::snapshot::Snapshot;
use crate::model::attributes::FileKind;
use crate::model::change::{Change, ChangeKind, ChangeSet};
use crate::model::layer::LayerEntry;
use crate::model::path::RootedPath;
use crate::sandbox::{self, Layers, SandboxError, Scratch};
use crate::sys::tree::{Root, TreeError};

use super::DanceError;
use super::ground::Ground;

/// Follows the sandbox from module to module.
#[derive(Debug)]
pub struct Differences {
    upper: Root,
    lower: Root,
    exclude: Vec<RootedPath>,
    made: Vec<RootedPath>,
    last: Snapshot,
    entries: Vec<LayerEntry>,
}

impl Differences {
    /// Starts with nothing changed. What the ground excludes is never looked at and never merges.
    pub fn new(layers: &Layers, ground: &Ground) -> Result<Differences, DanceError> {
        let duplicate = |fd: std::os::fd::BorrowedFd<'_>, label: &str| -> Result<Root, DanceError> {
            let fd = fd
                .try_clone_to_owned()
                .map_err(|source| SandboxError::Cannot { action: "reach the layers", source })?;
            Ok(Root::from_fd(fd, label))
        };
        let (upper, lower) =
            (duplicate(layers.upper(), "scratchpad")?, duplicate(layers.lower(), "live root")?);
        let (exclude, made) = (ground.excluded(), ground.made.clone());
        Ok(Differences { upper, lower, exclude, made, last: Snapshot::default(), entries: Vec::new() })
    }

    /// What has changed since the last call (since the start, for the first).
    pub fn since_last(&mut self, layers: &Layers) -> Result<ChangeSet, DanceError> {
        self.entries = layers.entries()?;
        let now = self.scan()?;
        let changes = compare(&self.last, &now);
        self.last = now;
        Ok(without_made(changes, &self.made))
    }

    /// What the whole run has changed, now that nothing can change it any more.
    pub fn in_all(&mut self, sealed: &Scratch) -> Result<ChangeSet, DanceError> {
        self.so_far(sealed.layers())
    }

    /// What has changed since the start.
    pub fn so_far(&mut self, layers: &Layers) -> Result<ChangeSet, DanceError> {
        self.since_last(layers)?;
        Ok(without_made(compare(&Snapshot::default(), &self.last), &self.made))
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

/// The changes without the folders that only the sandbox made, and in which nothing is.
fn without_made(changes: ChangeSet, made: &[RootedPath]) -> ChangeSet {
    let holds = |folder: &RootedPath| {
        changes.0.iter().any(|change| {
            change.path.is_within(folder) && change.path != *folder && !made.contains(&change.path)
        })
    };
    let is_bare = |change: &Change| match &change.kind {
        ChangeKind::Created { after } if after.kind == FileKind::Directory => {
            made.contains(&change.path) && !holds(&change.path)
        }
        ChangeKind::Created { .. } | ChangeKind::Modified { .. } | ChangeKind::Deleted { .. } => false,
    };
    ChangeSet(changes.0.iter().filter(|change| !is_bare(change)).cloned().collect())
}

impl From<TreeError> for DanceError {
    fn from(error: TreeError) -> Self {
        DanceError::Scan(ScanError::Read(error))
    }
}
