//! Reads the state of every path that the scratchpad touches. A file that hasn't changed since the scan before is not
//! read again, so that a module costs what it changed, not what the modules before it did.

use std::collections::BTreeSet;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::changes::snapshot::{Present, Snapshot, State};
use crate::model::attributes::FileKind;
use crate::model::layer::{LayerEntry, LayerKind, Stamp};
use crate::model::path::{PathError, RootedPath};
use crate::sys::accounts::{self, Accounts};
use crate::sys::clock;
use crate::sys::metadata::{self, IsPrivate};
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
    /// What the scratchpad holds, sorted by path.
    pub entries: &'a [LayerEntry],
    /// The scratchpad as plain files. Which of them are whiteouts, only `entries` knows.
    pub upper: &'a Root,
    /// The read-only lower layer.
    pub lower: &'a Root,
    /// Extended attributes that belong to the scratchpad and not to the object.
    pub private: IsPrivate<'a>,
    /// What disco never looks at and never merges: its own home.
    pub exclude: &'a [RootedPath],
}

/// A change younger than this, seen from the scan, may be followed by one with the same time stamp: file systems stamp
/// by the tick of a clock.
const TICK: Duration = Duration::from_millis(50);

/// The state of every path that the scratchpad touches now; `previous` is the scan before it of the same sandbox, or
/// `Snapshot::default()`. What is known of the lower layer moves to the new one.
pub fn scan(layers: &Layers<'_>, previous: &mut Snapshot) -> Result<Snapshot, ScanError> {
    let now = clock::since_epoch();
    let (lower, walked) = (take(&mut previous.lower), take(&mut previous.walked));
    let mut scan = Scan {
        layers,
        previous,
        now,
        lower_names: Accounts::load(layers.lower)?,
        view_names: view_accounts(layers)?,
        snapshot: Snapshot { lower, walked, ..Snapshot::default() },
    };
    for entry in layers.entries {
        if !scan.is_excluded(&entry.path) {
            scan.entry(entry)?;
        }
    }
    Ok(scan.snapshot)
}

/// The account names of the view: each file from the layer that shows it.
fn view_accounts(layers: &Layers<'_>) -> Result<Accounts, ScanError> {
    let [passwd, group] = accounts::FILES.map(|path| {
        let Ok(rooted) = RootedPath::new(path) else { return Ok(String::new()) };
        let hides = |entry: &&LayerEntry| match entry.kind {
            LayerKind::Whiteout | LayerKind::Object => rooted.is_within(&entry.path),
            LayerKind::Directory { opaque } => opaque && rooted.is_within(&entry.path),
        };
        // Whether or not the scratchpad holds the file itself, its own copy is the one that shows.
        match layers.entries.iter().rfind(hides) {
            None => accounts::read_text(layers.lower, path),
            Some(LayerEntry { kind: LayerKind::Whiteout, .. }) => Ok(String::new()),
            Some(_) => accounts::read_text(layers.upper, path),
        }
    });
    Ok(Accounts::parse(&passwd?, &group?))
}

struct Scan<'a> {
    layers: &'a Layers<'a>,
    previous: &'a Snapshot,
    now: Duration,
    lower_names: Accounts,
    view_names: Accounts,
    snapshot: Snapshot,
}

impl Scan<'_> {
    fn is_excluded(&self, path: &RootedPath) -> bool {
        self.layers.exclude.iter().any(|excluded| path.is_within(excluded))
    }

    fn entry(&mut self, entry: &LayerEntry) -> Result<(), ScanError> {
        let path = &entry.path;
        self.lower_state(path)?;
        let below = self.lower_kind(path);
        let hides_below = match entry.kind {
            LayerKind::Whiteout | LayerKind::Object => true,
            LayerKind::Directory { opaque } => opaque,
        };
        if hides_below && below == Some(FileKind::Directory) {
            self.hide(path)?;
        }
        let state = match entry.kind {
            LayerKind::Whiteout => State::Absent,
            LayerKind::Directory { .. } | LayerKind::Object => self.upper_state(entry)?,
        };
        self.snapshot.view.insert(path.clone(), state);
        Ok(())
    }

    fn lower_kind(&self, path: &RootedPath) -> Option<FileKind> {
        match self.snapshot.lower.get(path)? {
            State::Absent => None,
            State::Present(present) => Some(present.attributes.kind),
        }
    }

    /// Makes the state of the lower layer at a path known.
    fn lower_state(&mut self, path: &RootedPath) -> Result<(), ScanError> {
        if self.snapshot.lower.contains_key(path) {
            return Ok(());
        }
        let state = match self.layers.lower.lookup(path)? {
            None => State::Absent,
            Some(object) => self.lower_object(&object)?,
        };
        self.snapshot.lower.insert(path.clone(), state);
        Ok(())
    }

    fn lower_object(&self, object: &Object) -> Result<State, ScanError> {
        let device = object.stat().device;
        let (attributes, body) =
            metadata::attributes(object, device, &self.lower_names, self.layers.private)?;
        Ok(State::Present(Arc::new(Present { attributes, body, mark: None })))
    }

    /// Everything that the lower directory holds is gone from the view. What the scratchpad has instead follows: its
    /// entries come after the directory's.
    fn hide(&mut self, directory: &RootedPath) -> Result<(), ScanError> {
        if !self.snapshot.walked.contains(directory) {
            self.walk(directory)?;
            self.snapshot.walked.insert(directory.clone());
        }
        let known = self.snapshot.lower.range(directory.clone()..);
        let inside =
            known.take_while(|(path, _)| path.is_within(directory)).filter(|(path, _)| *path != directory);
        let hidden: BTreeSet<RootedPath> = inside
            .filter(|(_, state)| matches!(state, State::Present(_)))
            .map(|(path, _)| path.clone())
            .collect();
        self.snapshot.view.extend(hidden.into_iter().map(|path| (path, State::Absent)));
        Ok(())
    }

    fn walk(&mut self, directory: &RootedPath) -> Result<(), ScanError> {
        let mut open = vec![directory.clone()];
        while let Some(directory) = open.pop() {
            for name in self.layers.lower.directory(&directory)?.names()? {
                let path = directory.join(&name)?;
                if self.is_excluded(&path) {
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
        Ok(State::Present(Arc::new(Present { attributes, body, mark })))
    }

    /// The object as the scan before saw it, if it is still the one of that mark.
    fn unchanged(&self, path: &RootedPath, mark: Option<Stamp>) -> Option<Arc<Present>> {
        match self.previous.view.get(path) {
            Some(State::Present(known)) if mark.is_some() && known.mark == mark => Some(self.renamed(known)),
            Some(State::Present(_) | State::Absent) | None => None,
        }
    }

    /// The same object with the account names of now: a later module may have named its owner.
    fn renamed(&self, known: &Arc<Present>) -> Arc<Present> {
        let (uid, gid) = (known.attributes.uid, known.attributes.gid);
        let (owner, group) = (self.view_names.user(uid), self.view_names.group(gid));
        if known.attributes.owner == owner && known.attributes.group == group {
            return known.clone();
        }
        let mut renamed = Present::clone(known);
        (renamed.attributes.owner, renamed.attributes.group) = (owner, group);
        Arc::new(renamed)
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
        if let Some(State::Present(below)) = self.snapshot.lower.get(path) {
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
