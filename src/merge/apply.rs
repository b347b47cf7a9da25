//! Makes the changes of a merge, or takes them back, each by one rename, in an order in which whoever looks meanwhile finds
//! programs with their libraries, and what a package manager believes last.

use std::collections::BTreeSet;
use std::path::Path;

use thiserror::Error;

use crate::merge::entries::Entries;
use crate::merge::entry::{Entry, Holds};
use crate::merge::moves::{self, Made, Sameness};
use crate::merge::seen::Seen;
use crate::merge::store::Stores;
use crate::model::attributes::FileKind;
use crate::model::path::RootedPath;
use crate::sys::files::FileError;
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
    /// Where; the root, where that is not known.
    pub path: RootedPath,
    /// Why.
    pub cause: Cause,
}

/// Why a change could not be made.
#[derive(Debug, Error)]
pub enum Cause {
    /// The system would not have it.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The journal does not say what it was.
    #[error(transparent)]
    Journal(#[from] FileError),
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
    entries: &Entries,
    same: Sameness,
    volatile: Volatile,
) -> Result<Gone, Stuck> {
    let (mut gone, mut used) = (Gone::default(), BTreeSet::new());
    let somewhere = |cause| Stuck { path: RootedPath::default(), cause };
    for entry in entries.iter() {
        let entry = entry.map_err(|cause| somewhere(cause.into()))?;
        if is_lost(stores, &entry, volatile) {
            continue;
        }
        used.insert(entry.store());
        let made = moves::make(live, stores, &entry, same);
        match made.map_err(|cause| Stuck { path: entry.path().clone(), cause: cause.into() })? {
            Made::Yes => gone.made += 1,
            Made::Kept => gone.kept.push(entry.path().clone()),
        }
    }
    gone.kept.sort();
    sync(live, stores, &used).map_err(|cause| somewhere(cause.into()))?;
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

/// Takes all changes back, the last one first, but for those of places that are to stay as they are.
pub fn backward(
    live: &Root,
    stores: &Stores,
    entries: &Entries,
    but: &BTreeSet<RootedPath>,
    volatile: Volatile,
) -> NotBack {
    let (mut not, mut used) = (NotBack::default(), BTreeSet::new());
    for entry in entries.iter().rev() {
        // What it was is not known then.
        let Ok(entry) = entry else {
            not.failed.push(RootedPath::default());
            continue;
        };
        if but.contains(entry.path()) || is_lost(stores, &entry, volatile) {
            continue;
        }
        used.insert(entry.store());
        let entry = entry.inverse(Holds::default());
        match moves::make(live, stores, &entry, Sameness::Object) {
            Ok(Made::Yes) => {}
            Ok(Made::Kept) => not.kept.push(entry.path().clone()),
            Err(_) => not.failed.push(entry.path().clone()),
        }
    }
    if sync(live, stores, &used).is_err() {
        // What cannot be brought to the disk may come undone: all of it counts.
        not.failed.push(RootedPath::default());
    }
    not.kept.sort();
    not.failed.sort();
    not.failed.dedup();
    not
}

fn is_volatile(stores: &Stores, entry: &Entry) -> bool {
    stores.0.get(entry.store()).is_some_and(|store| store.volatile)
}

fn is_lost(stores: &Stores, entry: &Entry, volatile: Volatile) -> bool {
    volatile == Volatile::Lost && is_volatile(stores, entry)
}

/// Brings every file system to the disk that was changed.
fn sync(live: &Root, stores: &Stores, used: &BTreeSet<usize>) -> Result<(), TreeError> {
    used.iter().try_for_each(|number| stores.sync(live, *number))
}

/// The place of a change in the order in which they are made: what is new, libraries, files, links and special files, `/etc`, the
/// lists of the package managers, metadata, deletions; volatile file systems after all others. Within a rank they stay in order.
pub(super) fn rank(entry: &Entry, stores: &Stores) -> u8 {
    const VOLATILE: u8 = 10;
    let rank = match entry {
        Entry::Place { path, .. } if !is_of_packages(path) => 0,
        Entry::Place { .. } => 5,
        Entry::Replace { path, .. } if is_of_packages(path) => 5,
        Entry::Replace { path, .. } if starts(path, &["etc"]) => 4,
        Entry::Replace { new, .. } if !is_file(new) => 3,
        Entry::Replace { path, .. } if starts(path, &["lib", "lib32", "lib64", "usr/lib", "usr/lib64"]) => 1,
        Entry::Replace { .. } => 2,
        Entry::Attributes { .. } | Entry::Append { .. } => 6,
        Entry::Delete { .. } => 7,
    };
    if is_volatile(stores, entry) { VOLATILE + rank } else { rank }
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
