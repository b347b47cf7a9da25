//! Compares the live root with what the sandbox saw, before anything is made: what has changed meanwhile is refused with
//! its path, and so is what a mount, a mark or a file system would refuse later. All of it is found, not the first alone.
//!
//! Whoever has a choice about conflicts has made it before ([`settle`](super::settle)): the differences are then those
//! against the live root as it is. What is found here has changed since.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::merge::append;
use crate::merge::conflict::{Clash, Clashes};
use crate::merge::plan::{Make, MergePlan, Op, Over};
use crate::merge::preflight::Preflight;
use crate::merge::refusal::{Refusal, Refusals};
use crate::merge::{MergeError, Source, change_of};
use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{ChangeKind, ChangeSet};
use crate::model::path::RootedPath;
use crate::sys::accounts::Accounts;
use crate::sys::file_system::FileSystem;
use crate::sys::metadata;
use crate::sys::tree::{Directory, Object, Obstacle};

/// A plan that fits the live root as it is now.
#[derive(Debug)]
pub struct Checked<'a> {
    pub(super) plan: MergePlan<'a>,
}

impl<'a> Checked<'a> {
    /// What will be done.
    pub fn plan(&self) -> &MergePlan<'a> {
        &self.plan
    }
}

impl<'a> MergePlan<'a> {
    /// The plan as one that may be staged, or all that is in its way. Changes nothing.
    pub fn check(self, source: &Source<'a>) -> Result<Checked<'a>, MergeError> {
        let mut check = Check {
            source,
            plan: &self,
            names: Accounts::default(),
            preflight: Preflight::new(source)?,
            last: None,
            lost: BTreeSet::new(),
            clashes: Vec::new(),
            refusals: Vec::new(),
        };
        for op in &self.ops {
            check.op(op)?;
        }
        let Check { clashes, mut refusals, preflight, .. } = check;
        if !clashes.is_empty() {
            return Err(MergeError::Conflicts(Clashes(clashes)));
        }
        refusals.extend(preflight.refusals()?);
        if !refusals.is_empty() {
            return Err(MergeError::Refused(Refusals(refusals)));
        }
        Ok(Checked { plan: self })
    }
}

struct Check<'p, 'a> {
    source: &'p Source<'a>,
    plan: &'p MergePlan<'a>,
    /// Names don't count here, numbers do.
    names: Accounts,
    preflight: Preflight<'p, 'a>,
    /// The last directory that something was in: the next is mostly in the same.
    last: Option<(RootedPath, Rc<Parent>)>,
    /// Directories that are none any more.
    lost: BTreeSet<RootedPath>,
    clashes: Vec<Clash>,
    refusals: Vec<Refusal>,
}

/// A directory that holds what is changed.
struct Parent {
    directory: Directory,
    file_system: FileSystem,
    marked: bool,
}

/// What an object was before the run, as the sandbox saw it.
fn before<'a>(changes: &'a ChangeSet, path: &RootedPath) -> Option<&'a Attributes> {
    match &change_of(changes, path)?.kind {
        ChangeKind::Modified { before, .. } | ChangeKind::Deleted { before } => Some(before),
        ChangeKind::Created { .. } => None,
    }
}

