//! Hard links of the lower. A copied-up file that has several names there lives in `work/index`, and each of
//! its names that still shows becomes a link to that. Which names there are is known from lookups, and for the
//! rest from a search of the lower, so that the layer has them all.

use crate::lookup::{Above, Depth};
use crate::node::Node;
use crate::place::Place;
use crate::seen::Copied;
use crate::siblings::Siblings;
use crate::touched::Extent;
use crate::{Overlay, Result, Stat};
use parking_lot::Mutex;
use rustix::fs::AtFlags;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names are paths of the lower here.
#[derive(Debug, Default)]
struct Record {
    /// Names of the lower that were hidden before the file was copied up.
    removed: BTreeSet<PathBuf>,
    /// Once copied up: how many names of the lower are not links in the upper.
    indexed: Option<u64>,
    /// Names known to the lower that have not been hidden, nor linked in the upper.
    paths: BTreeSet<PathBuf>,
}

/// What is known of files with several names in the lower.
#[derive(Debug, Default)]
pub(crate) struct Links(Mutex<HashMap<u64, Record>>);

impl Links {
    /// The name of a copied-up file in the index.
    pub(crate) fn name(id: u64) -> String {
        format!("{id:x}")
    }

    pub(crate) fn is_indexed(&self, id: u64) -> bool {
        self.0.lock().get(&id).is_some_and(|record| record.indexed.is_some())
    }

    /// Remembers a name of a file of the lower.
    pub(crate) fn seen(&self, id: u64, parent: &Node, name: &OsStr) {
        if let Some(directory) = parent.lower_path() {
            self.0.lock().entry(id).or_default().paths.insert(directory.join(name));
        }
    }

    /// Notes that a name of a file of the lower is hidden.
    pub(crate) fn removed(&self, id: u64, parent: &Node, name: &OsStr) {
        let mut records = self.0.lock();
        let record = records.entry(id).or_default();
        if let Some(directory) = parent.lower_path() {
            let path = directory.join(name);
            record.paths.remove(&path);
            record.removed.insert(path);
        }
    }

    /// Remembers names that a search of the lower has found.
    fn found(&self, id: u64, paths: Vec<PathBuf>) {
        let mut records = self.0.lock();
        let record = records.entry(id).or_default();
        let shown = paths.into_iter().filter(|path| !record.removed.contains(path));
        record.paths.extend(shown.collect::<Vec<_>>());
    }

    /// Returns how many names of the lower are known, hidden or not, and a directory that holds one.
    fn known(&self, id: u64) -> (u64, Option<PathBuf>) {
        let records = self.0.lock();
        let Some(record) = records.get(&id) else { return (0, None) };
        let first = record.paths.first().or(record.removed.first());
        let directory = first.and_then(|path| path.parent()).map(Path::to_owned);
        ((record.paths.len() + record.removed.len()) as u64, directory)
    }

    pub(crate) fn count_removed(&self, id: u64) -> u64 {
        self.0.lock().get(&id).map_or(0, |record| record.removed.len() as u64)
    }

    /// Names of the lower that are not yet links in the upper.
    pub(crate) fn unseen(&self, id: u64) -> u64 {
        self.0.lock().get(&id).and_then(|record| record.indexed).unwrap_or(0)
    }

    /// Notes that the file, which had `nlink` names in the lower, is in the index.
    pub(crate) fn index(&self, id: u64, nlink: u64) {
        let mut records = self.0.lock();
        let record = records.entry(id).or_default();
        record.indexed = Some(nlink.saturating_sub(record.removed.len() as u64));
    }

    /// Returns the names that a file in the index may still have to be linked to.
    fn pending(&self, id: u64) -> Vec<PathBuf> {
        self.0.lock().get(&id).map_or_else(Vec::new, |record| record.paths.iter().cloned().collect())
    }

    /// Notes that nothing is left to be done for a name.
    fn settled(&self, id: u64, path: &Path) {
        if let Some(record) = self.0.lock().get_mut(&id) {
            record.paths.remove(path);
        }
    }

    fn linked(&self, id: u64) {
        if let Some(unseen) = self.0.lock().get_mut(&id).and_then(|record| record.indexed.as_mut()) {
            *unseen = unseen.saturating_sub(1);
        }
    }

    /// Drops what is known of a file that has no name left.
    pub(crate) fn forget(&self, id: u64) {
        self.0.lock().remove(&id);
    }
}

impl Overlay {
    /// Links a copied-up file to one of its names of the lower, unless the name has become something else.
    /// The caller holds the tree, and no stripe.
    pub(crate) fn materialise(&self, parent: &Arc<Node>, name: &OsStr, id: u64) -> Result<()> {
        self.ensure_upper(parent)?;
        let _stripe = self.stripe(parent);
        let survey = self.survey(parent, name, Depth::View)?;
        let (Above::Nothing, Some(below)) = (survey.above, survey.below) else { return Ok(()) };
        if below.id != id || !self.links.is_indexed(id) {
            return Ok(());
        }
        let directory = self.upper_of(parent)?;
        let times = Place::Fd(directory.clone());
        let before = times.stat()?;
        rustix::fs::linkat(&self.index, Links::name(id), &directory, name, AtFlags::empty())?;
        times.restore_times(&before)?;
        self.links.linked(id);
        let copied = Copied { of: (&below.stat).into(), length: below.stat.size };
        self.note_base(parent, name, &below.stat, Some(copied));
        self.touch_name(parent, name, Extent::Itself);
        Ok(())
    }

    /// Sees to it that every name that the lower has for a file is known. Most files are looked up through all
    /// their names or have them side by side; for others their file system is walked, once.
    pub(crate) fn find_names(&self, node: &Node, file: &Stat) -> Result<()> {
        let (known, beside) = self.links.known(node.id);
        let Some(directory) = beside.filter(|_| known < file.nlink) else { return Ok(()) };
        let Some(root) = self.lowers.top().filter(|_| self.lowers.is_plain()) else {
            self.links.found(node.id, Siblings::beside_in_layers(&self.lowers, &directory, file)?);
            if self.links.known(node.id).0 < file.nlink {
                self.links.found(node.id, self.siblings.in_layers(&self.lowers, &directory, file)?);
            }
            return Ok(());
        };
        self.links.found(node.id, Siblings::beside(root, &directory, file)?);
        if self.links.known(node.id).0 < file.nlink {
            let scratch = |stat: &Stat| self.is_scratch(stat);
            let all = self.siblings.everywhere(root, &directory, file, scratch)?;
            self.links.found(node.id, all);
        }
        Ok(())
    }

    /// Links a copied-up file to all its names. One that was interrupted is taken up by the next change.
    pub(crate) fn materialise_all(&self, node: &Arc<Node>) -> Result<()> {
        for path in self.links.pending(node.id) {
            // Looking the name up is what links it; one that does not show leads nowhere, or elsewhere.
            self.walk(&path)?;
            self.links.settled(node.id, &path);
        }
        Ok(())
    }

    /// Looks up every name of a path of the lower, for the sake of what a lookup does.
    fn walk(&self, path: &Path) -> Result<()> {
        let (mut at, path) = self.start_of(path)?;
        for name in &path {
            if !at.is_dir() {
                return Ok(());
            }
            match self.child(&at, name)? {
                Some((next, _)) => at = next,
                None => return Ok(()),
            }
        }
        Ok(())
    }
}
