//! A bounded cache of open directories, so that a name costs one call and not a path walk.
//! Knows nothing of what the directories mean.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// The most descriptors kept; a node's hard limit of open files may be 20000.
const LIMIT: usize = 4096;

#[derive(Debug)]
struct Cache<T> {
    limit: usize,
    entries: HashMap<u64, (Arc<T>, u64)>,
    clock: u64,
}

/// Descriptors of one layer by the number of the directory, the longest unused dropped first.
#[derive(Debug)]
pub(crate) struct DirFds<T>(Mutex<Cache<T>>);

impl<T> DirFds<T> {
    /// Starts empty. Each of two such caches, whose entries have so many descriptors each, will leave three quarters of the
    /// process's open files to others.
    pub(crate) fn new(descriptors: usize) -> DirFds<T> {
        let allowed = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let eighth = allowed.map_or(LIMIT, |files| usize::try_from(files / 8).unwrap_or(LIMIT));
        DirFds::with_limit((eighth.clamp(16, LIMIT) / descriptors.max(1)).max(8))
    }

    fn with_limit(limit: usize) -> DirFds<T> {
        DirFds(Mutex::new(Cache { limit, entries: HashMap::new(), clock: 0 }))
    }

    pub(crate) fn get(&self, id: u64) -> Option<Arc<T>> {
        let mut cache = self.0.lock();
        cache.clock += 1;
        let now = cache.clock;
        let (kept, used) = cache.entries.get_mut(&id)?;
        *used = now;
        Some(kept.clone())
    }

    pub(crate) fn put(&self, id: u64, kept: &Arc<T>) {
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
        cache.entries.insert(id, (kept.clone(), now));
    }

    /// Drops what is kept for a directory that has gone or has changed its layers.
    pub(crate) fn drop(&self, id: u64) {
        self.0.lock().entries.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_holds_more_than_the_limit_and_keeps_what_is_used() {
        let cache = DirFds::with_limit(64);
        let kept = Arc::new(());
        for id in 0..200 {
            cache.put(id, &kept);
            assert!(cache.get(0).is_some(), "the one in use was dropped at {id}");
        }
        assert!(cache.0.lock().entries.len() <= 64);
    }
}
