//! Open files: all opens of a node share one descriptor, since every read and write says where. When the
//! file is copied up, that descriptor is replaced, and who opened it before sees what is written after.

use crate::attributes::drop_set_ids;
use crate::copy_up::Content;
use crate::node::{Layer, Node, Opened};
use crate::{Overlay, Result, content};
use parking_lot::RwLock;
use rustix::fs::{FallocateFlags, FileType, OFlags, SeekFrom};
use rustix::io::Errno;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The opens that the kernel has not released. Each keeps its node.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    next: AtomicU64,
    open: RwLock<HashMap<u64, Arc<Node>>>,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct How {
    pub write: bool,
    pub truncate: bool,
    /// Whether the caller may keep set-id bits over a truncation.
    pub privileged: bool,
}

impl Overlay {
    /// Opens a regular file and returns the handle for reads and writes.
    pub(crate) fn open_file(&self, id: u64, how: How) -> Result<u64> {
        let _tree = self.tree.read();
        let node = self.table.node(id)?;
        let changes = how.write || how.truncate;
        match node.kind {
            FileType::RegularFile => {}
            FileType::Directory => return Err(Errno::ISDIR),
            FileType::Symlink => return Err(Errno::LOOP),
            // The kernel opens devices, fifos and sockets itself.
            _ => return Err(Errno::NXIO),
        }
        if changes {
            if matches!(node.layer(), Layer::Shim(_)) {
                return Err(self.reveal(&node));
            }
            self.copy_up(&node, if how.truncate { Content::Nothing } else { Content::All })?;
        }
        let file = self.open_node(&node, changes)?;
        let handle = self.handles.next.fetch_add(1, Ordering::Relaxed);
        let kept = Arc::clone(&node);
        self.handles.open.write().insert(handle, kept.clone());
        node.remembered();
        if how.truncate {
            let truncate = || -> Result<()> {
                rustix::fs::ftruncate(&*file, 0)?;
                if how.privileged { Ok(()) } else { drop_set_ids(&self.place(&kept)?) }
            };
            if let Err(errno) = truncate() {
                self.release(handle);
                return Err(errno);
            }
        }
        Ok(handle)
    }

    /// Opens the node's object, or counts one more user of the descriptor that is there.
    fn open_node(&self, node: &Arc<Node>, write: bool) -> Result<Arc<File>> {
        loop {
            let layer = {
                let mut inner = node.lock();
                if let Some(opened) = inner.opened.as_mut().filter(|o| o.writable || !write) {
                    opened.count += 1;
                    return Ok(opened.file.clone());
                }
                inner.layer
            };
            let (file, writable) = match layer {
                Layer::Shim(index) => (self.shims.program(index), false),
                Layer::Lower => (Arc::new(self.place(node)?.open(OFlags::RDONLY)?), false),
                _ => {
                    let place = self.place(node)?;
                    match place.open(OFlags::RDWR) {
                        Ok(file) => (Arc::new(file), true),
                        // An immutable file, say: readable all the same.
                        Err(_) if !write => (Arc::new(place.open(OFlags::RDONLY)?), false),
                        Err(errno) => return Err(errno),
                    }
                }
            };
            let mut inner = node.lock();
            if inner.layer != layer {
                // Copied up meanwhile: what was opened is the old file.
                continue;
            }
            match inner.opened.as_mut() {
                Some(opened) if opened.writable || !write => {
                    opened.count += 1;
                    return Ok(opened.file.clone());
                }
                Some(opened) => {
                    opened.count += 1;
                    opened.file = file.clone();
                    opened.writable = writable;
                }
                None => inner.opened = Some(Opened { file: file.clone(), writable, count: 1 }),
            }
            return Ok(file);
        }
    }

    /// Closes a handle.
    pub(crate) fn release(&self, handle: u64) {
        let Some(node) = self.handles.open.write().remove(&handle) else { return };
        let closed = {
            let mut inner = node.lock();
            match inner.opened.as_mut() {
                Some(opened) if opened.count > 1 => {
                    opened.count -= 1;
                    None
                }
                _ => inner.opened.take(),
            }
        };
        drop(closed);
        self.table.release(&node, 1);
    }

    fn handle(&self, handle: u64) -> Result<(Arc<Node>, Arc<File>, bool)> {
        let node = self.handles.open.read().get(&handle).cloned().ok_or(Errno::BADF)?;
        let (file, writable) = {
            let inner = node.lock();
            let opened = inner.opened.as_ref().ok_or(Errno::BADF)?;
            (opened.file.clone(), opened.writable)
        };
        Ok((node, file, writable))
    }

    fn writable(&self, handle: u64) -> Result<(Arc<Node>, Arc<File>)> {
        match self.handle(handle)? {
            (node, file, true) => Ok((node, file)),
            _ => Err(Errno::BADF),
        }
    }

    /// Reads up to `size` bytes and hands them to `take`.
    pub(crate) fn read<T>(
        &self,
        handle: u64,
        offset: u64,
        size: usize,
        take: impl FnOnce(Result<&[u8]>) -> T,
    ) -> T {
        thread_local!(static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
        let file = match self.handle(handle) {
            Ok((_, file, _)) => file,
            Err(errno) => return take(Err(errno)),
        };
        BUFFER.with_borrow_mut(|buffer| {
            if buffer.len() < size {
                buffer.resize(size, 0);
            }
            let mut done = 0;
            while done < size {
                let read = || rustix::io::pread(&*file, &mut buffer[done..size], offset + done as u64);
                match retry(read) {
                    Ok(0) => break,
                    Ok(length) => done += length,
                    Err(_) if done > 0 => break,
                    Err(errno) => return take(Err(errno)),
                }
            }
            take(Ok(&buffer[..done]))
        })
    }

    /// Writes all of `data`; `drop_ids` when the writer has no right to keep set-id bits.
    pub(crate) fn write(&self, handle: u64, offset: u64, data: &[u8], drop_ids: bool) -> Result<usize> {
        let (node, file) = self.writable(handle)?;
        content::write_at(&file, data, offset)?;
        if drop_ids {
            let _tree = self.tree.read();
            drop_set_ids(&self.place(&node)?)?;
        }
        Ok(data.len())
    }

    /// Reserves or frees room.
    pub(crate) fn allocate(&self, handle: u64, mode: u32, offset: u64, length: u64) -> Result<()> {
        let (_, file) = self.writable(handle)?;
        rustix::fs::fallocate(&*file, FallocateFlags::from_bits_retain(mode), offset, length)
    }

    /// Finds the next data or the next hole.
    pub(crate) fn seek(&self, handle: u64, offset: u64, whence: i32) -> Result<u64> {
        let (_, file, _) = self.handle(handle)?;
        match whence {
            libc::SEEK_DATA => rustix::fs::seek(&*file, SeekFrom::Data(offset)),
            libc::SEEK_HOLE => rustix::fs::seek(&*file, SeekFrom::Hole(offset)),
            _ => Err(Errno::INVAL),
        }
    }

    /// Copies a range between two open files.
    pub(crate) fn copy_range(
        &self,
        (from, mut source): (u64, u64),
        (to, mut target): (u64, u64),
        length: u64,
    ) -> Result<usize> {
        let (_, from, _) = self.handle(from)?;
        let (_, to) = self.writable(to)?;
        // The answer is a 32-bit count.
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(1 << 30);
        rustix::fs::copy_file_range(&*from, Some(&mut source), &*to, Some(&mut target), length)
    }
}

fn retry<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}
