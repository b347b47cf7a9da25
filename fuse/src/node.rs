//! The nodes: what the kernel remembers, how often, and where each object is. The table is as large as the
//! kernel's memory of us, no larger. What an object's attributes are is not kept here.

use crate::Result;
use crate::readdir::Listing;
use parking_lot::{Mutex, MutexGuard, RwLock};
use rustix::fs::FileType;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the object of a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// In the lower alone.
    Lower,
    /// In the upper alone; for a directory: what the lower has under this name does not show.
    Upper,
    /// A directory of the upper with one of the lower below it.
    Merged,
    /// A copied-up file with several names in the lower: it lives in the index, its names are links to that.
    Indexed,
    /// A directory of the lower that is shown empty and cannot be changed.
    Sealed,
    /// A program of our own, served in place of the file that has the name.
    Shim(u32),
}

/// One name of a node. It keeps its directory's node in the table.
#[derive(Debug)]
pub(crate) struct Name {
    pub parent: Arc<Node>,
    pub name: Box<OsStr>,
}

/// The one descriptor for all reads and writes of a node.
#[derive(Debug)]
pub(crate) struct Opened {
    pub file: Arc<File>,
    pub writable: bool,
}

/// What few nodes have at a time.
#[derive(Debug, Default)]
struct Rare {
    pin: Option<Arc<OwnedFd>>,
    opened: Option<Opened>,
    listing: Option<Arc<Listing>>,
    origin: Option<Arc<Path>>,
}

/// What changes in a node's life. Held for moments only, never over a wait for another lock.
#[derive(Debug)]
pub(crate) struct Inner {
    pub layer: Layer,
    pub names: SmallVec<[Name; 1]>,
    rare: Option<Box<Rare>>,
}

impl Inner {
    /// Keeps an object reachable that has lost its last known name.
    pub(crate) fn pin(&self) -> Option<&Arc<OwnedFd>> {
        self.rare.as_ref()?.pin.as_ref()
    }

    pub(crate) fn set_pin(&mut self, pin: Option<Arc<OwnedFd>>) {
        self.set_rare(|rare| rare.pin = pin);
    }

    pub(crate) fn opened(&self) -> Option<&Opened> {
        self.rare.as_ref()?.opened.as_ref()
    }

    /// Replaces the descriptor and returns the one before.
    pub(crate) fn set_opened(&mut self, opened: Option<Opened>) -> Option<Opened> {
        self.set_rare(|rare| std::mem::replace(&mut rare.opened, opened))
    }

    pub(crate) fn listing(&self) -> Option<&Arc<Listing>> {
        self.rare.as_ref()?.listing.as_ref()
    }

    pub(crate) fn set_listing(&mut self, listing: Option<Arc<Listing>>) {
        self.set_rare(|rare| rare.listing = listing);
    }

    pub(crate) fn take_listing(&mut self) -> Option<Arc<Listing>> {
        self.listing().is_some().then(|| self.set_rare(|rare| rare.listing.take())).flatten()
    }

    /// For a directory that was moved: the path of the one of the lower that is below it.
    pub(crate) fn origin(&self) -> Option<&Arc<Path>> {
        self.rare.as_ref()?.origin.as_ref()
    }

    pub(crate) fn set_origin(&mut self, origin: Option<Arc<Path>>) {
        self.set_rare(|rare| rare.origin = origin);
    }

    /// Changes what is rare, and keeps room for it only while there is some.
    fn set_rare<T>(&mut self, change: impl FnOnce(&mut Rare) -> T) -> T {
        let rare = self.rare.get_or_insert_default();
        let changed = change(rare);
        if matches!(**rare, Rare { pin: None, opened: None, listing: None, origin: None }) {
            self.rare = None;
        }
        changed
    }
}

/// One object of the merged view.
#[derive(Debug)]
pub(crate) struct Node {
    pub id: u64,
    pub kind: FileType,
    /// The kernel's lookups, the names of children, and the requests under way, all in one count.
    references: AtomicU64,
    inner: Mutex<Inner>,
    /// Held while the object is brought into the upper.
    pub copying: Mutex<()>,
    /// When its change was noted last; see [`crate::touched`].
    pub touched: AtomicU64,
}

impl Node {
    pub(crate) fn new(id: u64, kind: FileType, layer: Layer) -> Node {
        let inner = Inner { layer, names: SmallVec::new(), rare: None };
        let (references, touched) = (AtomicU64::new(1), AtomicU64::new(0));
        Node { id, kind, references, inner: Mutex::new(inner), copying: Mutex::new(()), touched }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    pub(crate) fn layer(&self) -> Layer {
        self.inner.lock().layer
    }

    pub(crate) fn is_root(&self) -> bool {
        self.id == crate::ids::ROOT
    }

    pub(crate) fn is_dir(&self) -> bool {
        self.kind == FileType::Directory
    }

    /// Returns a directory and a name in it, if the node has one.
    pub(crate) fn any_name(&self) -> Option<(Arc<Node>, Box<OsStr>)> {
        let inner = self.inner.lock();
        inner.names.first().map(|name| (name.parent.clone(), name.name.clone()))
    }

    /// Adds a name; the caller holds the parent. Returns false if it was there.
    pub(crate) fn add_name(&self, parent: &Arc<Node>, name: &OsStr) -> bool {
        let mut inner = self.inner.lock();
        if inner.names.iter().any(|known| known.parent.id == parent.id && *known.name == *name) {
            return false;
        }
        parent.references.fetch_add(1, Ordering::Relaxed);
        inner.names.push(Name { parent: parent.clone(), name: name.into() });
        inner.set_pin(None);
        true
    }

    /// Whether this is the only name known.
    pub(crate) fn is_last_name(&self, parent: &Node, name: &OsStr) -> bool {
        match self.inner.lock().names.as_slice() {
            [only] => only.parent.id == parent.id && *only.name == *name,
            _ => false,
        }
    }

    /// Returns the path from the root of the mount, without a leading slash; `None` when no name is left.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.path_from(|_| None)
    }

