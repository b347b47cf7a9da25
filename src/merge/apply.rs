//! Makes the staged changes visible, one rename each. What is replaced or deleted is set aside until all is done, so that
//! a change that fails takes back the ones before it.

use std::ffi::{OsStr, OsString};

use rustix::io::Errno;

use crate::merge::plan::{MergePlan, Op, Over, Stage};
use crate::merge::stage::{self, Litter};
use crate::merge::{MergeError, Source, Staged};
use crate::model::attributes::FileKind;
use crate::model::path::RootedPath;
use crate::sys::metadata::{self, Metadata, Times};
use crate::sys::object::Object;
use crate::sys::tree::{Directory, Rename, Root, TreeError};

/// All changes are made and on the disk; what they replaced is still set aside. [`Applied::finish`] ends the merge;
/// a drop removes what is set aside too, and tells nobody what it could not remove.
#[derive(Debug)]
pub struct Applied<'a> {
    plan: MergePlan,
    litter: Litter<'a>,
    done: Vec<Done>,
}

/// What a merge did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MergeReport {
    /// How many places were changed.
    pub changed: usize,
    /// Created sockets, which are not merged.
    pub sockets: Vec<RootedPath>,
    /// What was set aside and could not be removed.
    pub left: Vec<RootedPath>,
}

impl<'a> Staged<'a> {
    /// Makes every change: new objects, then replacements, then attributes, then deletions. After an error all of them
    /// are taken back, but for those that the error names.
    pub fn apply(self, source: &Source<'a>) -> Result<Applied<'a>, MergeError> {
        let Staged { plan, mut litter } = self;
        let mut done = Vec::new();
        let made = in_order(&plan).into_iter().try_for_each(|(_, op)| {
            let made = make(source, &plan, op, &mut litter, &mut done);
            made.map_err(|cause| (op.path().clone(), cause))
        });
        let synced = made
            .and_then(|()| stage::sync(source.live, &plan).map_err(|cause| (RootedPath::default(), cause)));
        match synced {
            Ok(()) => Ok(Applied { plan, litter, done }),
            Err((path, cause)) => {
                let still = take_back(source.live, &done, &mut litter);
                let left = litter.clear();
                Err(MergeError::Apply { path, cause, still, left })
            }
        }
    }
}

#[cfg(test)]
impl Staged<'_> {
    /// Leaves everything as a kill after so many changes does.
    pub(super) fn stop_after(self, changes: usize, source: &Source<'_>) {
        let Staged { plan, mut litter } = self;
        for (_, op) in in_order(&plan).into_iter().take(changes) {
            make(source, &plan, op, &mut litter, &mut Vec::new()).unwrap();
        }
        litter.keep_all();
    }
}

impl Applied<'_> {
    /// Takes every change back, because of what came after the merge (an action that failed); what could not be taken
    /// back comes back, and then what could not be removed.
    pub fn undo(mut self, source: &Source<'_>) -> (Vec<RootedPath>, Vec<RootedPath>) {
        let still = take_back(source.live, &self.done, &mut self.litter);
        (still, self.litter.clear())
    }

    /// Removes what was replaced and deleted, and ends the merge.
    pub fn finish(mut self) -> MergeReport {
        let left = self.litter.clear();
        MergeReport { changed: self.plan.ops.len(), sockets: self.plan.sockets.clone(), left }
    }
}

/// A change that was made, with what takes it back. Names are beside the path.
#[derive(Debug)]
pub(super) enum Done {
    /// Something stands where nothing was; it was staged under that name.
    Placed { path: RootedPath, stage: OsString },
    /// Two objects changed places: the old one has that name.
    Exchanged { path: RootedPath, stage: OsString },
    /// The old object has that name, and its place was free for the new one.
    Aside { path: RootedPath, aside: OsString },
    /// The old object has that name, and its place stays free.
    Deleted { path: RootedPath, aside: OsString },
    /// Attributes were others.
    Attributes { path: RootedPath, old: Metadata },
}

impl Done {
    fn path(&self) -> &RootedPath {
        match self {
            Done::Placed { path, .. }
            | Done::Exchanged { path, .. }
            | Done::Aside { path, .. }
            | Done::Deleted { path, .. }
            | Done::Attributes { path, .. } => path,
        }
    }
}

/// The steps in the order in which they are made, each with its number in the plan.
pub(super) fn in_order(plan: &MergePlan) -> Vec<(usize, &Op)> {
    let mut ops: Vec<(usize, &Op)> = plan.ops.iter().enumerate().collect();
    // The sort is stable: paths stay in order within a rank.
    ops.sort_by_key(|(_, op)| match op {
        Op::Place { over: Over::Nothing, .. } => 0,
        Op::Place { over: Over::Something, .. } => 1,
        Op::Attributes { .. } => 2,
        Op::Delete { .. } => 3,
    });
    ops
}

fn make(
    source: &Source<'_>,
    plan: &MergePlan,
    op: &Op,
    litter: &mut Litter<'_>,
    done: &mut Vec<Done>,
) -> Result<(), TreeError> {
    match op {
        Op::Place { path, over, stage, .. } => place(source.live, plan, path, *over, *stage, litter, done),
        Op::Attributes { path } => attributes(source, path, done),
        Op::Delete { path, stage } => delete(source.live, plan, path, *stage, litter, done),
    }
}

