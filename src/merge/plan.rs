//! What a merge will do, as plain data made by a pure function. Nothing is decided later.
//!
//! A regular file of which only mode and owner differ is changed in place when it has one name: a program that has it
//! open (a log) keeps its file, and chmod and chown need no space. With more names it is staged and renamed like a change
//! of content, which parts it from the other names exactly as the sandbox did; so are changed extended attributes, which
//! need space. Directories can only be changed in place.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::merge::survey::Facts;
use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{Change, ChangeKind, ChangeSet};
use crate::model::names::RunId;
use crate::model::path::RootedPath;

/// Everything that a merge does, in the order in which it is staged (paths ascending).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergePlan {
    /// The run that it is for.
    pub run: RunId,
    /// What is done.
    pub ops: Vec<Op>,
    /// Created sockets: they mean nothing without the program that listens, and are left out.
    pub sockets: Vec<RootedPath>,
}

/// One step of a merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Op {
    /// An object, or a directory with all that it holds, is staged and renamed into its place.
    Place {
        /// Its place.
        path: RootedPath,
        /// What the place holds before.
        over: Over,
        /// Where it is staged: its number beside its place.
        stage: Stage,
        /// The object first, then what it holds, parents before what they hold.
        items: Vec<Item>,
    },
    /// Owner, mode and extended attributes change in place.
    Attributes {
        /// The object.
        path: RootedPath,
    },
    /// What the run has added to a file is added to the live one.
    Append {
        /// The file.
        path: RootedPath,
        /// Where what is added is staged.
        stage: Stage,
        /// Where it begins in the scratchpad's file.
        from: u64,
    },
    /// An object goes, with all that it holds.
    Delete {
        /// The object.
        path: RootedPath,
        /// Where it is set aside until the merge is done.
        stage: Stage,
    },
}

impl Op {
    /// The place that it changes.
    pub fn path(&self) -> &RootedPath {
        match self {
            Op::Place { path, .. }
            | Op::Attributes { path }
            | Op::Append { path, .. }
            | Op::Delete { path, .. } => path,
        }
    }
}

/// What a place holds before something is placed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// Nothing.
    Nothing,
    /// An object of any type, which is set aside until the merge is done.
    Something,
}

/// The number of a staged or set-aside object: its step's place in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stage(pub usize);

/// One object of what is staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its place once merged.
    pub path: RootedPath,
    /// How it is made.
    #[serde(flatten)]
    pub make: Make,
}

/// How an object is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "make", rename_all = "kebab-case")]
pub enum Make {
    /// An empty directory, with the scratchpad's metadata once it is filled.
    Directory,
    /// A copy of the scratchpad's object.
    Copy,
    /// One more name of an object that is staged earlier, or of a live one that stays.
    Link {
        /// That object's place once merged.
        to: RootedPath,
    },
}

/// The plan of a merge. Pure.
pub fn plan(changes: &ChangeSet, facts: &Facts, exclude: &[RootedPath], run: &RunId) -> MergePlan {
    let mut planner = Planner { links: links(changes, facts), facts, ops: Vec::new(), sockets: Vec::new() };
    let mut going: Option<&RootedPath> = None;
    for change in changes.0.iter().filter(|change| !exclude.iter().any(|home| change.path.is_within(home))) {
        let path = &change.path;
        if let ChangeKind::Deleted { .. } = change.kind {
            // What a directory held goes with it, also when something else takes its place.
            if going.is_some_and(|going| path.is_within(going)) {
                continue;
            }
        }
        if planner.add(change) {
            going = Some(path);
        }
    }
    planner.relink(changes);
    MergePlan { run: run.clone(), ops: planner.ops, sockets: planner.sockets }
}

struct Planner<'a> {
    /// Name -> the name that it is linked to.
    links: BTreeMap<RootedPath, RootedPath>,
    facts: &'a Facts,
    ops: Vec<Op>,
    sockets: Vec<RootedPath>,
}

impl Planner<'_> {
    /// Plans one difference; says whether a directory goes by it.
    fn add(&mut self, change: &Change) -> bool {
        let path = &change.path;
        match &change.kind {
            ChangeKind::Created { after } | ChangeKind::Modified { after, .. }
                if after.kind == FileKind::Socket =>
            {
                self.sockets.push(path.clone());
                false
            }
            ChangeKind::Created { after } => {
                let item = self.item(path, after);
                match self.ops.last_mut() {
                    Some(Op::Place { path: top, items, .. }) if path.is_within(top) => items.push(item),
                    _ => self.place(item, Over::Nothing),
                }
                false
            }
            ChangeKind::Modified { before, after } => {
                if let Some(from) = self.facts.appends.get(path) {
                    let stage = Stage(self.ops.len());
                    self.ops.push(Op::Append { path: path.clone(), stage, from: *from });
                    return false;
                }
                if self.in_place(path, before, after) {
                    self.ops.push(Op::Attributes { path: path.clone() });
                    return false;
                }
                let item = self.item(path, after);
                self.place(item, Over::Something);
                before.kind == FileKind::Directory
            }
            ChangeKind::Deleted { before } => {
                let stage = Stage(self.ops.len());
                self.ops.push(Op::Delete { path: path.clone(), stage });
                before.kind == FileKind::Directory
            }
        }
    }

    fn item(&self, path: &RootedPath, after: &Attributes) -> Item {
        let make = match self.links.get(path) {
            Some(to) => Make::Link { to: to.clone() },
            None if after.kind == FileKind::Directory => Make::Directory,
            None => Make::Copy,
        };
        Item { path: path.clone(), make }
    }

    fn place(&mut self, item: Item, over: Over) {
        let stage = Stage(self.ops.len());
        self.ops.push(Op::Place { path: item.path.clone(), over, stage, items: vec![item] });
    }

    fn in_place(&self, path: &RootedPath, before: &Attributes, after: &Attributes) -> bool {
        match (before.kind, after.kind) {
            (FileKind::Directory, FileKind::Directory) => true,
            (FileKind::Regular, FileKind::Regular) => {
                let one_name = self.facts.live.get(path).is_some_and(|live| live.links == 1);
                let grouped = self.facts.groups.iter().any(|group| group.contains(path));
                let rest = |a: &Attributes| (a.md5.clone(), a.size, a.selinux.clone(), a.xattrs.clone());
                one_name && !grouped && rest(before) == rest(after)
            }
            _ => false,
        }
    }

    /// Names that are not changed in any way that shows, but belong to one object now and don't yet.
    fn relink(&mut self, changes: &ChangeSet) {
        let changed: BTreeSet<&RootedPath> = changes.0.iter().map(|change| &change.path).collect();
        for (path, to) in self.links.clone() {
            let inode = |path| self.facts.live.get(path).map(|live| live.inode);
            if !changed.contains(&path) && inode(&path) != inode(&to) {
                self.place(Item { path, make: Make::Link { to } }, Over::Something);
            }
        }
    }
}

/// Each name of a group to the one that the others are linked to: a name that doesn't change, or the first.
fn links(changes: &ChangeSet, facts: &Facts) -> BTreeMap<RootedPath, RootedPath> {
    let changed: BTreeSet<&RootedPath> = changes.0.iter().map(|change| &change.path).collect();
    let mut links = BTreeMap::new();
    for group in &facts.groups {
        let stays = |path: &&RootedPath| !changed.contains(path) && facts.live.contains_key(*path);
        let Some(first) = group.iter().find(stays).or(group.first()) else { continue };
        links.extend(group.iter().filter(|path| *path != first).map(|path| (path.clone(), first.clone())));
    }
    links
}
