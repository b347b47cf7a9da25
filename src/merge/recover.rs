//! Goes on with a merge that was stopped, from what its journal says: forward from the point of no return on, away with what
//! was staged before it. It looks at what is there, so that it can itself be stopped at any point and begun again.

use std::path::Path;

use crate::merge::apply::{self, NotBack, Stuck, Volatile};
use crate::merge::journal::{Journal, Line, Note};
use crate::merge::moves::Sameness;
use crate::merge::replay::{Phase, Recorded};
use crate::merge::{MergeError, Merged, TakenBack, Work};
use crate::model::path::RootedPath;
use crate::sys::clock;
use crate::sys::tree::Root;

/// What became of it, for whoever reads.
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
    },
    /// It had been merged, and was being taken back: that is done.
    Undone {
        /// Why it was taken back.
        why: String,
        /// Places that could not be taken back.
        still: Vec<RootedPath>,
    },
}

/// A merge that was stopped, brought to where it should be, with its journal still open.
#[derive(Debug)]
pub struct Recovery<'a> {
    /// What became of it.
    pub how: Recovered,
    /// What was done around it, in order.
    pub notes: Vec<Note>,
    /// What is left to do.
    pub rest: Rest<'a>,
}

/// What is left to do of a merge that was stopped.
#[derive(Debug)]
pub enum Rest<'a> {
    /// Whatever was done before the merge is to be brought back, then [`Journal::cleared`].
    Clear(Journal),
    /// What comes after a merge, then [`Merged::keep`] or [`Merged::undo`].
    Finish(Merged<'a>),
    /// Whatever was done on the live system is to be brought back, then [`TakenBack::close`].
    Back(TakenBack<'a>),
    /// Only [`TakenBack::close`].
    Gone(TakenBack<'a>),
    /// Only [`Merged::close`].
    Kept(Merged<'a>),
    /// Nothing that could be done now.
    Nothing,
}

/// Brings `live` to where the merge would have brought it. The caller keeps everybody else from merging.
pub fn recover<'a>(recorded: Recorded, live: &'a Root, home: &Path) -> Result<Recovery<'a>, MergeError> {
    let Recorded { path, head, notes, entries, phase, waits: _ } = recorded;
    // Without a word about the start of the machine nothing is known to be gone.
    let volatile = match clock::boot() {
        now if now != head.boot && !now.is_empty() && !head.boot.is_empty() => Volatile::Lost,
        _ => Volatile::There,
    };
    let journal = Journal::resume(&path, head)?;
    let same = Sameness::Content;
    let mut work = Work::new(live, home, journal, entries, same, volatile);
    let (how, rest) = match phase {
        Phase::Staging => {
            let head = work.journal.head();
            let left = if head.undoes.is_some() { Vec::new() } else { head.stores.remove(live) };
            // A store that cannot be removed keeps its journal, and nobody from merging.
            let rest = if left.is_empty() { Rest::Clear(work.journal) } else { Rest::Nothing };
            (Recovered::Before, rest)
        }
        Phase::Applying | Phase::Applied => {
            let gone = if phase == Phase::Applied {
                apply::Gone { made: work.entries.len(), kept: Vec::new() }
            } else {
                let stores = &work.journal.head().stores;
                let gone = apply::forward(live, stores, &work.entries, same, volatile);
                let gone =
                    gone.map_err(|Stuck { path, cause }| MergeError::Recover { path, cause: cause.into() })?;
                work.journal.write(&Line::Applied)?;
                gone
            };
            let how = Recovered::After { changes: work.entries.len(), kept: gone.kept };
            (how, Rest::Finish(Merged { work, sockets: Vec::new() }))
        }
        Phase::Undoing(why) => {
            let back = work.go_on_taking_back(true);
            (Recovered::Undone { why, still: back.still() }, Rest::Back(back))
        }
        Phase::Back(why) => {
            let back = TakenBack { work, not: NotBack::default(), written: true };
            (Recovered::Undone { why, still: Vec::new() }, Rest::Gone(back))
        }
        Phase::Done(_) => {
            let changes = work.entries.len();
            let kept = Merged { work, sockets: Vec::new() };
            (Recovered::After { changes, kept: Vec::new() }, Rest::Kept(kept))
        }
    };
    Ok(Recovery { how, notes, rest })
}

impl Journal {
    /// Ends the journal of a merge that never was.
    pub fn cleared(self) -> Result<(), MergeError> {
        self.close()
    }
}
