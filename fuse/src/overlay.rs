//! The overlay itself: its layers, its tables, its locks, and how it is opened. The requests are elsewhere.
//!
//! Locks, in the order in which they are taken:
//!
//! 1. `tree`: shared by every request that relies on names, exclusive for rename and rmdir, so that a path
//!    stays what it is while a request looks at it.
//! 2. a node's `copying`, parents before children: one copy-up of an object at a time.
//! 3. one of `stripes`, by directory: whoever adds or removes a name in a directory, or relies on what it
//!    found under a name. Never two at once.
//! 4. a node's own state and the small tables, for moments.

use crate::data::Kept;
use crate::dirfd::{DirFds, Side};
use crate::ids::{self, Ids};
use crate::links::Links;
use crate::mounts::{Mount, Mounts};
use crate::node::{Layer, Node, Table};
use crate::place::Place;
use crate::seen::{Look, Seen};
use crate::shim::{Shim, Shims};
use crate::siblings::Siblings;
use crate::touched::Touches;
use crate::whiteout::Whiteouts;
use crate::{Result, Stat, xattr};
use parking_lot::{Mutex, MutexGuard, RwLock};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What an overlay is made of.
#[derive(Debug)]
pub struct Options {
    /// The tree to show, from [`read_only_clone`](crate::read_only_clone).
    pub lower: OwnedFd,
    /// An existing empty directory on the host; `upper/` and `work/` are made inside.
    pub scratch: PathBuf,
    /// Programs to serve in place of others.
    pub shims: Vec<Shim>,
}

