//! Ends of runs that could not be written, as on a full disk: they are told as they are, and written as soon as that can be. Their files say
//! meanwhile that they wait or are under way, which they are not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use disco_agent::runs::TriggerId;
use disco_agent::runs::queue::Kept;

use crate::model::told::in_full;

use super::store::Store;

/// How often they are tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// The ends, by the ids of their runs.
#[derive(Debug)]
pub(super) struct Unwritten {
    store: Store,
    ends: Mutex<BTreeMap<TriggerId, Kept>>,
    /// Hears what cannot be told to anybody who asks.
    say: fn(&str),
}

impl Unwritten {
    /// None, yet.
    pub(super) fn new(store: Store, say: fn(&str)) -> Arc<Unwritten> {
        Arc::new(Unwritten { store, ends: Mutex::default(), say })
    }

    fn ends(&self) -> MutexGuard<'_, BTreeMap<TriggerId, Kept>> {
        // Whoever panicked had it in one piece: each of its changes is one call.
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes an end, now or later.
    pub(super) fn write(self: &Arc<Unwritten>, end: Kept) {
        let Err(error) = self.store.save(&end) else { return };
        (self.say)(&format!("the end of run {} is not written yet: {}", end.run.id, in_full(&error)));
        let mut ends = self.ends();
        // One thread, as long as there are any.
        if ends.is_empty() {
            let all = self.clone();
            std::thread::spawn(move || all.write_again());
        }
        ends.insert(end.run.id.clone(), end);
    }

    fn write_again(&self) {
        loop {
            std::thread::sleep(AGAIN);
            let mut ends = self.ends();
            // Why was said before.
            ends.retain(|_, end| self.store.save(end).is_err());
            if ends.is_empty() {
                return;
            }
        }
    }

    /// The end of that run, where its file does not have it. Looked at before the file: by then it is in one of both.
    pub(super) fn end(&self, id: &TriggerId) -> Option<Kept> {
        self.ends().get(id).cloned()
    }

    /// All of them.
    pub(super) fn all(&self) -> BTreeMap<TriggerId, Kept> {
        self.ends().clone()
    }

    /// Whether each end is in its file.
    pub(super) fn is_empty(&self) -> bool {
        self.ends().is_empty()
    }
}
