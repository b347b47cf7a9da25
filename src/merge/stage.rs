//! Makes everything new beside its place, under names that nobody else uses. All that can fail for want of space or
//! because a file system doesn't support it fails here, while nothing that shows has changed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use rustix::io::Errno;

use crate::merge::plan::{Item, Make, MergePlan, Op};
use crate::merge::{Checked, MergeError, Source};
use crate::model::attributes::FileKind;
use crate::model::path::RootedPath;
use crate::sys::metadata::{self, Times};
use crate::sys::tree::{Directory, Root, TreeError};

/// Everything new is made and on the disk, and only has to be renamed. [`Staged::discard`] removes it; so does a drop,
/// which tells nobody what it could not remove.
#[derive(Debug)]
pub struct Staged<'a> {
    pub(super) plan: MergePlan,
    pub(super) litter: Litter<'a>,
}

/// What was made under names of ours and has to go, whatever happens.
#[derive(Debug)]
pub(super) struct Litter<'a> {
    live: &'a Root,
    names: Vec<Ours>,
}

/// A name of ours: the directory, and the name there.
type Ours = (RootedPath, OsString);

impl<'a> Litter<'a> {
    /// None yet.
    pub(super) fn new(live: &'a Root) -> Litter<'a> {
        Litter { live, names: Vec::new() }
    }

    /// Leaves all of it where it is.
    pub(super) fn keep_all(&mut self) {
        self.names.clear();
    }

    /// Remembers a name beside `path` that has to go at the end.
    pub(super) fn add(&mut self, path: &RootedPath, name: OsString) {
        self.names.push((path.parent().unwrap_or_default(), name));
    }

    /// Leaves the object of that name beside `path` where it is.
    pub(super) fn keep(&mut self, path: &RootedPath, name: &OsStr) {
        let parent = path.parent().unwrap_or_default();
        self.names.retain(|known| *known != (parent.clone(), name.to_owned()));
    }

    /// Removes all of it; what could not be removed comes back.
    pub(super) fn clear(&mut self) -> Vec<RootedPath> {
        let names = std::mem::take(&mut self.names);
        let left = names.into_iter().rev().filter(|ours| self.remove(ours).is_err());
        left.map(|(parent, name)| parent.join(name).unwrap_or(parent)).collect()
    }

    fn remove(&self, (parent, name): &Ours) -> Result<(), TreeError> {
        self.live.directory(parent)?.remove_tree(name)
    }
}

impl Drop for Litter<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Checked {
    /// Makes everything new beside its place and brings it to the disk. After an error all of it is removed again.
    pub fn stage<'a>(self, source: &Source<'a>) -> Result<Staged<'a>, MergeError> {
        let mut work = Work { source, staged_at: BTreeMap::new(), litter: Litter::new(source.live) };
        for op in &self.plan.ops {
            if let Err(cause) = work.op(&self.plan, op) {
                let left = work.litter.clear();
                return Err(match cause {
                    Failure::Lost(path) => MergeError::Lost { path },
                    Failure::Tree(cause) => MergeError::Stage { path: op.path().clone(), cause, left },
                });
            }
        }
        if let Err(cause) = sync(source.live, &self.plan) {
            return Err(MergeError::Sync { cause, left: work.litter.clear() });
        }
        Ok(Staged { plan: self.plan, litter: work.litter })
    }
}

impl Staged<'_> {
    /// What will be done.
    pub fn plan(&self) -> &MergePlan {
        &self.plan
    }

    /// Removes everything that is staged; what could not be removed comes back.
    pub fn discard(mut self) -> Vec<RootedPath> {
        self.litter.clear()
    }
}

/// Brings every file system that the plan touches to the disk, each once.
pub(super) fn sync(live: &Root, plan: &MergePlan) -> Result<(), TreeError> {
    let mut systems: BTreeMap<u64, Directory> = BTreeMap::new();
    for op in &plan.ops {
        let parent = live.directory(&op.path().parent().unwrap_or_default())?;
        systems.entry(parent.as_object()?.stat().device).or_insert(parent);
        if let Op::Attributes { path } = op {
            // It may be the root of a file system of its own.
            if let Ok(itself) = live.directory(path) {
                systems.entry(itself.as_object()?.stat().device).or_insert(itself);
            }
        }
    }
    systems.values().try_for_each(Directory::sync_file_system)
}

