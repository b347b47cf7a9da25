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

#[derive(Debug)]
struct Cache {
    limit: usize,
    entries: HashMap<(u64, Side), (Arc<OwnedFd>, u64)>,
    clock: u64,
}

/// Descriptors by number and layer, the longest unused dropped first.
#[derive(Debug)]
pub(crate) struct DirFds(Mutex<Cache>);

impl DirFds {
    /// Starts empty, and will leave three quarters of the process's open files to others.
    pub(crate) fn new() -> DirFds {
        let allowed = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let quarter = allowed.map_or(LIMIT, |files| usize::try_from(files / 4).unwrap_or(LIMIT));
        DirFds::with_limit(quarter.clamp(16, LIMIT))
    }

    fn with_limit(limit: usize) -> DirFds {
        DirFds(Mutex::new(Cache { limit, entries: HashMap::new(), clock: 0 }))
    }

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
        if cache.entries.len() >= cache.limit {
            // Half at once: the sweep then costs nothing per entry on average.
            let mut stamps: Vec<u64> = cache.entries.values().map(|(_, used)| *used).collect();
            let (_, middle, _) = stamps.select_nth_unstable(cache.limit / 2);
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
        let cache = DirFds::with_limit(64);
        let fd = Arc::new(OwnedFd::from(std::fs::File::open("/").unwrap()));
        for id in 0..200 {
            cache.put(id, Side::Lower, &fd);
            assert!(cache.get(0, Side::Lower).is_some(), "the one in use was dropped at {id}");
        }
        assert!(cache.0.lock().entries.len() <= 64);
    }
}
