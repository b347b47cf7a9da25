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
        let closed = oldest.and_then(|node| node.upgrade()?.lock().opened.take());
        drop(closed);
    }
}

/// Where a write goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    At(u64),
    /// To the end of the file, which the kernel takes to be there. For a shim it knows the size of the shim alone.
    AtTheEnd(u64),
}

impl Overlay {
    /// Returns the node's descriptor for reading.
    fn readable(&self, id: u64) -> Result<Arc<File>> {
        let node = self.table.node(id)?;
        let kept = node.lock().opened.as_ref().map(|opened| opened.file.clone());
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
        let kept = node.lock().opened.as_ref().filter(|o| o.writable).map(|opened| opened.file.clone());
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
                if let Some(opened) = inner.opened.as_ref().filter(|o| o.writable || !write) {
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
                Some(opened) if opened.writable || !write => return Ok(opened.file.clone()),
                Some(opened) => *opened = Opened { file: file.clone(), writable },
                None => {
                    inner.opened = Some(Opened { file: file.clone(), writable });
                    drop(inner);
                    self.kept.add(node);
                }
            }
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
    pub(crate) fn write(&self, id: u64, place: Where, data: &[u8], drop_ids: bool) -> Result<usize> {
        let (node, file) = self.writable(id)?;
        let offset = match place {
            Where::AtTheEnd(_) if node.id != id => Stat::of(&file)?.size,
            Where::At(offset) | Where::AtTheEnd(offset) => offset,
        };
        let written = content::write_at(&file, data, offset).and_then(|_| {
            if drop_ids {
                let _tree = self.tree.read();
                drop_set_ids(&self.place(&node)?)?;
            }
            Ok(data.len())
        });
        self.touch_written(&node);
        written
    }

    /// Reserves or frees room.
    pub(crate) fn allocate(&self, id: u64, mode: u32, offset: u64, length: u64) -> Result<()> {
        let (node, file) = self.writable(id)?;
        let done = rustix::fs::fallocate(&*file, FallocateFlags::from_bits_retain(mode), offset, length);
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

    /// Copies a range between two files.
    pub(crate) fn copy_range(
        &self,
        (from, mut source): (u64, u64),
        (to, mut target): (u64, u64),
        length: u64,
    ) -> Result<usize> {
        // The target first: where both are the same, the source is what it was copied up to.
        let (node, to) = self.writable(to)?;
        let from = self.readable(from)?;
        // The answer is a 32-bit count.
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(1 << 30);
        let done = rustix::fs::copy_file_range(&*from, Some(&mut source), &*to, Some(&mut target), length);
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
