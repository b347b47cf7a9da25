//! Requests to one lock that come to one server, in the order in which they came: so that only different servers race for it. Those to acquire and
//! to release that wait together are decided together, in one transaction. What decides is a task of its own: whoever asked may go away.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use disco_dlm::rules::Operation;
use thiserror::Error;
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::time::Instant;

use crate::store::{Ask, StoreError, Told};

/// The most requests that are decided together: what they read is one transaction.
const MOST: usize = 64;

/// A request that waits.
pub struct Waiter {
    /// What it asks.
    pub ask: Ask,
    /// When whoever asked is told that it takes too long.
    pub until: Instant,
    /// Where the answer goes.
    pub answer: Sender<Result<Told, StoreError>>,
}

/// What the others are told with which it was decided together.
#[derive(Debug, Error)]
#[error("it was asked together with others")]
struct Joint(#[source] Arc<StoreError>);

/// All queues. While there is one, a task decides what is in it.
#[derive(Default)]
pub struct Queues {
    queues: Mutex<HashMap<String, VecDeque<Waiter>>>,
}

impl Queues {
    /// Puts a request last. With the answer to come, whether there was no queue: then a task has to begin.
    pub fn add(&self, name: &str, ask: Ask, until: Instant) -> (Receiver<Result<Told, StoreError>>, bool) {
        let (answer, will_come) = channel();
        let mut queues = self.queues();
        let begins = !queues.contains_key(name);
        queues.entry(name.to_owned()).or_default().push_back(Waiter { ask, until, answer });
        (will_come, begins)
    }

    /// The first ones, which can be decided together. With nobody left there is no queue any more, and the task ends.
    pub fn take(&self, name: &str) -> Option<Vec<Waiter>> {
        let mut queues = self.queues();
        let queue = queues.get_mut(name)?;
        // Who does not wait any more has been told that nothing is known.
        queue.retain(|waiter| !waiter.answer.is_closed());
        let Some(first) = queue.pop_front() else {
            queues.remove(name);
            return None;
        };
        let more = queue.iter().take(MOST - 1).take_while(|next| together(&first.ask, &next.ask)).count();
        let mut taken = vec![first];
        taken.extend(queue.drain(..more));
        Some(taken)
    }

    /// Forgets a queue whose task has ended before its time; who waits is told so.
    pub fn forget(&self, name: &str) {
        self.queues().remove(name);
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Waiter>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a request can be decided with the one before: about the same lock, and neither of them can change its name or remove it.
fn together(first: &Ask, next: &Ask) -> bool {
    let plain = |ask: &Ask| matches!(ask.operation, Operation::Acquire { .. } | Operation::Release { .. });
    plain(first) && plain(next) && first.which == next.which
}

/// Tells all of them what went wrong.
pub fn tell_all(waiters: Vec<Waiter>, error: StoreError) {
    let error = Arc::new(error);
    for waiter in waiters {
        let source = || Box::new(Joint(error.clone()));
        let own = match &*error {
            StoreError::Unavailable { store, .. } => {
                StoreError::Unavailable { store: store.clone(), source: source() }
            }
            StoreError::Damaged { what, store, .. } => {
                StoreError::Damaged { what: what.clone(), store: store.clone(), source: source() }
            }
            StoreError::Newer { store, found, known } => {
                StoreError::Newer { store: store.clone(), found: *found, known: *known }
            }
        };
        // Who does not wait any more needs no answer.
        let _gone = waiter.answer.send(Err(own));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use disco_dlm::model::{HostName, LockName, Requester, UserName};

    use super::*;
    use crate::store::Which;

    fn ask(requester: Requester, operation: Operation) -> Ask {
        Ask { which: Which::Named(LockName::new("web").unwrap()), requester, operation }
    }

    fn acquire(host: &str) -> Ask {
        ask(Requester::Host(HostName::new(host).unwrap()), Operation::Acquire { note: String::new() })
    }

    #[test]
    fn who_waits_is_taken_in_order_and_a_queue_ends_with_the_last_one() {
        let queues = Queues::default();
        let until = Instant::from_std(std::time::Instant::now() + Duration::from_secs(1));
        let add = |ask: Ask| queues.add("web", ask, until);
        let user = |operation| ask(Requester::User(UserName::new("u").unwrap()), operation);
        let asks =
            [acquire("a"), acquire("b"), user(Operation::Delete), user(Operation::Delete), acquire("c")];
        let all: Vec<_> = asks.iter().map(|ask| add(ask.clone())).collect();
        assert_eq!(
            all.iter().map(|(_, begins)| *begins).collect::<Vec<_>>(),
            [true, false, false, false, false]
        );
        let (mut gone, begins) = add(acquire("gone"));
        gone.close();
        assert!(!begins);
        let mut taken = vec![];
        while let Some(some) = queues.take("web") {
            taken.push(some.into_iter().map(|waiter| waiter.ask).collect::<Vec<_>>());
        }
        let [a, b, x, y, c] = asks;
        assert_eq!(taken, [vec![a, b], vec![x], vec![y], vec![c.clone()]]);
        assert!(add(c).1, "there was no queue any more");
        let many: Vec<_> = (0..MOST).map(|_| add(acquire("many"))).collect();
        assert_eq!(queues.take("web").map(|some| some.len()), Some(MOST));
        drop(many);
    }
}
