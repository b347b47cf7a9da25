//! The connections that there are: how many, of whom, which of them do nothing. Where there are too many the one that has been idle
//! longest makes room, so that no number of idle ones keeps anybody out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::network::network;

/// All of them.
pub struct Connections {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    most: usize,
    most_per_address: usize,
    last: u64,
    entries: HashMap<u64, Arc<Entry>>,
}

/// One connection.
pub struct Entry {
    from: IpAddr,
    /// How many of its requests are being answered, and since when it is so.
    state: Mutex<(usize, Instant)>,
    /// From when on it takes no more requests; nothing while nobody has said so.
    closed: OnceLock<Instant>,
    /// Told when it has to go.
    pub go: Notify,
}

/// A place among the connections; it is free again when this is dropped.
pub struct Place {
    id: u64,
    all: Arc<Connections>,
    /// The connection.
    pub entry: Arc<Entry>,
}

/// A request that is being answered; it is over when this is dropped.
pub struct Busy(Arc<Entry>);

/// Whether an address may have any number of connections, as a proxy in front of everybody must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// As all others.
    Limited,
    /// All that there are.
    Unlimited,
}

impl Connections {
    /// So many, and so many of one address.
    pub fn new(most: usize, most_per_address: usize) -> Connections {
        Connections { open: Mutex::new(Open { most, most_per_address, ..Open::default() }) }
    }

    /// From now on so many. Those that are too many then make room for the next who comes, or end by themselves.
    pub fn bound(&self, most: usize, most_per_address: usize) {
        let mut open = self.open();
        (open.most, open.most_per_address) = (most, most_per_address);
    }

    /// A place for one more; `None` where all are taken by those who are being answered.
    pub fn admit(self: &Arc<Self>, from: IpAddr, share: Share, now: Instant) -> Option<Place> {
        let from = network(from);
        let mut open = self.open();
        let same = open.entries.values().filter(|entry| entry.from == from).count();
        if share == Share::Limited && same >= open.most_per_address {
            open.make_room(|entry| entry.from == from)?;
        }
        if open.entries.len() >= open.most {
            open.make_room(|_| true)?;
        }
        open.last += 1;
        let id = open.last;
        let entry =
            Arc::new(Entry { from, state: Mutex::new((0, now)), closed: OnceLock::new(), go: Notify::new() });
        open.entries.insert(id, Arc::clone(&entry));
        Some(Place { id, all: Arc::clone(self), entry })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.open().entries.len()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn make_room(&mut self, of: impl Fn(&Entry) -> bool) -> Option<()> {
        let idle = self.entries.iter().filter(|(_, entry)| of(entry));
        let (id, _) = idle
            .filter_map(|(id, entry)| Some((*id, entry.idle_since()?)))
            .min_by_key(|(_, since)| *since)?;
        self.entries.remove(&id)?.go.notify_one();
        Some(())
    }
}

impl Entry {
    /// Since when it does nothing; `None` while it is being answered.
    pub fn idle_since(&self) -> Option<Instant> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.0 == 0).then_some(state.1)
    }

    /// From that moment on it takes no more requests, or from an earlier one that was said before.
    pub fn take_no_more_from(&self, at: Instant) {
        self.closed.get_or_init(|| at);
    }

    /// Whether it takes no more requests.
    pub fn takes_no_more(&self, now: Instant) -> bool {
        self.closed.get().is_some_and(|at| *at <= now)
    }

    /// Notes that a request of it is being answered.
    pub fn begin(self: &Arc<Self>) -> Busy {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
        Busy(Arc::clone(self))
    }
}

impl Busy {
    /// That, which belongs to the request.
    pub fn with<T>(&self, what: T) -> T {
        what
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = (state.0.saturating_sub(1), Instant::now());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.open().entries.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_longest_idle_makes_room_and_who_is_answered_stays() {
        let all = Arc::new(Connections::new(3, 2));
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let first = all.admit(a, Share::Limited, at(0)).unwrap();
        let second = all.admit(a, Share::Limited, at(1)).unwrap();
        let busy = first.entry.begin();
        // The third of one address: the idle one of that address goes, not the busy one.
        let third = all.admit(a, Share::Limited, at(2)).unwrap();
        assert_eq!(all.count(), 2);
        assert!(all.open().entries.values().all(|entry| !Arc::ptr_eq(entry, &second.entry)));
        let _third = third.entry.begin();
        assert!(all.admit(a, Share::Limited, at(3)).is_none(), "all of that address are answered");
        let other = all.admit(b, Share::Limited, at(4)).unwrap();
        // All are taken; the only idle one is of the other address.
        assert!(all.admit(a, Share::Unlimited, at(5)).is_some());
        drop((second, other, busy, first));
        assert_eq!(all.count(), 1, "only who has not gone is counted");
    }
}
