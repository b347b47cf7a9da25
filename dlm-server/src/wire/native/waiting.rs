//! Hosts that wait for a lock with their request open: one room a lock. Whenever something may have changed, one look at the lock
//! decides for all of its room ([`super::rehearse`]), and only as many are called as will be let in. So a slot that comes free costs one
//! look and one grant, however many wait; and who is called asks the store as everybody does.
//!
//! Who goes away leaves its room by drop, and the next one is called. A host that is gone after it was called and before it was
//! answered may hold the lock without knowing: nobody can tell that from an answer that was lost. It asks again and is told, as by-host
//! requests can always be repeated; until then the policy's expiry is the net.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use disco_dlm::model::{HostName, LockName, Requester, Time};
use disco_dlm::rules::Operation;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::rehearse::rehearse;
use super::said::View;
use crate::store::{Ask, Store, StoreError, Told, Which};

/// The most requests that wait for locks at once; the next ones are answered without waiting.
pub const MOST_WAITING: usize = 4096;
/// The most of one host.
pub const MOST_OF_HOST: usize = 8;
/// Between two looks after one that saw something, and after many that did not.
const GAPS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// How long nobody is called again who was called and refused, and how long a store is left alone that does not answer.
const REST: Duration = Duration::from_secs(1);

/// All rooms of one server.
#[derive(Clone)]
pub struct Rooms {
    store: Arc<dyn Store>,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    rooms: BTreeMap<LockName, Room>,
    of_host: BTreeMap<HostName, usize>,
    waiting: usize,
    last: u64,
}

struct Room {
    waiters: Vec<Waiter>,
    poke: Arc<Notify>,
}

struct Waiter {
    number: u64,
    host: HostName,
    /// Not called before then.
    rests: Option<Instant>,
    called: bool,
    call: Arc<Notify>,
}

/// A place in a room; dropping it leaves the room.
pub struct Seat {
    rooms: Rooms,
    lock: LockName,
    host: HostName,
    number: u64,
    call: Arc<Notify>,
}

