//! One question to one lock, as far as it is pure: which keys have to be read, and what they and the rules come to.

use std::collections::BTreeMap;

use disco_dlm::model::{HostName, Lock, LockId, LockName, Requester, Slots, Time, Token};
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

/// What has been read for a question.
pub struct Read {
    /// The name of the lock.
    pub name: LockName,
    /// The lock, if there is one.
    pub before: Option<LockRecord>,
    groups: Groups,
    last: u64,
    may_acquire: bool,
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
    /// What to tell.
    pub told: Told,
    /// What to write first; nothing where nothing happened.
    pub writes: Writes,
    /// The lock as it is then, if it was written.
    pub after: Option<LockRecord>,
}

/// The keys to read for a question; `hint` is where a lock that is asked for by its number was last.
pub fn keys_of(keys: &Keys, ask: &Ask, hint: Option<&LockName>) -> Vec<String> {
    let mut all = vec![keys.last_lock(), keys.groups()];
    all.extend(number(&ask.which).map(|id| keys.lock_id(id)));
    all.extend(ask.which.name().into_iter().chain(hint).chain(new_name(ask)).map(|name| keys.lock(name)));
    all.extend(host(ask).map(|host| keys.host(host)));
    all.sort();
    all.dedup();
    all
}

/// The lock that is meant.
pub fn target(keys: &Keys, ask: &Ask, snapshot: &Snapshot) -> Result<Target, Damage> {
    if let Some(id) = number(&ask.which)
        && let Some(name) = parse::<LockName>(snapshot, &keys.lock_id(id))?
    {
        let read = snapshot.has(&keys.lock(&name));
        return Ok(if read { Target::Named(name) } else { Target::Elsewhere(name) });
    }
    Ok(ask.which.name().cloned().map_or(Target::Nothing, Target::Named))
}

impl Read {
    /// What a snapshot says of the lock of this name, for this question.
    pub fn new(keys: &Keys, ask: &Ask, name: LockName, snapshot: &Snapshot) -> Result<Read, Damage> {
        let may_acquire = match host(ask) {
            Some(name) => parse::<Host>(snapshot, &keys.host(name))?.is_none_or(|host| host.may_acquire),
            None => true,
        };
        let taken = |new: &LockName| *new != name && snapshot.value(&keys.lock(new)).is_some();
        Ok(Read {
            before: parse(snapshot, &keys.lock(&name))?,
            groups: parse(snapshot, &keys.groups())?.unwrap_or_default(),
            last: parse(snapshot, &keys.last_lock())?.unwrap_or(0),
            may_acquire,
            name_taken: new_name(ask).is_some_and(taken),
            revision: snapshot.revision,
            name,
        })
    }

    /// Asks the rules. `seen` is the lock, with its times by the clock of which `moment` is.
    pub fn decide(
        &self,
        keys: &Keys,
        ask: &Ask,
        seen: Option<Lock>,
        snapshot: &Snapshot,
        moment: Moment,
    ) -> Step {
        let group = self.groups.of(&self.name);
        let facts = Facts {
            now: moment.now,
            group,
            next_id: LockId(self.last + 1),
            // Larger than any token of this name before, and the next one is larger than this: see ARCHITECTURE.md.
            next_token: Token(self.revision + 1),
            name_taken: self.name_taken,
            may_acquire: self.may_acquire,
        };
        let (requester, operation) = (ask.requester.clone(), ask.operation.clone());
        let request = Request { requester, name: self.name.clone(), operation };
        let decision = decide(seen.as_ref(), &request, &facts);
        let renewed = match (&decision.answer, &ask.requester) {
            (Answer::Granted { .. }, Requester::Host(host)) => Some(host),
            _ => None,
        };
        let after = decision.lock(seen.as_ref()).map(|lock| self.record(lock, seen.as_ref(), renewed));
        let told = Told {
            answer: decision.answer.clone(),
            before: self.before.as_ref().map(|record| record.lock.clone()),
            after: after.as_ref().map(|record| record.lock.clone()),
            group,
            at: moment.now,
        };
        let written = after.filter(|after| self.before.as_ref() != Some(after));
        let writes = self.writes(keys, ask, &decision, written.as_ref(), snapshot, moment);
        Step { told, writes, after: written }
    }

    /// The lock as it is kept: with the times that were there before for who did not renew, and new stamps for who did.
    fn record(&self, lock: &Lock, seen: Option<&Lock>, renewed: Option<&HostName>) -> LockRecord {
        let mut record = LockRecord { lock: lock.clone(), stamps: BTreeMap::new() };
        for holder in &mut record.lock.holders {
            let of = |lock: &'_ Lock| {
                lock.holder(&holder.host).filter(|known| known.token == holder.token).cloned()
            };
            let (kept, shown) = (self.before.as_ref().and_then(|kept| of(&kept.lock)), seen.and_then(of));
            let stamp = match (kept, shown) {
                (Some(kept), Some(shown))
                    if renewed != Some(&holder.host) && shown.renewed == holder.renewed =>
                {
                    holder.renewed = kept.renewed;
                    let stamps = self.before.as_ref().map(|before| &before.stamps);
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
        ask: &Ask,
        decision: &Decision,
        written: Option<&LockRecord>,
        snapshot: &Snapshot,
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
            let removed = decision.after == After::Removed;
            if renamed || removed {
                writes.then.push(Operation::Delete(keys.lock(&before.lock.name)));
            }
            if removed {
                writes.then.push(Operation::Delete(keys.lock_id(before.lock.id)));
                writes.then.push(Operation::Delete(keys.age(before.lock.id)));
            }
        }
        for (number, event) in decision.events.iter().enumerate() {
            let key = keys.event(event.lock, moment.now, number, moment.nonce);
            let record = EventRecord { name: self.name.clone(), number: number as u64, event: event.clone() };
            writes.then.push(Operation::put(key.clone(), &record));
            writes.mark.get_or_insert(key);
        }
        if !writes.then.is_empty() {
            writes.guards = self.guards(keys, ask, snapshot);
        }
        writes
    }

    /// All that was read and mattered.
    fn guards(&self, keys: &Keys, ask: &Ask, snapshot: &Snapshot) -> Vec<(String, u64)> {
        let mut guarded = vec![keys.lock(&self.name)];
        guarded.extend(number(&ask.which).map(|id| keys.lock_id(id)));
        guarded.extend(new_name(ask).filter(|new| **new != self.name).map(|new| keys.lock(new)));
        if self.before.is_none() || new_name(ask).is_some() {
            guarded.push(keys.last_lock());
        }
        if matches!(ask.operation, Asked::Acquire { .. }) {
            guarded.extend(host(ask).map(|host| keys.host(host)));
        }
        let slots = self.before.as_ref().map(|before| before.lock.policy.slots);
        if matches!(slots, Some(Slots::Percent(_))) {
            guarded.push(keys.groups());
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
