//! Questions to one lock, as far as they are pure: which keys have to be read, and what they and the rules come to. Several questions are
//! decided one after the other, each about what the one before has left, and written together.

use std::collections::{BTreeMap, BTreeSet};

use disco_dlm::model::{Event, HostName, Lock, LockId, LockName, Requester, Slots, Time, Token};
use disco_dlm::rules::{After, Answer, Decision, Facts, Operation as Asked, Request, decide};

use super::keys::Keys;
use super::optimistic::{Snapshot, Writes};
use super::record::{EventRecord, Groups, LockRecord};
use super::wire::Operation;
use crate::access::Host;
use crate::store::{Ask, Told, Which};

/// A value that makes no sense: of which key, and how.
#[derive(Debug)]
pub struct Damage {
    /// The key.
    pub key: String,
    /// How.
    pub source: serde_json::Error,
}

/// Which lock is meant, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The one of this name, or none of this name.
    Named(LockName),
    /// There is none, and none can be made.
    Nothing,
    /// The one of this name, which was not read.
    Elsewhere(LockName),
}

/// What has been read for some questions to one lock.
pub struct Read {
    /// The name of the lock.
    pub name: LockName,
    /// The lock, if there is one.
    pub before: Option<LockRecord>,
    groups: Groups,
    last: u64,
    forbidden: BTreeSet<HostName>,
    name_taken: bool,
    revision: u64,
}

/// When something is decided.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The time of day.
    pub now: Time,
    /// A number of this transaction alone.
    pub nonce: u64,
}

/// What came of it, once it is written.
pub struct Step {
    /// What to tell, of as many questions as were decided: one at least.
    pub told: Vec<Told>,
    /// What to write first; nothing where nothing happened.
    pub writes: Writes,
    /// The lock as it is then, if it was written.
    pub after: Option<LockRecord>,
}

/// The keys to read for questions to one lock; `hint` is where one that is asked for by its number was last.
pub fn keys_of(keys: &Keys, asks: &[Ask], hint: Option<&LockName>) -> Vec<String> {
    let mut all = vec![keys.last_lock(), keys.groups()];
    all.extend(hint.map(|name| keys.lock(name)));
    for ask in asks {
        all.extend(number(&ask.which).map(|id| keys.lock_id(id)));
        all.extend(ask.which.name().into_iter().chain(new_name(ask)).map(|name| keys.lock(name)));
        all.extend(host(ask).map(|host| keys.host(host)));
    }
    all.sort();
    all.dedup();
    all
}

/// The lock that is meant.
pub fn target(keys: &Keys, which: &Which, snapshot: &Snapshot) -> Result<Target, Damage> {
    if let Some(id) = number(which)
        && let Some(name) = parse::<LockName>(snapshot, &keys.lock_id(id))?
    {
        let read = snapshot.has(&keys.lock(&name));
        return Ok(if read { Target::Named(name) } else { Target::Elsewhere(name) });
    }
    Ok(which.name().cloned().map_or(Target::Nothing, Target::Named))
}

impl Read {
    /// What a snapshot says of the lock of this name, for these questions. Only one that is alone may want another name.
    pub fn new(keys: &Keys, asks: &[Ask], name: LockName, snapshot: &Snapshot) -> Result<Read, Damage> {
        let mut forbidden = BTreeSet::new();
        for asking in asks.iter().filter_map(host) {
            if parse::<Host>(snapshot, &keys.host(asking))?.is_some_and(|host| !host.may_acquire) {
                forbidden.insert(asking.clone());
            }
        }
        let taken = |new: &LockName| *new != name && snapshot.value(&keys.lock(new)).is_some();
        Ok(Read {
            before: parse(snapshot, &keys.lock(&name))?,
            groups: parse(snapshot, &keys.groups())?.unwrap_or_default(),
            last: parse(snapshot, &keys.last_lock())?.unwrap_or(0),
            forbidden,
            name_taken: asks.iter().filter_map(new_name).any(taken),
            revision: snapshot.revision,
            name,
        })
    }

    /// Asks the rules, one question after the other, up to the first that is granted a token: the next one needs a larger one, and one larger
    /// than the revision is not to be had (ARCHITECTURE.md). `seen` is the lock, with its times by the clock of which `moment` is.
    pub fn decide(
        &self,
        keys: &Keys,
        asks: &[Ask],
        mut seen: Option<Lock>,
        snapshot: &Snapshot,
        moment: Moment,
    ) -> Step {
        let (mut kept, mut told, mut events, mut removed) = (self.before.clone(), vec![], vec![], false);
        for ask in asks {
            let decision = self.decide_one(ask, seen.as_ref(), moment);
            let renewed = match (&decision.answer, &ask.requester) {
                (Answer::Granted { .. }, Requester::Host(host)) => Some(host),
                _ => None,
            };
            let now_seen = decision.lock(seen.as_ref()).cloned();
            let now_kept =
                now_seen.as_ref().map(|lock| self.record(lock, kept.as_ref(), seen.as_ref(), renewed));
            let lock = |record: &Option<LockRecord>| record.as_ref().map(|record| record.lock.clone());
            let token = |record: &Option<LockRecord>| {
                record.as_ref().map_or(Token(0), |record| record.lock.last_token)
            };
            let granted = token(&now_kept) > token(&kept);
            told.push(Told {
                answer: decision.answer,
                before: lock(&kept),
                after: lock(&now_kept),
                group: self.groups.of(&self.name),
                at: moment.now,
            });
            events.extend(decision.events);
            removed = decision.after == After::Removed;
            (kept, seen) = (now_kept, now_seen);
            if granted || removed {
                break;
            }
        }
        let after = kept.filter(|after| self.before.as_ref() != Some(after));
        let mut writes = self.writes(keys, after.as_ref(), removed, &events, moment);
        if !writes.then.is_empty() {
            writes.guards = self.guards(keys, &asks[..told.len()], snapshot);
        }
        Step { told, writes, after }
    }

