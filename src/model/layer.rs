//! The scratchpad (the upper layer), decoded into plain data.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::path::RootedPath;

/// One object that the scratchpad holds; a list of them is sorted by path, parents before what they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerEntry {
    /// Where it is below the root.
    pub path: RootedPath,
    /// What it says about the lower object of that path.
    pub kind: LayerKind,
    /// How it was when the list was made; none where whoever made the list did not look.
    pub stamp: Option<Stamp>,
}

/// How much of a path was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// The object itself.
    Itself,
    /// Perhaps everything below it as well.
    Whole,
}

/// What was changed in a sandbox for some time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// The paths.
    pub paths: BTreeMap<RootedPath, Extent>,
    /// Objects of the scratchpad, by number, whose other names have changed as well.
    pub inodes: BTreeSet<u64>,
}

impl Touched {
    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.inodes.is_empty()
    }

    /// Adds what was changed later.
    pub fn add(&mut self, later: Touched) {
        for (path, extent) in later.paths {
            let known = self.paths.entry(path).or_insert(extent);
            *known = extent.max(*known);
        }
        self.inodes.extend(later.inodes);
    }
}

/// What changes in stat(2) with every change of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The device of the file system that holds it.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// Its size.
    pub size: u64,
    /// The last change of its content: seconds, nanoseconds.
    pub mtime: (i64, i64),
    /// The last change of anything.
    pub ctime: (i64, i64),
}

/// What an object of the scratchpad says about the lower layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// The lower object is gone.
    Whiteout,
    /// A directory; an opaque one hides everything that the lower one holds.
    Directory {
        /// Whether it hides the lower directory's content.
        opaque: bool,
    },
    /// A file, link or special file in the place of whatever was there.
    Object,
}

impl LayerKind {
    /// Whether nothing of what the lower layer holds below that path shows.
    pub fn hides_below(self) -> bool {
        match self {
            LayerKind::Whiteout | LayerKind::Object => true,
            LayerKind::Directory { opaque } => opaque,
        }
    }
}