    /// Returns the path of what the lower has of this directory; `None` when no name is left.
    pub(crate) fn lower_path(&self) -> Option<PathBuf> {
        self.path_from(|node| node.lock().origin().cloned())
    }

    /// Returns the path up to the root, or to the first node on the way up that `start` has a path for.
    fn path_from(&self, start: impl Fn(&Node) -> Option<Arc<Path>>) -> Option<PathBuf> {
        let mut parts = Vec::new();
        let mut path = start(self);
        if path.is_none() && !self.is_root() {
            let mut next = self.any_name()?;
            loop {
                parts.push(next.1);
                path = start(&next.0);
                if path.is_some() || next.0.is_root() {
                    break;
                }
                next = next.0.any_name()?;
            }
        }
        let mut path = path.map_or_else(PathBuf::new, |path| path.to_path_buf());
        path.extend(parts.iter().rev().map(|part| &**part));
        Some(path)
    }
}

/// All nodes by number.
#[derive(Debug)]
pub(crate) struct Table {
    map: RwLock<HashMap<u64, Arc<Node>>>,
}

/// A node held for a request: it cannot leave the table before this is dropped.
#[derive(Debug)]
pub(crate) struct Hold<'t> {
    table: &'t Table,
    node: Arc<Node>,
}

impl Deref for Hold<'_> {
    type Target = Arc<Node>;
    fn deref(&self) -> &Arc<Node> {
        &self.node
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.table.release(&self.node, 1);
    }
}

impl Hold<'_> {
    /// Turns the hold into one lookup of the kernel's, which a forget gives back.
    pub(crate) fn remembered(self) {
        self.node.references.fetch_add(1, Ordering::Relaxed);
    }
}

impl Table {
    pub(crate) fn new(root: Node) -> Table {
        Table { map: RwLock::new(HashMap::from([(root.id, Arc::new(root))])) }
    }

    pub(crate) fn get(&self, id: u64) -> Option<Hold<'_>> {
        let map = self.map.read();
        let node = map.get(&id)?.clone();
        node.references.fetch_add(1, Ordering::Relaxed);
        Some(Hold { table: self, node })
    }

    /// Returns the node that the kernel names in a request.
    pub(crate) fn node(&self, id: u64) -> Result<Hold<'_>> {
        self.get(id).ok_or(rustix::io::Errno::STALE)
    }

    pub(crate) fn contains(&self, id: u64) -> bool {
        self.map.read().contains_key(&id)
    }

    /// Returns the node with this number, made now if there is none.
    pub(crate) fn intern(&self, id: u64, kind: FileType, layer: Layer) -> Hold<'_> {
        if let Some(hold) = self.get(id) {
            return hold;
        }
        let mut map = self.map.write();
        match map.entry(id) {
            std::collections::hash_map::Entry::Occupied(known) => {
                known.get().references.fetch_add(1, Ordering::Relaxed);
                Hold { table: self, node: known.get().clone() }
            }
            std::collections::hash_map::Entry::Vacant(free) => {
                let node = free.insert(Arc::new(Node::new(id, kind, layer))).clone();
                Hold { table: self, node }
            }
        }
    }

    /// Keeps a node that somebody else holds in the table, until it is released once more.
    pub(crate) fn keep(&self, node: &Node) {
        node.references.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a name from a node, and with it the node's hold of the directory.
    pub(crate) fn remove_name(&self, node: &Node, parent: &Node, name: &OsStr) {
        let removed = {
            let mut inner = node.lock();
            let at = inner.names.iter().position(|n| n.parent.id == parent.id && *n.name == *name);
            at.map(|at| inner.names.swap_remove(at))
        };
        if let Some(name) = removed {
            self.release(&name.parent, 1);
        }
    }

    /// Gives back references; a node without any leaves the table, and lets go of its directories in turn.
    pub(crate) fn release(&self, node: &Arc<Node>, count: u64) {
        let mut queue = vec![(node.clone(), count)];
        while let Some((node, count)) = queue.pop() {
            let before = node.references.fetch_update(Ordering::AcqRel, Ordering::Acquire, |references| {
                Some(references.saturating_sub(count))
            });
            let (Ok(before) | Err(before)) = before;
            if before > count {
                continue;
            }
            let mut map = self.map.write();
            let ours = map.get(&node.id).is_some_and(|known| Arc::ptr_eq(known, &node));
            if ours && node.references.load(Ordering::Acquire) == 0 {
                map.remove(&node.id);
                drop(map);
                let names = std::mem::take(&mut node.lock().names);
                queue.extend(names.into_iter().map(|name| (name.parent, 1)));
            }
        }
    }

    /// Returns how many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.map.read().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_stays_while_a_child_has_it_and_goes_with_the_last() {
        let table = Table::new(Node::new(1, FileType::Directory, Layer::Merged));
        let root = table.get(1).unwrap();
        let directory = table.intern(2, FileType::Directory, Layer::Lower);
        directory.add_name(&root, OsStr::new("d"));
        let file = table.intern(3, FileType::RegularFile, Layer::Lower);
        file.add_name(&directory, OsStr::new("f"));
        assert_eq!(file.path(), Some(PathBuf::from("d/f")));
        drop(directory);
        assert_eq!(table.len(), 3, "the child still has its directory");
        file.remembered();
        assert_eq!(table.len(), 3, "the kernel remembers the child");
        let node = table.get(3).unwrap();
        table.release(&node, 1);
        drop(node);
        assert_eq!(table.len(), 1);
    }
}
