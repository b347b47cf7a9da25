//! The scratchpad (the upper layer), decoded into plain data.

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
