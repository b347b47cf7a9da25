//! For how long holders have not renewed, without any clock that can be put forward or back: a server notes when it first saw a renewal,
//! by the time that passes in it. What it then says is a lower bound, whatever its time of day is, and whatever another server's is;
//! so a grant never ends early. A server that is new takes over what others have written down, which is a lower bound as well.
//!
//! For a decision the times of a lock are put so that the rules, which compare them with the time of day, come to just that.

use std::collections::BTreeMap;
use std::time::Duration;

use disco_dlm::model::{Holder, HostName, Lock, LockId, Time};

use super::record::{AgesRecord, LockRecord};

/// What one server knows of it.
#[derive(Debug, Default)]
pub struct Ages {
    seen: BTreeMap<LockId, BTreeMap<HostName, Seen>>,
}

/// A renewal.
#[derive(Debug, Clone, Copy)]
struct Seen {
    stamp: u64,
    /// When it was seen first, by the time that passes here.
    at: Duration,
    /// How old it was then, at least.
    before: Duration,
}

impl Ages {
    /// Notes the renewals of a lock that was read, or written, before `at`.
    pub fn observe(&mut self, record: &LockRecord, at: Duration) {
        if record.lock.holders.is_empty() {
            self.seen.remove(&record.lock.id);
            return;
        }
        let seen = self.seen.entry(record.lock.id).or_default();
        seen.retain(|host, _| record.lock.holder(host).is_some());
        for holder in &record.lock.holders {
            let stamp = record.stamps.get(&holder.host).copied().unwrap_or(0);
            let new = Seen { stamp, at, before: Duration::ZERO };
            let known = seen.entry(holder.host.clone()).or_insert(new);
            // An older one is what a slower request had read.
            if known.stamp < stamp {
                *known = new;
            }
        }
    }

    /// Takes over what was written down about a lock that was observed, and read before `at`.
    pub fn learn(&mut self, id: LockId, ages: &AgesRecord, at: Duration) {
        let Some(seen) = self.seen.get_mut(&id) else { return };
        for (host, (stamp, milliseconds)) in ages {
            let age = Duration::from_millis(*milliseconds);
            if let Some(known) = seen.get_mut(host)
                && known.stamp == *stamp
                && known.age(at) < age
            {
                *known = Seen { stamp: *stamp, at, before: age };
            }
        }
    }

    /// What of a lock is worth writing down.
    pub fn record(&self, id: LockId, at: Duration) -> AgesRecord {
        let milliseconds = |seen: &Seen| u64::try_from(seen.age(at).as_millis()).unwrap_or(u64::MAX);
        let seen = self.seen.get(&id).into_iter().flatten();
        seen.map(|(host, seen)| (host.clone(), (seen.stamp, milliseconds(seen)))).collect()
    }

    /// Forgets all locks but these.
    pub fn keep(&mut self, locks: impl Fn(LockId) -> bool) {
        self.seen.retain(|id, _| locks(*id));
    }

    /// The lock with the times of its renewals as they are by the clock of a server at which it is now `now`.
    pub fn by_clock(&self, record: &LockRecord, now: Time, at: Duration) -> Lock {
        let mut lock = record.lock.clone();
        for holder in &mut lock.holders {
            holder.renewed = before(now, self.age(record, holder, at));
        }
        lock
    }

    fn age(&self, record: &LockRecord, holder: &Holder, at: Duration) -> Duration {
        let stamp = record.stamps.get(&holder.host).copied().unwrap_or(0);
        let seen = self.seen.get(&record.lock.id).and_then(|seen| seen.get(&holder.host));
        seen.filter(|seen| seen.stamp == stamp).map_or(Duration::ZERO, |seen| seen.age(at))
    }
}

impl Seen {
    fn age(&self, at: Duration) -> Duration {
        self.before.saturating_add(at.saturating_sub(self.at))
    }
}

