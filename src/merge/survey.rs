//! The facts that a plan needs and differences do not hold: which files of the scratchpad are one file with several
//! names, and how the live files there are linked. Decides nothing.

use std::collections::BTreeMap;

use crate::merge::{MergeError, Source};
use crate::model::attributes::FileKind;
use crate::model::change::ChangeKind;
use crate::model::layer::LayerKind;
use crate::model::path::RootedPath;

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Names in the scratchpad of one and the same object, two or more, sorted.
    pub groups: Vec<Vec<RootedPath>>,
    /// The live objects at the names of all groups and of all modified files.
    pub live: BTreeMap<RootedPath, LiveFile>,
    /// Files that get what the run has added to them, each with where that begins in the scratchpad's.
    pub appends: BTreeMap<RootedPath, u64>,
}

/// Which inode a live object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveFile {
    /// Device and inode number.
    pub inode: (u64, u64),
    /// How many names it has.
    pub links: u64,
}

/// Reads the facts. Changes nothing.
pub fn survey(source: &Source<'_>) -> Result<Facts, MergeError> {
    let mut names: BTreeMap<(u64, u64), Vec<RootedPath>> = BTreeMap::new();
    for entry in source.entries {
        let excluded = source.exclude.iter().any(|home| entry.path.is_within(home));
        if excluded || entry.kind != LayerKind::Object {
            continue;
        }
        let object = source.upper.lookup(&entry.path)?;
        let object = object.ok_or_else(|| MergeError::Lost { path: entry.path.clone() })?;
        if object.stat().links > 1 && object.kind() != FileKind::Socket {
            let inode = (object.stat().device, object.stat().inode);
            names.entry(inode).or_default().push(entry.path.clone());
        }
    }
    let mut groups: Vec<_> = names.into_values().filter(|group| group.len() > 1).collect();
    groups.sort();
    let mut live = BTreeMap::new();
    let modified = source.changes.0.iter().filter_map(|change| match &change.kind {
        ChangeKind::Modified { .. } => Some(&change.path),
        ChangeKind::Created { .. } | ChangeKind::Deleted { .. } => None,
    });
    for path in groups.iter().flatten().chain(modified) {
        if let Some(object) = source.live.lookup(path)? {
            let stat = object.stat();
            live.insert(path.clone(), LiveFile { inode: (stat.device, stat.inode), links: stat.links });
        }
    }
    Ok(Facts { groups, live, appends: source.appends.clone() })
}
