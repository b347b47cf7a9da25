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
use crate::dirfd::DirFds;
use crate::ids::{self, Ids};
use crate::links::Links;
use crate::lower::{LowerDir, Lowers, open_beneath};
use crate::mounts::{Mount, Mounts};
use crate::moved::Moved;
use crate::node::{Layer, Node, Table};
use crate::place::Place;
use crate::room::Room;
use crate::scratch::{Folders, Scratch};
use crate::seen::{Copied, Look, Seen};
use crate::served::Served;
use crate::shim::{Shim, Shims};
use crate::siblings::Siblings;
use crate::touched::Touches;
use crate::whiteout::Whiteouts;
use crate::{Result, Stat, xattr};
use parking_lot::{Mutex, MutexGuard, RwLock};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::{fmt, io};

/// What an overlay is made of.
#[derive(Debug)]
pub struct Options {
    /// The trees to show, topmost first, each from [`read_only_clone`](crate::read_only_clone). They may be what an overlay of
    /// this kind has left in its upper.
    pub lower: Vec<OwnedFd>,
    /// Where changes go.
    pub scratch: Scratch,
    /// Programs to serve in place of others.
    pub shims: Vec<Shim>,
}

impl Options {
    /// What is needed to lay a new scratch, an existing empty directory, over one plain tree.
    pub fn over(lower: OwnedFd, scratch: PathBuf) -> Options {
        Options { lower: vec![lower], scratch: Scratch::New(scratch), shims: Vec::new() }
    }
}

/// Why an overlay could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lower could not be looked at.
    #[error("cannot read the lower tree")]
    Lower(#[source] io::Error),
    /// There is nothing to lay the scratch over.
    #[error("an overlay needs a lower tree")]
    NoLower,
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
    pub(crate) lowers: Lowers,
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
    pub(crate) upper_dirs: DirFds<OwnedFd>,
    pub(crate) lower_dirs: DirFds<LowerDir>,
    pub(crate) moved: Moved,
    pub(crate) kept: Kept,
    pub(crate) tree: RwLock<()>,
    stripes: [Mutex<()>; STRIPES],
    temporary: AtomicU64,
    /// The directories of the scratch as the lower shows them: they must not show themselves.
    hidden: Vec<(u64, u64)>,
    /// What objects of the lower were when they were first shown.
    pub(crate) seen: Seen,
    pub(crate) touches: Touches,
    pub(crate) private: crate::private::Private,
    /// Whether the upper's file system numbers a directory's entries as it numbers the files.
    pub(crate) listed_inodes: bool,
    /// Whether a change was refused for want of space.
    pub(crate) filled: AtomicBool,
    /// What of its disk is kept free.
    pub(crate) room: Room,
    /// What was answered, and by whom.
    pub(crate) served: Served,
    /// Whether an `fsync` reaches the disk.
    pub(crate) durable: bool,
    /// Whoever caches what was told of directories.
    pub(crate) listener: OnceLock<Listener>,
}

/// Is told the number of a directory whose listing nobody must keep.
pub(crate) struct Listener(pub Box<dyn Fn(u64) + Send + Sync>);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

impl Overlay {
    /// Prepares the scratch directory and returns the overlay, not yet served.
    pub fn open(options: Options) -> std::result::Result<Overlay, Error> {
        let Options { lower, scratch, shims } = options;
        let lowers = Lowers::new(lower).map_err(|errno| Error::Lower(errno.into()))?;
        let top = lowers.top().ok_or(Error::NoLower)?.clone();
        let Folders { upper, used, work, index, hidden, work_path, upper_path } = scratch.prepare()?;
        let root = Stat::of(&top).map_err(|errno| Error::Lower(errno.into()))?;
        // Without the list of mounts a devtmpfs is taken for a tmpfs: shown, not hidden, and harmless.
        let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").map_err(Error::Lower)?;
        let shims = Shims::new(shims)?;
        let (whiteouts, listed_inodes) = Whiteouts::prepare(&work, used)
            .map_err(|errno| Error::Attributes { path: work_path, source: errno.into() })?;
        let overlay = Overlay {
            mounts: Mounts::new(&root, &mountinfo),
            upper_dirs: DirFds::new(1),
            lower_dirs: DirFds::new(lowers.count()),
            lowers,
            moved: Moved::new(used),
            upper,
            work,
            index,
            table: Table::new(Node::new(ids::ROOT, rustix::fs::FileType::Directory, Layer::Merged)),
            ids: Ids::default(),
            links: Links::default(),
            siblings: Siblings::default(),
            whiteouts,
            shims,
            kept: Kept::default(),
            tree: RwLock::new(()),
            stripes: [const { Mutex::new(()) }; STRIPES],
            temporary: AtomicU64::new(0),
            hidden,
            seen: Seen::default(),
            touches: Touches::default(),
            private: Default::default(),
            listed_inodes,
            filled: AtomicBool::new(false),
            room: Room::default(),
            served: Served::default(),
            listener: OnceLock::new(),
            durable: false,
        };
        if scratch.is_new() {
            let roots = (Place::Fd(top), Place::Fd(overlay.upper.clone()));
            overlay
                .copy_metadata(&roots.0, &root, &roots.1)
                .map_err(|errno| Error::Scratch { path: upper_path, source: errno.into() })?;
        }
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

    /// The read-only tree below; the topmost, if there are several.
    pub fn lower_dir(&self) -> BorrowedFd<'_> {
        // There is one: `open` has seen it.
        self.lowers.top().unwrap_or(&self.upper).as_fd()
    }