/// Why an overlay could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lower could not be looked at.
    #[error("cannot read the lower tree")]
    Lower(#[source] io::Error),
    /// The scratch directory could not be prepared.
    #[error("cannot prepare {path}")]
    Scratch {
        /// What was being made.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The file system of the scratch directory takes no `trusted.*` attributes, or not from this process.
    #[error("cannot keep the overlay's own attributes (trusted.*) in {path}")]
    Attributes {
        /// The directory that was tried.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A shim's program could not be looked at.
    #[error("cannot use the program served at {path}")]
    Shim {
        /// Where it is served.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

const STRIPES: usize = 64;

/// A copy-on-write view of a read-only tree. Its requests are methods; [`serve`](crate::serve) calls them.
#[derive(Debug)]
pub struct Overlay {
    pub(crate) lower: Arc<OwnedFd>,
    pub(crate) upper: Arc<OwnedFd>,
    pub(crate) work: Arc<OwnedFd>,
    pub(crate) index: Arc<OwnedFd>,
    pub(crate) table: Table,
    pub(crate) ids: Ids,
    pub(crate) mounts: Mounts,
    pub(crate) links: Links,
    pub(crate) siblings: Siblings,
    pub(crate) whiteouts: Whiteouts,
    pub(crate) shims: Shims,
    pub(crate) dirfds: DirFds,
    pub(crate) kept: Kept,
    pub(crate) tree: RwLock<()>,
    stripes: [Mutex<()>; STRIPES],
    temporary: AtomicU64,
    /// The scratch directory as the lower shows it: it must not show itself.
    scratch: (u64, u64),
    /// What objects of the lower were when they were first shown.
    pub(crate) seen: Seen,
    pub(crate) touches: Touches,
    /// Whether the upper's file system numbers a directory's entries as it numbers the files.
    pub(crate) listed_inodes: bool,
    /// Whether a change was refused for want of space.
    pub(crate) filled: AtomicBool,
}

impl Overlay {
    /// Prepares the scratch directory and returns the overlay, not yet served.
    pub fn open(options: Options) -> std::result::Result<Overlay, Error> {
        let Options { lower, scratch, shims } = options;
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source: Errno| Error::Scratch { path, source: source.into() }
        };
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let base = rustix::fs::open(&scratch, directory, Mode::empty()).map_err(fail(&scratch))?;
        let make = |parent: &OwnedFd, name: &str| {
            let open = || {
                rustix::fs::mkdirat(parent, name, Mode::RWXU)?;
                rustix::fs::openat(parent, name, directory | OFlags::NOFOLLOW, Mode::empty())
            };
            open().map(Arc::new).map_err(fail(&scratch.join(name)))
        };
        let upper = make(&base, "upper")?;
        let work = make(&base, "work")?;
        let index = make(&work, "index")?;

        let lower = Arc::new(lower);
        let root = Stat::of(&lower).map_err(|errno| Error::Lower(errno.into()))?;
        let hidden = Stat::of(&base).map_err(fail(&scratch))?;
        // Without the list of mounts a devtmpfs is taken for a tmpfs: shown, not hidden, and harmless.
        let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").map_err(Error::Lower)?;
        let shims = Shims::new(shims)?;
        let (whiteouts, listed_inodes) = Whiteouts::prepare(&work)
            .map_err(|errno| Error::Attributes { path: scratch.join("work"), source: errno.into() })?;
        let overlay = Overlay {
            mounts: Mounts::new(&root, &mountinfo),
            lower,
            upper,
            work,
            index,
            table: Table::new(Node::new(ids::ROOT, rustix::fs::FileType::Directory, Layer::Merged)),
            ids: Ids::default(),
            links: Links::default(),
            siblings: Siblings::default(),
            whiteouts,
            shims,
            dirfds: DirFds::new(),
            kept: Kept::default(),
            tree: RwLock::new(()),
            stripes: [const { Mutex::new(()) }; STRIPES],
            temporary: AtomicU64::new(0),
            scratch: (hidden.dev, hidden.ino),
            seen: Seen::default(),
            touches: Touches::default(),
            listed_inodes,
            filled: AtomicBool::new(false),
        };
        let roots = (Place::Fd(overlay.lower.clone()), Place::Fd(overlay.upper.clone()));
        overlay.copy_metadata(&roots.0, &root, &roots.1).map_err(fail(&scratch.join("upper")))?;
        Ok(overlay)
    }

    /// Whether a change was refused because the scratch directory's disk was full, since this was asked last: what the
    /// view shows is then perhaps not what whoever made the change believes.
    pub fn take_filled(&self) -> bool {
        self.filled.swap(false, Ordering::Relaxed)
    }

    /// The directory that holds what was changed; [`read_layer`](crate::read_layer) decodes it.
    pub fn upper_dir(&self) -> BorrowedFd<'_> {
        self.upper.as_fd()
    }

    /// The read-only tree below.
    pub fn lower_dir(&self) -> BorrowedFd<'_> {
        self.lower.as_fd()
    }

    /// What the object of the lower at `path` (relative to the root), which was copied up or hidden since, was when the
    /// view first showed it; `None` for everything that the overlay left alone.
    pub fn base(&self, path: &Path) -> Option<Look> {
        self.seen.base(path)
    }

    /// How many objects are remembered at the moment.
    pub fn remembered(&self) -> usize {
        self.table.len()
    }

    /// Notes that the object of the lower under a name is copied up or hidden; `stat` says what it is by now.
    pub(crate) fn note_base(&self, parent: &Node, name: &OsStr, stat: &Stat) {
        if let Some(directory) = parent.path() {
            self.seen.changed(parent.id, name, directory.join(name), stat);
        }
    }

    /// Locks the names of a directory.
    pub(crate) fn stripe(&self, directory: &Node) -> MutexGuard<'_, ()> {
        // Numbers of neighbours differ in the low bits; the mount's index sits far above.
        let at = (directory.id ^ directory.id >> 48) as usize % STRIPES;
        self.stripes[at].lock()
    }

    /// Returns a name that nothing in the work directory has.
    pub(crate) fn temporary_name(&self) -> String {
        format!("t{}", self.temporary.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns a descriptor of a directory in one layer; the caller knows that it is there.
    pub(crate) fn dir(&self, node: &Arc<Node>, side: Side) -> Result<Arc<OwnedFd>> {
        if node.is_root() {
            return Ok(match side {
                Side::Lower => self.lower.clone(),
                Side::Upper => self.upper.clone(),
            });
        }
        if let Some(fd) = self.dirfds.get(node.id, side) {
            return Ok(fd);
        }
        let pinned = node.lock().pin.clone();
        if let Some(fd) = pinned {
            return Ok(fd);
        }
        let (parent, name) = node.any_name().ok_or(Errno::NOENT)?;
        let parent = self.dir(&parent, side)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
        let fd = Arc::new(rustix::fs::openat2(&parent, &*name, flags, Mode::empty(), beneath)?);
        self.dirfds.put(node.id, side, &fd);
        Ok(fd)
    }

    /// Returns where the node's object is. A merged directory is its upper half; a shim has no place.
    pub(crate) fn place(&self, node: &Arc<Node>) -> Result<Place> {
        let (layer, pin) = {
            let inner = node.lock();
            (inner.layer, inner.pin.clone())
        };
        if let Some(pin) = pin {
            return Ok(Place::Fd(pin));
        }
        let side = match layer {
            Layer::Lower | Layer::Sealed => Side::Lower,
            Layer::Upper | Layer::Merged => Side::Upper,
            Layer::Indexed => return Ok(Place::new(&self.index, OsStr::new(&Links::name(node.id)))),
            Layer::Shim(_) => return Err(Errno::INVAL),
        };
        match node.any_name() {
            Some((parent, name)) => Ok(Place::new(&self.dir(&parent, side)?, &name)),
            None if node.is_root() => Ok(Place::Fd(self.dir(node, side)?)),
            None => Err(Errno::STALE),
        }
    }

    /// Returns the mount of an object that was seen under `name` in a directory of the lower.
    pub(crate) fn mount_of(&self, directory: &OwnedFd, name: &OsStr, stat: &Stat) -> Result<Mount> {
        self.mounts.of(stat, || {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(directory, name, flags, Mode::empty())
        })
    }

    /// Whether the object of the lower is the overlay's own scratch directory.
    pub(crate) fn is_scratch(&self, stat: &Stat) -> bool {
        (stat.dev, stat.ino) == self.scratch
    }

    /// Marks the root as changed itself, which no entry of the layer would show otherwise.
    pub(crate) fn note_changed(&self, node: &Arc<Node>) -> Result<()> {
        if node.is_root() {
            xattr::set(&Place::Fd(self.upper.clone()), xattr::CHANGED, b"y", 0)?;
        }
        Ok(())
    }
}
