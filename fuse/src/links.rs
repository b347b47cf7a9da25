//! Hard links of the lower. A copied-up file that has several names there lives in `work/index`, and each of
//! its names becomes a link to that: at once for the names looked up so far, later for others when they are
//! looked up. A name that is never looked up is not in the upper: whoever merges the layer sees it only on
//! the lower, by the inode.

use crate::dirfd::Side;
use crate::lookup::{Above, Depth};
use crate::node::Node;
use crate::place::Place;
use crate::{Overlay, Result};
use parking_lot::Mutex;
use rustix::fs::AtFlags;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Default)]
struct Record {
    /// Names of the lower that were hidden before the file was copied up.
    removed: u64,
    /// Once copied up: names of the lower that are not yet links in the upper.
    indexed: Option<u64>,
    /// Names seen so far, as paths; a path of the lower stays what it is.
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
        if let Some(directory) = parent.path() {
            self.0.lock().entry(id).or_default().paths.insert(directory.join(name));
        }
    }

    /// Notes that a name of a file of the lower is hidden.
    pub(crate) fn removed(&self, id: u64, parent: &Node, name: &OsStr) {
        let mut records = self.0.lock();
        let record = records.entry(id).or_default();
        record.removed += 1;
        if let Some(directory) = parent.path() {
            record.paths.remove(&directory.join(name));
        }
    }

    pub(crate) fn count_removed(&self, id: u64) -> u64 {
        self.0.lock().get(&id).map_or(0, |record| record.removed)
    }

    /// Names of the lower that are not yet links in the upper.
    pub(crate) fn unseen(&self, id: u64) -> u64 {
        self.0.lock().get(&id).and_then(|record| record.indexed).unwrap_or(0)
    }

    /// Notes that the file, which had `nlink` names in the lower, is in the index; returns the paths seen.
    pub(crate) fn index(&self, id: u64, nlink: u64) -> BTreeSet<PathBuf> {
        let mut records = self.0.lock();
        let record = records.entry(id).or_default();
        record.indexed = Some(nlink.saturating_sub(record.removed));
        std::mem::take(&mut record.paths)
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
        let directory = self.dir(parent, Side::Upper)?;
        let times = Place::Fd(directory.clone());
        let before = times.stat()?;
        rustix::fs::linkat(&self.index, Links::name(id), &directory, name, AtFlags::empty())?;
        times.restore_times(&before)?;
        self.links.linked(id);
        self.note_base(parent, name, &below.stat);
        Ok(())
    }

    /// Links a file that was just copied up to all its names seen so far.
    pub(crate) fn materialise_all(&self, node: &Arc<Node>, paths: BTreeSet<PathBuf>) -> Result<()> {
        for (parent, name) in node.all_names() {
            self.materialise(&parent, &name, node.id)?;
        }
        for path in paths {
            // Looking the name up is what links it; a name that has gone since leads nowhere.
            self.walk(&path)?;
        }
        Ok(())
    }

    /// Looks up every name of a path, for the sake of what a lookup does.
    fn walk(&self, path: &std::path::Path) -> Result<()> {
        let mut at = self.table.node(crate::ids::ROOT)?;
        for name in path {
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
