//! Makes everything new in the stores. All that can fail for want of space or because a file system doesn't support it fails
//! here, while nothing that shows has changed. What is left to do then waits on the disk: it may be much.
//!
//! A file of the scratchpad that has one name is not copied but moved, where both are on one volume and the source allows it: that
//! takes no time and no room, however large it is. Until the point of no return that is nobody's loss: a scratchpad is of no use
//! to another run.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use rustix::io::Errno;

use crate::merge::apply;
use crate::merge::entries::Gathered;
use crate::merge::entry::{Deed, Entry, Held, Holds, Stored};
use crate::merge::plan::{Item, Make, MergePlan, Op, Over};
use crate::merge::seen::Seen;
use crate::merge::store::{Finder, Stores};
use crate::merge::{Files, MergeError, Source};
use crate::model::attributes::FileKind;
use crate::model::path::RootedPath;
use crate::sys::append;
use crate::sys::files::FileError;
use crate::sys::metadata::{self, Times};
use crate::sys::object::Object;
use crate::sys::tree::{Directory, Rename, TreeError, Volume};

/// Makes everything new that the plan needs, in stores that are there, and returns what is left to do. What was made stays
/// there after an error.
pub(super) fn stage<'a>(
    source: &Source<'a>,
    plan: &MergePlan<'a>,
    finder: &Finder,
) -> Result<Gathered, MergeError> {
    let gathered = Gathered::new(source.home).map_err(MergeError::Journal)?;
    let (stores, staged_at) = (finder.stores(), BTreeMap::new());
    let taken_from = match source.files {
        Files::Taken => Some(source.upper.directory(&RootedPath::default())?.volume()?),
        Files::Copied => None,
    };
    let mut work = Work { source, plan, finder, stores, taken_from, staged_at, gathered };
    for (number, op) in plan.ops.iter().enumerate() {
        let staged = work.op(number, op).and_then(|entry| {
            let rank = apply::rank(&entry, &work.stores);
            Ok(work.gathered.change(rank, &entry)?)
        });
        staged.map_err(|failure| match failure {
            Failure::Lost(path) => MergeError::Lost { path },
            Failure::Tree(cause) => MergeError::Stage { path: op.path().clone(), cause, left: Vec::new() },
            Failure::Kept(cause) => MergeError::Journal(cause),
        })?;
    }
    Ok(work.gathered)
}

/// The directory whose file system a step of the plan changes.
pub fn ground(live: &crate::sys::tree::Root, op: &Op<'_>) -> RootedPath {
    match op {
        // It may be the root of a file system of its own.
        Op::Attributes { path } if live.directory(path).is_ok() => (*path).clone(),
        Op::Place { path, .. }
        | Op::Attributes { path }
        | Op::Append { path, .. }
        | Op::Delete { path, .. } => path.parent().unwrap_or_default(),
    }
}

enum Failure {
    Lost(RootedPath),
    Tree(TreeError),
    Kept(FileError),
}

impl From<TreeError> for Failure {
    fn from(cause: TreeError) -> Self {
        Failure::Tree(cause)
    }
}

impl From<FileError> for Failure {
    fn from(cause: FileError) -> Self {
        Failure::Kept(cause)
    }
}

struct Work<'p, 'a> {
    source: &'p Source<'a>,
    plan: &'p MergePlan<'a>,
    finder: &'p Finder,
    stores: Stores,
    /// Where files can be moved from.
    taken_from: Option<Volume>,
    /// Of what others are linked to: place once merged -> where it is now.
    staged_at: BTreeMap<&'a RootedPath, RootedPath>,
    gathered: Gathered,
}

