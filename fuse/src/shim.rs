//! Shims: programs of our own that are served in place of files of the tree. A shim is only what the name
//! shows; whatever changes the name or the file changes the real one, and the shim's program never.
//!
//! When the real file is written, truncated or moved, or its name is replaced or removed, the shim steps
//! aside for good: from then on the name leads to the real object.

use crate::node::{Hold, Layer, Node};
use crate::overlay::Error;
use crate::{Overlay, Result, Stat};
use parking_lot::Mutex;
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A program that is served in place of the file at a path.
#[derive(Debug)]
pub struct Shim {
    /// Absolute path in the merged view, without symlinks.
    pub path: PathBuf,
    /// What is served instead, when the path exists.
    pub program: File,
}

#[derive(Debug)]
struct Served {
    directory: PathBuf,
    program: Arc<File>,
    stat: Stat,
    aside: AtomicBool,
    /// How an offset in the shim becomes one in the real file: from where on, and how much is added. Set by the first change
    /// of the content that reaches us under the shim's number.
    continued: Mutex<Option<(u64, i64)>>,
}

/// The shims of an overlay.
#[derive(Debug, Default)]
pub(crate) struct Shims {
    served: Vec<Served>,
    by_name: HashMap<OsString, Vec<u32>>,
}

impl Shims {
    pub(crate) fn new(shims: Vec<Shim>) -> std::result::Result<Shims, Error> {
        let mut all = Shims::default();
        for Shim { path, program } in shims {
            let stat = Stat::of(&program)
                .map_err(|errno| Error::Shim { path: path.clone(), source: errno.into() })?;
            let inside = path.strip_prefix("/").unwrap_or(&path);
            let (Some(name), Some(directory)) = (inside.file_name(), inside.parent()) else {
                return Err(Error::Shim { path, source: Errno::INVAL.into() });
            };
            let stat = Stat { mode: 0o100_755, uid: 0, gid: 0, nlink: 1, ..stat };
            all.by_name.entry(name.to_owned()).or_default().push(all.served.len() as u32);
            let (directory, program) = (directory.to_owned(), Arc::new(program));
            all.served.push(Served {
                directory,
                program,
                stat,
                aside: AtomicBool::new(false),
                continued: Mutex::default(),
            });
        }
        Ok(all)
    }

    /// Returns the shim that is served at a name.
    pub(crate) fn at(&self, parent: &Node, name: &OsStr) -> Option<u32> {
        let candidates = self.by_name.get(name)?;
        let directory = parent.path()?;
        let here = |index: &u32| {
            let served = &self.served[*index as usize];
            served.directory == *directory.as_path() && !served.aside.load(Ordering::Relaxed)
        };
        candidates.iter().copied().find(here)
    }

    /// Makes the shim at a name, if any, step aside. Returns whether there was one.
    pub(crate) fn step_aside(&self, parent: &Node, name: &OsStr) -> bool {
        match self.at(parent, name) {
            Some(index) => {
                self.served[index as usize].aside.store(true, Ordering::Relaxed);
                true
            }
            None => false,
        }
    }

    /// Makes the shims under a directory that moves step aside.
    pub(crate) fn step_aside_below(&self, directory: &Path) {
        for served in self.served.iter().filter(|served| served.directory.starts_with(directory)) {
            served.aside.store(true, Ordering::Relaxed);
        }
    }

    /// Notes that whoever has the shim open has truncated the real file: both have the same content from now on.
    pub(crate) fn truncated(&self, index: u32) {
        *self.served[index as usize].continued.lock() = Some((0, 0));
    }

    /// Returns where in the real file, which has `size` bytes, what was written at an offset of the shim goes, and which part
    /// of it. The kernel believes that it has appended to the shim.
    pub(crate) fn redirect<'d>(&self, index: u32, offset: u64, data: &'d [u8], size: u64) -> (u64, &'d [u8]) {
        let served = &self.served[index as usize];
        let end = served.stat.size;
        let mut continued = served.continued.lock();
        let (from, shift) = *continued.get_or_insert((end, size as i64 - end as i64));
        let old = usize::try_from(from.saturating_sub(offset)).unwrap_or(usize::MAX);
        match data.get(old..) {
            Some(new) if !new.is_empty() => ((offset + old as u64).saturating_add_signed(shift), new),
            _ => (offset, data),
        }
    }

    pub(crate) fn stat(&self, index: u32) -> Stat {
        self.served[index as usize].stat
    }

    pub(crate) fn program(&self, index: u32) -> Arc<File> {
        self.served[index as usize].program.clone()
    }
}

impl Overlay {
    /// Returns the node itself, or for a shim the node of the file that has the name.
    pub(crate) fn real<'a>(&'a self, node: Hold<'a>) -> Result<Hold<'a>> {
        if !matches!(node.layer(), Layer::Shim(_)) {
            return Ok(node);
        }
        let (parent, name) = node.any_name().ok_or(Errno::STALE)?;
        let (real, _) = self.child(&parent, &name)?.ok_or(Errno::STALE)?;
        Ok(real)
    }

    /// Makes a shim step aside; the kernel looks the name up again and finds the real file.
    pub(crate) fn reveal(&self, node: &Node) -> Errno {
        if let Some((parent, name)) = node.any_name() {
            self.shims.step_aside(&parent, &name);
        }
        Errno::STALE
    }
}