    /// What the object of the lower at `path` (relative to the root), which was copied up or hidden since, was when the
    /// view first showed it; `None` for everything that the overlay left alone.
    pub fn base(&self, path: &Path) -> Option<Look> {
        self.seen.base(path)
    }

    /// Of which state the content of the object at `path` was copied up; `None` where it was not. A copy of another state
    /// than that of the first look may be a mixture: the kernel writes at the end that it knows.
    pub fn copied(&self, path: &Path) -> Option<Copied> {
        self.seen.copied(path)
    }

    /// How many objects are remembered at the moment.
    pub fn remembered(&self) -> usize {
        self.table.len()
    }

    /// Notes that the object of the lower under a name is copied up or hidden; `stat` says what it is by now.
    pub(crate) fn note_base(&self, parent: &Node, name: &OsStr, stat: &Stat, copied: Option<Copied>) {
        if let Some(directory) = parent.lower_path() {
            self.seen.changed(parent.id, name, directory.join(name), stat, copied);
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

    /// Returns a descriptor of a directory in the upper; the caller knows that it is there.
    pub(crate) fn upper_of(&self, node: &Arc<Node>) -> Result<Arc<OwnedFd>> {
        if node.is_root() {
            return Ok(self.upper.clone());
        }
        if let Some(fd) = self.upper_dirs.get(node.id) {
            return Ok(fd);
        }
        let pinned = node.lock().pin().cloned();
        if let Some(fd) = pinned {
            return Ok(fd);
        }
        let (parent, name) = node.any_name().ok_or(Errno::NOENT)?;
        let fd = open_beneath(&*self.upper_of(&parent)?, Path::new(&*name))?;
        self.upper_dirs.put(node.id, &fd);
        Ok(fd)
    }

    /// Returns what the lower has of a directory; the caller knows that it has something.
    pub(crate) fn lower_of(&self, node: &Arc<Node>) -> Result<Arc<LowerDir>> {
        if let Some(directory) = self.lower_dirs.get(node.id) {
            return Ok(directory);
        }
        let (pinned, origin) = {
            let inner = node.lock();
            (inner.pin().cloned(), inner.origin().cloned())
        };
        let directory = match (pinned, origin) {
            (Some(fd), _) => return Ok(Arc::new(LowerDir::single(fd))),
            (None, Some(path)) => self.lowers.at(&path)?.ok_or(Errno::STALE)?,
            (None, None) if node.is_root() => self.lowers.root(),
            (None, None) => {
                let (parent, name) = node.any_name().ok_or(Errno::NOENT)?;
                self.lowers.enter(&*self.lower_of(&parent)?, &name)?
            }
        };
        let directory = Arc::new(directory);
        self.lower_dirs.put(node.id, &directory);
        Ok(directory)
    }

    /// Returns where the node's object is. A merged directory is its upper half; a shim has no place.
    pub(crate) fn place(&self, node: &Arc<Node>) -> Result<Place> {
        let (layer, pin) = {
            let inner = node.lock();
            (inner.layer, inner.pin().cloned())
        };
        if let Some(pin) = pin {
            return Ok(Place::Fd(pin));
        }
        if layer == Layer::Indexed {
            return Ok(Place::new(&self.index, OsStr::new(&Links::name(node.id))));
        }
        let Some((parent, name)) = node.any_name() else {
            return if node.is_root() { Ok(Place::Fd(self.upper.clone())) } else { Err(Errno::STALE) };
        };
        match layer {
            Layer::Lower | Layer::Sealed => {
                let directory = self.lower_of(&parent)?;
                match directory.parts() {
                    [only] => Ok(Place::new(&only.fd, &name)),
                    _ => {
                        let (_, part) = self.lowers.look(&directory, &name)?.ok_or(Errno::NOENT)?;
                        Ok(Place::new(part, &name))
                    }
                }
            }
            Layer::Upper | Layer::Merged => Ok(Place::new(&self.upper_of(&parent)?, &name)),
            Layer::Indexed | Layer::Shim(_) => Err(Errno::INVAL),
        }
    }

    /// Drops the descriptors of a directory that has gone or has changed its layers.
    pub(crate) fn drop_descriptors(&self, id: u64) {
        self.upper_dirs.drop(id);
        self.lower_dirs.drop(id);
    }

    /// Returns the mount of an object that was seen under `name` in a directory of the lower.
    pub(crate) fn mount_of(&self, directory: &OwnedFd, name: &OsStr, stat: &Stat) -> Result<Mount> {
        self.mounts.of(stat, || {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(directory, name, flags, Mode::empty())
        })
    }

    /// Whether the object of the lower is a directory of the overlay's own scratch.
    pub(crate) fn is_scratch(&self, stat: &Stat) -> bool {
        self.hidden.contains(&(stat.dev, stat.ino))
    }

    /// Marks the root as changed itself, which no entry of the layer would show otherwise.
    pub(crate) fn note_changed(&self, node: &Arc<Node>) -> Result<()> {
        if node.is_root() {
            xattr::set(&Place::Fd(self.upper.clone()), xattr::CHANGED, b"y", 0)?;
        }
        Ok(())
    }
}
