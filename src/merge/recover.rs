//! Finishes a merge that was stopped in the middle, or takes back one that had only been prepared. It looks at what is
//! there, so that it can itself be stopped at any point and begun again.

use crate::merge::MergeError;
use crate::merge::apply::{self, Done};
use crate::merge::journal::{Journal, Phase, Start};
use crate::merge::plan::{MergePlan, Op, Over, Stage};
use crate::merge::stage::{self, Litter};
use crate::model::path::RootedPath;
use crate::sys::metadata;
use crate::sys::tree::{Root, TreeError};

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovered {
    /// Nothing that shows had changed, and what was staged is removed.
    Before,
    /// Everything is merged.
    After {
        /// How many places were to be changed.
        changes: usize,
        /// Places that somebody has changed since it was stopped: they stay as they are.
        kept: Vec<RootedPath>,
        /// What could not be removed.
        left: Vec<RootedPath>,
    },
}

/// Brings `live` to where the merge would have brought it. The journal stays, for whoever has more to do.
pub fn recover(journal: &Journal, live: &Root) -> Result<Recovered, MergeError> {
    let plan = &journal.intent().plan;
    let mut litter = Litter::new(live);
    for op in &plan.ops {
        for stage in names(plan, op) {
            litter.add(op.path(), stage.name(&plan.run));
        }
    }
    let Phase::Applying(starts) = &journal.intent().phase else {
        litter.clear();
        return Ok(Recovered::Before);
    };
    let (mut kept, mut done) = (Vec::new(), Vec::new());
    for (at, op) in apply::in_order(plan) {
        let Some(start) = starts.get(at) else { continue };
        let forward = forward(live, plan, op, start, &mut litter, &mut done);
        match forward {
            Ok(true) => {}
            Ok(false) => kept.push(op.path().clone()),
            // What it holds must stay for another try.
            Err(cause) => {
                litter.keep_all();
                return Err(MergeError::Recover { path: op.path().clone(), cause });
            }
        }
    }
    if let Err(cause) = stage::sync(live, plan) {
        litter.keep_all();
        return Err(MergeError::Recover { path: RootedPath::default(), cause });
    }
    kept.sort();
    Ok(Recovered::After { changes: plan.ops.len(), kept, left: litter.clear() })
}

/// The names of ours that a step may use beside its place.
fn names(plan: &MergePlan, op: &Op) -> Vec<Stage> {
    match op {
        Op::Place { stage, over: Over::Nothing, .. } | Op::Delete { stage, .. } => vec![*stage],
        Op::Place { stage, over: Over::Something, .. } => vec![*stage, stage.aside(plan)],
        Op::Attributes { .. } => Vec::new(),
    }
}

/// Makes one change, if it is not made yet; false where somebody else's stands in its place.
fn forward(
    live: &Root,
    plan: &MergePlan,
    op: &Op,
    start: &Start,
    litter: &mut Litter<'_>,
    done: &mut Vec<Done>,
) -> Result<bool, TreeError> {
    let there = match live.lookup(op.path()) {
        Ok(there) => there,
        // Somebody has taken the directory away, or put something else in its place.
        Err(error) if error.is_lost() => return Ok(false),
        Err(error) => return Err(error),
    };
    let there = there.as_ref();
    let is_old = there.is_some_and(|there| start.old.is_some_and(|old| old.is_unchanged(there.stat())));
    match op {
        Op::Place { path, stage, over, .. } => {
            if there.is_some_and(|there| start.staged.is_some_and(|new| new.is(there.stat()))) {
                return Ok(true);
            }
            let (parent, name) = live.parent(path)?;
            if parent.lookup(&stage.name(&plan.run))?.is_none() {
                return Ok(false);
            }
            match (over, there) {
                (Over::Nothing, Some(_)) => return Ok(false),
                (Over::Something, Some(_)) if !is_old => return Ok(false),
                // It was stopped between the two renames of a file system that cannot exchange names.
                (Over::Something, None) if parent.lookup(&stage.aside(plan).name(&plan.run))?.is_some() => {
                    apply::rename_new(&parent, &stage.name(&plan.run), &name)?;
                }
                (Over::Something, None) => return Ok(false),
                (Over::Nothing, None) | (Over::Something, Some(_)) => {
                    apply::place(live, plan, path, *over, *stage, litter, done)?;
                }
            }
        }
        Op::Attributes { .. } => {
            let same = there.filter(|there| start.old.is_some_and(|old| old.is(there.stat())));
            let (Some(there), Some(wanted)) = (same, &start.metadata) else { return Ok(false) };
            metadata::apply(there, wanted, apply::times_of(there))?;
        }
        Op::Delete { path, stage } => match there {
            None => {}
            Some(_) if is_old => apply::delete(live, plan, path, *stage, litter, done)?,
            Some(_) => return Ok(false),
        },
    }
    Ok(true)
}
