//! Brings what the scratchpad changed to the live root, whole or not at all. Each stage is a type, and the value of one
//! is the only key to the next:
//!
//! [`survey`](fn@survey::survey) reads facts -> [`plan`](fn@plan::plan) decides, pure -> [`MergePlan::check`] compares
//! the live root with what the sandbox saw -> [`stage`](fn@stage::stage) makes everything new in the [stores](store), where
//! all that needs space or support fails: [`Prepared`] -> [`Prepared::commit`] writes the point of no return and makes every
//! change, each by one rename that leaves what was there in the store: [`Merged`] -> [`Merged::keep`] or [`Merged::undo`].
//!
//! A [`Journal`] says beforehand what is going to be done, so that [`recover`] finishes or takes back a merge that was
//! stopped, and [`undo`] takes back one that is done.

mod append;
pub mod apply;
pub mod check;
pub mod conflict;
pub mod entries;
pub mod entry;
pub mod error;
mod held;
mod holds;
pub mod journal;
mod listed;
pub mod moves;
pub mod plan;
mod preflight;
pub mod recover;
pub mod refusal;
pub mod replay;
pub mod seen;
pub mod settle;
pub mod stage;
pub mod store;
pub mod survey;
pub mod undo;

pub use check::Checked;
pub use entry::Way;
pub use error::MergeError;
pub use journal::{Journal, Note};
pub use plan::MergePlan;
pub use recover::Recovered;
pub use survey::{Facts, survey};

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::merge::apply::{NotBack, Stuck, Volatile};
use crate::merge::entries::Entries;
use crate::merge::journal::{Head, Line};
use crate::merge::moves::Sameness;
use crate::merge::store::{Finder, Stores};
use crate::model::change::{Change, ChangeSet};
use crate::model::layer::LayerEntry;
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::sys::clock;
use crate::sys::metadata::IsPrivate;
use crate::sys::tree::Root;

/// What is merged, and where to.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// All differences of the run: scratchpad against lower layer.
    pub changes: &'a ChangeSet,
    /// What the scratchpad holds, sorted by path.
    pub entries: &'a [LayerEntry],
    /// The scratchpad as plain files.
    pub upper: &'a Root,
    /// What may become of these.
    pub files: Files,
    /// The root to change.
    pub live: &'a Root,
    /// Extended attributes that belong to the scratchpad and not to the object.
    pub private: IsPrivate<'a>,
    /// What is never merged: disco's own home.
    pub exclude: &'a [RootedPath],
    /// Files that get what the run has added to them, each with where that begins in the run's own.
    pub appends: &'a BTreeMap<RootedPath, u64>,
    /// The run, which names what is staged.
    pub run: &'a RunId,
    /// Which root it is that is changed.
    pub root: &'a LiveRoot,
    /// disco's home, where its journals are.
    pub home: &'a Path,
    /// The same as a path of the live root, where it lies in it.
    pub inner_home: Option<&'a RootedPath>,
}

/// What a merge does with the scratchpad's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// It copies them.
    Copied,
    /// It takes those that it can: nobody needs them there any more, whether it comes to its end or not, and nobody has one open to
    /// write.
    Taken,
}

/// What a merge did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MergeReport {
    /// How many places were changed.
    pub changed: usize,
    /// Created sockets, which are not merged.
    pub sockets: Vec<RootedPath>,
    /// What could not be removed.
    pub left: Vec<RootedPath>,
}

/// A merge of which everything new is made and on the disk, and nothing shows yet. A drop leaves it to the next run.
#[derive(Debug)]
pub struct Prepared<'a> {
    work: Work<'a>,
    sockets: Vec<RootedPath>,
}

/// A merge that is done and on the disk, and can still be taken back. A drop leaves it as it is, and its journal for the
/// next run.
#[derive(Debug)]
pub struct Merged<'a> {
    work: Work<'a>,
    sockets: Vec<RootedPath>,
}

/// All that a merge under way goes by.
#[derive(Debug)]
struct Work<'a> {
    live: &'a Root,
    home: PathBuf,
    journal: Journal,
    entries: Entries,
    /// What must be the same of what is replaced.
    same: Sameness,
    volatile: Volatile,
    /// Places that somebody else has changed, and that stay as they are.
    theirs: BTreeSet<RootedPath>,
}