enum Failure {
    Lost(RootedPath),
    Tree(TreeError),
}

impl From<TreeError> for Failure {
    fn from(cause: TreeError) -> Self {
        Failure::Tree(cause)
    }
}

struct Work<'a, 'b> {
    source: &'b Source<'a>,
    /// Place once merged -> where it is now.
    staged_at: BTreeMap<RootedPath, RootedPath>,
    litter: Litter<'a>,
}

impl Work<'_, '_> {
    fn op(&mut self, plan: &MergePlan, op: &Op) -> Result<(), Failure> {
        let Op::Place { path, stage, items, .. } = op else { return Ok(()) };
        let top = path.parent().unwrap_or_default().join(stage.name(&plan.run));
        let top = top.map_err(|_| Failure::Lost(path.clone()))?;
        for item in items {
            let inside = item.path.relative().strip_prefix(path.relative()).ok();
            let inside = inside.filter(|inside| !inside.as_os_str().is_empty());
            let at = inside.map_or_else(|| Ok(top.clone()), |inside| top.join(inside));
            let at = at.map_err(|_| Failure::Lost(item.path.clone()))?;
            let made = self.make(item, &at);
            // Half made is made: only what was there before us is not ours to remove.
            let foreign = matches!(&made, Err(Failure::Tree(cause)) if cause.errno() == Some(Errno::EXIST));
            if at == top && !foreign {
                self.litter.add(path, stage.name(&plan.run));
            }
            made?;
            self.staged_at.insert(item.path.clone(), at);
        }
        // Bottom up, because filling a directory changes its times.
        for item in items.iter().rev().filter(|item| item.make == Make::Directory) {
            if let Some(at) = self.staged_at.get(&item.path) {
                self.dress(&item.path, at)?;
            }
        }
        Ok(())
    }

    fn make(&self, item: &Item, at: &RootedPath) -> Result<(), Failure> {
        let (parent, name) = self.source.live.parent(at)?;
        match &item.make {
            Make::Directory => Ok(parent.make_directory(&name)?),
            Make::Copy => self.copy(&item.path, at),
            Make::Link { to } => {
                let now = self.staged_at.get(to).unwrap_or(to);
                let (from, from_name) = self.source.live.parent(now)?;
                match parent.link(&name, &from, &from_name) {
                    // Two names of one file cannot be on two file systems: here it becomes a file of its own.
                    Err(cause) if cause.errno() == Some(Errno::XDEV) => self.copy(&item.path, at),
                    done => Ok(done?),
                }
            }
        }
    }

    fn copy(&self, path: &RootedPath, at: &RootedPath) -> Result<(), Failure> {
        let upper = self.source.upper.lookup(path)?.ok_or_else(|| Failure::Lost(path.clone()))?;
        let (parent, name) = self.source.live.parent(at)?;
        match upper.kind() {
            FileKind::Regular => metadata::copy_content(&upper, &parent.create_file(&name)?)?,
            FileKind::Symlink => parent.make_symlink(&name, &upper.target()?)?,
            FileKind::Directory => parent.make_directory(&name)?,
            kind
            @ (FileKind::Fifo | FileKind::CharacterDevice | FileKind::BlockDevice | FileKind::Socket) => {
                parent.make_node(&name, kind, upper.stat().rdev)?;
            }
        }
        self.dress(path, at)
    }

    /// Gives a staged object the scratchpad's metadata.
    fn dress(&self, path: &RootedPath, at: &RootedPath) -> Result<(), Failure> {
        let upper = self.source.upper.lookup(path)?.ok_or_else(|| Failure::Lost(path.clone()))?;
        let wanted = metadata::metadata(&upper, self.source.private)?;
        let (parent, name) = self.source.live.parent(at)?;
        Ok(metadata::apply(&parent.object(&name)?, &wanted, Times::Copied)?)
    }
}
