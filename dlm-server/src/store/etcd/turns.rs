//! One after the other, by name: requests to one lock that come to one server wait here for each other, in the order in which they came,
//! so that only different servers race for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout_at};

type Gate = Arc<tokio::sync::Mutex<()>>;

/// Who is at what.
#[derive(Default)]
pub struct Turns {
    gates: Mutex<HashMap<String, Gate>>,
}

/// The turn of whoever has it; it is over when this is dropped, and the next one has it.
pub struct Turn<'a> {
    turns: &'a Turns,
    name: String,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// The turn for this name, or nothing when its moment has come without one.
    pub async fn take(&self, name: &str, until: Instant) -> Option<Turn<'_>> {
        let gate = self.gates().entry(name.to_owned()).or_default().clone();
        // Made before it is had: the gate goes with the last one who waited, in vain or not, or stopped waiting.
        let mut turn = Turn { turns: self, name: name.to_owned(), guard: None };
        turn.guard = timeout_at(until, gate.lock_owned()).await.ok();
        turn.guard.is_some().then_some(turn)
    }

    fn gates(&self) -> MutexGuard<'_, HashMap<String, Gate>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.guard = None;
        let mut gates = self.turns.gates();
        // Whoever waits has the gate, too; and gates are given out under this same lock.
        if gates.get(&self.name).is_some_and(|gate| Arc::strong_count(gate) == 1) {
            gates.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn one_at_a_time_and_nothing_left_behind() {
        let turns = Turns::default();
        let until = Instant::now() + Duration::from_secs(5);
        let first = turns.take("a", until).await.unwrap();
        assert!(turns.take("a", Instant::now() + Duration::from_millis(5)).await.is_none());
        let other = turns.take("b", until).await.unwrap();
        let (second, ()) = tokio::join!(turns.take("a", until), async { drop(first) });
        assert_eq!(turns.gates().len(), 2);
        drop((second, other));
        assert_eq!(turns.gates().len(), 0);
    }
}