    fn decide_one(&self, ask: &Ask, seen: Option<&Lock>, moment: Moment) -> Decision {
        let facts = Facts {
            now: moment.now,
            group: self.groups.of(&self.name),
            next_id: LockId(self.last + 1),
            // Larger than any token of this name before, and the next one is larger than this: see ARCHITECTURE.md.
            next_token: Token(self.revision + 1),
            name_taken: self.name_taken,
            may_acquire: host(ask).is_none_or(|host| !self.forbidden.contains(host)),
        };
        let (requester, operation) = (ask.requester.clone(), ask.operation.clone());
        decide(seen, &Request { requester, name: self.name.clone(), operation }, &facts)
    }

    /// The lock as it is kept: with the times that were there before for who did not renew, and new stamps for who did.
    fn record(
        &self,
        lock: &Lock,
        kept: Option<&LockRecord>,
        seen: Option<&Lock>,
        renewed: Option<&HostName>,
    ) -> LockRecord {
        let mut record = LockRecord { lock: lock.clone(), stamps: BTreeMap::new() };
        for holder in &mut record.lock.holders {
            let of = |lock: &'_ Lock| {
                lock.holder(&holder.host).filter(|known| known.token == holder.token).cloned()
            };
            let stamp = match (kept.and_then(|kept| of(&kept.lock)), seen.and_then(of)) {
                (Some(kept_holder), Some(shown))
                    if renewed != Some(&holder.host) && shown.renewed == holder.renewed =>
                {
                    holder.renewed = kept_holder.renewed;
                    let stamps = kept.map(|kept| &kept.stamps);
                    stamps.and_then(|stamps| stamps.get(&holder.host)).copied().unwrap_or(0)
                }
                // The next renewal is decided on at a later revision, for this one is written at a later one.
                _ => self.revision,
            };
            record.stamps.insert(holder.host.clone(), stamp);
        }
        record
    }

    fn writes(
        &self,
        keys: &Keys,
        written: Option<&LockRecord>,
        removed: bool,
        events: &[Event],
        moment: Moment,
    ) -> Writes {
        let mut writes = Writes::default();
        if let Some(record) = written {
            let lock = &record.lock;
            writes.then.push(Operation::put(keys.lock(&lock.name), record));
            if self.before.as_ref().is_none_or(|before| before.lock.name != lock.name) {
                writes.then.push(Operation::put(keys.lock_id(lock.id), &lock.name));
                // Also for another name of an old lock: no name comes into being without this key being written, so that who found
                // none of a name and guards this key cannot have missed one that came and went.
                writes.then.push(Operation::put(keys.last_lock(), &self.last.max(lock.id.0)));
            }
        }
        if let Some(before) = &self.before {
            let renamed = written.is_some_and(|record| record.lock.name != before.lock.name);
            if renamed || removed {
                writes.then.push(Operation::Delete(keys.lock(&before.lock.name)));
            }
            if removed {
                writes.then.push(Operation::Delete(keys.lock_id(before.lock.id)));
                writes.then.push(Operation::Delete(keys.age(before.lock.id)));
            }
        }
        for (number, event) in events.iter().enumerate() {
            let key = keys.event(event.lock, moment.now, number, moment.nonce);
            let record = EventRecord { name: self.name.clone(), number: number as u64, event: event.clone() };
            writes.then.push(Operation::put(key.clone(), &record));
            writes.mark.get_or_insert(key);
        }
        writes
    }

    /// All that was read and mattered.
    fn guards(&self, keys: &Keys, asks: &[Ask], snapshot: &Snapshot) -> Vec<(String, u64)> {
        let mut guarded = BTreeSet::from([keys.lock(&self.name)]);
        for ask in asks {
            guarded.extend(number(&ask.which).map(|id| keys.lock_id(id)));
            guarded.extend(new_name(ask).map(|new| keys.lock(new)));
            if self.before.is_none() || new_name(ask).is_some() {
                guarded.insert(keys.last_lock());
            }
            if matches!(ask.operation, Asked::Acquire { .. }) {
                guarded.extend(host(ask).map(|host| keys.host(host)));
            }
        }
        let slots = self.before.as_ref().map(|before| before.lock.policy.slots);
        if matches!(slots, Some(Slots::Percent(_))) {
            guarded.insert(keys.groups());
        }
        guarded.into_iter().map(|key| snapshot.guard(key)).collect()
    }
}

fn number(which: &Which) -> Option<LockId> {
    match which {
        Which::Named(_) => None,
        Which::Numbered(id) | Which::NumberedOrNamed(id, _) => Some(*id),
    }
}

fn new_name(ask: &Ask) -> Option<&LockName> {
    match &ask.operation {
        Asked::Update { name, .. } => name.as_ref(),
        _ => None,
    }
}

fn host(ask: &Ask) -> Option<&HostName> {
    match &ask.requester {
        Requester::Host(host) => Some(host),
        Requester::User(_) | Requester::Server => None,
    }
}

/// The value of a key, if there is one.
pub fn parse<T: serde::de::DeserializeOwned>(snapshot: &Snapshot, key: &str) -> Result<Option<T>, Damage> {
    let Some(value) = snapshot.value(key) else { return Ok(None) };
    serde_json::from_slice(value).map(Some).map_err(|source| Damage { key: key.to_owned(), source })
}