impl<'a> Check<'_, 'a> {
    fn op(&mut self, op: &Op<'a>) -> Result<(), MergeError> {
        let path = op.path();
        let Some(parent) = self.parent(path)? else { return Ok(()) };
        if !self.preflight.writable(path, &parent.file_system) {
            return Ok(());
        }
        let live = match path.name() {
            Some(name) => parent.directory.lookup(name)?,
            None => Some(self.source.live.object(path)?),
        };
        match op {
            Op::Place { over, items, .. } => {
                let items = self.plan.items(items);
                self.preflight.staged(items, &parent.file_system);
                self.unmarked_parent(&parent);
                match (over, live) {
                    (Over::Nothing, None) => {}
                    (Over::Nothing, Some(live)) => self.clashes.push(Clash::appeared(path, live.stat())),
                    (Over::Something, None) => self.vanished(path),
                    (Over::Something, Some(live)) => {
                        let relinked =
                            items.first().is_some_and(|item| matches!(item.make, Make::Link { .. }));
                        if !relinked || before(self.source.changes, path).is_some() {
                            return self.removable(path, &live);
                        }
                        // Only its link changes: it must still be what the scratchpad holds too.
                        let upper = self.source.upper.lookup(path)?;
                        let upper = upper.ok_or_else(|| MergeError::Lost { path: path.clone() })?;
                        self.same(path, &live, &self.attributes(&upper)?)?;
                        self.free(path, &live)?;
                    }
                }
            }
            Op::Attributes { .. } => {
                let Some(live) = live else {
                    self.vanished(path);
                    return Ok(());
                };
                let mut on = parent.file_system.clone();
                if live.kind() == FileKind::Directory {
                    // A file system may be mounted there, whose root is then the object.
                    on = self.source.live.directory(path)?.file_system()?;
                    if !self.preflight.writable(path, &on) {
                        return Ok(());
                    }
                }
                self.preflight.changed(path, &on);
                if live.obstacle()? == Some(Obstacle::Immutable) {
                    self.obstacle(path, Obstacle::Immutable);
                }
                self.unchanged(path, &live)?;
            }
            Op::Append { from, .. } => {
                let upper = self.source.upper.object(path)?;
                self.preflight.appended(path, upper.stat().size.saturating_sub(*from), &parent.file_system);
                match live {
                    Some(live) if append::both_have_grown(&live, &upper, *from)? => {}
                    Some(live) => self.same(path, &live, &self.attributes(&upper)?)?,
                    None => self.vanished(path),
                }
            }
            Op::Delete { .. } => {
                self.unmarked_parent(&parent);
                match live {
                    Some(live) => self.removable(path, &live)?,
                    None => self.vanished(path),
                }
            }
        }
        Ok(())
    }

    /// The directory that holds a path; none, told once, where that is no directory any more.
    fn parent(&mut self, path: &RootedPath) -> Result<Option<Rc<Parent>>, MergeError> {
        let at = path.parent().unwrap_or_default();
        if let Some((_, parent)) = self.last.as_ref().filter(|(last, _)| *last == at) {
            return Ok(Some(parent.clone()));
        }
        let directory = match self.source.live.directory(&at) {
            Ok(directory) => directory,
            Err(cause) if cause.is_lost() => {
                if self.lost.insert(at.clone()) {
                    let there = self.source.live.lookup(&at)?.map(|there| there.kind());
                    self.clashes.push(Clash::no_directory(&at, there));
                }
                return Ok(None);
            }
            Err(cause) => return Err(cause.into()),
        };
        let marked = directory.as_object()?.obstacle()? == Some(Obstacle::Immutable);
        let parent = Rc::new(Parent { file_system: directory.file_system()?, directory, marked });
        self.last = Some((at, parent.clone()));
        Ok(Some(parent))
    }

    fn vanished(&mut self, path: &RootedPath) {
        let expected = before(self.source.changes, path).map(|before| before.kind);
        self.clashes.push(Clash::vanished(path, expected));
    }

    fn obstacle(&mut self, path: &RootedPath, obstacle: Obstacle) {
        let refusal = Refusal::Obstacle { path: path.clone(), obstacle };
        if !self.refusals.contains(&refusal) {
            self.refusals.push(refusal);
        }
    }

    /// A directory that is to hold something else must not be marked; a file system may be mounted there.
    fn unmarked_parent(&mut self, parent: &Parent) {
        if parent.marked {
            self.obstacle(parent.directory.path(), Obstacle::Immutable);
        }
    }

    /// Neither a mount point nor marked.
    fn free(&mut self, path: &RootedPath, object: &Object) -> Result<(), MergeError> {
        if let Some(obstacle) = object.obstacle()? {
            self.obstacle(path, obstacle);
        }
        Ok(())
    }

    /// An object that goes, with all that it holds: each of them as the sandbox saw it, and free to go.
    fn removable(&mut self, path: &RootedPath, live: &Object) -> Result<(), MergeError> {
        self.free(path, live)?;
        self.unchanged(path, live)?;
        if live.kind() != FileKind::Directory {
            return Ok(());
        }
        if let Some(home) = self.source.exclude.iter().find(|home| home.is_within(path))
            && self.source.live.lookup(home)?.is_some()
        {
            self.refusals.push(Refusal::Home { path: path.clone(), home: home.clone() });
            return Ok(());
        }
        let directory = self.source.live.directory(path)?;
        for name in directory.names()? {
            let Some(object) = directory.lookup(&name)? else { continue };
            match path.join(&name) {
                Ok(inner) => self.removable(&inner, &object)?,
                Err(_) => self.clashes.push(Clash::appeared(path, object.stat())),
            }
        }
        Ok(())
    }

    fn unchanged(&mut self, path: &RootedPath, live: &Object) -> Result<(), MergeError> {
        match before(self.source.changes, path) {
            Some(before) => self.same(path, live, before),
            None => {
                self.clashes.push(Clash::appeared(path, live.stat()));
                Ok(())
            }
        }
    }

    fn same(&mut self, path: &RootedPath, live: &Object, before: &Attributes) -> Result<(), MergeError> {
        let now = self.attributes(live)?;
        if !before.is_same(&now) {
            self.clashes.push(Clash::differs(path, before, &now));
        }
        Ok(())
    }

    fn attributes(&self, object: &Object) -> Result<Attributes, MergeError> {
        Ok(metadata::attributes(object, 0, &self.names, self.source.private)?.0)
    }
}
