//! Makes the changes of a merge, or takes them back, each by one rename, in an order in which whoever looks meanwhile finds
//! programs with their libraries, and what a package manager believes last.

use std::collections::BTreeSet;
use std::path::Path;

use crate::merge::entry::Entry;
use crate::merge::moves::{self, Made, Sameness};
use crate::merge::seen::Seen;
use crate::merge::store::Stores;
use crate::model::attributes::FileKind;
use crate::model::path::RootedPath;
use crate::sys::tree::{Root, TreeError};

/// What going through all changes has come to.
#[derive(Debug, Default)]
pub struct Gone {
    /// How many are made.
    pub made: usize,
    /// Places that somebody has changed meanwhile: they stay as they are.
    pub kept: Vec<RootedPath>,
}

/// A change that could not be made.
#[derive(Debug)]
pub struct Stuck {
    /// Where.
    pub path: RootedPath,
    /// What the system said.
    pub cause: TreeError,
}

/// Which stores are of no use any more: those on volatile file systems, once the machine has started anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volatile {
    /// They are there.
    There,
    /// They are gone, and what they were for.
    Lost,
}

/// Makes all changes that are not made yet, in their order, and brings them to the disk.
pub fn forward(
    live: &Root,
    stores: &Stores,
    entries: &[Entry],
    same: Sameness,
    volatile: Volatile,
) -> Result<Gone, Stuck> {
    let mut gone = Gone::default();
    for entry in entries.iter().filter(|entry| !is_lost(stores, entry, volatile)) {
        let made = moves::make(live, stores, entry, same);
        match made.map_err(|cause| Stuck { path: entry.path().clone(), cause })? {
            Made::Yes => gone.made += 1,
            Made::Kept => gone.kept.push(entry.path().clone()),
        }
    }
    gone.kept.sort();
    sync(live, stores, entries, volatile).map_err(|cause| Stuck { path: RootedPath::default(), cause })?;
    Ok(gone)
}

/// What could not be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotBack {
    /// Places that somebody has changed since: they stay as they are.
    pub kept: Vec<RootedPath>,
    /// Places that the system would not change: worth another try.
    pub failed: Vec<RootedPath>,
}

/// Takes all changes back, the last one first.
pub fn backward(live: &Root, stores: &Stores, entries: &[Entry], volatile: Volatile) -> NotBack {
    let mut not = NotBack::default();
    for entry in entries.iter().rev().filter(|entry| !is_lost(stores, entry, volatile)) {
        match moves::make(live, stores, &entry.clone().inverse(Vec::new()), Sameness::Object) {
            Ok(Made::Yes) => {}
            Ok(Made::Kept) => not.kept.push(entry.path().clone()),
            Err(_) => not.failed.push(entry.path().clone()),
        }
    }
    not.kept.sort();
    not.failed.sort();
    if sync(live, stores, entries, volatile).is_err() {
        // What cannot be brought to the disk may come undone: all of it counts.
        not.failed.push(RootedPath::default());
    }
    not
}

fn is_volatile(stores: &Stores, entry: &Entry) -> bool {
    stores.0.get(entry.store()).is_some_and(|store| store.volatile)
}

fn is_lost(stores: &Stores, entry: &Entry, volatile: Volatile) -> bool {
    volatile == Volatile::Lost && is_volatile(stores, entry)
}

/// Brings every file system to the disk that was changed.
fn sync(live: &Root, stores: &Stores, entries: &[Entry], volatile: Volatile) -> Result<(), TreeError> {
    let changed = entries.iter().filter(|entry| !is_lost(stores, entry, volatile));
    let used: BTreeSet<usize> = changed.map(Entry::store).collect();
    used.into_iter().try_for_each(|number| stores.sync(live, number))
}

/// Sorts changes into the order in which they are made: what is new, libraries, files, links and special files, `/etc`, the
/// lists of the package managers, metadata, deletions; volatile file systems after all others.
pub fn in_order(mut entries: Vec<Entry>, stores: &Stores) -> Vec<Entry> {
    // The sort is stable: paths stay in order within a rank.
    entries.sort_by_key(|entry| (is_volatile(stores, entry), rank(entry)));
    entries
}

fn rank(entry: &Entry) -> u8 {
    match entry {
        Entry::Place { path, .. } if !is_of_packages(path) => 0,
        Entry::Place { .. } => 5,
        Entry::Replace { path, .. } if is_of_packages(path) => 5,
        Entry::Replace { path, .. } if starts(path, &["etc"]) => 4,
        Entry::Replace { new, .. } if !is_file(new) => 3,
        Entry::Replace { path, .. } if starts(path, &["lib", "lib32", "lib64", "usr/lib", "usr/lib64"]) => 1,
        Entry::Replace { .. } => 2,
        Entry::Attributes { .. } | Entry::Append { .. } => 6,
        Entry::Delete { .. } => 7,
    }
}

fn is_file(seen: &Seen) -> bool {
    seen.kind() == Some(FileKind::Regular)
}

fn is_of_packages(path: &RootedPath) -> bool {
    starts(path, &["var/lib/dpkg", "var/lib/rpm", "usr/lib/sysimage/rpm", "var/lib/pacman", "lib/apk"])
}

fn starts(path: &RootedPath, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.relative().starts_with(Path::new(folder)))
}