/// Plans it, compares the live root with what the sandbox saw, and makes everything new in the stores. After an error nothing is
/// left of it.
pub fn prepare<'a: 'f, 'f>(source: &Source<'a>, facts: &'f Facts<'f>) -> Result<Prepared<'a>, MergeError> {
    let checked = plan::plan(source.changes, facts, source.exclude).check(source)?;
    let plan = checked.plan();
    let grounds = plan.ops.iter().map(|op| stage::ground(source.live, op));
    let finder = Finder::find(source.live, source.inner_home, source.run, grounds)?;
    let head = head(source.run, source.root, finder.stores(), None);
    let mut journal = Journal::begin(&journals(source.home), head)?;
    let stores = finder.stores();
    let staged = stores.create(source.live).map_err(MergeError::from).and_then(|()| {
        let entries = stage::stage(source, plan, &finder)?.write(&mut journal)?;
        let synced = (0..stores.0.len()).try_for_each(|number| stores.sync(source.live, number));
        synced.map_err(|cause| MergeError::Sync { cause, left: Vec::new() })?;
        Ok(entries)
    });
    match staged {
        Ok(entries) => {
            let (same, volatile) = (Sameness::First, Volatile::There);
            let work = Work::new(source.live, source.home, journal, entries, same, volatile);
            Ok(Prepared { work, sockets: plan.sockets.clone() })
        }
        Err(error) => {
            let left = stores.remove(source.live);
            if left.is_empty() {
                // One that stays makes the next run look, and find nothing to do.
                let _ = journal.close();
            }
            Err(error.leaving(left))
        }
    }
}

/// The difference at that path; differences are sorted by it.
fn change_of<'a>(changes: &'a ChangeSet, path: &RootedPath) -> Option<&'a Change> {
    let at = changes.0.binary_search_by(|change| change.path.cmp(path)).ok()?;
    changes.0.get(at)
}

/// Whether a path is one of these or below one.
fn within_any(path: &RootedPath, folders: &[RootedPath]) -> bool {
    folders.iter().any(|folder| path.is_within(folder))
}

/// The folder of the journals of merges under way, in disco's home.
pub fn journals(home: &Path) -> PathBuf {
    home.join("journal")
}

fn head(run: &RunId, root: &LiveRoot, stores: Stores, undoes: Option<RunId>) -> Head {
    let (began, boot) = (clock::now(), clock::boot());
    Head { schema: journal::SCHEMA, run: run.clone(), root: root.clone(), began, boot, stores, undoes }
}

impl<'a> Prepared<'a> {
    /// The journal, for what is done before anything shows.
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.work.journal
    }

    /// The places that it will change, in its order, and how.
    pub fn places(&self) -> impl Iterator<Item = Result<(RootedPath, Way), MergeError>> {
        let entries = self.work.entries.iter();
        entries
            .map(|entry| entry.map(|entry| (entry.path().clone(), entry.way())).map_err(MergeError::Journal))
    }

    /// How many places it will change.
    pub fn changes(&self) -> usize {
        self.work.entries.len()
    }

    /// Ends it without a change; what could not be removed comes back, and is removed by the next run.
    pub fn discard(self) -> Result<Vec<RootedPath>, MergeError> {
        let head = self.work.journal.head();
        if head.undoes.is_some() {
            self.work.journal.close()?;
            return Ok(Vec::new());
        }
        let left = head.stores.remove(self.work.live);
        if left.is_empty() {
            self.work.journal.close()?;
        }
        Ok(left)
    }

    /// The point of no return, and all changes after it. After an error the live root is as before, or the error names
    /// what is not, and the next run takes that back.
    pub fn commit(self) -> Result<Merged<'a>, MergeError> {
        let Prepared { mut work, sockets } = self;
        if let Err(error) = work.journal.write(&Line::Commit { changes: work.entries.len() }) {
            // The line may have reached the disk all the same: the journal goes first, and then nobody goes by it.
            let (live, head) = (work.live, work.journal.head().clone());
            work.journal.close()?;
            if head.undoes.is_none() {
                head.stores.remove(live);
            }
            return Err(error);
        }
        let stores = &work.journal.head().stores;
        match apply::forward(work.live, stores, &work.entries, work.same, work.volatile) {
            Ok(gone) if gone.kept.is_empty() => {
                // Whoever misses this line looks at every place again, and finds that all are made.
                let _ = work.journal.write(&Line::Applied);
                Ok(Merged { work, sockets })
            }
            // Between the look and the rename.
            Ok(gone) => {
                work.theirs = gone.kept.iter().cloned().collect();
                let back = work.take_back("somebody has changed a place of it meanwhile");
                let still = back.still();
                back.close()?;
                Err(MergeError::Meanwhile { paths: gone.kept, still })
            }
            Err(Stuck { path, cause }) => {
                let back = work.take_back("a change of it could not be made");
                let still = back.still();
                Err(MergeError::Apply { path, cause: cause.into(), still, left: back.close()? })
            }
        }
    }
}

