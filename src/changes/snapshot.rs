//! The state of every path that the scratchpad touches, as plain data. Not here: how it is read ([`crate::changes::scan`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::attributes::{Attributes, FileKind};
use crate::model::layer::{LayerEntry, LayerKind, Stamp};
use crate::model::path::RootedPath;
use crate::sys::accounts::Accounts;
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
    pub attributes: Arc<Attributes>,
    /// The content of a regular file.
    pub body: Option<Body>,
    /// What tells that it hasn't changed since; `None` where that can't be told.
    pub(super) mark: Option<Stamp>,
}

impl Present {
    /// The same object with the account names of now: a later module may have named its owner.
    pub(super) fn named(self: &Arc<Self>, names: &Accounts) -> Arc<Self> {
        let (owner, group) = (names.user(self.attributes.uid), names.group(self.attributes.gid));
        if self.attributes.owner == owner && self.attributes.group == group {
            return self.clone();
        }
        let mut named = Present::clone(self);
        named.attributes = Arc::new(Attributes { owner, group, ..Attributes::clone(&self.attributes) });
        Arc::new(named)
    }
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
    /// What the scratchpad held.
    pub(super) entries: BTreeMap<RootedPath, LayerEntry>,
    /// Its files and the like by their numbers, for those with several names.
    by_number: BTreeSet<(u64, RootedPath)>,
    /// The account names of the view.
    pub(super) names: Accounts,
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

    /// What the scratchpad does at a path, if it holds something there.
    pub(super) fn kind(&self, path: &RootedPath) -> Option<LayerKind> {
        Some(self.entries.get(path)?.kind)
    }

    /// The number of the object that the scratchpad holds at a path, where that may have several names.
    pub fn number_at(&self, path: &RootedPath) -> Option<u64> {
        number(self.entries.get(path)?)
    }

    /// Adds what the scratchpad holds at a path.
    pub(super) fn holds(&mut self, entry: LayerEntry) {
        self.by_number.extend(number(&entry).map(|number| (number, entry.path.clone())));
        self.entries.insert(entry.path.clone(), entry);
    }

    /// Takes away what the scratchpad held at a path.
    pub(super) fn lost(&mut self, path: &RootedPath) {
        if let Some(entry) = self.entries.remove(path)
            && let Some(number) = number(&entry)
        {
            self.by_number.remove(&(number, entry.path));
        }
    }

    /// The names that an object of the scratchpad had.
    pub(super) fn names_of(&self, number: u64) -> impl Iterator<Item = &RootedPath> {
        let first = (number, RootedPath::default());
        self.by_number.range(first..).take_while(move |(other, _)| *other == number).map(|(_, path)| path)
    }

    /// A path at which two snapshots show different states, which are none by the size of a directory alone; `None` where
    /// both show the same.
    pub fn first_difference(&self, other: &Snapshot) -> Option<RootedPath> {
        let same = |one: Option<&State>, other: Option<&State>| match (one, other) {
            (Some(State::Present(one)), Some(State::Present(other))) => {
                let (mut a, b) = (Attributes::clone(&one.attributes), &*other.attributes);
                if a.kind == FileKind::Directory {
                    a.size = b.size;
                }
                (&a, &one.body) == (b, &other.body)
            }
            (one, other) => one == other,
        };
        let paths = self.view.keys().chain(other.view.keys());
        paths.filter(|path| !same(self.view.get(path), other.view.get(path))).min().cloned()
    }
}

/// The number of what may have several names.
pub(super) fn number(entry: &LayerEntry) -> Option<u64> {
    match entry.kind {
        LayerKind::Object => entry.stamp.map(|stamp| stamp.inode),
        LayerKind::Whiteout | LayerKind::Directory { .. } => None,
    }
}
