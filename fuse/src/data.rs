//! The content of files. The kernel is told that opening needs no request (a program that starts opens a dozen files, all
//! of which the kernel mostly has in memory): reads and writes name the node. All users of a node share one descriptor,
//! since every read and write says where; the first change copies the file up and replaces it, and who read it before
//! sees what is written after.

use crate::attributes::drop_set_ids;
use crate::copy_up::Content;
use crate::node::{Hold, Layer, Node, Opened};
use crate::{Overlay, Result, Stat, content};
use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, FileType, OFlags, SeekFrom};
use rustix::io::Errno;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Arc, Weak};

/// How many files are kept open for the next read or write.
const MOST_KEPT: usize = 256;

/// The nodes with an open descriptor, the oldest first. A node that is forgotten closes its own.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<VecDeque<Weak<Node>>>);

impl Kept {
    /// Adds a node whose descriptor was opened just now, and closes the oldest beyond the limit.
    fn add(&self, node: &Arc<Node>) {
        let oldest = {
            let mut kept = self.0.lock();
            kept.push_back(Arc::downgrade(node));
            if kept.len() > MOST_KEPT { kept.pop_front() } else { None }
        };
        let closed = oldest.and_then(|node| node.upgrade()?.lock().set_opened(None));
        drop(closed);
    }
}

impl Overlay {
    /// Closes the files of the upper that are open for the next read or write. For whoever serves it no more: the kernel starts no
    /// program that somebody has open for writing, wherever the file is by then.
    pub fn close_files(&self) {
        let kept = std::mem::take(&mut *self.kept.0.lock());
        for node in kept.iter().filter_map(Weak::upgrade) {
            drop(node.lock().set_opened(None));
        }
    }

    /// Returns the node's descriptor for reading.
    pub(crate) fn readable(&self, id: u64) -> Result<Arc<File>> {
        let node = self.table.node(id)?;
        let kept = node.lock().opened().map(|opened| opened.file.clone());
        match kept {
            Some(file) => Ok(file),
            None => {
                let _tree = self.tree.read();
                self.open_node(&node, false)
            }
        }
    }

    /// Returns the node and its descriptor for changes, after it was copied up. For a shim, which steps aside now, they are
    /// those of the file that has the name.
    fn writable(&self, id: u64) -> Result<(Hold<'_>, Arc<File>)> {
        let mut node = self.table.node(id)?;
        let kept = node.lock().opened().filter(|o| o.writable).map(|opened| opened.file.clone());
        if let Some(file) = kept {
            return Ok((node, file));
        }
        let _tree = self.tree.read();
        if matches!(node.layer(), Layer::Shim(_)) {
            self.reveal(&node);
            node = self.real(node)?;
        }
        self.copy_up(&node, Content::All)?;
        let file = self.open_node(&node, true)?;
        Ok((node, file))
    }

    /// Returns the node's descriptor, opened now if there is none that will do. The caller holds the tree.
    fn open_node(&self, node: &Arc<Node>, write: bool) -> Result<Arc<File>> {
        match node.kind {
            FileType::RegularFile => {}
            FileType::Directory => return Err(Errno::ISDIR),
            // The kernel opens devices, fifos and sockets itself, and reads no symlink so.
            _ => return Err(Errno::INVAL),
        }
        loop {
            let layer = {
                let inner = node.lock();
                if let Some(opened) = inner.opened().filter(|o| o.writable || !write) {
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
            if let Some(opened) = inner.opened().filter(|opened| opened.writable || !write) {
                return Ok(opened.file.clone());
            }
            let before = inner.set_opened(Some(Opened { file: file.clone(), writable }));
            drop(inner);
            if before.is_none() {
                self.kept.add(node);
            }
            self.note_private(node, &file);
            return Ok(file);
        }
    }

    /// Reads up to `size` bytes and hands them to `take`.
    pub(crate) fn read<T>(
        &self,
        id: u64,
        offset: u64,
        size: usize,
        take: impl FnOnce(Result<&[u8]>) -> T,
    ) -> T {
        thread_local!(static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
        let file = match self.readable(id) {
            Ok(file) => file,
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
    pub(crate) fn write(&self, id: u64, offset: u64, data: &[u8], drop_ids: bool) -> Result<usize> {
        self.charge(data.len() as u64)?;
        let asked = self.table.node(id)?.layer();
        let (node, file) = self.writable(id)?;
        let (at, new) = match asked {
            Layer::Shim(index) => self.shims.redirect(index, offset, data, Stat::of(&file)?.size),
            _ => (offset, data),
        };
        let written = content::write_at(&file, new, at).and_then(|()| self.written(&node, drop_ids));
        self.touch_written(&node);
        written.map(|()| data.len())
    }

    /// Takes the set-id bits from what somebody without the right to keep them has changed.
    fn written(&self, node: &Arc<Node>, drop_ids: bool) -> Result<()> {
        if !drop_ids {
            return Ok(());
        }
        let _tree = self.tree.read();
        drop_set_ids(&self.place(node)?)
    }

    /// Reserves or frees room; `drop_ids` as for a write.
    pub(crate) fn allocate(
        &self,
        id: u64,
        mode: u32,
        offset: u64,
        length: u64,
        drop_ids: bool,
    ) -> Result<()> {
        let mode = FallocateFlags::from_bits_retain(mode);
        if !mode.contains(FallocateFlags::PUNCH_HOLE) {
            self.charge(length)?;
        }
        let (node, file) = self.writable(id)?;
        let done =
            rustix::fs::fallocate(&*file, mode, offset, length).and_then(|()| self.written(&node, drop_ids));
        self.touch_written(&node);
        done
    }

    /// Finds the next data or the next hole.
    pub(crate) fn seek(&self, id: u64, offset: u64, whence: i32) -> Result<u64> {
        let file = self.readable(id)?;
        match whence {
            libc::SEEK_DATA => rustix::fs::seek(&*file, SeekFrom::Data(offset)),
            libc::SEEK_HOLE => rustix::fs::seek(&*file, SeekFrom::Hole(offset)),
            _ => Err(Errno::INVAL),
        }
    }

    /// Copies a range between two files; `drop_ids` as for a write.
    pub(crate) fn copy_range(
        &self,
        (from, mut source): (u64, u64),
        (to, mut target): (u64, u64),
        length: u64,
        drop_ids: bool,
    ) -> Result<usize> {
        self.charge(length.min(1 << 30))?;
        // The target first: where both are the same, the source is what it was copied up to.
        let (node, to) = self.writable(to)?;
        let from = self.readable(from)?;
        // The answer is a 32-bit count.
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(1 << 30);
        let copied = rustix::fs::copy_file_range(&*from, Some(&mut source), &*to, Some(&mut target), length);
        let done = copied.and_then(|copied| self.written(&node, drop_ids).map(|()| copied));
        self.touch_written(&node);
        done
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