impl<'a> Merged<'a> {
    /// The journal, for what is done once everything is merged.
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.work.journal
    }

    /// Takes every change back, because of what came after the merge: `why`.
    pub fn undo(self, why: &str) -> TakenBack<'a> {
        self.work.take_back(why)
    }

    /// Ends it where the journal says already that nothing is left to do.
    pub fn close(self) -> Result<(), MergeError> {
        self.work.finish_keeping().map(drop)
    }

    /// Ends it: what it replaced is kept for an undo, on the node's own root, and nothing is left to do for anybody.
    pub fn keep(self) -> Result<MergeReport, MergeError> {
        let (changed, sockets) = (self.work.entries.len(), self.sockets);
        Ok(MergeReport { changed, sockets, left: self.work.keep()? })
    }
}

/// A merge whose changes are taken back. What was done on the live system can be brought back now; a drop leaves that to the
/// next run.
#[derive(Debug)]
pub struct TakenBack<'a> {
    work: Work<'a>,
    not: NotBack,
    /// Whether the journal says that it is being taken back.
    written: bool,
}

impl TakenBack<'_> {
    /// Places that are not as before: still as merged, or as somebody has made them since.
    pub fn still(&self) -> Vec<RootedPath> {
        self.not.failed.iter().chain(&self.not.kept).cloned().collect()
    }

    /// Ends it; what could not be removed comes back. Where the system would not change a place the next run tries again.
    pub fn close(mut self) -> Result<Vec<RootedPath>, MergeError> {
        if !self.not.failed.is_empty() {
            return Ok(Vec::new());
        }
        let (live, head) = (self.work.live, self.work.journal.head().clone());
        if head.undoes.is_some() {
            self.work.journal.close()?;
            return Ok(Vec::new());
        }
        // Without its stores nobody could go by a journal that says anything else.
        if self.written && self.work.journal.write(&Line::Back).is_ok() {
            let left = head.stores.remove(live);
            if left.is_empty() {
                self.work.journal.close()?;
            }
            return Ok(left);
        }
        self.work.journal.close()?;
        Ok(head.stores.remove(live))
    }
}

impl<'a> Work<'a> {
    fn new(
        live: &'a Root,
        home: &Path,
        journal: Journal,
        entries: Entries,
        same: Sameness,
        volatile: Volatile,
    ) -> Work<'a> {
        Work { live, home: home.to_owned(), journal, entries, same, volatile, theirs: BTreeSet::new() }
    }

    /// Takes all changes back. What cannot be taken back is named, and the journal stays for another try.
    fn take_back(mut self, why: &str) -> TakenBack<'a> {
        // Where it cannot be written, a kill from here on has all of it made again: whole, too.
        let written = self.journal.write(&Line::Undoing { why: why.to_owned() }).is_ok();
        self.go_on_taking_back(written)
    }

    /// The same, where the journal says so already.
    fn go_on_taking_back(self, written: bool) -> TakenBack<'a> {
        let stores = &self.journal.head().stores;
        let not = apply::backward(self.live, stores, &self.entries, &self.theirs, self.volatile);
        TakenBack { work: self, not, written }
    }

    fn keep(mut self) -> Result<Vec<RootedPath>, MergeError> {
        let head = self.journal.head().clone();
        let bytes = held::bytes(self.live, &head.stores, &self.entries)?;
        self.journal.write(&Line::Done { bytes })?;
        self.finish_keeping()
    }

    /// The same, where the journal says so already.
    fn finish_keeping(self) -> Result<Vec<RootedPath>, MergeError> {
        let head = self.journal.head();
        if !head.root.is_own() {
            let left = head.stores.remove(self.live);
            if left.is_empty() {
                self.journal.close()?;
            }
            return Ok(left);
        }
        let folder = undo::folder(&self.home);
        if let Some(undone) = &head.undoes {
            undo::forget(&folder, undone)?;
        }
        self.journal.close_into(&folder)?;
        Ok(Vec::new())
    }
}

#[cfg(test)]
fn prepared<'a>(source: &Source<'a>) -> Result<Prepared<'a>, MergeError> {
    prepare(source, &survey(source)?)
}

#[cfg(test)]
mod journal_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod settle_tests;
#[cfg(test)]
mod stage_tests;
#[cfg(test)]
mod tests;
