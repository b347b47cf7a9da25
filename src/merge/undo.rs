//! Takes back a merge that is done: each place gets again what it held before. That is a merge of its own, of what the first
//! one has kept, with a journal and a comparison of what is there with what the first one left. It can itself be undone.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::merge::apply::Volatile;
use crate::merge::conflict::Conflict;
use crate::merge::entries::{Gathered, HeldLines};
use crate::merge::entry::{Entry, Holds};
use crate::merge::error::Since;
use crate::merge::held::{self, Go};
use crate::merge::journal::{FINISHED, Head, Journal, Line};
use crate::merge::moves::Sameness;
use crate::merge::replay::{self, Recorded};
use crate::merge::seen::Seen;
use crate::merge::store::{AT_THE_TOP, Stores};
use crate::merge::{MergeError, Prepared, Work, journal, journals};
use crate::model::attributes::FileKind;
use crate::model::conflict::{OnConflict, Whose};
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::sys::clock;
use crate::sys::durable_log;
use crate::sys::files::{self, FileError};
use crate::sys::folders;
use crate::sys::metadata;
use crate::sys::tree::Root;

/// The folder of what is kept for undos, in disco's home.
pub fn folder(home: &Path) -> PathBuf {
    home.join("undo")
}

/// A merge that can be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What its journal begins with.
    pub head: Head,
    /// How many bytes it has replaced, which are kept.
    pub bytes: u64,
}

/// All merges that can be undone, the oldest first.
pub fn list(home: &Path) -> Result<Vec<Kept>, MergeError> {
    let folder = folder(home);
    if files::look(&folder).map_err(MergeError::Journal)?.is_none() {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for name in files::list_dir(&folder).map_err(MergeError::Journal)? {
        let path = folder.join(name).join(FINISHED);
        if files::look(&path).map_err(MergeError::Journal)?.is_none() {
            continue;
        }
        let (first, last) = durable_log::ends(&path).map_err(MergeError::Journal)?;
        let line = |text: Option<String>| text.and_then(|text| serde_json::from_str::<Line>(&text).ok());
        match (line(first), line(last)) {
            (Some(Line::Begin(head)), Some(Line::Done { bytes })) => all.push(Kept { head, bytes }),
            (_, _) => return Err(MergeError::Damaged { path }),
        }
    }
    all.sort_by(|a, b| a.head.run.cmp(&b.head.run));
    Ok(all)
}

/// The folders at the top of file systems that hold what is kept there.
pub fn at_the_top(home: &Path) -> Result<BTreeSet<RootedPath>, MergeError> {
    let stores = list(home)?.into_iter().flat_map(|kept| kept.head.stores.0);
    let above = stores.filter_map(|store| store.path.parent());
    Ok(above.filter(|above| above.name() == Some(OsStr::new(AT_THE_TOP))).collect())
}

/// All that the journal of a finished merge says: of that run, or of the last one.
pub fn load(home: &Path, run: Option<&RunId>) -> Result<Recorded, MergeError> {
    let run = match run {
        Some(run) => run.clone(),
        None => list(home)?.pop().ok_or(MergeError::NothingToUndo)?.head.run,
    };
    let path = folder(home).join(run.as_str()).join(FINISHED);
    if files::look(&path).map_err(MergeError::Journal)?.is_none() {
        return Err(MergeError::NoUndo(run));
    }
    replay::read(&path)?.ok_or(MergeError::Damaged { path })
}

/// What an undo leaves as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spared {
    /// Places that somebody has changed since the merge, and that are to stay so.
    pub theirs: Vec<RootedPath>,
    /// Places on file systems that are empty after each start of the machine.
    pub volatile: Vec<RootedPath>,
}

