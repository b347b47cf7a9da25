//! Which paths of the view were changed since somebody asked last, so that a comparison costs what was changed. Nothing is
//! read here: what has become of a path, the layer says.
//!
//! A request that holds the tree is told whole: whoever asks has the tree alone. A write holds nothing, and so notes
//! itself when it is done, before it is answered.

use crate::node::Node;
use crate::{Overlay, Stat};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much of a path was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// The object itself; what a directory holds is told by paths of its own.
    Itself,
    /// Perhaps everything below it as well.
    Whole,
}

/// What was changed: paths of the merged view, relative to the root, as they were called then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Created, written, changed, removed, renamed from and to; also directories that were copied up on the way.
    pub paths: BTreeMap<PathBuf, Extent>,
    /// Inodes of the upper with several names, not all of which need to be among the paths: whatever path is known to
    /// lead to one has changed as well.
    pub inodes: BTreeSet<u64>,
}

/// What is told next. A node that was noted already is known by the number of the time since the last question.
#[derive(Debug, Default)]
pub(crate) struct Touches {
    /// 0 while nobody wants to know.
    epoch: AtomicU64,
    now: Mutex<Touched>,
}

impl Touches {
    fn add(&self, path: PathBuf, extent: Extent) {
        let mut now = self.now.lock();
        let known = now.paths.entry(path).or_insert(extent);
        *known = extent.max(*known);
    }

    /// Whether anybody wants to know.
    pub(crate) fn are_wanted(&self) -> bool {
        self.epoch.load(Ordering::Acquire) != 0
    }

    /// Whether the node has changed for the first time since the last question.
    fn is_news(&self, node: &Node) -> bool {
        let epoch = self.epoch.load(Ordering::Acquire);
        epoch != 0 && node.touched.load(Ordering::Relaxed) != epoch
    }
}

impl Overlay {
    /// Notes from now on what objects of the lower are at the first look, for [`Overlay::base`], and what is changed, for
    /// [`Overlay::take_touched`]. Both take memory that whoever only mounts a view has no use for.
    pub fn watch(&self) {
        self.touches.epoch.fetch_max(1, Ordering::AcqRel);
    }

    /// Returns what was changed since this was asked last, or since [`Overlay::watch`].
    pub fn take_touched(&self) -> Touched {
        // A request under way is told when it is done, and then whole.
        let _tree = self.tree.write();
        let mut now = self.touches.now.lock();
        if self.touches.are_wanted() {
            self.touches.epoch.fetch_add(1, Ordering::AcqRel);
        }
        std::mem::take(&mut *now)
    }

    /// Notes a change of a node under all its names. The caller holds the tree.
    pub(crate) fn touch(&self, node: &Arc<Node>) {
        if !self.touches.is_news(node) {
            return;
        }
        let mut paths: Vec<PathBuf> = node.paths();
        if node.is_root() {
            paths.push(PathBuf::new());
        }
        // What cannot be looked at any more is in nobody's layer.
        let linked = |stat: &Stat| stat.nlink > u64::from(!paths.is_empty());
        let inode =
            if node.is_dir() { None } else { self.look(node).ok().filter(linked).map(|stat| stat.ino) };
        let mut now = self.touches.now.lock();
        for path in paths {
            now.paths.entry(path).or_insert(Extent::Itself);
        }
        now.inodes.extend(inode);
        node.touched.store(self.touches.epoch.load(Ordering::Acquire), Ordering::Relaxed);
    }

    /// Notes a write that is done. The caller holds nothing.
    pub(crate) fn touch_written(&self, node: &Arc<Node>) {
        if self.touches.is_news(node) {
            let _tree = self.tree.read();
            self.touch(node);
        }
    }

    /// Notes a change of what a name leads to. The caller holds the tree.
    pub(crate) fn touch_name(&self, parent: &Node, name: &OsStr, extent: Extent) {
        if let Some(directory) = parent.path().filter(|_| self.touches.are_wanted()) {
            self.touches.add(directory.join(name), extent);
        }
    }

    /// Notes both ends of a rename. The caller has the tree alone.
    pub(crate) fn touch_ends(&self, old: (&Node, &OsStr), new: (&Node, &OsStr)) {
        for (parent, name) in [old, new] {
            self.touch_name(parent, name, Extent::Whole);
        }
    }
}

impl Node {
    /// Returns the paths of all names that are known.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let names: Vec<_> =
            self.lock().names.iter().map(|name| (name.parent.clone(), name.name.clone())).collect();
        names.iter().filter_map(|(parent, name)| Some(parent.path()?.join(&**name))).collect()
    }
}
