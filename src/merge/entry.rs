//! One change of a merge as the journal has it: enough to make it, to take it back, and to tell which of the two is done,
//! without anything else. Data alone; [`super::moves`] acts.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::merge::seen::Seen;
use crate::model::path::RootedPath;
use crate::sys::metadata::Metadata;

/// Where an object is kept while it is not in its place: a number in one of the merge's stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(usize, usize)", into = "(usize, usize)")]
pub struct Stored {
    /// The store's place in the journal's list.
    pub store: usize,
    /// The number there.
    pub number: usize,
}

impl From<(usize, usize)> for Stored {
    fn from((store, number): (usize, usize)) -> Stored {
        Stored { store, number }
    }
}

impl From<Stored> for (usize, usize) {
    fn from(stored: Stored) -> (usize, usize) {
        (stored.store, stored.number)
    }
}

impl Stored {
    /// Its name in the store.
    pub fn name(self) -> OsString {
        self.number.to_string().into()
    }

    /// The name there of what it replaces, on a file system that cannot exchange two names.
    pub fn aside(self) -> OsString {
        format!("{}.old", self.number).into()
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Entry {
    /// A stored object takes a place that is free.
    Place {
        /// The place.
        path: RootedPath,
        /// Where the object comes from.
        at: Stored,
        /// The object.
        new: Seen,
        /// What it holds, where it is a directory.
        #[serde(default, skip_serializing_if = "Holds::is_nothing")]
        holds: Holds,
    },
    /// A stored object takes the place of another, which is stored instead.
    Replace {
        /// The place.
        path: RootedPath,
        /// Where the object comes from, and the other one goes.
        at: Stored,
        /// The object.
        new: Seen,
        /// What the new one holds, where it is a directory.
        #[serde(default, skip_serializing_if = "Holds::is_nothing")]
        holds: Holds,
        /// The other one.
        old: Seen,
    },
    /// An object leaves its place, and is stored.
    Delete {
        /// The place.
        path: RootedPath,
        /// Where it goes.
        at: Stored,
        /// The object.
        old: Seen,
    },
    /// An object gets other metadata, and stays where it is.
    Attributes {
        /// The object's place.
        path: RootedPath,
        /// The store of its file system, though nothing of it is stored.
        store: usize,
        /// The object.
        object: Seen,
        /// What it had.
        old: Metadata,
        /// What it gets.
        new: Metadata,
    },
    /// A file gets a stored tail added where it ends, and stays the file that whoever writes it has open.
    Append {
        /// The file's place.
        path: RootedPath,
        /// Where the tail is, which stays there.
        at: Stored,
        /// The file, with the length that it had.
        object: Seen,
        /// What is done.
        deed: Deed,
    },
}

/// What is done with a tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// It is added.
    Add,
    /// It is taken off again.
    TakeOff,
}

/// How a change changes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Something is there that wasn't.
    Placed,
    /// Something else is there.
    Replaced,
    /// Nothing is there any more.
    Deleted,
    /// Its owner, permissions or attributes are others.
    Attributes,
    /// Something is added to its end, or taken from there again.
    Appended,
}

/// Where it is said what a placed directory holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Holds {
    /// In so many lines of the journal behind the change, a [`Held`] each, sorted by path.
    Behind(u64),
    /// Here: so the first form of the journal had it, as one line however long.
    Within(Vec<(RootedPath, Seen)>),
}

impl Default for Holds {
    fn default() -> Holds {
        Holds::Behind(0)
    }
}

impl Holds {
    /// How many lines of the journal say it.
    pub fn lines(&self) -> u64 {
        match self {
            Holds::Behind(lines) => *lines,
            Holds::Within(_) => 0,
        }
    }

    fn is_nothing(&self) -> bool {
        *self == Holds::default()
    }
}

/// What a placed directory holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Where it is in the end.
    pub path: RootedPath,
    /// How it was when it was placed.
    pub seen: Seen,
}

impl From<(RootedPath, Seen)> for Held {
    fn from((path, seen): (RootedPath, Seen)) -> Held {
        Held { path, seen }
    }
}

impl Entry {
    /// The place that it changes.
    pub fn path(&self) -> &RootedPath {
        match self {
            Entry::Place { path, .. }
            | Entry::Replace { path, .. }
            | Entry::Delete { path, .. }
            | Entry::Attributes { path, .. }
            | Entry::Append { path, .. } => path,
        }
    }

    /// How it changes its place.
    pub fn way(&self) -> Way {
        match self {
            Entry::Place { .. } => Way::Placed,
            Entry::Replace { .. } => Way::Replaced,
            Entry::Delete { .. } => Way::Deleted,
            Entry::Attributes { .. } => Way::Attributes,
            Entry::Append { .. } => Way::Appended,
        }
    }

    /// The store of the file system that it changes.
    pub fn store(&self) -> usize {
        match self {
            Entry::Place { at, .. }
            | Entry::Replace { at, .. }
            | Entry::Delete { at, .. }
            | Entry::Append { at, .. } => at.store,
            Entry::Attributes { store, .. } => *store,
        }
    }

    /// The change that takes it back, once it is made. `holds` is what a directory holds that comes back.
    pub fn inverse(self, holds: Holds) -> Entry {
        match self {
            Entry::Place { path, at, new, holds: _ } => Entry::Delete { path, at, old: new },
            Entry::Replace { path, at, new, holds: _, old } => {
                Entry::Replace { path, at, new: old, holds, old: new }
            }
            Entry::Delete { path, at, old } => Entry::Place { path, at, new: old, holds },
            Entry::Attributes { path, store, object, old, new } => {
                Entry::Attributes { path, store, object, old: new, new: old }
            }
            Entry::Append { path, at, object, deed } => {
                let deed = match deed {
                    Deed::Add => Deed::TakeOff,
                    Deed::TakeOff => Deed::Add,
                };
                Entry::Append { path, at, object, deed }
            }
        }
    }
}