/// Prepares to take back what `recorded` has merged, as `run`. Whoever has changed one of its places since is in the way, unless
/// `on_conflict` decides.
pub fn prepare<'a>(
    recorded: Recorded,
    live: &'a Root,
    home: &Path,
    run: &RunId,
    on_conflict: &OnConflict,
) -> Result<(Prepared<'a>, Spared), MergeError> {
    let Recorded { head, entries, .. } = recorded;
    let volatile = if clock::boot() == head.boot { Volatile::There } else { Volatile::Lost };
    let (mut spared, mut conflicts) = (Spared::default(), Vec::new());
    let inverse = Gathered::new(home).map_err(MergeError::Journal)?;
    let mut back = Back { live, stores: &head.stores, inverse };
    for read in entries.whole().rev() {
        let (entry, holds) = read.map_err(MergeError::Journal)?;
        if volatile == Volatile::Lost && head.stores.0.get(entry.store()).is_some_and(|one| one.volatile) {
            spared.volatile.push(entry.path().clone());
            continue;
        }
        match conflict(live, &entry, holds)? {
            None => back.add(entry, None)?,
            Some((conflict, now)) => match (on_conflict.at(entry.path()), now) {
                (Whose::Theirs, _) => spared.theirs.push(entry.path().clone()),
                (Whose::Mine, Some(now)) => back.add(entry, Some(now))?,
                (Whose::Mine, None) | (Whose::Abort, _) => conflicts.push((entry.path().clone(), conflict)),
            },
        }
    }
    if !conflicts.is_empty() {
        return Err(MergeError::UndoConflicts { run: head.run, conflicts: Since(conflicts) });
    }
    let inverse = back.inverse;
    let began = super::head(run, &head.root, head.stores, Some(head.run));
    let mut journal = Journal::begin(&journals(home), began)?;
    let entries = inverse.write(&mut journal)?;
    let work = Work::new(live, home, journal, entries, Sameness::Object, volatile);
    Ok((Prepared { work, sockets: Vec::new() }, spared))
}

/// The changes that bring places back.
struct Back<'a> {
    live: &'a Root,
    stores: &'a Stores,
    inverse: Gathered,
}

impl Back<'_> {
    /// Adds the one that takes that change back, over what somebody has made of the place since; none where that cannot be.
    fn add(&mut self, entry: Entry, now: Option<Now>) -> Result<(), MergeError> {
        let is_free = matches!(now, Some(Now::Free));
        if is_free && !matches!(entry, Entry::Replace { .. }) {
            return Ok(());
        }
        let holds = self.holds(&entry)?;
        let entry = match (entry.inverse(holds), now) {
            (Entry::Replace { path, at, new, holds, old: _ }, Some(Now::Free)) => {
                Entry::Place { path, at, new, holds }
            }
            (Entry::Replace { path, at, new, holds, old: _ }, Some(Now::There(old))) => {
                Entry::Replace { path, at, new, holds, old }
            }
            (Entry::Delete { path, at, old: _ }, Some(Now::There(old))) => Entry::Delete { path, at, old },
            (Entry::Place { path, at, new, holds }, Some(Now::There(old))) => {
                Entry::Replace { path, at, new, holds, old }
            }
            (entry, _) => entry,
        };
        self.inverse.change(0, &entry).map_err(MergeError::Journal)
    }

    /// Adds what a directory holds that comes back.
    fn holds(&mut self, entry: &Entry) -> Result<Holds, MergeError> {
        let (Entry::Replace { path, at, old, .. } | Entry::Delete { path, at, old }) = entry else {
            return Ok(Holds::default());
        };
        if old.kind() != Some(FileKind::Directory) {
            return Ok(Holds::default());
        }
        let (mut lines, inverse) = (0, &mut self.inverse);
        let kept = self.stores.path(*at).join(at.name()).unwrap_or_default();
        held::each::<MergeError>(self.live, &kept, path, &mut |held| {
            inverse.hold(lines, &held).map_err(MergeError::Journal)?;
            lines += 1;
            Ok(Go::On)
        })?;
        Ok(Holds::Behind(u64::try_from(lines).unwrap_or(u64::MAX)))
    }
}

/// What a place holds that somebody has changed.
#[derive(Debug, Clone, Copy)]
enum Now {
    There(Seen),
    Free,
}

/// How a place differs from what the merge has left there; without what is there where nobody can go there any more.
fn conflict(
    live: &Root,
    entry: &Entry,
    holds: HeldLines,
) -> Result<Option<(Conflict, Option<Now>)>, MergeError> {
    let there = match live.directory(&entry.path().parent().unwrap_or_default()) {
        Ok(_) => live.lookup(entry.path())?,
        Err(error) if error.is_lost() => return Ok(Some((Conflict::Vanished, None))),
        Err(error) => return Err(error.into()),
    };
    let now = there.as_ref().map_or(Now::Free, |there| Now::There(Seen::from(there.stat())));
    let conflict = match (entry, &there) {
        (Entry::Delete { .. }, None) => None,
        (Entry::Delete { .. }, Some(_)) => Some(Conflict::Appeared),
        (_, None) => Some(Conflict::Vanished),
        (Entry::Place { new, .. } | Entry::Replace { new, .. }, Some(there)) => {
            let whole = new.is_unchanged(there.stat())
                && (there.kind() != FileKind::Directory || held::is_the_same(live, entry.path(), holds)?);
            (!whole).then_some(Conflict::Changed)
        }
        // One that has grown since keeps what was added to it.
        (Entry::Append { object, .. }, Some(there)) => {
            (!object.is(there.stat())).then_some(Conflict::Changed)
        }
        (Entry::Attributes { object, new, .. }, Some(there)) => {
            let now = metadata::metadata(there, &|_| false)?;
            (!object.is(there.stat()) || !now.is_like(new)).then_some(Conflict::Changed)
        }
    };
    Ok(conflict.map(|conflict| (conflict, Some(now))))
}