/// The time that was so long before.
fn before(now: Time, age: Duration) -> Time {
    let whole = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
    let seconds = now.seconds().saturating_sub(whole);
    match now.nanoseconds().checked_sub(age.subsec_nanos()) {
        Some(nanoseconds) => Time::new(seconds, nanoseconds),
        None => Time::new(seconds.saturating_sub(1), now.nanoseconds() + 1_000_000_000 - age.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use disco_dlm::model::{Kind, LockName, Token};
    use proptest::prelude::*;

    use super::*;

    fn held(stamps: &[(&str, u64)]) -> LockRecord {
        let mut lock = Lock::new(LockId(1), LockName::new("web").unwrap(), Kind::Update, Time::new(0, 0));
        let host = |name: &str| HostName::new(name).unwrap();
        lock.holders = stamps
            .iter()
            .map(|(name, _)| Holder {
                host: host(name),
                since: Time::new(0, 0),
                renewed: Time::new(0, 0),
                token: Token(1),
                note: String::new(),
            })
            .collect();
        LockRecord { lock, stamps: stamps.iter().map(|(name, stamp)| (host(name), *stamp)).collect() }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The age of a holder at a moment, as the rules would see it.
    fn age(ages: &Ages, record: &LockRecord, host: &str, at: u64) -> u64 {
        let now = Time::new(1_000_000, 0);
        let lock = ages.by_clock(record, now, seconds(at));
        now.since(lock.holder(&HostName::new(host).unwrap()).unwrap().renewed).0
    }

    #[test]
    fn a_renewal_is_as_old_as_it_has_been_seen() {
        let mut ages = Ages::default();
        let (first, second) = (held(&[("a", 5), ("b", 6)]), held(&[("a", 9), ("b", 6)]));
        assert_eq!(age(&ages, &first, "a", 100), 0, "nobody has seen it");
        ages.observe(&first, seconds(100));
        assert_eq!(age(&ages, &first, "a", 130), 30);
        ages.observe(&second, seconds(140));
        assert_eq!((age(&ages, &second, "a", 150), age(&ages, &second, "b", 150)), (10, 50));
        // A slow request comes with what was before: it changes nothing.
        ages.observe(&first, seconds(160));
        assert_eq!(age(&ages, &second, "a", 170), 30);
        // Who left and came back is new.
        ages.observe(&held(&[("b", 6)]), seconds(200));
        ages.observe(&held(&[("a", 12), ("b", 6)]), seconds(201));
        assert_eq!(age(&ages, &held(&[("a", 12)]), "a", 211), 10);
    }

    #[test]
    fn what_others_wrote_down_counts_for_that_renewal_alone() {
        let record = held(&[("a", 5), ("b", 6)]);
        let mut old = Ages::default();
        old.observe(&record, seconds(0));
        let written = old.record(LockId(1), seconds(3000));
        let mut new = Ages::default();
        let later = held(&[("a", 5), ("b", 7)]);
        new.observe(&later, seconds(7));
        new.learn(LockId(1), &written, seconds(8));
        assert_eq!((age(&new, &later, "a", 10), age(&new, &later, "b", 10)), (3002, 3));
        new.learn(LockId(1), &BTreeMap::new(), seconds(9));
        new.learn(LockId(2), &written, seconds(9));
        assert_eq!(age(&new, &later, "a", 10), 3002);
        new.keep(|id| id != LockId(1));
        assert_eq!(age(&new, &later, "a", 10), 0);
    }

    proptest! {
        #[test]
        fn before_is_exact(now in (-5i64..5, 0u32..1_000_000_000), age in (0u64..5, 0u32..1_000_000_000)) {
            let age = Duration::new(age.0, age.1);
            let nanoseconds = |time: Time| i128::from(time.seconds()) * 1_000_000_000 + i128::from(time.nanoseconds());
            let now = Time::new(now.0, now.1);
            prop_assert_eq!(nanoseconds(before(now, age)), nanoseconds(now) - i128::try_from(age.as_nanos()).unwrap());
        }
    }
}
