//! Decides what becomes of everything that somebody has changed on the live root since the sandbox saw it. All conflicts of a
//! run are found first; then the rules that the user has given say for each path whose state is kept. What comes back are
//! differences against the live root as it is now, which the plan and the check of the merge take as they are.
//!
//! A directory's own change is that of its owner, mode and attributes: what it holds are changes of their own.
//!
//! | the run has | and meanwhile | `theirs` | `mine` |
//! |---|---|---|---|
//! | created a path | the same has appeared | not modified | not modified |
//! | created a path | something else has appeared | it stays | it is replaced |
//! | created a directory | a directory has appeared | its attributes stay; what the run has put in it is judged for itself | it gets the run's attributes, and keeps what it holds |
//! | changed a path | it is the same now | not modified | not modified |
//! | changed a path | it was changed or replaced | it stays | it is replaced |
//! | changed a path | it has vanished | it stays away | it is made again, a directory with what the run has changed in it alone |
//! | changed a path | it was changed, and then the run went on with a copy of that | it stays | nothing is merged: the copy is of neither state |
//! | added to a file | somebody else has added to it, too | both are there: what the run has added comes last ([`append`](super::append)) | the same, also with `abort` |
//! | deleted a path | it has vanished | not modified | not modified |
//! | deleted a path | it was changed or replaced | it stays, and the directories above it | it goes |
//! | deleted a directory | something has appeared in it | that stays, and the directories above it; the rest goes | it goes with all |
//! | put a file or link in a directory's place | something in it was changed or has appeared | the directory stays with all that it holds | it goes with all |
//! | changed something in a directory | the directory is another one | nothing in it is merged | it is merged into the directory that is there |
//! | changed something in a directory | the directory has vanished | nothing in it is merged | the directory is made again, with what the run has changed in it alone |
//! | changed something in a directory | something else, such as a link, has its place | nothing in it is merged | nothing is merged: a link is never followed |
//!
//! `abort`, for any of them, merges nothing at all.

mod overlay;
mod sides;

use std::collections::{BTreeMap, BTreeSet};

use crate::merge::append;
use crate::merge::conflict::{Clash, Clashes};
use crate::merge::settle::overlay::Overlay;
use crate::merge::{MergeError, Source};
use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{Change, ChangeKind, ChangeSet};
use crate::model::conflict::{OnConflict, Whose};
use crate::model::path::RootedPath;
use crate::sys::accounts::Accounts;
use crate::sys::metadata;
use crate::sys::tree::Object;

/// How closely the live root is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closeness {
    /// By type, mode, owner and size: who watches the root since the first look knows of everything else.
    Stat,
    /// By content and attributes as well.
    Content,
}

/// A run's differences, fit for the live root as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What is merged, where that is not what was given.
    changes: Option<ChangeSet>,
    /// Files that get what the run has added to them, each with where that begins in the run's own.
    pub appends: BTreeMap<RootedPath, u64>,
    /// What never merges: what never did, and files that stay theirs.
    pub exclude: Vec<RootedPath>,
    /// Changes that are left out, because what is there is kept; by path.
    pub left: Vec<Left>,
    /// What is replaced although somebody has changed it.
    pub mine: Vec<Clash>,
}

impl Settled {
    /// What is merged of the differences that were settled.
    pub fn changes<'a>(&'a self, given: &'a ChangeSet) -> &'a ChangeSet {
        self.changes.as_ref().unwrap_or(given)
    }
}

/// A change that is left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// Where.
    pub path: RootedPath,
    /// Why, in words.
    pub why: String,
}

/// What is known already of what has become of the live root.
#[derive(Debug, Clone, Default)]
pub struct Watched<'a> {
    /// What is not as the sandbox saw it, also of directories on the way to a change.
    pub clashes: Vec<Clash>,
    /// How long files were when the run's own became a copy of them; those that are still there, and no mixture.
    pub lengths: BTreeMap<&'a RootedPath, u64>,
}

/// Finds all conflicts and settles them, or comes back with all that nobody has settled. Changes nothing.
pub fn settle(
    source: &Source<'_>,
    watched: Watched<'_>,
    on: &OnConflict,
    closeness: Closeness,
) -> Result<Settled, MergeError> {
    let mut settle = Settle {
        source,
        on,
        closeness,
        lengths: watched.lengths,
        appends: BTreeMap::new(),
        seen: watched.clashes.into_iter().map(|clash| (clash.path.clone(), clash)).collect(),
        changes: Overlay::of(source.changes),
        names: Accounts::default(),
        open: Vec::new(),
        kept: BTreeSet::new(),
        exclude: source.exclude.to_vec(),
        remade: Vec::new(),
        left: Vec::new(),
        mine: Vec::new(),
    };
    settle.all()?;
    settle.keep_above();
    let Settle { changes, appends, exclude, mut left, mine, mut open, .. } = settle;
    if !open.is_empty() {
        open.sort_by(|a, b| a.path.cmp(&b.path));
        return Err(MergeError::Conflicts(Clashes(open)));
    }
    left.sort();
    Ok(Settled { changes: changes.into_changes(), appends, exclude, left, mine })
}

