//! Directories of the lower that were moved: the upper has their new name, and an attribute that says where the lower
//! has what is in them. Nothing is copied until somebody needs the upper to stand alone.

use crate::copy_up::Content;
use crate::node::{Hold, Layer, Node};
use crate::place::Place;
use crate::readdir::for_each;
use crate::{Overlay, Result, xattr};
use parking_lot::Mutex;
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The moved directories that are known, by their path in the lower. Their nodes stay in the table.
#[derive(Debug)]
pub(crate) struct Moved {
    any: AtomicBool,
    nodes: Mutex<BTreeMap<PathBuf, Arc<Node>>>,
}

impl Moved {
    /// Starts empty; an earlier mount may have left some that nobody has met yet.
    pub(crate) fn new(others: bool) -> Moved {
        Moved { any: AtomicBool::new(others), nodes: Mutex::default() }
    }

    /// Whether a directory of the upper may be a moved one.
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Returns the node whose path in the lower is the longest beginning of `path`, and the rest.
    fn above(&self, path: &Path) -> Option<(Arc<Node>, PathBuf)> {
        let nodes = self.nodes.lock();
        let node =
            |above: &Path| Some((nodes.get(above)?.clone(), path.strip_prefix(above).ok()?.to_owned()));
        path.ancestors().find_map(node)
    }
}

impl Overlay {
    /// Notes where the lower has what is in a directory that was moved.
    pub(crate) fn note_origin(&self, node: &Arc<Node>, path: &Arc<Path>) {
        let known = {
            let mut inner = node.lock();
            let known = inner.origin() == Some(path);
            inner.set_origin(Some(path.clone()));
            known
        };
        if !known {
            self.moved.any.store(true, Ordering::Relaxed);
            self.table.keep(node);
            let before = self.moved.nodes.lock().insert(path.to_path_buf(), node.clone());
            if let Some(before) = before {
                self.table.release(&before, 1);
            }
        }
    }

    /// Notes that a directory is not, or no longer, one of the lower that was moved.
    pub(crate) fn drop_origin(&self, node: &Arc<Node>) {
        let Some(path) = node.lock().origin().cloned() else { return };
        node.lock().set_origin(None);
        let ours = {
            let mut nodes = self.moved.nodes.lock();
            let ours = nodes.get(&*path).is_some_and(|known| Arc::ptr_eq(known, node));
            if ours { nodes.remove(&*path) } else { None }
        };
        if let Some(node) = ours {
            self.table.release(&node, 1);
        }
    }

    /// Makes an object independent of its name in the lower, so that it can get another. The caller has the tree alone.
    pub(crate) fn free_to_move(&self, node: &Arc<Node>) -> Result<()> {
        self.copy_up(node, Content::All)?;
        if node.layer() != Layer::Merged || node.lock().origin().is_some() {
            return Ok(());
        }
        let path = node.lower_path().ok_or(Errno::NOENT)?;
        match xattr::set(&self.place(node)?, xattr::UNDER, path.as_os_str().as_bytes(), 0) {
            Ok(()) => {
                self.note_origin(node, &Arc::from(path));
                Ok(())
            }
            // A path that is too long for an attribute there.
            Err(Errno::NOSPC | Errno::RANGE | Errno::TOOBIG) => self.bring_whole(node),
            Err(errno) => Err(errno),
        }
    }

    /// Copies what the moved directories hold into the upper, which then says by itself what shows under their new names.
    pub fn bring_moved(&self) -> io::Result<()> {
        let _tree = self.tree.write();
        let all: Vec<Arc<Node>> = self.moved.nodes.lock().values().cloned().collect();
        all.iter().try_for_each(|node| self.bring_whole(node)).map_err(io::Error::from)
    }

    /// Makes an object independent of the lower, with everything below it. The caller has the tree alone.
    fn bring_whole(&self, node: &Arc<Node>) -> Result<()> {
        if node.layer() == Layer::Sealed {
            return Ok(());
        }
        self.copy_up(node, Content::All)?;
        if node.layer() != Layer::Merged || node.is_root() {
            return Ok(());
        }
        let place = Place::Fd(self.upper_of(node)?);
        let before = place.stat()?;
        for name in self.names_in(node)? {
            if let Some((child, _)) = self.child(node, &name)? {
                self.bring_whole(&child)?;
            }
        }
        xattr::set(&place, xattr::UNDER, b"", 0)?;
        self.drop_whiteouts(node)?;
        place.restore_times(&before)?;
        node.lock().layer = Layer::Upper;
        self.drop_origin(node);
        self.lower_dirs.drop(node.id);
        Ok(())
    }

    /// Removes the whiteouts of a directory that hides the lower altogether.
    fn drop_whiteouts(&self, node: &Arc<Node>) -> Result<()> {
        let directory = self.upper_of(node)?;
        let mut whiteouts: Vec<OsString> = Vec::new();
        for_each(&directory, |name, ino, kind| {
            if self.hides(&directory, name, ino, kind)? {
                whiteouts.push(name.to_owned());
            }
            Ok(())
        })?;
        whiteouts.iter().try_for_each(|name| rustix::fs::unlinkat(&directory, name, AtFlags::empty()))
    }

    /// Returns the directory from which a path of the lower is to be walked in the view, and the rest of the path.
    pub(crate) fn start_of(&self, path: &Path) -> Result<(Hold<'_>, PathBuf)> {
        match self.moved.above(path) {
            Some((node, rest)) => Ok((self.table.node(node.id)?, rest)),
            None => Ok((self.table.node(crate::ids::ROOT)?, path.to_owned())),
        }
    }
}