/// Renames what is staged into its place.
pub(super) fn place(
    live: &Root,
    plan: &MergePlan,
    path: &RootedPath,
    over: Over,
    stage: Stage,
    litter: &mut Litter<'_>,
    done: &mut Vec<Done>,
) -> Result<(), TreeError> {
    let (parent, name) = live.parent(path)?;
    let staged = stage.name(&plan.run);
    match over {
        Over::Nothing => {
            rename_new(&parent, &staged, &name)?;
            done.push(Done::Placed { path: path.clone(), stage: staged });
        }
        Over::Something => match parent.rename(&staged, &name, Rename::Exchange) {
            Ok(()) => done.push(Done::Exchanged { path: path.clone(), stage: staged }),
            Err(cause) if unsupported(&cause) => {
                // A moment without the object, where the file system cannot exchange two names.
                let aside = stage.aside(plan).name(&plan.run);
                rename_new(&parent, &name, &aside)?;
                litter.add(path, aside.clone());
                done.push(Done::Aside { path: path.clone(), aside });
                parent.rename(&staged, &name, Rename::Replace)?;
            }
            Err(cause) => return Err(cause),
        },
    }
    Ok(())
}

/// Sets an object aside.
pub(super) fn delete(
    live: &Root,
    plan: &MergePlan,
    path: &RootedPath,
    stage: Stage,
    litter: &mut Litter<'_>,
    done: &mut Vec<Done>,
) -> Result<(), TreeError> {
    let (parent, name) = live.parent(path)?;
    let aside = stage.name(&plan.run);
    rename_new(&parent, &name, &aside)?;
    litter.add(path, aside.clone());
    done.push(Done::Deleted { path: path.clone(), aside });
    Ok(())
}

fn attributes(source: &Source<'_>, path: &RootedPath, done: &mut Vec<Done>) -> Result<(), TreeError> {
    let (live, upper) = (source.live.object(path)?, source.upper.object(path)?);
    let wanted = metadata::merged(&live, &upper, source.private)?;
    // Half done is done: taking it back is harmless where nothing was changed.
    done.push(Done::Attributes { path: path.clone(), old: metadata::metadata(&live, &|_| false)? });
    metadata::apply(&live, &wanted, times_of(&live))
}

/// Which times an object has that is changed in place.
pub(super) fn times_of(live: &Object) -> Times {
    if live.kind() == FileKind::Directory { Times::Kept } else { Times::Copied }
}

pub(super) fn rename_new(parent: &Directory, from: &OsStr, to: &OsStr) -> Result<(), TreeError> {
    match parent.rename(from, to, Rename::New) {
        // This file system cannot tell; then a look just before has to do.
        Err(cause) if unsupported(&cause) && parent.lookup(to)?.is_none() => {
            parent.rename(from, to, Rename::Replace)
        }
        done => done,
    }
}

fn unsupported(cause: &TreeError) -> bool {
    matches!(cause.errno(), Some(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP))
}

/// Takes changes back, the last one first. What could not be taken back comes back, and keeps what it replaced.
fn take_back(live: &Root, done: &[Done], litter: &mut Litter<'_>) -> Vec<RootedPath> {
    let mut still = Vec::new();
    for one in done.iter().rev() {
        if revert(live, one, litter).is_err() {
            still.push(one.path().clone());
            match one {
                // The old object is all that is left of the state before: it is not litter.
                Done::Exchanged { path, stage: old }
                | Done::Aside { path, aside: old }
                | Done::Deleted { path, aside: old } => litter.keep(path, old),
                Done::Placed { .. } | Done::Attributes { .. } => {}
            }
        }
    }
    still.sort();
    still
}

fn revert(live: &Root, done: &Done, litter: &mut Litter<'_>) -> Result<(), TreeError> {
    if let Done::Attributes { path, old } = done {
        return restore(live, path, old);
    }
    let (parent, name) = live.parent(done.path())?;
    match done {
        Done::Attributes { .. } => Ok(()), // above: it has no name beside its path
        Done::Placed { stage, .. } => parent.rename(&name, stage, Rename::Replace),
        Done::Exchanged { stage, .. } => parent.rename(stage, &name, Rename::Exchange),
        Done::Aside { aside, path } => {
            parent.remove_tree(&name)?;
            parent.rename(aside, &name, Rename::Replace)?;
            litter.keep(path, aside);
            Ok(())
        }
        Done::Deleted { aside, path } => {
            rename_new(&parent, aside, &name)?;
            litter.keep(path, aside);
            Ok(())
        }
    }
}

/// Gives an object its old attributes back. Where the change itself was refused there is nothing to do, and doing it
/// would be refused too.
fn restore(live: &Root, path: &RootedPath, old: &Metadata) -> Result<(), TreeError> {
    let object = live.object(path)?;
    let now = metadata::metadata(&object, &|_| false)?;
    let what = |one: &Metadata| (one.uid, one.gid, one.permissions, one.xattrs.clone());
    if what(&now) == what(old) { Ok(()) } else { metadata::apply(&object, old, Times::Copied) }
}
