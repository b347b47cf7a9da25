//! Makes everything new in the stores. All that can fail for want of space or because a file system doesn't support it fails
//! here, while nothing that shows has changed.

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::merge::entry::{Deed, Entry, Held, Stored};
use crate::merge::plan::{Item, Make, MergePlan, Op, Over, Stage};
use crate::merge::seen::Seen;
use crate::merge::store::Finder;
use crate::merge::{MergeError, Source};
use crate::model::attributes::FileKind;
use crate::model::path::RootedPath;
use crate::sys::append;
use crate::sys::metadata::{self, Times};
use crate::sys::object::Object;
use crate::sys::tree::TreeError;

/// Makes everything new that the plan needs, in stores that are there, and returns what is left to do, in the order of the
/// plan. What was made stays there after an error.
pub fn stage(source: &Source<'_>, plan: &MergePlan, finder: &Finder) -> Result<Vec<Entry>, MergeError> {
    let mut work = Work { source, finder, stores: finder.stores().0, staged_at: BTreeMap::new() };
    let mut entries = Vec::with_capacity(plan.ops.len());
    for op in &plan.ops {
        entries.push(work.op(op).map_err(|failure| match failure {
            Failure::Lost(path) => MergeError::Lost { path },
            Failure::Tree(cause) => MergeError::Stage { path: op.path().clone(), cause, left: Vec::new() },
        })?);
    }
    Ok(entries)
}

/// The directory whose file system a step of the plan changes.
pub fn ground(live: &crate::sys::tree::Root, op: &Op) -> RootedPath {
    match op {
        // It may be the root of a file system of its own.
        Op::Attributes { path } if live.directory(path).is_ok() => path.clone(),
        Op::Place { path, .. }
        | Op::Attributes { path }
        | Op::Append { path, .. }
        | Op::Delete { path, .. } => path.parent().unwrap_or_default(),
    }
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

struct Work<'a> {
    source: &'a Source<'a>,
    finder: &'a Finder,
    stores: Vec<crate::merge::store::Store>,
    /// Place once merged -> where it is now.
    staged_at: BTreeMap<RootedPath, RootedPath>,
}

impl Work<'_> {
    fn op(&mut self, op: &Op) -> Result<Entry, Failure> {
        let live = self.source.live;
        match op {
            Op::Place { path, over, stage, items } => {
                let at = self.stored(op, *stage);
                let (new, holds) = self.place(path, at, items)?;
                let path = path.clone();
                Ok(match over {
                    Over::Nothing => Entry::Place { path, at, new, holds },
                    Over::Something => {
                        let old = Seen::from(live.object(&path)?.stat());
                        Entry::Replace { path, at, new, holds, old }
                    }
                })
            }
            Op::Delete { path, stage } => {
                let old = Seen::from(live.object(path)?.stat());
                Ok(Entry::Delete { path: path.clone(), at: self.stored(op, *stage), old })
            }
            Op::Append { path, stage, from } => {
                let (object, upper) = (live.object(path)?, self.source.upper.object(path)?);
                let at = self.stored(op, *stage);
                let store = self.finder.stores().folder(live, at)?;
                append::copy_end(&upper, *from, &mut store.create_file(&at.name())?)?;
                let object = Seen::from(object.stat());
                Ok(Entry::Append { path: path.clone(), at, object, deed: Deed::Add })
            }
            Op::Attributes { path } => {
                let (object, upper) = (live.object(path)?, self.source.upper.object(path)?);
                Ok(Entry::Attributes {
                    path: path.clone(),
                    store: self.finder.number(&ground(live, op)),
                    object: Seen::from(object.stat()),
                    old: metadata::metadata(&object, &|_| false)?,
                    new: metadata::merged(&object, &upper, self.source.private)?,
                })
            }
        }
    }

    fn stored(&self, op: &Op, stage: Stage) -> Stored {
        Stored { store: self.finder.number(&ground(self.source.live, op)), number: stage.0 }
    }

    /// Makes an object with all that it holds; returns what it is, and what it holds.
    fn place(&mut self, path: &RootedPath, at: Stored, items: &[Item]) -> Result<(Seen, Vec<Held>), Failure> {
        let lost = |path: &RootedPath| Failure::Lost(path.clone());
        let store = self.stores.get(at.store).ok_or_else(|| lost(path))?;
        let top = store.path.join(at.name()).map_err(|_| lost(path))?;
        let mut seen = vec![None; items.len()];
        for (number, item) in items.iter().enumerate() {
            let inside = item.path.relative().strip_prefix(path.relative()).ok();
            let inside = inside.filter(|inside| !inside.as_os_str().is_empty());
            let place = inside.map_or_else(|| Ok(top.clone()), |inside| top.join(inside));
            let place = place.map_err(|_| lost(&item.path))?;
            seen[number] = self.make(item, &place)?;
            self.staged_at.insert(item.path.clone(), place);
        }
        // Bottom up, because filling a directory changes its times.
        for (number, item) in items.iter().enumerate().rev().filter(|(_, item)| item.make == Make::Directory)
        {
            if let Some(place) = self.staged_at.get(&item.path) {
                seen[number] = Some(self.dress(&item.path, place)?);
            }
        }
        let mut seen = seen.into_iter().flatten();
        let new = seen.next().ok_or_else(|| lost(path))?;
        let inner = items.iter().skip(1).map(|item| item.path.clone());
        Ok((new, inner.zip(seen).map(Held::from).collect()))
    }

    /// Makes one object; what it is in the end, unless it is a directory that is to be filled.
    fn make(&self, item: &Item, at: &RootedPath) -> Result<Option<Seen>, Failure> {
        let (parent, name) = self.source.live.parent(at)?;
        match &item.make {
            Make::Directory => Ok(parent.make_directory(&name).map(|()| None)?),
            Make::Copy => self.copy(&item.path, at).map(Some),
            Make::Link { to } => {
                let now = self.staged_at.get(to).unwrap_or(to);
                let (from, from_name) = self.source.live.parent(now)?;
                match parent.link(&name, &from, &from_name) {
                    // Two names of one file cannot be on two file systems: here it becomes a file of its own.
                    Err(cause) if cause.errno() == Some(Errno::XDEV) => self.copy(&item.path, at).map(Some),
                    done => {
                        done?;
                        Ok(Some(Seen::from(parent.object(&name)?.stat())))
                    }
                }
            }
        }
    }

    fn copy(&self, path: &RootedPath, at: &RootedPath) -> Result<Seen, Failure> {
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
        self.dressed(&upper, &parent.object(&name)?)
    }

    /// Gives a staged object the scratchpad's metadata.
    fn dress(&self, path: &RootedPath, at: &RootedPath) -> Result<Seen, Failure> {
        let upper = self.source.upper.lookup(path)?.ok_or_else(|| Failure::Lost(path.clone()))?;
        let (parent, name) = self.source.live.parent(at)?;
        self.dressed(&upper, &parent.object(&name)?)
    }

    fn dressed(&self, upper: &Object, staged: &Object) -> Result<Seen, Failure> {
        let wanted = metadata::metadata(upper, self.source.private)?;
        metadata::apply(staged, &wanted, Times::Copied)?;
        Ok(Seen::from(&staged.look_again()?))
    }
}
