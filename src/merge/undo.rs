//! Takes back a merge that is done: each place gets again what it held before. That is a merge of its own, of what the first
//! one has kept, with a journal and a comparison of what is there with what the first one left. It can itself be undone.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::merge::apply::Volatile;
use crate::merge::conflict::Conflict;
use crate::merge::entry::{Entry, Held};
use crate::merge::error::Since;
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
use crate::sys::object::Object;
use crate::sys::tree::{Root, TreeError};

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
    let (mut spared, mut conflicts, mut inverse) = (Spared::default(), Vec::new(), Vec::new());
    for entry in entries.into_iter().rev() {
        if volatile == Volatile::Lost && head.stores.0.get(entry.store()).is_some_and(|one| one.volatile) {
            spared.volatile.push(entry.path().clone());
            continue;
        }
        match conflict(live, &entry)? {
            None => inverse.push(back(live, &head.stores, entry, None)?),
            Some((conflict, now)) => match (on_conflict.at(entry.path()), now) {
                (Whose::Theirs, _) => spared.theirs.push(entry.path().clone()),
                (Whose::Mine, Some(now)) => inverse.extend(over(live, &head.stores, entry, now)?),
                (Whose::Mine, None) | (Whose::Abort, _) => conflicts.push((entry.path().clone(), conflict)),
            },
        }
    }
    if !conflicts.is_empty() {
        return Err(MergeError::UndoConflicts { run: head.run, conflicts: Since(conflicts) });
    }
    let began = super::head(run, &head.root, head.stores, Some(head.run));
    let mut journal = Journal::begin(&journals(home), began)?;
    journal.write_changes(&inverse)?;
    let same = Sameness::Object;
    let work = Work { live, home: home.to_owned(), journal, entries: inverse, same, volatile };
    Ok((Prepared { work, sockets: Vec::new() }, spared))
}

/// The change that brings a place back, which somebody has changed since where `now` is what is there.
fn back(live: &Root, stores: &Stores, entry: Entry, now: Option<Seen>) -> Result<Entry, TreeError> {
    let holds = match &entry {
        Entry::Replace { path, at, old, .. } | Entry::Delete { path, at, old }
            if old.kind() == Some(FileKind::Directory) =>
        {
            held(live, &stores.path(*at).join(at.name()).unwrap_or_default(), path)?
        }
        Entry::Place { .. }
        | Entry::Replace { .. }
        | Entry::Delete { .. }
        | Entry::Attributes { .. }
        | Entry::Append { .. } => Vec::new(),
    };
    Ok(match (entry.inverse(holds), now) {
        (Entry::Replace { path, at, new, holds, old: _ }, Some(now)) => {
            Entry::Replace { path, at, new, holds, old: now }
        }
        (Entry::Delete { path, at, old: _ }, Some(now)) => Entry::Delete { path, at, old: now },
        (Entry::Place { path, at, new, holds }, Some(now)) => {
            Entry::Replace { path, at, new, holds, old: now }
        }
        (entry, _) => entry,
    })
}

/// The same over what somebody has made of the place since; nothing where that cannot be.
fn over(live: &Root, stores: &Stores, entry: Entry, now: Now) -> Result<Option<Entry>, TreeError> {
    Ok(match (now, &entry) {
        (Now::There(seen), _) => Some(back(live, stores, entry, Some(seen))?),
        (Now::Free, Entry::Replace { .. }) => match back(live, stores, entry, None)? {
            Entry::Replace { path, at, new, holds, old: _ } => Some(Entry::Place { path, at, new, holds }),
            other => Some(other),
        },
        (
            Now::Free,
            Entry::Place { .. } | Entry::Attributes { .. } | Entry::Delete { .. } | Entry::Append { .. },
        ) => None,
    })
}

/// What a place holds that somebody has changed.
#[derive(Debug, Clone, Copy)]
enum Now {
    There(Seen),
    Free,
}

/// How a place differs from what the merge has left there; without what is there where nobody can go there any more.
fn conflict(live: &Root, entry: &Entry) -> Result<Option<(Conflict, Option<Now>)>, TreeError> {
    let there = match live.directory(&entry.path().parent().unwrap_or_default()) {
        Ok(_) => live.lookup(entry.path())?,
        Err(error) if error.is_lost() => return Ok(Some((Conflict::Vanished, None))),
        Err(error) => return Err(error),
    };
    let now = there.as_ref().map_or(Now::Free, |there| Now::There(Seen::from(there.stat())));
    let conflict = match (entry, &there) {
        (Entry::Delete { .. }, None) => None,
        (Entry::Delete { .. }, Some(_)) => Some(Conflict::Appeared),
        (_, None) => Some(Conflict::Vanished),
        (Entry::Place { new, holds, .. } | Entry::Replace { new, holds, .. }, Some(there)) => {
            let whole = new.is_unchanged(there.stat()) && holds_the_same(live, there, entry.path(), holds)?;
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

/// Whether a directory holds just what it held when it was placed.
fn holds_the_same(live: &Root, there: &Object, path: &RootedPath, holds: &[Held]) -> Result<bool, TreeError> {
    if there.kind() != FileKind::Directory {
        return Ok(true);
    }
    let mut now = held(live, path, path)?;
    now.sort_by(|a, b| a.path.cmp(&b.path));
    let mut then: Vec<&Held> = holds.iter().collect();
    then.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(now.len() == then.len()
        && now.iter().zip(then).all(|(now, then)| now.path == then.path && same(&then.seen, &now.seen)))
}

/// Whether two looks are at one object with the same content, permissions and owner.
fn same(then: &Seen, now: &Seen) -> bool {
    let directory = then.kind() == Some(FileKind::Directory);
    (then.inode, then.mode, then.owner) == (now.inode, now.mode, now.owner)
        && (directory || (then.size, then.mtime) == (now.size, now.mtime))
}

/// All that the directory at `at` holds, as if it were at `place`.
fn held(live: &Root, at: &RootedPath, place: &RootedPath) -> Result<Vec<Held>, TreeError> {
    let mut all = Vec::new();
    let directory = live.directory(at)?;
    for name in directory.names()? {
        let (Ok(inner), Ok(path)) = (at.join(&name), place.join(&name)) else { continue };
        let Some(object) = directory.lookup(&name)? else { continue };
        all.push(Held { path: path.clone(), seen: Seen::from(object.stat()) });
        if object.kind() == FileKind::Directory {
            all.extend(held(live, &inner, &path)?);
        }
    }
    Ok(all)
}

/// How many bytes of files a merge has replaced.
pub(super) fn bytes(live: &Root, stores: &Stores, entries: &[Entry]) -> Result<u64, MergeError> {
    let mut bytes = 0;
    for entry in entries {
        let (Entry::Replace { at, old, .. } | Entry::Delete { at, old, .. }) = entry else { continue };
        bytes += match old.kind() {
            Some(FileKind::Directory) => {
                let path = stores.path(*at).join(at.name()).unwrap_or_default();
                match held(live, &path, &path) {
                    Ok(held) => held.iter().map(|held| size(&held.seen)).sum(),
                    // A volatile store, after the machine has started anew; or it was left as it was.
                    Err(error) if error.is_lost() => 0,
                    Err(error) => return Err(error.into()),
                }
            }
            _ => size(old),
        };
    }
    Ok(bytes)
}

fn size(seen: &Seen) -> u64 {
    if seen.kind() == Some(FileKind::Regular) { seen.size } else { 0 }
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