/// A merge was undone: it cannot be undone again. What it kept belongs to the undo now.
pub(super) fn forget(folder: &Path, run: &RunId) -> Result<(), MergeError> {
    let finished = folder.join(run.as_str()).join(FINISHED);
    match files::look(&finished).map_err(MergeError::Journal)? {
        Some(_) => journal::remove(&finished).map_err(MergeError::Journal),
        None => Ok(()),
    }
}

/// How much is kept for undos.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// Merges.
    pub runs: usize,
    /// Seconds since the merge began.
    pub seconds: u64,
    /// Bytes of all of them together; all that there is where there is no such number.
    pub bytes: Option<u64>,
}

/// Removes what is kept beyond that, the oldest first, but always keeps the last merge unless it is too old; returns whose it was.
pub fn prune(live: &Root, home: &Path, most: Most) -> Result<Vec<RunId>, MergeError> {
    let mut all = list(home)?;
    all.reverse();
    let (mut bytes, mut gone) = (0_u64, Vec::new());
    for (number, kept) in all.into_iter().enumerate() {
        bytes = bytes.saturating_add(kept.bytes);
        let old = clock::seconds_since(&kept.head.began).is_some_and(|age| age > most.seconds);
        let much = number > 0 && most.bytes.is_some_and(|most| bytes > most);
        if number >= most.runs || old || much {
            remove(live, home, &kept.head)?;
            gone.push(kept.head.run);
        }
    }
    Ok(gone)
}

/// Removes what is kept of a merge, so that it can no longer be undone.
fn remove(live: &Root, home: &Path, head: &Head) -> Result<(), MergeError> {
    let own = folder(home).join(head.run.as_str());
    // From here on nobody undoes it; whoever finds this name goes on.
    let renamed = files::rename(&own.join(FINISHED), &own.join(GOING));
    renamed.and_then(|()| files::sync_folder(&own)).map_err(MergeError::Journal)?;
    remove_rest(live, &own, head)
}

/// The name of the journal of a merge that is being forgotten.
const GOING: &str = "journal.gone";

fn remove_rest(live: &Root, own: &Path, head: &Head) -> Result<(), MergeError> {
    let inside = RootedPath::new(own).ok();
    // The journal lies in one of them, and goes last.
    let others = head.stores.0.iter().filter(|store| Some(&store.path) != inside.as_ref()).cloned();
    if let Some(path) = Stores(others.collect()).remove(live).into_iter().next() {
        return Err(MergeError::Remove { path });
    }
    folders::remove_tree(own).map_err(MergeError::Journal)
}

/// Removes what nobody can undo any more and a kill has left. For whoever keeps everybody else from merging, when no journal
/// is open.
pub fn sweep(live: &Root, home: &Path) -> Result<(), MergeError> {
    let folder = folder(home);
    let list = || -> Result<Vec<PathBuf>, FileError> {
        if files::look(&folder)?.is_none() {
            return Ok(Vec::new());
        }
        Ok(files::list_dir(&folder)?.into_iter().map(|name| folder.join(name)).collect())
    };
    let kept = self::list(home)?.into_iter().flat_map(|kept| kept.head.stores.0);
    let open = replay::all(&journals(home))?.into_iter().flat_map(|open| open.head.stores.0);
    let claimed: Vec<RootedPath> = kept.chain(open).map(|store| store.path).collect();
    for path in list().map_err(MergeError::Journal)? {
        let there = |name: &str| files::look(&path.join(name)).map(|there| there.is_some());
        if there(GOING).map_err(MergeError::Journal)? {
            let recorded = replay::read(&path.join(GOING))?;
            let recorded = recorded.ok_or(MergeError::Damaged { path: path.join(GOING) })?;
            remove_rest(live, &path, &recorded.head)?;
        } else if !there(FINISHED).map_err(MergeError::Journal)?
            && !RootedPath::new(&path).is_ok_and(|path| claimed.contains(&path))
        {
            folders::remove_tree(&path).map_err(MergeError::Journal)?;
        }
    }
    Ok(())
}
