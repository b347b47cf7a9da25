//! Locks as numbers. Pure.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use disco_dlm::model::{Lock, LockName};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::wire::native::said::{View, lapsed, stale};

/// Of so many locks numbers are told by name. Five lines of some hundred bytes each: half a megabyte.
pub const MOST_NAMED: usize = 1000;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLock {
    lock: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    state: &'static str,
}

type Number = Gauge<u64, AtomicU64>;

/// One lock.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct One {
    slots: u64,
    holders: u64,
    waiters: u64,
    stale: u64,
    oldest: u64,
}

/// All locks, and some of them by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sums {
    named: BTreeMap<LockName, One>,
    unnamed: u64,
    free: u64,
    held: u64,
    disabled: u64,
    frozen: u64,
    all: One,
}

impl Sums {
    /// These locks at this time. Slots that are a share of a group wait for [`Sums::put_slots`].
    pub fn of(locks: &[Lock], view: View) -> Sums {
        let mut sums = Sums::default();
        let mut each: Vec<(Lock, One)> = vec![];
        for lock in locks {
            let lock = lapsed(lock, view);
            let one = one(&lock, view);
            match () {
                () if !lock.enabled => sums.disabled += 1,
                () if lock.frozen() => sums.frozen += 1,
                () if one.holders > 0 => sums.held += 1,
                () => sums.free += 1,
            }
            sums.all.holders += one.holders;
            sums.all.waiters += one.waiters;
            sums.all.stale += one.stale;
            sums.all.oldest = sums.all.oldest.max(one.oldest);
            each.push((lock, one));
        }
        // Who waits shows where something is stuck; of the rest those that are held, and then by name.
        each.sort_by(|(a, one), (b, other)| {
            let busy = |one: &One| (one.waiters > 0, one.holders > 0);
            busy(other).cmp(&busy(one)).then_with(|| a.name.cmp(&b.name))
        });
        sums.unnamed = each.len().saturating_sub(MOST_NAMED) as u64;
        sums.named = each.into_iter().take(MOST_NAMED).map(|(lock, one)| (lock.name, one)).collect();
        sums
    }

    /// Whether this lock is told by name.
    pub fn names(&self, lock: &Lock) -> bool {
        self.named.contains_key(&lock.name)
    }

    /// How many slots it has.
    pub fn put_slots(&mut self, lock: &Lock, slots: u64) {
        if let Some(one) = self.named.get_mut(&lock.name) {
            one.slots = slots;
        }
    }
}

fn one(lock: &Lock, view: View) -> One {
    let held = lock.holders.iter().map(|holder| view.now.since(holder.since).0);
    One {
        slots: lock.policy.slots.of(view.group),
        holders: lock.holders.len() as u64,
        waiters: lock.tickets.len() as u64,
        stale: lock.holders.iter().filter(|holder| stale(&lock.policy, holder, view)).count() as u64,
        oldest: held.max().unwrap_or(0),
    }
}

/// What is told of them; by name only where that is wanted. Without sums, that the store does not answer.
pub fn registry(sums: Option<&Sums>, named: bool) -> Registry {
    let mut registry = Registry::with_prefix("disco");
    let number = |value: u64| {
        let gauge = Number::default();
        gauge.set(value);
        gauge
    };
    registry.register("store_answers", "1 where the store answers", number(u64::from(sums.is_some())));
    let Some(sums) = sums else { return registry };
    let states = Family::<OfState, Number>::default();
    let count =
        [("free", sums.free), ("held", sums.held), ("disabled", sums.disabled), ("frozen", sums.frozen)];
    for (state, count) in count {
        states.get_or_create(&OfState { state }).set(count);
    }
    registry.register("locks", "Locks, each in one state", states);
    let all = &sums.all;
    registry.register("locks_holders", "Hosts that hold a lock, over all locks", number(all.holders));
    registry.register("locks_waiters", "Hosts that wait, over all locks", number(all.waiters));
    registry.register(
        "locks_stale",
        "Holders that have not asked for long, over all locks",
        number(all.stale),
    );
    registry.register("locks_oldest_hold_seconds", "The longest hold of all locks", number(all.oldest));
    if named {
        registry.register(
            "locks_unnamed",
            "Locks that are too many to be told by name",
            number(sums.unnamed),
        );
        by_name(&mut registry, sums);
    }
    registry
}

fn by_name(registry: &mut Registry, sums: &Sums) {
    type Row = (&'static str, &'static str, fn(&One) -> u64);
    let rows: [Row; 5] = [
        ("lock_slots", "How many may hold it", |one| one.slots),
        ("lock_holders", "How many hold it", |one| one.holders),
        ("lock_waiters", "How many wait for it", |one| one.waiters),
        ("lock_stale", "How many hold it and have not asked for long", |one| one.stale),
        ("lock_oldest_hold_seconds", "How long its oldest holder has it", |one| one.oldest),
    ];
    for (metric, help, value) in rows {
        let family = Family::<OfLock, Number>::default();
        for (name, one) in &sums.named {
            family.get_or_create(&OfLock { lock: name.to_string() }).set(value(one));
        }
        registry.register(metric, help, family);
    }
}
