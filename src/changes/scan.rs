//! Reads the state of every path that the scratchpad touches. A file that hasn't changed since the scan before is not
//! read again, so that a module costs what it changed, not what the modules before it did.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::changes::snapshot::{Present, Snapshot, State};
use crate::model::attributes::{Attributes, FileKind};
use crate::model::layer::{LayerEntry, LayerKind, Stamp};
use crate::model::path::{PathError, RootedPath};
use crate::sys::accounts::{self, Accounts};
use crate::sys::clock;
use crate::sys::metadata::{self, Body, IsPrivate};
use crate::sys::texts::Texts;
use crate::sys::tree::{Object, Root, TreeError};

/// A scan that could not be finished.
#[derive(Debug, Error)]
pub enum ScanError {
    /// An object could not be read.
    #[error(transparent)]
    Read(#[from] TreeError),
    /// The lower layer holds a name that is no plain name.
    #[error(transparent)]
    Name(#[from] PathError),
    /// A text could not be put away.
    #[error("cannot keep the text of a file for its differences")]
    Texts(#[source] std::io::Error),
    /// The list says that the scratchpad holds an object, and it does not.
    #[error("the scratchpad has lost {path}")]
    Lost {
        /// The object.
        path: RootedPath,
    },
}

/// A scratchpad at rest (no step is running) and what lies below it.
#[derive(Clone, Copy)]
pub struct Layers<'a> {
    /// The scratchpad as plain files. Which of them are whiteouts, only its decoded entries know.
    pub upper: &'a Root,
    /// The read-only lower layer.
    pub lower: &'a Root,
    /// Extended attributes that belong to the scratchpad and not to the object.
    pub private: IsPrivate<'a>,
    /// What disco never looks at and never merges: its own home.
    pub exclude: &'a [RootedPath],
    /// Where texts are put away.
    pub texts: &'a Texts,
}

impl Layers<'_> {
    /// Whether disco never looks there.
    pub(super) fn excludes(&self, path: &RootedPath) -> bool {
        self.exclude.iter().any(|excluded| path.is_within(excluded))
    }
}

/// A change younger than this, seen from the scan, may be followed by one with the same time stamp: file systems stamp
/// by the tick of a clock.
const TICK: Duration = Duration::from_millis(50);

/// The state of every path that the scratchpad touches now, read from all that it holds (`entries`, sorted by path);
/// `previous` is the scan before it of the same sandbox, or `Snapshot::default()`. What is known of the lower layer moves to
/// the new one.
pub fn scan(
    layers: &Layers<'_>,
    entries: &[LayerEntry],
    previous: &mut Snapshot,
) -> Result<Snapshot, ScanError> {
    let mut next = Snapshot::default();
    for entry in entries.iter().filter(|entry| !layers.excludes(&entry.path)) {
        next.holds(entry.clone());
    }
    let names = view_accounts(layers, &|path| next.kind(path))?;
    let mut scan = Scan::new(layers, names, &previous.view, &mut previous.lower, &mut previous.walked)?;
    for entry in next.entries.values() {
        scan.entry(entry)?;
    }
    (next.view, next.names) = scan.finish();
    (next.lower, next.walked) = (take(&mut previous.lower), take(&mut previous.walked));
    Ok(next)
}

/// The account names of the view: each file from the layer that shows it.
pub(super) fn view_accounts(
    layers: &Layers<'_>,
    kind: &dyn Fn(&RootedPath) -> Option<LayerKind>,
) -> Result<Accounts, ScanError> {
    let [passwd, group] = accounts::FILES.map(|path| {
        let mut at = RootedPath::new(path).ok();
        while let Some(here) = at {
            match kind(&here) {
                Some(LayerKind::Whiteout) => return Ok(String::new()),
                // Whether or not the scratchpad holds the file itself, its own copy is the one that shows.
                Some(LayerKind::Object | LayerKind::Directory { opaque: true }) => {
                    return accounts::read_text(layers.upper, path);
                }
                Some(LayerKind::Directory { opaque: false }) | None => at = here.parent(),
            }
        }
        accounts::read_text(layers.lower, path)
    });
    Ok(Accounts::parse(&passwd?, &group?))
}

/// Reads states. What it learns of the lower layer stays, also when it fails.
pub(super) struct Scan<'a> {
    layers: &'a Layers<'a>,
    previous: &'a BTreeMap<RootedPath, State>,
    now: Duration,
    lower_names: Accounts,
    view_names: Accounts,
    lower: &'a mut BTreeMap<RootedPath, State>,
    walked: &'a mut BTreeSet<RootedPath>,
    view: BTreeMap<RootedPath, State>,
}

