//! Questions to locks: read, decide, write if nothing changed, and again until it is written or the time is up.

use std::sync::Arc;
use std::time::Duration;

use disco_dlm::model::{Lock, LockId, LockName, Requester, Time};
use disco_dlm::rules::{Answer, Operation};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout_at};

use super::asking::{Damage, Moment, Read, Step, Target, keys_of, parse, target};
use super::client::MemberError;
use super::optimistic::{Outcome, Snapshot};
use super::queue::tell_all;
use super::record::{AgesRecord, LockRecord};
use super::wire::{Operation as Write, Transaction, TransactionSaid, Wanted};
use super::{Parts, chance};
use crate::search::{Filter, Order, compare, passes};
use crate::store::memory::page;
use crate::store::{Ask, Page, Paging, StoreError, Told, Which};

/// How many races in a row are lost before there is a pause. Who lost was told what is there now, and the next one is fairer without: the
/// winner's next request has to read first. Only servers race, and one of them always wins.
const RACES: u32 = 4;
/// The longest pause.
const PAUSE: Duration = Duration::from_millis(16);

/// For how long more than the deadline the reason for it is waited for.
const GRACE: Duration = Duration::from_millis(250);

/// The time of a request is up.
#[derive(Debug, Error)]
#[error("others changed it again and again")]
struct Late;

/// Decides what is in a queue, until nothing is.
async fn decide_all(parts: Arc<Parts>, name: String) {
    let queue = Queue { parts: &parts, name: &name };
    while let Some(mut waiters) = parts.queues.take(&name) {
        while let Some(until) = waiters.iter().map(|waiter| waiter.until).max() {
            let asks: Vec<Ask> = waiters.iter().map(|waiter| waiter.ask.clone()).collect();
            match parts.decide_some(&asks, until).await {
                Ok(told) => {
                    for (waiter, told) in waiters.drain(..told.len()).zip(told) {
                        // Who does not wait any more needs no answer.
                        let _gone = waiter.answer.send(Ok(told));
                    }
                }
                Err(error) => tell_all(std::mem::take(&mut waiters), error),
            }
        }
    }
    std::mem::forget(queue);
}

/// The queue of a task; when that ends before its time nobody may wait for it.
struct Queue<'a> {
    parts: &'a Parts,
    name: &'a str,
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        self.parts.queues.forget(self.name);
    }
}

impl Parts {
    /// Decides a question.
    pub async fn ask_lock(self: &Arc<Self>, ask: Ask) -> Result<Told, StoreError> {
        let until = self.deadline();
        if ask.operation == Operation::Show {
            // A look waits for nobody.
            let told = self.decide_some(std::slice::from_ref(&ask), until).await?;
            return told.into_iter().next().ok_or_else(|| self.client.unavailable(MemberError::Queue));
        }
        let name = self.gate(&ask.which);
        let (answer, begins) = self.queues.add(&name, ask, until);
        if begins {
            tokio::spawn(decide_all(self.clone(), name));
        }
        // What decides has the same deadline, and knows better what was in the way.
        match timeout_at(until + GRACE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(self.client.unavailable(MemberError::Queue)),
        }
    }

