//! The state of every path that the scratchpad touches, as plain data. Not here: how it is read ([`crate::changes::scan`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::attributes::Attributes;
use crate::model::layer::Stamp;
use crate::model::path::RootedPath;
use crate::sys::metadata::Body;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Absent,
    /// An object.
    Present(Arc<Present>),
}

/// An object as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// All that is compared and shown.
    pub attributes: Attributes,
    /// The content of a regular file.
    pub body: Option<Body>,
    /// What tells that it hasn't changed since; `None` where that can't be told.
    pub(super) mark: Option<Stamp>,
}

/// The state of every path that the scratchpad touches at one time, and the state of the lower layer at those paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The view: scratchpad over lower layer.
    pub view: BTreeMap<RootedPath, State>,
    /// The lower layer as it was first seen; handed on from one scan to the next.
    pub lower: BTreeMap<RootedPath, State>,
    /// Lower directories that are known with all that they hold.
    pub(super) walked: BTreeSet<RootedPath>,
}

impl Snapshot {
    /// What the view holds at a path that this or the other snapshot of the same sandbox touches.
    pub(super) fn state<'a>(&'a self, path: &RootedPath, other: &'a Snapshot) -> &'a State {
        // A path that the scratchpad doesn't touch shows the lower layer.
        self.view
            .get(path)
            .or_else(|| self.lower.get(path))
            .or_else(|| other.lower.get(path))
            .unwrap_or(&State::Absent)
    }
}
