//! Tests only: a lower tree, the tree that a sandbox would show after its work, and the scratchpad between them, made by
//! comparing the two. No FUSE, no mounts: plain folders below a temporary one.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::changes::compare::compare;
use crate::changes::scan::{Layers, scan};
use crate::changes::snapshot::Snapshot;
use crate::model::change::ChangeSet;
use crate::model::layer::{LayerEntry, LayerKind};
use crate::model::path::RootedPath;
use crate::sys::metadata;
use crate::sys::texts::Texts;
use crate::sys::tree::Root;

/// The trees, as folders of a temporary one.
pub struct World {
    dir: tempfile::TempDir,
}

/// The scratchpad that leads from `lower` to `after`.
pub struct Scratch {
    pub entries: Vec<LayerEntry>,
    pub upper: Root,
    pub lower: Root,
    pub texts: Texts,
}

impl Scratch {
    pub fn layers<'a>(&'a self, exclude: &'a [RootedPath]) -> Layers<'a> {
        let (upper, lower) = (&self.upper, &self.lower);
        Layers { upper, lower, private: &|_| false, exclude, texts: &self.texts }
    }

    /// All differences that it makes.
    pub fn changes(&self, exclude: &[RootedPath]) -> ChangeSet {
        let mut nothing = Snapshot::default();
        let all = scan(&self.layers(exclude), &self.entries, &mut nothing).unwrap();
        compare(&nothing, &all)
    }
}

pub fn rooted(path: &str) -> RootedPath {
    RootedPath::new(path).unwrap()
}

pub fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").args(["-a", "-T"]).args([from, to]).status().unwrap();
    assert!(done.success());
}

impl World {
    /// `lower` as the closure fills it, and a copy of it: `after`.
    pub fn new(fill: impl FnOnce(&Path)) -> World {
        let world = World { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(world.lower()).unwrap();
        fill(&world.lower());
        copy(&world.lower(), &world.after());
        copy(&world.lower(), &world.live());
        world
    }

    pub fn lower(&self) -> PathBuf {
        self.dir.path().join("lower")
    }

    pub fn after(&self) -> PathBuf {
        self.dir.path().join("after")
    }

    /// A copy of `lower`, made at the start, to merge into.
    pub fn live(&self) -> PathBuf {
        self.dir.path().join("live")
    }

    /// The scratchpad; a directory that both trees have becomes opaque where `opaque` says so.
    pub fn scratch(&self, opaque: &dyn Fn(&RootedPath) -> bool) -> Scratch {
        let (before, after) = (manifest(&self.lower()), manifest(&self.after()));
        let mut marks: BTreeMap<RootedPath, LayerKind> = BTreeMap::new();
        let alone = |facts: &Facts| Facts { linked: PathBuf::new(), ..facts.clone() };
        // Making a link copies its source up: a group of which one name changes is in the scratchpad as a whole.
        let touched_groups: BTreeSet<&PathBuf> = after
            .iter()
            .filter(|(path, now)| {
                let shared = after.values().filter(|one| one.linked == now.linked).count() > 1;
                let then = before.get(path);
                let joined = then.is_none_or(|then| {
                    !after.iter().all(|(other, one)| {
                        one.linked != now.linked
                            || before.get(other).is_some_and(|was| was.linked == then.linked)
                    })
                });
                shared && (joined || then.map(alone) != Some(alone(now)))
            })
            .map(|(_, now)| &now.linked)
            .collect();
        for (path, now) in &after {
            let then = before.get(path);
            let hidden = above(path).any(|above| {
                marks.get(&above) == Some(&LayerKind::Directory { opaque: true })
                    || !is_directory(before.get(&above))
            });
            let touched =
                then.map(alone) != Some(alone(now)) || hidden || touched_groups.contains(&now.linked);
            if now.kind == 'd' {
                let opaque = then.is_none_or(|then| then.kind != 'd') || opaque(path);
                if touched || opaque && !path.relative().as_os_str().is_empty() {
                    marks.insert(path.clone(), LayerKind::Directory { opaque });
                }
            } else if touched {
                marks.insert(path.clone(), LayerKind::Object);
            }
        }
        for path in before.keys().filter(|path| !after.contains_key(path)) {
            let above: Vec<_> = above(path).collect();
            let shown = above.iter().all(|above| {
                is_directory(after.get(above))
                    && !matches!(marks.get(above), Some(LayerKind::Directory { opaque: true }))
            });
            if shown {
                marks.insert(path.clone(), LayerKind::Whiteout);
            }
        }
        for path in marks.keys().cloned().collect::<Vec<_>>() {
            for above in above(&path).filter(|above| !above.relative().as_os_str().is_empty()) {
                marks.entry(above).or_insert(LayerKind::Directory { opaque: false });
            }
        }
        marks.remove(&RootedPath::default());
        let upper = self.dir.path().join("upper");
        if upper.exists() {
            fs::remove_dir_all(&upper).unwrap();
        }
        copy(&self.after(), &upper);
        for path in after.keys().rev().filter(|path| !marks.contains_key(path) && path.name().is_some()) {
            let doomed = upper.join(path.relative());
            // directories that hold something of the scratchpad, stay
            let _ = if doomed.symlink_metadata().unwrap().is_dir() {
                fs::remove_dir(doomed)
            } else {
                fs::remove_file(doomed)
            };
        }
        for path in marks.keys().rev() {
            // The clean-up above touched the times of directories; a real scratchpad keeps those that it makes.
            if is_directory(after.get(path)) {
                let made = self.after().join(path.relative());
                let time = made.metadata().unwrap().modified().unwrap();
                fs::File::open(upper.join(path.relative())).unwrap().set_modified(time).unwrap();
            }
        }
        Scratch {
            texts: Texts::default(),
            entries: marks.into_iter().map(|(path, kind)| LayerEntry { path, kind, stamp: None }).collect(),
            upper: Root::open(&upper, "upper:").unwrap(),
            lower: Root::open(&self.lower(), "lower:").unwrap(),
        }
    }
}

fn above(path: &RootedPath) -> impl Iterator<Item = RootedPath> {
    std::iter::successors(path.parent(), RootedPath::parent)
}

fn is_directory(one: Option<&Facts>) -> bool {
    one.is_some_and(|one| one.kind == 'd')
}

/// Everything of an object that a merge must bring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub kind: char,
    pub mode: u32,
    pub owner: (u32, u32),
    pub content: Vec<u8>,
    pub rdev: u64,
    pub xattrs: metadata::Xattrs,
    /// The first path with the same inode; its own where there is none.
    pub linked: PathBuf,
    /// Of a regular file.
    pub mtime: Option<(i64, i64)>,
}

