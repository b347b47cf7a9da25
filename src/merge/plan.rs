//! What a merge will do, as plain data made by a pure function. Nothing is decided later.
//!
//! A regular file of which only mode and owner differ is changed in place when it has one name: a program that has it
//! open (a log) keeps its file, and chmod and chown need no space. With more names it is staged and renamed like a change
//! of content, which parts it from the other names exactly as the sandbox did; so are changed extended attributes, which
//! need space. Directories can only be changed in place.
//!
//! It names what is in the differences and in the facts, and copies none of it: there may be many.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::merge::survey::{self, Facts};
use crate::merge::{change_of, within_any};
use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{Change, ChangeKind, ChangeSet};
use crate::model::path::RootedPath;

/// Everything that a merge does, in the order in which it is staged (paths ascending).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergePlan<'a> {
    /// What is done. The place of a step is its number: what is staged or set aside has it as its name.
    pub ops: Vec<Op<'a>>,
    /// What all of them stage.
    items: Vec<Item<'a>>,
    /// What others are made one more name of.
    pub targets: BTreeSet<&'a RootedPath>,
    /// Created sockets: they mean nothing without the program that listens, and are left out.
    pub sockets: Vec<RootedPath>,
}

/// One step of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op<'a> {
    /// An object, or a directory with all that it holds, is staged and renamed into its place.
    Place {
        /// Its place.
        path: &'a RootedPath,
        /// What the place holds before.
        over: Over,
        /// The object first, then what it holds, parents before what they hold.
        items: Items,
    },
    /// Owner, mode and extended attributes change in place.
    Attributes {
        /// The object.
        path: &'a RootedPath,
    },
    /// What the run has added to a file is added to the live one.
    Append {
        /// The file.
        path: &'a RootedPath,
        /// Where it begins in the scratchpad's file.
        from: u64,
    },
    /// An object goes, with all that it holds.
    Delete {
        /// The object.
        path: &'a RootedPath,
    },
}

impl<'a> Op<'a> {
    /// The place that it changes.
    pub fn path(&self) -> &'a RootedPath {
        match self {
            Op::Place { path, .. }
            | Op::Attributes { path }
            | Op::Append { path, .. }
            | Op::Delete { path, .. } => path,
        }
    }
}

/// What a step stages: some of the plan's items, in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Items(Range<u32>);

/// What a place holds before something is placed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Nothing.
    Nothing,
    /// An object of any type, which is set aside until the merge is done.
    Something,
}

/// One object of what is staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// Its place once merged.
    pub path: &'a RootedPath,
    /// How it is made.
    pub make: Make<'a>,
}

/// How an object is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make<'a> {
    /// An empty directory, with the scratchpad's metadata once it is filled.
    Directory,
    /// A copy of the scratchpad's object.
    Copy,
    /// One more name of an object that is staged earlier, or of a live one that stays.
    Link {
        /// That object's place once merged.
        to: &'a RootedPath,
    },
}

impl<'a> MergePlan<'a> {
    /// What a step stages.
    pub fn items(&self, items: &Items) -> &[Item<'a>] {
        let place = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        self.items.get(place(items.0.start)..place(items.0.end)).unwrap_or_default()
    }
}

/// The plan of a merge. Pure.
pub fn plan<'a>(changes: &'a ChangeSet, facts: &'a Facts<'a>, exclude: &[RootedPath]) -> MergePlan<'a> {
    let links = links(changes, facts);
    let targets = links.values().copied().collect();
    let plan = MergePlan { ops: Vec::new(), items: Vec::new(), targets, sockets: Vec::new() };
    let mut planner = Planner { links, facts, plan };
    let mut going: Option<&RootedPath> = None;
    for change in changes.0.iter().filter(|change| !within_any(&change.path, exclude)) {
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
    planner.plan
}

struct Planner<'a> {
    /// Name -> the name that it is linked to.
    links: BTreeMap<&'a RootedPath, &'a RootedPath>,
    facts: &'a Facts<'a>,
    plan: MergePlan<'a>,
}

impl<'a> Planner<'a> {
    /// Plans one difference; says whether a directory goes by it.
    fn add(&mut self, change: &'a Change) -> bool {
        let path = &change.path;
        match &change.kind {
            ChangeKind::Created { after } | ChangeKind::Modified { after, .. }
                if after.kind == FileKind::Socket =>
            {
                self.plan.sockets.push(path.clone());
                false
            }
            ChangeKind::Created { after } => {
                let item = self.item(path, after);
                match self.plan.ops.last_mut() {
                    Some(Op::Place { path: top, items, .. }) if path.is_within(top) => {
                        self.plan.items.push(item);
                        items.0.end += 1;
                    }
                    _ => self.place(item, Over::Nothing),
                }
                false
            }
            ChangeKind::Modified { before, after } => {
                if let Some(from) = self.facts.appends.get(path) {
                    self.plan.ops.push(Op::Append { path, from: *from });
                    return false;
                }
                if self.in_place(path, before, after) {
                    self.plan.ops.push(Op::Attributes { path });
                    return false;
                }
                let item = self.item(path, after);
                self.place(item, Over::Something);
                before.kind == FileKind::Directory
            }
            ChangeKind::Deleted { before } => {
                self.plan.ops.push(Op::Delete { path });
                before.kind == FileKind::Directory
            }
        }
    }

    fn item(&self, path: &'a RootedPath, after: &Attributes) -> Item<'a> {
        let make = match self.links.get(path) {
            Some(to) => Make::Link { to },
            None if after.kind == FileKind::Directory => Make::Directory,
            None => Make::Copy,
        };
        Item { path, make }
    }

    fn place(&mut self, item: Item<'a>, over: Over) {
        // No file system has more objects than that.
        let start = u32::try_from(self.plan.items.len()).unwrap_or(u32::MAX);
        self.plan.items.push(item);
        self.plan.ops.push(Op::Place { path: item.path, over, items: Items(start..start.saturating_add(1)) });
    }

    fn in_place(&self, path: &RootedPath, before: &Attributes, after: &Attributes) -> bool {
        match (before.kind, after.kind) {
            (FileKind::Directory, FileKind::Directory) => true,
            _ => {
                let grouped = self.links.contains_key(path) || self.plan.targets.contains(path);
                survey::may_stay(before, after) && !self.facts.parting.contains(path) && !grouped
            }
        }
    }

    /// Names that are not changed in any way that shows, but belong to one object now and don't yet.
    fn relink(&mut self, changes: &ChangeSet) {
        let inode = |path| self.facts.live.get(path).copied();
        for (path, to) in std::mem::take(&mut self.links) {
            if change_of(changes, path).is_none() && inode(path) != inode(to) {
                self.place(Item { path, make: Make::Link { to } }, Over::Something);
            }
        }
    }
}

/// Each name of a group to the one that the others are linked to: a name that doesn't change, or the first.
fn links<'a>(changes: &ChangeSet, facts: &Facts<'a>) -> BTreeMap<&'a RootedPath, &'a RootedPath> {
    let mut links = BTreeMap::new();
    for group in &facts.groups {
        let stays =
            |path: &&&RootedPath| change_of(changes, path).is_none() && facts.live.contains_key(**path);
        let Some(first) = group.iter().find(stays).or(group.first()) else { continue };
        links.extend(group.iter().filter(|path| *path != first).map(|path| (*path, *first)));
    }
    links
}
