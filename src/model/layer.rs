//! The scratchpad (the upper layer), decoded into plain data.

use crate::model::path::RootedPath;

/// One object that the scratchpad holds; a list of them is sorted by path, parents before what they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerEntry {
    /// Where it is below the root.
    pub path: RootedPath,
    /// What it says about the lower object of that path.
    pub kind: LayerKind,
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