impl Rooms {
    /// No rooms yet.
    pub fn new(store: Arc<dyn Store>) -> Rooms {
        Rooms { store, held: Arc::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat in the lock's room; `None` where too many wait already.
    pub fn enter(&self, lock: &LockName, host: &HostName) -> Option<Seat> {
        let mut guard = self.held();
        let held = &mut *guard;
        let of_host = held.of_host.get(host).copied().unwrap_or(0);
        if held.waiting >= MOST_WAITING || of_host >= MOST_OF_HOST {
            return None;
        }
        held.waiting += 1;
        held.last += 1;
        held.of_host.insert(host.clone(), of_host + 1);
        let (number, call) = (held.last, Arc::new(Notify::new()));
        let waiter =
            Waiter { number, host: host.clone(), rests: None, called: false, call: Arc::clone(&call) };
        if let Some(room) = held.rooms.get_mut(lock) {
            room.waiters.push(waiter);
            // The lock may have changed since this host was refused.
            room.poke.notify_one();
        } else {
            let poke = Arc::new(Notify::new());
            poke.notify_one();
            held.rooms.insert(lock.clone(), Room { waiters: vec![waiter], poke: Arc::clone(&poke) });
            tokio::spawn(self.clone().keep(lock.clone(), poke));
        }
        Some(Seat { rooms: self.clone(), lock: lock.clone(), host: host.clone(), number, call })
    }

    /// Has somebody look at the lock at once: it was changed here.
    pub fn poke(&self, lock: &LockName) {
        if let Some(room) = self.held().rooms.get(lock) {
            room.poke.notify_one();
        }
    }

    /// How many wait.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.held().waiting
    }

    /// Keeps one room until it is empty.
    async fn keep(self, lock: LockName, poke: Arc<Notify>) {
        let mut changes = self.store.changes();
        let mut gap = GAPS.0;
        let mut last: Option<Told> = None;
        let mut live = true;
        loop {
            changes.borrow_and_update();
            let looked = Instant::now();
            if self.left(&lock) {
                return;
            }
            let again = match self.look(&lock).await {
                Ok(told) => {
                    let seen = last.as_ref().map(|told| &told.after);
                    gap = if seen == Some(&told.after) { (gap * 2).min(GAPS.1) } else { GAPS.0 };
                    let again = self.call(&lock, &told);
                    last = Some(told);
                    again
                }
                // Those who wait will see for themselves when their time is over, and say so.
                Err(_) => Some(looked + REST),
            };
            let far = looked + Duration::from_secs(3600);
            let quiet = async {
                // A store that is gone changes no more.
                live = live && changes.changed().await.is_ok();
                if !live {
                    std::future::pending::<()>().await;
                }
                sleep_until(looked + gap).await;
            };
            tokio::select! {
                () = poke.notified() => {}
                () = quiet => {}
                () = sleep_until(again.unwrap_or(far).max(looked + GAPS.0)) => {}
            }
        }
    }

    /// Whether nobody is left; then the room is no more.
    fn left(&self, lock: &LockName) -> bool {
        let mut held = self.held();
        let empty = held.rooms.get(lock).is_none_or(|room| room.waiters.is_empty());
        if empty {
            held.rooms.remove(lock);
        }
        empty
    }

    async fn look(&self, lock: &LockName) -> Result<Told, StoreError> {
        let ask = Ask {
            which: Which::Named(lock.clone()),
            requester: Requester::Server,
            operation: Operation::Show,
        };
        self.store.ask(ask).await
    }

    /// Calls those who will be let in. When to look again.
    fn call(&self, lock: &LockName, told: &Told) -> Option<Instant> {
        let mut held = self.held();
        let room = held.rooms.get_mut(lock)?;
        let now = Instant::now();
        // Who was called is on its way, and has its slot.
        room.waiters.sort_by_key(|waiter| (!waiter.called, waiter.number));
        let ready = |waiter: &&mut Waiter| waiter.rests.is_none_or(|until| until <= now);
        let rested = room.waiters.iter().filter_map(|waiter| waiter.rests).filter(|until| *until > now).min();
        let mut waiters: Vec<&mut Waiter> = room.waiters.iter_mut().filter(ready).collect();
        let hosts: Vec<HostName> = waiters.iter().map(|waiter| waiter.host.clone()).collect();
        let view = View { now: told.at, group: told.group, stale_hours: 0 };
        let rehearsal = rehearse(told.after.as_ref(), lock, &hosts, view);
        for place in rehearsal.granted {
            let waiter = &mut waiters[place];
            if !waiter.called {
                waiter.called = true;
                waiter.call.notify_one();
            }
        }
        let again = rehearsal.again.map(|at| now + span(told.at, at));
        [again, rested].into_iter().flatten().min()
    }
}

/// From one time of the store to another, and a little more, so that it is over.
pub fn span(from: Time, to: Time) -> Duration {
    let exact = |time: Time| i128::from(time.seconds()) * 1_000_000_000 + i128::from(time.nanoseconds());
    let nanoseconds = (exact(to) - exact(from)).max(0);
    let span = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
    // Nothing here waits for longer, and so no sum with a clock overflows.
    span.min(Duration::from_secs(24 * 3600)) + Duration::from_millis(1)
}

impl Seat {
    /// Waits until it is this one's turn to ask.
    pub async fn called(&self) {
        self.call.notified().await;
    }

    /// Says that the store refused what was called for: it is not called again at once.
    pub fn refused(&self) {
        let mut held = self.rooms.held();
        let Some(room) = held.rooms.get_mut(&self.lock) else { return };
        if let Some(waiter) = room.waiters.iter_mut().find(|waiter| waiter.number == self.number) {
            (waiter.called, waiter.rests) = (false, Some(Instant::now() + REST));
        }
        room.poke.notify_one();
    }
}

impl Drop for Seat {
    /// Waits for nothing; the room calls whoever is next.
    fn drop(&mut self) {
        let mut guard = self.rooms.held();
        let held = &mut *guard;
        held.waiting -= 1;
        match held.of_host.get_mut(&self.host) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                held.of_host.remove(&self.host);
            }
        }
        if let Some(room) = held.rooms.get_mut(&self.lock) {
            room.waiters.retain(|waiter| waiter.number != self.number);
            room.poke.notify_one();
        }
    }
}
