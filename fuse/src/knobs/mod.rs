//! The kernel's knobs: chosen parts of /proc and /sys as their host has them, in which writes are pretended. What is
//! written goes to a [`Keeper`], which says what later reads show; nothing ever reaches the host's files.
//!
//! - `host` reaches the host's files, and knows which of them are never opened;
//! - `nodes` gives each path its number;
//! - `requests` is what the kernel asks. Not the overlay: that changes copies of files, and this has none.

mod host;
mod nodes;
mod requests;

use crate::serve::Server;
use crate::{Result, Stat};
use fuser::{Config, Session, SessionACL};
use host::Host;
use nodes::Nodes;
use rustix::fs::FileType;
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A part of the host that is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Its folder on the host, such as `/proc`: it is shown under the same path. What is mounted below it is not.
    pub folder: &'a Path,
    /// The names in it that are shown; all of them where none is named.
    pub names: &'a [&'a str],
}

/// A pretended write.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// The file, such as `/proc/sys/kernel/hostname`.
    pub path: &'a Path,
    /// What it shows now, where it can be read and is no longer than a page.
    pub now: Option<&'a [u8]>,
    /// Where in the file it begins.
    pub offset: u64,
    /// What is written.
    pub data: &'a [u8],
    /// The process that writes, as the pid namespace of whoever mounted this numbers it.
    pub pid: u32,
}

/// Why a write fails, as write(2) says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// EINVAL: the file takes no such value.
    Invalid,
    /// EIO: nobody takes it.
    Gone,
}

/// Keeps what is written.
pub trait Keeper: Debug + Send + Sync {
    /// What a file shows since it was written; `None` where the host's own text is shown.
    fn shown(&self, path: &Path) -> Option<Vec<u8>>;

    /// Takes a write. Whoever writes waits for this.
    fn take(&self, write: &Write<'_>) -> std::result::Result<(), Refusal>;
}

/// The longest text of a file that a write is compared with: a page, as most of these files have.
const PAGE: usize = 4096;

/// The file system, not yet served.
#[derive(Debug)]
pub struct Knobs {
    host: Host,
    keeper: Arc<dyn Keeper>,
    nodes: Nodes,
    open: parking_lot::Mutex<HashMap<u64, Arc<Open>>>,
    next: AtomicU64,
}

/// Something that is open.
#[derive(Debug)]
enum Open {
    File { path: PathBuf, host: Option<OwnedFd> },
    Directory(Vec<(OsString, FileType, u64)>),
}

impl Knobs {
    /// A view of these parts of the host. Fails where they cannot be cloned (CAP_SYS_ADMIN is needed).
    pub fn new(parts: &[Shown<'_>], keeper: Arc<dyn Keeper>) -> io::Result<Knobs> {
        Ok(Knobs {
            host: Host::new(parts)?,
            keeper,
            nodes: Nodes::new(),
            open: parking_lot::Mutex::default(),
            next: AtomicU64::new(1),
        })
    }

    /// A file to be read or written, or both; its handle.
    fn open_file(&self, ino: u64, reads: bool, writes: bool) -> Result<u64> {
        let path = self.nodes.path(ino)?;
        let stat = self.host.stat(&path)?;
        if stat.kind() != FileType::RegularFile {
            return Err(Errno::ACCESS);
        }
        // As the kernel has it there: root, too, is bound by who may at all.
        if (reads && stat.permissions() & 0o444 == 0) || (writes && stat.permissions() & 0o222 == 0) {
            return Err(Errno::ACCESS);
        }
        let host = if reads { Some(self.host.open(&path)?) } else { None };
        Ok(self.keep(Open::File { path, host }))
    }

    /// A directory to be listed; its handle.
    fn open_directory(&self, ino: u64) -> Result<u64> {
        let entries = self.host.list(&self.nodes.path(ino)?)?;
        Ok(self.keep(Open::Directory(entries)))
    }

    fn keep(&self, open: Open) -> u64 {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        self.open.lock().insert(handle, Arc::new(open));
        handle
    }

    fn opened(&self, handle: u64) -> Result<Arc<Open>> {
        self.open.lock().get(&handle).cloned().ok_or(Errno::BADF)
    }

    fn close(&self, handle: u64) {
        self.open.lock().remove(&handle);
    }

    fn read(&self, handle: u64, offset: u64, size: usize) -> Result<Vec<u8>> {
        let open = self.opened(handle)?;
        let Open::File { path, host: Some(host) } = &*open else { return Err(Errno::BADF) };
        match self.keeper.shown(path) {
            Some(text) => {
                let from = usize::try_from(offset).map_or(text.len(), |offset| offset.min(text.len()));
                Ok(text[from..].iter().copied().take(size).collect())
            }
            None => host::read_at(host, offset, size),
        }
    }

    fn write(&self, handle: u64, offset: u64, data: &[u8], pid: u32) -> Result<()> {
        let open = self.opened(handle)?;
        let Open::File { path, .. } = &*open else { return Err(Errno::BADF) };
        let now = self.keeper.shown(path).or_else(|| self.host.text(path, PAGE));
        let write = Write { path, now: now.as_deref(), offset, data, pid };
        self.keeper.take(&write).map_err(|refusal| match refusal {
            Refusal::Invalid => Errno::INVAL,
            Refusal::Gone => Errno::IO,
        })
    }

    fn look_up(&self, parent: u64, name: &std::ffi::OsStr) -> Result<(PathBuf, Stat)> {
        let path = self.nodes.path(parent)?.join(name);
        let mut stat = self.host.stat(&path)?;
        stat.ino = self.nodes.remember(&path);
        Ok((path, stat))
    }

    fn stat(&self, ino: u64) -> Result<(PathBuf, Stat)> {
        let path = self.nodes.path(ino)?;
        let mut stat = self.host.stat(&path)?;
        stat.ino = ino;
        Ok((path, stat))
    }
}

/// Serves it on an already mounted `/dev/fuse` descriptor, in threads of its own.
pub fn serve_knobs(knobs: Knobs, fuse: OwnedFd) -> io::Result<Server> {
    let threads = std::thread::available_parallelism()?.get().max(2);
    let mut config = Config::default();
    config.n_threads = Some(threads);
    config.acl = SessionACL::All;
    let session = Session::from_fd(requests::Front(knobs), fuse, SessionACL::All, config)?;
    Ok(Server(session.spawn()?))
}
