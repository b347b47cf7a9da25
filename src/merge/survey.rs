//! The facts that a plan needs and differences do not hold: which files of the scratchpad are one file with several
//! names, and how the live files there are linked. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::merge::{MergeError, Source, within_any};
use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::ChangeKind;
use crate::model::layer::LayerKind;
use crate::model::path::RootedPath;

/// What was found out; it names what the source has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts<'a> {
    /// Names in the scratchpad of one and the same object, two or more, sorted.
    pub groups: Vec<Vec<&'a RootedPath>>,
    /// Device and inode number of the live objects at those names.
    pub live: BTreeMap<&'a RootedPath, (u64, u64)>,
    /// Files that could stay what they are by [`may_stay`], and have more names than one, or are gone.
    pub parting: BTreeSet<&'a RootedPath>,
    /// Files that get what the run has added to them, each with where that begins in the scratchpad's.
    pub appends: &'a BTreeMap<RootedPath, u64>,
}

/// Whether a regular file can get the other attributes where it is, as far as these say.
pub(super) fn may_stay(before: &Attributes, after: &Attributes) -> bool {
    (before.kind, after.kind) == (FileKind::Regular, FileKind::Regular)
        && before.size == after.size
        && (&before.md5, &before.selinux, &before.xattrs) == (&after.md5, &after.selinux, &after.xattrs)
}

/// Reads the facts. Changes nothing.
pub fn survey<'a>(source: &Source<'a>) -> Result<Facts<'a>, MergeError> {
    let mut names: BTreeMap<(u64, u64), Vec<&RootedPath>> = BTreeMap::new();
    for entry in source.entries {
        if within_any(&entry.path, source.exclude) || entry.kind != LayerKind::Object {
            continue;
        }
        let object = source.upper.lookup(&entry.path)?;
        let object = object.ok_or_else(|| MergeError::Lost { path: entry.path.clone() })?;
        if object.stat().links > 1 && object.kind() != FileKind::Socket {
            let inode = (object.stat().device, object.stat().inode);
            names.entry(inode).or_default().push(&entry.path);
        }
    }
    let mut groups: Vec<_> = names.into_values().filter(|group| group.len() > 1).collect();
    groups.sort();
    let mut live = BTreeMap::new();
    for path in groups.iter().flatten() {
        if let Some(object) = source.live.lookup(path)? {
            live.insert(*path, (object.stat().device, object.stat().inode));
        }
    }
    let mut parting = BTreeSet::new();
    for change in &source.changes.0 {
        let ChangeKind::Modified { before, after } = &change.kind else { continue };
        if may_stay(before, after)
            && source.live.lookup(&change.path)?.is_none_or(|object| object.stat().links != 1)
        {
            parting.insert(&change.path);
        }
    }
    Ok(Facts { groups, live, parting, appends: source.appends })
}