    /// Decides questions to one lock, as many of the first ones as can be decided at once: one at least.
    pub async fn decide_some(&self, asks: &[Ask], until: Instant) -> Result<Vec<Told>, StoreError> {
        let Some(which) = asks.first().map(|ask| &ask.which) else { return Ok(vec![]) };
        let mut keys = keys_of(&self.keys, asks, self.hint(which).as_ref());
        let gate = self.gate(which);
        let looks = asks.iter().all(|ask| ask.operation == Operation::Show);
        let (mut snapshot, mut fresh) = match self.recent.take(&gate, &keys) {
            Some(snapshot) if !looks => (snapshot, false),
            Some(_) | None => (self.client.snapshot(&keys, until).await?, true),
        };
        let mut lost = 0;
        loop {
            let name = match target(&self.keys, which, &snapshot).map_err(|damage| self.damage(damage))? {
                Target::Named(name) => name,
                Target::Nothing if fresh => return Ok(vec![self.nothing()]),
                Target::Nothing => {
                    (snapshot, fresh) = (self.client.snapshot(&keys, until).await?, true);
                    continue;
                }
                Target::Elsewhere(name) => {
                    // It moves as often as somebody gives it another name: that ends.
                    self.late(until)?;
                    keys = keys_of(&self.keys, asks, Some(&name));
                    (snapshot, fresh) = (self.client.snapshot(&keys, until).await?, true);
                    continue;
                }
            };
            // What was written last was noted then. By now it may be old, and to note that again would take back what was seen since.
            if fresh {
                self.observe_in(&name, &snapshot).map_err(|damage| self.damage(damage))?;
            }
            let mut step = self.decide(asks, name, &snapshot).map_err(|damage| self.damage(damage))?;
            if step.writes.then.is_empty() {
                if fresh {
                    return Ok(step.told);
                }
                // Nothing would guard it: another server may have written since.
                (snapshot, fresh) = (self.client.snapshot(&keys, until).await?, true);
                continue;
            }
            if !fresh {
                // It is told with the answer, also where nothing rests on it.
                step.writes.guards.push(snapshot.guard(self.keys.groups()));
            }
            let written = step.writes.then.clone();
            match self.client.write(step.writes, &keys, until).await? {
                Outcome::Written(revision) => {
                    if let Some(revision) = revision {
                        self.recent.put(gate, snapshot.after(written, revision));
                    }
                    if let Some(record) = &step.after {
                        self.observe(record);
                    }
                    self.changes.send_modify(|count| *count += 1);
                    return Ok(step.told);
                }
                Outcome::Changed(now) => (snapshot, fresh) = (now, true),
            }
            self.late(until)?;
            lost += 1;
            if lost % RACES == 0 {
                sleep(chance::part(PAUSE)).await;
                snapshot = self.client.snapshot(&keys, until).await?;
            }
        }
    }

    /// What questions to the lock of this name come to, by what was read.
    pub fn decide(&self, asks: &[Ask], name: LockName, snapshot: &Snapshot) -> Result<Step, Damage> {
        let read = Read::new(&self.keys, asks, name, snapshot)?;
        let moment = Moment { now: self.clock.now(), nonce: chance::number() };
        let seen = read.before.as_ref().map(|record| self.by_clock(record, moment.now));
        Ok(read.decide(&self.keys, asks, seen, snapshot, moment))
    }

    /// Notes what was read or written.
    fn observe(&self, record: &LockRecord) {
        let at = self.clock.passed();
        self.ages().observe(record, at);
        self.names().insert(record.lock.id, record.lock.name.clone());
    }

    fn observe_in(&self, name: &LockName, snapshot: &Snapshot) -> Result<(), Damage> {
        let record: Option<LockRecord> = parse(snapshot, &self.keys.lock(name))?;
        record.iter().for_each(|record| self.observe(record));
        Ok(())
    }

    fn by_clock(&self, record: &LockRecord, now: Time) -> Lock {
        let at = self.clock.passed();
        self.ages().by_clock(record, now, at)
    }

    fn nothing(&self) -> Told {
        Told { answer: Answer::Missing, before: None, after: None, group: 0, at: self.clock.now() }
    }

    /// Where a lock that is asked for by its number was last.
    fn hint(&self, which: &Which) -> Option<LockName> {
        match which {
            Which::Named(_) => None,
            Which::Numbered(id) | Which::NumberedOrNamed(id, _) => self.names().get(id).cloned(),
        }
    }

    /// Where requests to a lock wait for each other; not all of them have to.
    fn gate(&self, which: &Which) -> String {
        let name = self.hint(which).or_else(|| which.name().cloned());
        name.map_or_else(String::new, |name| self.keys.lock(&name))
    }