/// Every object of a tree.
pub fn manifest(root: &Path) -> BTreeMap<RootedPath, Facts> {
    let mut found = BTreeMap::new();
    let mut groups: BTreeMap<u64, PathBuf> = BTreeMap::new();
    let tree = Root::open(root, "").unwrap();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let entry = entry.unwrap();
        let meta = entry.path().symlink_metadata().unwrap();
        let path = RootedPath::new(entry.path().strip_prefix(root).unwrap()).unwrap();
        let kind = match meta.file_type() {
            t if t.is_dir() => 'd',
            t if t.is_file() => 'f',
            t if t.is_symlink() => 'l',
            t if t.is_fifo() => 'p',
            t if t.is_socket() => 's',
            t if t.is_char_device() => 'c',
            _ => 'b',
        };
        let content = match kind {
            'f' => fs::read(entry.path()).unwrap(),
            'l' => fs::read_link(entry.path()).unwrap().as_os_str().as_bytes().to_vec(),
            _ => Vec::new(),
        };
        let own = path.relative().to_owned();
        let linked = if kind == 'd' { own } else { groups.entry(meta.ino()).or_insert(own).clone() };
        let facts = Facts {
            kind,
            mode: meta.mode(),
            owner: (meta.uid(), meta.gid()),
            content,
            rdev: meta.rdev(),
            xattrs: metadata::xattrs(&tree.lookup(&path).unwrap().unwrap(), &|_| false).unwrap(),
            linked,
            mtime: (kind == 'f').then_some((meta.mtime(), meta.mtime_nsec())),
        };
        found.insert(path, facts);
    }
    found
}

/// Whether a name is one of those that a merge stages under.
pub fn is_litter(path: &RootedPath) -> bool {
    path.relative().iter().any(|part: &OsStr| part.as_bytes().starts_with(b".disco-"))
}
