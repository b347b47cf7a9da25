//! How much of the scratch's disk is kept free: a bound for what goes through a view, before the disk itself is full.

use crate::{Overlay, Result};
use rustix::io::Errno;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How much may be written before the disk is looked at again, in bytes.
const UNSEEN: u64 = 4 << 20;

/// The bound, and what was written since the disk was looked at.
#[derive(Debug, Default)]
pub(crate) struct Room {
    keep: AtomicU64,
    written: AtomicU64,
    short: AtomicBool,
    refused: AtomicBool,
}

impl Overlay {
    /// Refuses changes from now on that leave less than that free on the scratch's disk, in bytes; 0 refuses none. Looked at
    /// every few MiB that are written.
    pub fn keep_free(&self, bytes: u64) {
        self.room.keep.store(bytes, Ordering::Relaxed);
        self.room.short.store(false, Ordering::Relaxed);
    }

    /// How much is free there, and how much there is, in bytes.
    pub fn disk(&self) -> std::io::Result<(u64, u64)> {
        let room = self.room()?;
        Ok((room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize))
    }

    /// Whether a change was refused for the sake of what is to be kept free, since this was asked last.
    pub fn take_refused(&self) -> bool {
        self.room.refused.swap(false, Ordering::Relaxed)
    }

    /// Makes sure that so much may be written.
    pub(crate) fn charge(&self, bytes: u64) -> Result<()> {
        let Room { keep, written, short, refused } = &self.room;
        let keep = keep.load(Ordering::Relaxed);
        if keep == 0 {
            return Ok(());
        }
        let unseen = written.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if unseen < UNSEEN.min(keep / 2) && !short.load(Ordering::Relaxed) {
            return Ok(());
        }
        written.store(0, Ordering::Relaxed);
        let (free, _) = self.disk().map_err(|_| Errno::IO)?;
        let is_short = free < keep.saturating_add(bytes);
        short.store(is_short, Ordering::Relaxed);
        if !is_short {
            return Ok(());
        }
        refused.store(true, Ordering::Relaxed);
        Err(Errno::NOSPC)
    }
}
