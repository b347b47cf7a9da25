//! Which files were opened that others than their owner and group cannot read, so that whoever shows what a program prints
//! knows what must not be in it.

use crate::node::Node;
use crate::{Overlay, Stat};
use parking_lot::Mutex;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The most that are kept for whoever asks: each is an open file.
const MOST: usize = 128;

/// A file that was opened, to be read as it is: with its name as it was then, which may be gone.
#[derive(Clone, Debug)]
pub struct Opened {
    /// A path of the view, relative to the root.
    pub path: PathBuf,
    /// Open to be read.
    pub file: Arc<File>,
}

/// Those that nobody has asked for yet.
#[derive(Debug, Default)]
pub(crate) struct Private {
    any: AtomicBool,
    opened: Mutex<Vec<Opened>>,
}

impl Overlay {
    /// The files that were opened since this was asked last, or since [`Overlay::watch`], and that not everybody can read; beyond
    /// a hundred the first ones. It costs nothing while there are none.
    pub fn take_private(&self) -> Vec<Opened> {
        if !self.private.any.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut self.private.opened.lock())
    }

    /// Notes that the node has its copy from now on, where it is open: what is written there can be read without another opening.
    pub(crate) fn note_copied(&self, node: &Node) {
        let file = node.lock().opened().map(|opened| opened.file.clone());
        if let Some(file) = file {
            self.note_private(node, &file);
        }
    }

    /// Notes that the node's file was opened, to be read or to be written.
    pub(crate) fn note_private(&self, node: &Node, file: &Arc<File>) {
        if !self.touches.are_wanted() || !Stat::of(file).is_ok_and(|stat| stat.mode & 0o004 == 0) {
            return;
        }
        let mut opened = self.private.opened.lock();
        if opened.len() < MOST {
            let path = node.paths().into_iter().next().unwrap_or_default();
            opened.push(Opened { path, file: file.clone() });
            self.private.any.store(true, Ordering::Release);
        }
    }
}
