//! An overlay in front of the kernel: what is asked of it, and who asks for what.

use super::Writes;
use crate::Overlay;
use crate::create::Maker;
use fuser::{InitFlags, KernelConfig, Request};
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What is asked of the kernel, each for itself: an older kernel has fewer.
const WISHES: [InitFlags; 7] = [
    InitFlags::FUSE_DONT_MASK,
    InitFlags::FUSE_PARALLEL_DIROPS,
    InitFlags::FUSE_DO_READDIRPLUS,
    InitFlags::FUSE_READDIRPLUS_AUTO,
    InitFlags::FUSE_POSIX_ACL,
    InitFlags::FUSE_CACHE_SYMLINKS,
    // Otherwise the kernel asks for security.capability before every write.
    InitFlags::FUSE_HANDLE_KILLPRIV_V2,
];

/// An overlay as `fuser` is to see it.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) overlay: Arc<Overlay>,
    writes: Writes,
}

pub(super) fn c_string(name: &OsStr) -> crate::Result<CString> {
    CString::new(name.as_bytes()).map_err(|_nul| rustix::io::Errno::INVAL)
}

pub(super) fn maker(request: &Request, mode: u32, umask: u32) -> Maker {
    Maker { uid: request.uid(), gid: request.gid(), mode, umask }
}

impl Front {
    pub(super) fn new(overlay: Arc<Overlay>, writes: Writes) -> Front {
        Front { overlay, writes }
    }

    /// The overlay, for an answer: one more that it has given.
    pub(super) fn asked(&self) -> &Overlay {
        self.overlay.served.count();
        &self.overlay
    }

    /// Remembers that there was no space for a change. (Not asked of allocate, which may ask for too much, nor of
    /// attributes, whose limits have the same error.)
    pub(super) fn noted<T>(&self, done: crate::Result<T>) -> crate::Result<T> {
        if let Err(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) = done {
            self.overlay.filled.store(true, Ordering::Relaxed);
        }
        done
    }

    /// Asks the kernel for what suits an overlay.
    pub(super) fn wish(&self, config: &mut KernelConfig) {
        let gathered = match self.writes {
            Writes::Through => InitFlags::empty(),
            Writes::Gathered => InitFlags::FUSE_WRITEBACK_CACHE,
        };
        for wish in WISHES.into_iter().chain([gathered]) {
            // One that is missing costs speed or a nicety, never correctness.
            let _ = config.add_capabilities(wish);
        }
    }
}