    /// The locks that pass.
    pub async fn list_locks(
        &self,
        filter: &Filter,
        order: Order,
        paging: Paging,
    ) -> Result<Page<Lock>, StoreError> {
        let records = self.all_locks(self.deadline()).await?;
        let mut locks: Vec<Lock> =
            records.into_iter().map(|record| record.lock).filter(|lock| passes(filter, lock)).collect();
        locks.sort_by(|a, b| compare(order, a, b));
        Ok(page(locks, paging))
    }

    /// All locks, by number.
    pub async fn all_locks(&self, until: Instant) -> Result<Vec<LockRecord>, StoreError> {
        let mut records: Vec<LockRecord> = self.all("lock", until).await?;
        records.sort_by_key(|record| record.lock.id);
        for record in &records {
            self.observe(record);
        }
        Ok(records)
    }

    /// Lapses what has lapsed, and writes down for how long the holders of locks whose grants end have not renewed.
    pub async fn lapse(self: &Arc<Self>) -> Result<(), StoreError> {
        let until = self.deadline();
        let records = self.all_locks(until).await?;
        self.names().retain(|id, _| records.iter().any(|record| record.lock.id == *id));
        self.ages().keep(|id| records.iter().any(|record| record.lock.id == id));
        let orphans = self.learn(&records, until).await?;
        self.write_ages(&records, orphans, until).await?;
        for record in &records {
            let ask = Ask {
                which: Which::Numbered(record.lock.id),
                requester: Requester::Server,
                operation: Operation::Sweep,
            };
            if self.lapses(&ask, record).map_err(|damage| self.damage(damage))? {
                self.ask_lock(ask).await?;
            }
        }
        Ok(())
    }

    /// Whether a sweep of this lock would change something: most do not, and need no request of their own.
    fn lapses(&self, ask: &Ask, record: &LockRecord) -> Result<bool, Damage> {
        let key = self.keys.lock(&record.lock.name);
        let snapshot = Snapshot::with(key, record);
        let step = self.decide(std::slice::from_ref(ask), record.lock.name.clone(), &snapshot)?;
        Ok(!step.writes.then.is_empty())
    }

    /// Takes over what is written down; gives the locks that are gone and still have something there.
    async fn learn(&self, records: &[LockRecord], until: Instant) -> Result<Vec<LockId>, StoreError> {
        let said = self.client.range(&Wanted::all(self.keys.all("age")), until).await?;
        let at = self.clock.passed();
        let mut orphans = vec![];
        for entry in said.kvs {
            let id = self.keys.aged(&entry.key);
            let ages: AgesRecord = self.parse(&entry)?;
            match id.filter(|id| records.iter().any(|record| record.lock.id == *id)) {
                Some(id) => self.ages().learn(id, &ages, at),
                None => orphans.extend(id),
            }
        }
        Ok(orphans)
    }

    async fn write_ages(
        &self,
        records: &[LockRecord],
        orphans: Vec<LockId>,
        until: Instant,
    ) -> Result<(), StoreError> {
        let at = self.clock.passed();
        let ends = |record: &&LockRecord| {
            record.lock.policy.expires_after.is_some() && !record.lock.holders.is_empty()
        };
        let mut then: Vec<Write> = vec![];
        for record in records.iter().filter(ends) {
            then.push(Write::put(self.keys.age(record.lock.id), &self.ages().record(record.lock.id, at)));
        }
        then.extend(orphans.into_iter().map(|id| Write::Delete(self.keys.age(id))));
        if then.is_empty() {
            return Ok(());
        }
        let transaction = Transaction { then, ..Transaction::default() };
        let _said: TransactionSaid = self.client.ask("/v3/kv/txn", &transaction.json(), until).await?;
        Ok(())
    }

    /// An error when the time of a request is up.
    pub fn late(&self, until: Instant) -> Result<(), StoreError> {
        if Instant::now() < until { Ok(()) } else { Err(self.client.unavailable(Late)) }
    }
}
