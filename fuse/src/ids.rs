//! The number of an object: unique in the mount, and the same before and after copy-up. It is both the
//! `st_ino` that programs see and the node id that the kernel remembers.
//!
//! A number is the index of the mount and the inode number there. The upper's objects have the index 1,
//! except those that came from the lower, which keep the number they had.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of the root, given by FUSE.
pub(crate) const ROOT: u64 = 1;

const SHIFT: u32 = 48;
const UPPER: u64 = 1;
/// Mount indices from here on are not packed but numbered one by one.
const FRESH: u64 = 0x7000;
const SHIM: u64 = 0x7ffe;

/// The numbers that do not follow from the inode number alone.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    fresh: AtomicU64,
    /// Inodes of the upper that have another number than the packed one.
    upper: Mutex<HashMap<u64, u64>>,
    /// Inodes of the lower that cannot be packed.
    wide: Mutex<HashMap<(u64, u64), u64>>,
}

impl Ids {
    /// Returns the number of an object of the lower.
    pub(crate) fn lower(&self, mount: u64, ino: u64) -> u64 {
        if ino >> SHIFT == 0 && mount < FRESH && (mount, ino) != (0, ROOT) && (mount, ino) != (0, 0) {
            return mount << SHIFT | ino;
        }
        *self.wide.lock().entry((mount, ino)).or_insert_with(|| self.fresh())
    }

    /// Returns the number of an object of the upper.
    pub(crate) fn upper(&self, ino: u64) -> u64 {
        let mut known = self.upper.lock();
        match known.get(&ino) {
            Some(id) => *id,
            None if ino >> SHIFT == 0 => UPPER << SHIFT | ino,
            None => *known.entry(ino).or_insert_with(|| self.fresh()),
        }
    }

    /// Notes that an inode of the upper is the object `id` from now on.
    pub(crate) fn copied(&self, ino: u64, id: u64) {
        self.upper.lock().insert(ino, id);
    }

    /// Gives a newly made inode of the upper its number; `taken` says which numbers are still in use.
    /// The file system may hand out the inode of a file that the kernel still remembers.
    pub(crate) fn born(&self, ino: u64, taken: impl Fn(u64) -> bool) -> u64 {
        self.upper.lock().remove(&ino);
        let id = self.upper(ino);
        if !taken(id) {
            return id;
        }
        let id = self.fresh();
        self.copied(ino, id);
        id
    }

    /// Forgets an inode of the upper that has lost its last name.
    pub(crate) fn died(&self, ino: u64) {
        self.upper.lock().remove(&ino);
    }

    /// Returns a number that nothing has or will have.
    pub(crate) fn fresh(&self) -> u64 {
        (FRESH << SHIFT) + self.fresh.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether that is the number of a shim.
    pub(crate) fn is_shim(id: u64) -> bool {
        id >> SHIFT == SHIM
    }

    /// Returns the number of the shim at `index`.
    pub(crate) fn shim(index: u32) -> u64 {
        SHIM << SHIFT | u64::from(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_different_mounts_and_of_the_upper_never_meet() {
        let ids = Ids::default();
        let all = [ids.lower(0, 7), ids.lower(2, 7), ids.upper(7), ids.lower(0, 1 << 60), ids.lower(0, ROOT)];
        for (at, id) in all.iter().enumerate() {
            assert!(!all[..at].contains(id) && *id > ROOT, "{all:x?}");
        }
        assert_eq!(ids.lower(0, 1 << 60), all[3]);
    }

    #[test]
    fn a_copied_object_keeps_its_number_until_it_dies() {
        let ids = Ids::default();
        ids.copied(9, 42);
        assert_eq!(ids.upper(9), 42);
        ids.died(9);
        assert_ne!(ids.upper(9), 42);
    }

    #[test]
    fn a_reused_inode_gets_another_number_while_the_first_is_remembered() {
        let ids = Ids::default();
        let first = ids.born(9, |_| false);
        let second = ids.born(9, |id| id == first);
        assert_ne!(first, second);
        assert_eq!(ids.upper(9), second);
    }
}