impl<'a> Scan<'a> {
    /// A scan after one that found `previous` in the view and knows this of the lower layer.
    pub(super) fn new(
        layers: &'a Layers<'a>,
        view_names: Accounts,
        previous: &'a BTreeMap<RootedPath, State>,
        lower: &'a mut BTreeMap<RootedPath, State>,
        walked: &'a mut BTreeSet<RootedPath>,
    ) -> Result<Scan<'a>, ScanError> {
        let now = clock::since_epoch();
        let lower_names = Accounts::load(layers.lower)?;
        let view = BTreeMap::new();
        Ok(Scan { layers, previous, now, lower_names, view_names, lower, walked, view })
    }

    /// What was found, and the account names that it was found with.
    pub(super) fn finish(self) -> (BTreeMap<RootedPath, State>, Accounts) {
        (self.view, self.view_names)
    }

    /// Reads an object, and what it does to all below it; what the scratchpad holds there must follow.
    pub(super) fn entry(&mut self, entry: &LayerEntry) -> Result<(), ScanError> {
        let path = &entry.path;
        self.lower_state(path)?;
        if entry.kind.hides_below() && self.lower_kind(path) == Some(FileKind::Directory) {
            self.hide(path)?;
        }
        self.alone(entry)
    }

    /// Reads an object alone.
    pub(super) fn alone(&mut self, entry: &LayerEntry) -> Result<(), ScanError> {
        self.lower_state(&entry.path)?;
        let state = match entry.kind {
            LayerKind::Whiteout => State::Absent,
            LayerKind::Directory { .. } | LayerKind::Object => self.upper_state(entry)?,
        };
        self.view.insert(entry.path.clone(), state);
        Ok(())
    }

    fn lower_kind(&self, path: &RootedPath) -> Option<FileKind> {
        match self.lower.get(path)? {
            State::Absent => None,
            State::Present(present) => Some(present.attributes.kind),
        }
    }

    /// Makes the state of the lower layer at a path known.
    fn lower_state(&mut self, path: &RootedPath) -> Result<(), ScanError> {
        if self.lower.contains_key(path) {
            return Ok(());
        }
        let state = match self.layers.lower.lookup(path)? {
            None => State::Absent,
            Some(object) => self.lower_object(&object)?,
        };
        self.lower.insert(path.clone(), state);
        Ok(())
    }

    fn lower_object(&self, object: &Object) -> Result<State, ScanError> {
        let device = object.stat().device;
        let (attributes, body) =
            metadata::attributes(object, device, &self.lower_names, self.layers.private)?;
        self.present(attributes, body, None)
    }

    /// Everything that the lower directory holds is gone from the view. What the scratchpad has instead follows: its
    /// entries come after the directory's.
    fn hide(&mut self, directory: &RootedPath) -> Result<(), ScanError> {
        if !self.walked.contains(directory) {
            self.walk(directory)?;
            self.walked.insert(directory.clone());
        }
        self.hide_known(directory);
        self.view.remove(directory);
        Ok(())
    }

    /// What is known of the lower layer at a path and below it is gone from the view.
    pub(super) fn hide_known(&mut self, path: &RootedPath) {
        let known = self.lower.range(path.clone()..).take_while(|(inner, _)| inner.is_within(path));
        let hidden = known.filter(|(_, state)| matches!(state, State::Present(_)));
        self.view.extend(hidden.map(|(path, _)| (path.clone(), State::Absent)));
    }

    fn walk(&mut self, directory: &RootedPath) -> Result<(), ScanError> {
        let mut open = vec![directory.clone()];
        while let Some(directory) = open.pop() {
            for name in self.layers.lower.directory(&directory)?.names()? {
                let path = directory.join(&name)?;
                if self.layers.excludes(&path) {
                    continue;
                }
                self.lower_state(&path)?;
                if self.lower_kind(&path) == Some(FileKind::Directory) {
                    open.push(path);
                }
            }
        }
        Ok(())
    }

    fn upper_state(&self, entry: &LayerEntry) -> Result<State, ScanError> {
        let path = &entry.path;
        // Nothing changes the scratchpad since the list was made: what that saw of the object is still so.
        if let Some(known) = entry.stamp.and_then(|stamp| self.unchanged(path, self.mark(stamp))) {
            return Ok(State::Present(known));
        }
        let Some(object) = self.layers.upper.lookup(path)? else {
            return Err(ScanError::Lost { path: path.clone() });
        };
        let mark = self.mark(stamp(&object));
        if let Some(known) = self.unchanged(path, mark) {
            return Ok(State::Present(known));
        }
        let device = self.landing_device(path)?;
        let (attributes, body) =
            metadata::attributes(&object, device, &self.view_names, self.layers.private)?;
        self.present(attributes, body, mark)
    }

    fn present(
        &self,
        attributes: Attributes,
        body: Option<Body>,
        mark: Option<Stamp>,
    ) -> Result<State, ScanError> {
        let body = match body {
            Some(Body::Text(text)) => {
                Some(Body::Text(self.layers.texts.put(text).map_err(ScanError::Texts)?))
            }
            other => other,
        };
        Ok(State::Present(Arc::new(Present { attributes: attributes.into(), body, mark })))
    }

    /// The object as the scan before saw it, if it is still the one of that mark.
    fn unchanged(&self, path: &RootedPath, mark: Option<Stamp>) -> Option<Arc<Present>> {
        match self.previous.get(path) {
            Some(State::Present(known)) if mark.is_some() && known.mark == mark => Some(self.renamed(known)),
            Some(State::Present(_) | State::Absent) | None => None,
        }
    }

    /// The same object with the account names of now: a later module may have named its owner.
    fn renamed(&self, known: &Arc<Present>) -> Arc<Present> {
        known.named(&self.view_names)
    }

    /// A stamp by which a later change shows; none while one could follow with the same.
    fn mark(&self, stamp: Stamp) -> Option<Stamp> {
        // A time before 1970 or out of range says nothing.
        let seconds = u64::try_from(stamp.ctime.0).ok()?;
        let changed = Duration::new(seconds, u32::try_from(stamp.ctime.1).ok()?);
        (changed + TICK < self.now).then_some(stamp)
    }

    /// `st_dev` of the file system on which an object of that path will be once merged: that of the lower object there,
    /// or of the nearest directory above it that the lower layer has.
    fn landing_device(&self, path: &RootedPath) -> Result<u64, ScanError> {
        if let Some(State::Present(below)) = self.lower.get(path) {
            return Ok(below.attributes.device);
        }
        let mut above = path.parent();
        while let Some(directory) = above {
            match self.layers.lower.lookup(&directory)? {
                Some(object) if object.kind() == FileKind::Directory => return Ok(object.stat().device),
                Some(_) | None => above = directory.parent(),
            }
        }
        Ok(0)
    }
}

fn stamp(object: &Object) -> Stamp {
    let stat = object.stat();
    let (device, inode, size) = (stat.device, stat.inode, stat.size);
    Stamp { device, inode, size, mtime: stat.mtime, ctime: stat.ctime }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
