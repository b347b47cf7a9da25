//! Compares the live root with what the sandbox saw, before anything is made: what has changed meanwhile is refused with
//! its path, and so is what a mount, a mark or a read-only file system would refuse later.

use std::collections::BTreeMap;

use crate::merge::error::Conflict;
use crate::merge::plan::{Make, MergePlan, Op, Over};
use crate::merge::{MergeError, Source};
use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::ChangeKind;
use crate::model::path::RootedPath;
use crate::sys::accounts::Accounts;
use crate::sys::metadata;
use crate::sys::tree::{Directory, Object, Obstacle};

/// A plan that fits the live root as it is now.
#[derive(Debug)]
pub struct Checked {
    pub(super) plan: MergePlan,
}

impl Checked {
    /// What will be done.
    pub fn plan(&self) -> &MergePlan {
        &self.plan
    }
}

impl MergePlan {
    /// The plan as one that may be staged, or the first thing that is in its way. Changes nothing.
    pub fn check(self, source: &Source<'_>) -> Result<Checked, MergeError> {
        let before = source.changes.0.iter().filter_map(|change| match &change.kind {
            ChangeKind::Modified { before, .. } | ChangeKind::Deleted { before } => {
                Some((&change.path, before))
            }
            ChangeKind::Created { .. } => None,
        });
        let check = Check { source, before: before.collect(), names: Accounts::default() };
        for op in &self.ops {
            check.op(op)?;
        }
        Ok(Checked { plan: self })
    }
}

struct Check<'a> {
    source: &'a Source<'a>,
    before: BTreeMap<&'a RootedPath, &'a Attributes>,
    /// Names don't count here, numbers do.
    names: Accounts,
}

impl Check<'_> {
    fn op(&self, op: &Op) -> Result<(), MergeError> {
        let path = op.path();
        let parent = self.parent(path)?;
        if parent.is_read_only()? {
            return Err(MergeError::ReadOnly { path: path.clone() });
        }
        let live = self.source.live.lookup(path)?;
        match op {
            Op::Place { over: Over::Nothing, .. } => {
                unmarked(parent.path(), &parent.as_object()?)?;
                if live.is_some() { Err(conflict(path, Conflict::Appeared)) } else { Ok(()) }
            }
            Op::Place { over: Over::Something, items, .. } => {
                unmarked(parent.path(), &parent.as_object()?)?;
                let live = live.ok_or_else(|| conflict(path, Conflict::Vanished))?;
                let relinked = items.first().is_some_and(|item| matches!(item.make, Make::Link { .. }));
                if !relinked || self.before.contains_key(path) {
                    return self.removable(path, &live);
                }
                // Only its link changes: it must still be what the scratchpad holds too.
                let upper = self.source.upper.lookup(path)?;
                let upper = upper.ok_or_else(|| MergeError::Lost { path: path.clone() })?;
                self.same(path, &live, &self.attributes(&upper)?)?;
                free(path, &live)
            }
            Op::Attributes { .. } => {
                let live = live.ok_or_else(|| conflict(path, Conflict::Vanished))?;
                if live.kind() == FileKind::Directory && self.source.live.directory(path)?.is_read_only()? {
                    return Err(MergeError::ReadOnly { path: path.clone() });
                }
                unmarked(path, &live)?;
                self.unchanged(path, &live)
            }
            Op::Delete { .. } => {
                unmarked(parent.path(), &parent.as_object()?)?;
                let live = live.ok_or_else(|| conflict(path, Conflict::Vanished))?;
                self.removable(path, &live)
            }
        }
    }

    fn parent(&self, path: &RootedPath) -> Result<Directory, MergeError> {
        let parent = path.parent().unwrap_or_default();
        self.source.live.directory(&parent).map_err(|cause| MergeError::Parent {
            path: path.clone(),
            parent,
            cause,
        })
    }

    /// An object that goes, with all that it holds: each of them as the sandbox saw it, and free to go.
    fn removable(&self, path: &RootedPath, live: &Object) -> Result<(), MergeError> {
        free(path, live)?;
        self.unchanged(path, live)?;
        if live.kind() != FileKind::Directory {
            return Ok(());
        }
        if let Some(home) = self.source.exclude.iter().find(|home| home.is_within(path))
            && self.source.live.lookup(home)?.is_some()
        {
            return Err(MergeError::Home { path: path.clone(), home: home.clone() });
        }
        let directory = self.source.live.directory(path)?;
        for name in directory.names()? {
            let inner = path.join(&name).map_err(|_| conflict(path, Conflict::Appeared))?;
            if let Some(object) = directory.lookup(&name)? {
                self.removable(&inner, &object)?;
            }
        }
        Ok(())
    }

    fn unchanged(&self, path: &RootedPath, live: &Object) -> Result<(), MergeError> {
        match self.before.get(path) {
            Some(before) => self.same(path, live, before),
            None => Err(conflict(path, Conflict::Appeared)),
        }
    }

    fn same(&self, path: &RootedPath, live: &Object, before: &Attributes) -> Result<(), MergeError> {
        // The cheap part first: most conflicts show without reading the content.
        let stat = live.stat();
        let looks = (live.kind(), stat.mode, stat.uid, stat.gid)
            == (before.kind, before.mode, before.uid, before.gid)
            && (live.kind() != FileKind::Regular || stat.size == before.size);
        let rest =
            |a: &Attributes| (a.md5.clone(), a.target.clone(), a.rdev, a.selinux.clone(), a.xattrs.clone());
        if looks && rest(&self.attributes(live)?) == rest(before) {
            Ok(())
        } else {
            Err(conflict(path, Conflict::Changed))
        }
    }

    fn attributes(&self, object: &Object) -> Result<Attributes, MergeError> {
        Ok(metadata::attributes(object, 0, &self.names, self.source.private)?.0)
    }
}

fn conflict(path: &RootedPath, conflict: Conflict) -> MergeError {
    MergeError::Conflict { path: path.clone(), conflict }
}

/// Neither a mount point nor marked.
fn free(path: &RootedPath, object: &Object) -> Result<(), MergeError> {
    match object.obstacle()? {
        Some(obstacle) => Err(MergeError::Obstacle { path: path.clone(), obstacle }),
        None => Ok(()),
    }
}

/// Not marked; a file system may be mounted there, whose root is then the object.
fn unmarked(path: &RootedPath, object: &Object) -> Result<(), MergeError> {
    match object.obstacle()? {
        Some(Obstacle::Immutable) => {
            Err(MergeError::Obstacle { path: path.clone(), obstacle: Obstacle::Immutable })
        }
        Some(Obstacle::MountPoint) | None => Ok(()),
    }
}
