//! Whether the file systems of a merge can take it: room for all that is staged, by space and by number of objects, no
//! read-only mount, nothing that they cannot hold. Found out before anything is made, and all of it at once.
//!
//! What is replaced needs no room: it is kept by a rename; nor does what is moved out of the scratchpad. Shares of a file system that a quota gives to users do not bind
//! root; those of a project are what statvfs(2) says there. Not here: marks and mount points ([`check`](super::check)).

use std::collections::{BTreeMap, BTreeSet};

use crate::merge::holds::{self, Given};
use crate::merge::plan::{Item, Make};
use crate::merge::refusal::{Refusal, Room};
use crate::merge::{Files, MergeError, Source, change_of};
use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{ChangeKind, ChangeSet};
use crate::model::path::RootedPath;
use crate::sys::file_system::{self, FileSystem, MountPoint};
use crate::sys::tree::TreeError;

/// File systems on which a copy shares the blocks of what it is copied from: btrfs, xfs, bcachefs.
const SHARING: [u64; 3] = [0x9123_683e, 0x5846_5342, 0xca45_1a4e];
/// What the bookkeeping of a file system takes besides, in parts of a hundred.
const OVERHEAD: u64 = 2;

/// Gathers what a merge needs, and where.
pub(super) struct Preflight<'p, 'a> {
    source: &'p Source<'a>,
    /// Where the scratchpad is: the device, and the mount.
    scratch: (u64, u64),
    mounts: BTreeMap<u64, MountPoint>,
    /// By device: bind mounts of one file system share its room.
    demands: BTreeMap<u64, Demand<'a>>,
    /// By mount: the first path, and how many.
    read_only: BTreeMap<u64, (RootedPath, usize)>,
    /// Names that are one and the same to their file system.
    folded: BTreeSet<(u64, String)>,
    refusals: Vec<Refusal>,
}

/// What is to be made on one file system.
struct Demand<'a> {
    on: FileSystem,
    space: u64,
    inodes: u64,
    largest: (u64, Option<&'a RootedPath>),
    /// The regular files, for a closer look where there is little room.
    files: Vec<&'a RootedPath>,
}

/// What is expected of a path once merged.
fn after<'a>(changes: &'a ChangeSet, path: &RootedPath) -> Option<&'a Attributes> {
    match &change_of(changes, path)?.kind {
        ChangeKind::Modified { after, .. } | ChangeKind::Created { after } => Some(after),
        ChangeKind::Deleted { .. } => None,
    }
}

/// Where the scratchpad is: the device, and the mount.
fn scratch(source: &Source<'_>) -> Result<(u64, u64), TreeError> {
    let on = source.upper.directory(&RootedPath::default())?.file_system()?;
    Ok((on.device, on.mount))
}

impl<'p, 'a> Preflight<'p, 'a> {
    pub(super) fn new(source: &'p Source<'a>) -> Result<Preflight<'p, 'a>, MergeError> {
        Ok(Preflight {
            source,
            scratch: scratch(source)?,
            mounts: file_system::mounts().map_err(MergeError::Mounts)?,
            demands: BTreeMap::new(),
            read_only: BTreeMap::new(),
            folded: BTreeSet::new(),
            refusals: Vec::new(),
        })
    }

    /// A path is to be changed there; says whether the file system lets it be.
    pub(super) fn writable(&mut self, path: &RootedPath, on: &FileSystem) -> bool {
        if on.read_only {
            self.read_only.entry(on.mount).or_insert_with(|| (path.clone(), 0)).1 += 1;
        }
        !on.read_only
    }

    /// Objects are to be staged there.
    pub(super) fn staged(&mut self, items: &[Item<'a>], on: &FileSystem) {
        for item in items {
            let Some(after) = after(self.source.changes, item.path) else { continue };
            self.held(item.path, after, on);
            if !matches!(item.make, Make::Link { .. }) {
                let file = after.kind == FileKind::Regular;
                self.demand(on).add(item.path, if file { after.size } else { 1 }, file);
            }
        }
    }

    /// So many bytes are to be staged there, to be appended to a file, which then grows by as many.
    pub(super) fn appended(&mut self, path: &'a RootedPath, bytes: u64, on: &FileSystem) {
        let demand = self.demand(on);
        demand.add(path, bytes, false);
        demand.space = demand.space.saturating_add(bytes);
    }

    /// What is needed there; the folders of the store are.
    fn demand(&mut self, on: &FileSystem) -> &mut Demand<'a> {
        self.demands.entry(on.device).or_insert_with(|| Demand {
            on: on.clone(),
            space: 2 * on.block,
            inodes: 2,
            largest: (0, None),
            files: Vec::new(),
        })
    }

