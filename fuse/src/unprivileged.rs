//! A process that is root of a user namespace and of nothing else: what it may not have, and what the overlay does instead.
//!
//! It can set no `trusted.*` attributes, so the overlay's own are `user.*` there. And it may have a name for one id only: what
//! belongs to anybody else is shown as root's, so that root of the namespace may change its copy. Whether the lower can be
//! read the kernel decides, by whom this process really is.

use std::sync::atomic::{AtomicBool, Ordering};

/// As the namespace, both are of the whole process.
static UNPRIVILEGED: AtomicBool = AtomicBool::new(false);
static ALONE: AtomicBool = AtomicBool::new(false);

/// From now on this process is such a one; `alone` says that root is all that its namespace has a name for. To be called
/// before the first overlay is opened.
pub fn be_unprivileged(alone: bool) {
    UNPRIVILEGED.store(true, Ordering::Relaxed);
    ALONE.store(alone, Ordering::Relaxed);
}

pub(crate) fn is_unprivileged() -> bool {
    UNPRIVILEGED.load(Ordering::Relaxed)
}

/// What the kernel shows for an id that a namespace has no name for (`/proc/sys/kernel/overflowuid`, unless somebody
/// changed it).
const UNKNOWN: u32 = 65_534;

/// The id to show for one that was looked up.
pub(crate) fn shown_id(id: u32) -> u32 {
    if id == UNKNOWN && ALONE.load(Ordering::Relaxed) { 0 } else { id }
}
