//! A bounded cache of `O_PATH` descriptors of directories, so that a name costs one call and not a path walk.
//! Knows nothing of what the directories mean.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Which layer's directory is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Lower,
    Upper,
}

/// The most descriptors kept; a node's hard limit of open files may be 20000.
const LIMIT: usize = 4096;

#[derive(Debug, Default)]
struct Cache {
    entries: HashMap<(u64, Side), (Arc<OwnedFd>, u64)>,
    clock: u64,
}

/// Descriptors by number and layer, the longest unused dropped first.
#[derive(Debug, Default)]
pub(crate) struct DirFds(Mutex<Cache>);

impl DirFds {
    pub(crate) fn get(&self, id: u64, side: Side) -> Option<Arc<OwnedFd>> {
        let mut cache = self.0.lock();
        cache.clock += 1;
        let now = cache.clock;
        let (fd, used) = cache.entries.get_mut(&(id, side))?;
        *used = now;
        Some(fd.clone())
    }

    pub(crate) fn put(&self, id: u64, side: Side, fd: &Arc<OwnedFd>) {
        let mut cache = self.0.lock();
        cache.clock += 1;
        let now = cache.clock;
        if cache.entries.len() >= LIMIT {
            // Half at once: the sweep then costs nothing per entry on average.
            let mut stamps: Vec<u64> = cache.entries.values().map(|(_, used)| *used).collect();
            let (_, middle, _) = stamps.select_nth_unstable(LIMIT / 2);
            let middle = *middle;
            cache.entries.retain(|_, (_, used)| *used > middle);
        }
        cache.entries.insert((id, side), (fd.clone(), now));
    }

    /// Drops what is kept for a directory that has gone or has changed its layers.
    pub(crate) fn drop_both(&self, id: u64) {
        let mut cache = self.0.lock();
        cache.entries.remove(&(id, Side::Lower));
        cache.entries.remove(&(id, Side::Upper));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_holds_more_than_the_limit_and_keeps_what_is_used() {
        let cache = DirFds::default();
        let fd = Arc::new(OwnedFd::from(std::fs::File::open("/").unwrap()));
        for id in 0..3 * LIMIT as u64 {
            cache.put(id, Side::Lower, &fd);
            assert!(cache.get(0, Side::Lower).is_some(), "the one in use was dropped at {id}");
        }
        assert!(cache.0.lock().entries.len() <= LIMIT);
    }
}