    /// An object is to get the attributes that the sandbox showed.
    pub(super) fn changed(&mut self, path: &RootedPath, on: &FileSystem) {
        if let Some(after) = after(self.source.changes, path) {
            self.held(path, after, on);
        }
    }

    fn held(&mut self, path: &RootedPath, after: &Attributes, on: &FileSystem) {
        let Some(lacking) = holds::lacking(on.magic) else { return };
        let Some(mount) = self.mounts.get(&on.mount) else { return };
        let twice = !self.folded.insert((on.device, holds::folded(path)));
        let what = lacking.of(path, after, Given::by(mount));
        let what = what.or_else(|| twice.then(|| "two names that differ in case alone".to_owned()));
        let mount = mount.path.clone();
        let refusal = |what| Refusal::Lacks { path: path.clone(), mount, kind: lacking.kind, what };
        self.refusals.extend(what.map(refusal));
    }

    /// All that is in the way.
    pub(super) fn refusals(self) -> Result<Vec<Refusal>, TreeError> {
        let Preflight { source, scratch, mounts, demands, read_only, mut refusals, .. } = self;
        let at =
            |mount: u64| mounts.get(&mount).map_or_else(|| "the live root".to_owned(), |at| at.path.clone());
        refusals.extend(read_only.into_iter().map(|(mount, (path, objects))| Refusal::ReadOnly {
            path,
            mount: at(mount),
            objects,
        }));
        for demand in demands.values() {
            let mount = || at(demand.on.mount);
            let path = demand.largest.1.cloned().unwrap_or_default();
            if let Some(free) = demand.on.free_inodes.filter(|free| *free < demand.inodes) {
                let (of, needed) = (Room::Inodes, demand.inodes);
                refusals.push(Refusal::Room { path: path.clone(), mount: mount(), of, needed, free });
            }
            let free = demand.on.free;
            // Copies share their blocks, unless they do not: then it is staging that finds no room.
            let shared = demand.on.device == scratch.0 && SHARING.contains(&demand.on.magic);
            if shared || with_overhead(demand.space) <= free {
                continue;
            }
            let moved = source.files == Files::Taken && (demand.on.device, demand.on.mount) == scratch;
            let needed = with_overhead(demand.measured(source, moved)?);
            if needed > free {
                refusals.push(Refusal::Room {
                    path: path.clone(),
                    mount: mount(),
                    of: Room::Space,
                    needed,
                    free,
                });
            }
        }
        Ok(refusals)
    }
}

fn with_overhead(space: u64) -> u64 {
    space.saturating_add(space / 100 * OVERHEAD)
}

impl<'a> Demand<'a> {
    fn add(&mut self, path: &'a RootedPath, bytes: u64, file: bool) {
        self.space = self.space.saturating_add(self.blocks(bytes));
        self.inodes += 1;
        if bytes >= self.largest.0 {
            self.largest = (bytes, Some(path));
        }
        if file {
            self.files.push(path);
        }
    }

    fn blocks(&self, bytes: u64) -> u64 {
        bytes.div_ceil(self.on.block).saturating_mul(self.on.block)
    }

    /// What it really takes: holes of sparse files take nothing, and where files can be `moved` here nor do those with one name.
    fn measured(&self, source: &Source<'_>, moved: bool) -> Result<u64, TreeError> {
        let mut space = self.space;
        for path in &self.files {
            let Some(object) = source.upper.lookup(path)? else { continue };
            let (size, mut taken) = (self.blocks(object.stat().size), self.blocks(object.stat().taken));
            if moved && object.stat().links == 1 {
                taken = 0;
            }
            space = space.saturating_sub(size.saturating_sub(taken));
        }
        Ok(space)
    }
}
