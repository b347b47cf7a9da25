//! What each module changed, and what the run changed in all: scans of what was touched between modules, compared, and one
//! of everything at the end.

use std::path::Path;

use crate::changes::compare::compare;
use crate::changes::rescan;
use crate::changes::scan::{self, ScanError};
use crate::changes::snapshot::Snapshot;
use crate::model::attributes::FileKind;
use crate::model::change::{Change, ChangeKind, ChangeSet, Writers};
use crate::model::layer::{LayerEntry, Touched};
use crate::model::path::RootedPath;
use crate::model::step::StepKind;
use crate::sandbox::{self, Layers, SandboxError, Scratch};
use crate::sys::texts::Texts;
use crate::sys::tree::{Root, TreeError};

use super::DanceError;
use super::ground::Ground;
use super::writers::Watch;

/// Follows the sandbox from module to module.
#[derive(Debug)]
pub struct Differences {
    upper: Root,
    lower: Root,
    exclude: Vec<RootedPath>,
    texts: Texts,
    made: Vec<RootedPath>,
    last: Snapshot,
    /// What was touched since then: all that a look that failed was told of, too.
    touched: Touched,
    /// Who touched it.
    watch: Watch,
    entries: Vec<LayerEntry>,
}

impl Differences {
    /// Starts with nothing changed. What the ground excludes is never looked at and never merges. Texts are put away in that
    /// folder.
    pub fn new(layers: &Layers, ground: &Ground, folder: &Path) -> Result<Differences, DanceError> {
        let duplicate = |fd: std::os::fd::BorrowedFd<'_>, label: &str| -> Result<Root, DanceError> {
            let fd = fd
                .try_clone_to_owned()
                .map_err(|source| SandboxError::Cannot { action: "reach the layers", source })?;
            Ok(Root::from_fd(fd, label))
        };
        let (upper, lower) = (duplicate(layers.upper(), "scratchpad")?, duplicate(layers.lower(), "")?);
        let (exclude, made) = (ground.excluded(), ground.made.clone());
        let (last, touched, watch) = Default::default();
        let (texts, entries) = (Texts::on_disk(folder).map_err(ScanError::Texts)?, Vec::new());
        Ok(Differences { upper, lower, exclude, texts, made, last, touched, watch, entries })
    }

    /// The differences of a sandbox that is long gone: its scratchpad as it was kept, above the live root as it is.
    pub fn kept(upper: Root, entries: Vec<LayerEntry>, live: Root, ground: &Ground) -> Differences {
        let (last, touched, watch) = Default::default();
        let (exclude, made) = (ground.excluded(), Vec::new());
        let texts = Texts::default();
        Differences { upper, lower: live, exclude, texts, made, last, touched, watch, entries }
    }

    /// A batch of steps has ended; `more` may follow before [`Differences::since_last`] is asked.
    pub(in crate::ops) fn stepped(
        &mut self,
        layers: &Layers,
        batch: &[StepKind],
        more: bool,
    ) -> Result<(), DanceError> {
        self.watch.stepped(batch, layers.take_touched()?, more, &self.upper);
        Ok(())
    }

    /// Which steps made the changes that [`Differences::since_last`] has just found.
    pub(in crate::ops) fn writers(&mut self, changes: &ChangeSet) -> Writers {
        let number = |path: &RootedPath| self.last.number_at(path);
        std::mem::take(&mut self.watch).writers(changes, &number)
    }

    /// What has changed since the last call (since the start, for the first): read is what was touched. One only may ask so
    /// of a sandbox, for it is told once what was touched; and nothing may be running in it.
    pub fn since_last(&mut self, layers: &Layers) -> Result<ChangeSet, DanceError> {
        self.watch.touched().for_each(|touched| self.touched.add(touched.clone()));
        self.touched.add(layers.take_touched()?);
        let sources = sources(&self.upper, &self.lower, &self.exclude, &self.texts);
        let read = |path: &RootedPath, extent| Ok::<_, DanceError>(layers.entries_at(path, extent)?);
        let changed = rescan::rescan(&sources, &self.touched, &mut self.last, &read)?;
        self.touched = Touched::default();
        Ok(without_made(compare(&changed.before, &changed.after), &self.made))
    }

    /// What the whole run has changed, now that nothing can change it any more: all of the scratchpad is read.
    pub fn in_all(&mut self, sealed: &Scratch) -> Result<ChangeSet, DanceError> {
        if cfg!(debug_assertions) {
            self.since_last(sealed.layers())?;
            let followed = self.last.clone();
            let changes = self.so_far(sealed.layers())?;
            let missed = self.last.first_difference(&followed);
            assert_eq!(missed, None, "what the modules changed was not followed");
            return Ok(changes);
        }
        self.so_far(sealed.layers())
    }

    /// What has changed since the start: all of the scratchpad is read. Somebody may be at work in it, and somebody else may
    /// follow what is touched.
    pub fn so_far(&mut self, layers: &Layers) -> Result<ChangeSet, DanceError> {
        self.entries = layers.entries()?;
        let sources = sources(&self.upper, &self.lower, &self.exclude, &self.texts);
        self.last = scan::scan(&sources, &self.entries, &mut self.last)?;
        Ok(without_made(compare(&Snapshot::default(), &self.last), &self.made))
    }

    /// The scratchpad, as of the last call that read all of it.
    pub fn scratchpad(&self) -> (&Root, &[LayerEntry]) {
        (&self.upper, &self.entries)
    }

    /// The live root, as it is.
    pub fn lower(&self) -> &Root {
        &self.lower
    }

    /// What never merges.
    pub fn excluded(&self) -> &[RootedPath] {
        &self.exclude
    }
}

fn sources<'a>(
    upper: &'a Root,
    lower: &'a Root,
    exclude: &'a [RootedPath],
    texts: &'a Texts,
) -> scan::Layers<'a> {
    scan::Layers { upper, lower, private: &sandbox::is_private_xattr, exclude, texts }
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