impl<'a> Work<'_, 'a> {
    fn op(&mut self, step: usize, op: &Op<'a>) -> Result<Entry, Failure> {
        let live = self.source.live;
        let at = Stored { store: self.finder.number(step), number: step };
        match op {
            Op::Place { path, over, items } => {
                let (new, holds) = self.place(path, at, self.plan.items(items))?;
                let path = (*path).clone();
                Ok(match over {
                    Over::Nothing => Entry::Place { path, at, new, holds },
                    Over::Something => {
                        let old = Seen::from(live.object(&path)?.stat());
                        Entry::Replace { path, at, new, holds, old }
                    }
                })
            }
            Op::Delete { path } => {
                let old = Seen::from(live.object(path)?.stat());
                Ok(Entry::Delete { path: (*path).clone(), at, old })
            }
            Op::Append { path, from } => {
                let (object, upper) = (live.object(path)?, self.source.upper.object(path)?);
                let store = self.stores.folder(live, at)?;
                append::copy_end(&upper, *from, &mut store.create_file(&at.name())?)?;
                let object = Seen::from(object.stat());
                Ok(Entry::Append { path: (*path).clone(), at, object, deed: Deed::Add })
            }
            Op::Attributes { path } => {
                let (object, upper) = (live.object(path)?, self.source.upper.object(path)?);
                Ok(Entry::Attributes {
                    path: (*path).clone(),
                    store: at.store,
                    object: Seen::from(object.stat()),
                    old: metadata::metadata(&object, &|_| false)?,
                    new: metadata::merged(&object, &upper, self.source.private)?,
                })
            }
        }
    }

    /// Makes an object with all that it holds; returns what it is, and where it is said what it holds.
    fn place(&mut self, path: &RootedPath, at: Stored, items: &[Item<'a>]) -> Result<(Seen, Holds), Failure> {
        let lost = |path: &RootedPath| Failure::Lost(path.clone());
        let top = self.stores.path(at).join(at.name()).map_err(|_| lost(path))?;
        let staged = |item: &Item<'_>| {
            let inside = item.path.relative().strip_prefix(path.relative()).ok();
            let inside = inside.filter(|inside| !inside.as_os_str().is_empty());
            let place = inside.map_or_else(|| Ok(top.clone()), |inside| top.join(inside));
            place.map_err(|_| lost(item.path))
        };
        let mut new = None;
        for (number, item) in items.iter().enumerate() {
            let place = staged(item)?;
            if let Some(seen) = self.make(item, &place)? {
                self.made(number, item, seen, &mut new)?;
            }
            if self.plan.targets.contains(item.path) {
                self.staged_at.insert(item.path, place);
            }
        }
        // Bottom up, because filling a directory changes its times.
        for (number, item) in items.iter().enumerate().rev().filter(|(_, item)| item.make == Make::Directory)
        {
            let seen = self.dress(item.path, &staged(item)?)?;
            self.made(number, item, seen, &mut new)?;
        }
        let held = u64::try_from(items.len().saturating_sub(1)).unwrap_or_default();
        Ok((new.ok_or_else(|| lost(path))?, Holds::Behind(held)))
    }

    /// An object is as it will be: the first is the one that is placed, the others are what it holds.
    fn made(
        &mut self,
        number: usize,
        item: &Item<'_>,
        seen: Seen,
        new: &mut Option<Seen>,
    ) -> Result<(), Failure> {
        match number.checked_sub(1) {
            None => *new = Some(seen),
            Some(number) => self.gathered.hold(number, &Held { path: item.path.clone(), seen })?,
        }
        Ok(())
    }

    /// Makes one object; what it is in the end, unless it is a directory that is to be filled.
    fn make(&self, item: &Item<'_>, at: &RootedPath) -> Result<Option<Seen>, Failure> {
        let (parent, name) = self.source.live.parent(at)?;
        match item.make {
            Make::Directory => Ok(parent.make_directory(&name).map(|()| None)?),
            Make::Copy => self.copy(item.path, at).map(Some),
            Make::Link { to } => {
                let now = self.staged_at.get(to).unwrap_or(to);
                let (from, from_name) = self.source.live.parent(now)?;
                match parent.link(&name, &from, &from_name) {
                    // Two names of one file cannot be on two file systems: here it becomes a file of its own.
                    Err(cause) if cause.errno() == Some(Errno::XDEV) => self.copy(item.path, at).map(Some),
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
            FileKind::Regular if self.take(&upper, path, &parent, &name)? => {}
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

    /// Moves a file out of the scratchpad, if it can; says whether it did.
    fn take(
        &self,
        upper: &Object,
        path: &RootedPath,
        to: &Directory,
        name: &OsStr,
    ) -> Result<bool, TreeError> {
        if upper.stat().links != 1 || self.taken_from.is_none() || self.taken_from != Some(to.volume()?) {
            return Ok(false);
        }
        let (from, its) = self.source.upper.parent(path)?;
        // Such as between directories of which each has a quota of its own. If a copy cannot be made either, that says why.
        Ok(from.rename_into(&its, to, name, Rename::New).is_ok())
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
