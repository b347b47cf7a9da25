//! What this server has written last, for the next question about it: a host that acquires and then releases is decided about without
//! reading again. Whatever rests on it is written under the guards that a fresh read has, so a stale one costs a try and changes nothing; what would
//! write nothing (a refusal without an event, a look) is decided on a fresh read.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::optimistic::Snapshot;

/// So many locks are remembered.
const MOST: usize = 4096;
/// For so long: later, it is likely that another server has written.
const FRESH: Duration = Duration::from_secs(10);

/// Snapshots by lock, as they are after what was written; each is used once.
#[derive(Debug, Default)]
pub struct Recent(Mutex<HashMap<String, (Instant, Snapshot)>>);

impl Recent {
    /// Remembers what was written.
    pub fn put(&self, lock: String, snapshot: Snapshot) {
        let mut held = self.held();
        if held.len() >= MOST {
            held.retain(|_, (written, _)| written.elapsed() < FRESH);
        }
        if held.len() < MOST {
            held.insert(lock, (Instant::now(), snapshot));
        }
    }

    /// What was written last, if all of these keys are in it.
    pub fn take(&self, lock: &str, keys: &[String]) -> Option<Snapshot> {
        let (written, snapshot) = self.held().remove(lock)?;
        let serves = written.elapsed() < FRESH && keys.iter().all(|key| snapshot.has(key));
        serves.then_some(snapshot)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, (Instant, Snapshot)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_given_once_and_only_whole() {
        let (recent, snapshot) = (Recent::default(), Snapshot::with("lock/a".into(), &1));
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        recent.put("a".into(), snapshot.clone());
        assert!(recent.take("a", &keys(&["lock/a"])).is_some());
        assert!(recent.take("a", &keys(&["lock/a"])).is_none(), "another one may have written since");
        recent.put("a".into(), snapshot.clone());
        assert!(recent.take("a", &keys(&["lock/a", "host/x"])).is_none());
        for at in 0..2 * MOST {
            recent.put(at.to_string(), snapshot.clone());
        }
        assert!(recent.held().len() <= MOST);
    }
}