fn is_excluded(source: &Source<'_>, path: &RootedPath) -> bool {
    source.exclude.iter().any(|home| path.is_within(home))
}

struct Settle<'a> {
    source: &'a Source<'a>,
    on: &'a OnConflict,
    closeness: Closeness,
    lengths: BTreeMap<&'a RootedPath, u64>,
    appends: BTreeMap<RootedPath, u64>,
    seen: BTreeMap<RootedPath, Clash>,
    changes: Overlay<'a>,
    names: Accounts,
    /// What nobody has settled.
    open: Vec<Clash>,
    /// Places that stay, so that the directories above them must.
    kept: BTreeSet<RootedPath>,
    /// Directories that are made again: what they held is not there.
    remade: Vec<RootedPath>,
    exclude: Vec<RootedPath>,
    left: Vec<Left>,
    mine: Vec<Clash>,
}

impl Settle<'_> {
    /// Settles the changes and the directories on the way to them, from the top.
    fn all(&mut self) -> Result<(), MergeError> {
        let source = self.source;
        let paths = || source.changes.0.iter().map(|change| &change.path);
        paths().filter(|path| is_excluded(source, path)).for_each(|path| self.changes.remove(path));
        let mut last: Option<&RootedPath> = None;
        for path in paths().filter(|path| !is_excluded(source, path)) {
            let above = std::iter::successors(path.parent(), RootedPath::parent);
            let ways: Vec<_> =
                above.take_while(|way| !last.is_some_and(|last| last.is_within(way))).collect();
            ways.iter().rev().try_for_each(|way| self.one(way))?;
            self.one(path)?;
            last = Some(path);
        }
        Ok(())
    }

    fn one(&mut self, path: &RootedPath) -> Result<(), MergeError> {
        match self.changes.get(path) {
            Some(change) => self.change(&change),
            None => self.way(path),
        }
    }

    /// Settles a directory of which the run has changed what it holds.
    fn way(&mut self, way: &RootedPath) -> Result<(), MergeError> {
        // A change or the directory above it may have been settled so that nothing is left to do in it.
        if self.changes.within(way).next().is_none() {
            return Ok(());
        }
        let there = self.source.live.lookup(way)?.map(|there| there.kind());
        let seen = self.seen.remove(way);
        if there.is_none() && self.is_remade(way) {
            return self.make_again(way);
        }
        let clash = match (there, seen) {
            (Some(FileKind::Directory), None) => return Ok(()),
            (_, Some(clash)) => clash,
            (there, None) => Clash::no_directory(way, there),
        };
        match (self.on.at(way), there) {
            (Whose::Abort, _) => self.open.push(clash),
            (Whose::Theirs, _) => {
                self.drop_within(way, &format!("{way} stays as it is: {}", clash.how()));
                return Ok(());
            }
            (Whose::Mine, Some(FileKind::Directory)) => self.mine.push(clash),
            (Whose::Mine, None) => {
                self.make_again(way)?;
                self.mine.push(clash);
            }
            (Whose::Mine, Some(_)) => self.open.push(clash),
        }
        if there != Some(FileKind::Directory) {
            self.told_once(way);
        }
        Ok(())
    }

    /// Has a directory made again that has vanished, as the sandbox shows it.
    fn make_again(&mut self, way: &RootedPath) -> Result<(), MergeError> {
        let upper = self.source.upper.object(way)?;
        let after = self.attributes(&upper)?;
        self.put(way, ChangeKind::Created { after: after.into() });
        self.remade.push(way.clone());
        Ok(())
    }

    fn is_remade(&self, path: &RootedPath) -> bool {
        self.remade.iter().any(|remade| path.is_within(remade))
    }

    /// One conflict, not one for each change in it.
    fn told_once(&mut self, path: &RootedPath) {
        if self.open.last().is_some_and(|clash| clash.path == *path) {
            self.drop_within(path, "");
        }
    }

    /// Settles a change.
    fn change(&mut self, change: &Change) -> Result<(), MergeError> {
        let path = &change.path;
        let live = self.source.live.lookup(path)?;
        let seen = self.seen.remove(path);
        let (before, after) = match &change.kind {
            ChangeKind::Created { after } | ChangeKind::Modified { after, .. }
                if after.kind == FileKind::Socket =>
            {
                return Ok(());
            }
            kind => kind.sides(),
        };
        let clash = self.clash(path, live.as_ref(), seen, before)?;
        if let (Some(live), Some(before), Some(after)) = (&live, before, after)
            && (clash.is_some() || append::is_log(path))
            && self.grows(path, live, before, after)?
        {
            return Ok(());
        }
        let Some(clash) = clash else {
            return self.appeared_within(path, live.as_ref(), after);
        };
        let now = live.as_ref().map(|live| self.attributes(live)).transpose()?;
        let same = match (after, &now) {
            (None, None) => true,
            (Some(after), Some(now)) => after.is_same(now),
            (None, Some(_)) | (Some(_), None) => false,
        };
        if same {
            // A directory that was made on both sides: what the run has put in it is merged.
            self.changes.remove(path);
            return Ok(());
        }
        if self.is_remade(path) {
            return self.replace(path, after, now);
        }
        match self.on.at(path) {
            // Of a mixture there is no run's own to keep.
            Whose::Mine if clash.mixed && after.is_some() => self.open.push(clash),
            Whose::Abort => {
                self.open.push(clash);
                if now.is_none_or(|now| now.kind != FileKind::Directory) {
                    self.told_once(path);
                }
            }
            Whose::Theirs => self.leave(path, before, after, now.as_ref(), &clash),
            Whose::Mine => {
                self.mine.push(clash);
                self.replace(path, after, now)?;
            }
        }
        Ok(())
    }

    /// Plans to add what the run has added, where nobody has done anything else to the file.
    fn grows(
        &mut self,
        path: &RootedPath,
        live: &Object,
        before: &Attributes,
        after: &Attributes,
    ) -> Result<bool, MergeError> {
        let Some(length) = self.lengths.get(path).copied() else { return Ok(false) };
        let rest = |one: &Attributes| Attributes { md5: None, size: 0, ..one.clone() };
        if before.kind != FileKind::Regular || !rest(before).is_same(&rest(after)) {
            return Ok(false);
        }
        let upper = self.source.upper.object(path)?;
        let metadata = |object| metadata::metadata(object, self.source.private);
        if live.kind() != FileKind::Regular || !metadata(live)?.is_like(&metadata(&upper)?) {
            return Ok(false);
        }
        if !append::both_have_grown(live, &upper, length)? {
            return Ok(false);
        }
        self.appends.insert(path.clone(), length);
        Ok(true)
    }

    /// How a path differs from what it was; none where it does not.
    fn clash(
        &mut self,
        path: &RootedPath,
        live: Option<&Object>,
        seen: Option<Clash>,
        before: Option<&Attributes>,
    ) -> Result<Option<Clash>, MergeError> {
        if seen.is_some() {
            return Ok(seen);
        }
        Ok(match (before, live) {
            (None, None) => None,
            (None, Some(live)) => Some(Clash::appeared(path, live.stat())),
            (Some(before), None) => Some(Clash::vanished(path, Some(before.kind))),
            (Some(before), Some(live)) => {
                let stat = live.stat();
                let sized = before.kind != FileKind::Regular || before.size == stat.size;
                let alike = (before.mode, before.uid, before.gid) == (stat.mode, stat.uid, stat.gid) && sized;
                if alike && self.closeness == Closeness::Stat {
                    return Ok(None);
                }
                let now = self.attributes(live)?;
                (!before.is_same(&now)).then(|| Clash::differs(path, before, &now))
            }
        })
    }

    /// A directory that goes, as it was: what has appeared in it meanwhile is settled.
    fn appeared_within(
        &mut self,
        path: &RootedPath,
        live: Option<&Object>,
        after: Option<&Attributes>,
    ) -> Result<(), MergeError> {
        let goes = after.is_none_or(|after| after.kind != FileKind::Directory);
        if !goes || live.is_none_or(|live| live.kind() != FileKind::Directory) {
            return Ok(());
        }
        for (inner, object) in self.held(path)? {
            if self.changes.has(&inner) || is_excluded(self.source, &inner) {
                continue;
            }
            let clash = Clash::appeared(&inner, object.stat());
            match self.on.at(&inner) {
                Whose::Abort => self.open.push(clash),
                Whose::Theirs => drop(self.kept.insert(inner)),
                Whose::Mine => {
                    self.mine.push(clash);
                    self.goes(&inner, &object)?;
                }
            }
        }
        Ok(())
    }

    fn attributes(&self, object: &Object) -> Result<Attributes, MergeError> {
        Ok(metadata::attributes(object, 0, &self.names, self.source.private)?.0)
    }
}
