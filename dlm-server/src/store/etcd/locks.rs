//! Questions to locks: read, decide, write if nothing changed, and again until it is written or the time is up.

use std::time::Duration;

use disco_dlm::model::{Lock, LockId, LockName, Requester, Time};
use disco_dlm::rules::{Answer, Operation};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use super::asking::{Damage, Moment, Read, Step, Target, keys_of, target};
use super::optimistic::{Outcome, Snapshot};
use super::record::{AgesRecord, LockRecord};
use super::wire::{Operation as Write, Transaction, TransactionSaid, Wanted};
use super::{Parts, chance};
use crate::search::{Filter, Order, compare, passes};
use crate::store::memory::page;
use crate::store::{Ask, Page, Paging, StoreError, Told, Which};

/// The pause after the first race that was lost; it doubles, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

/// The time of a request is up.
#[derive(Debug, Error)]
#[error("others changed it again and again")]
struct Late;

impl Parts {
    /// Decides a question.
    pub async fn ask_lock(&self, ask: &Ask) -> Result<Told, StoreError> {
        let until = self.deadline();
        // A look waits for nobody.
        let _turn = match ask.operation {
            Operation::Show => None,
            _ => Some(self.turn(&self.gate(&ask.which), until).await?),
        };
        let mut hint = self.hint(&ask.which);
        let mut keys = keys_of(&self.keys, ask, hint.as_ref());
        let mut snapshot = self.client.snapshot(&keys, until).await?;
        let mut pause = FIRST_PAUSE;
        loop {
            let name = match target(&self.keys, ask, &snapshot).map_err(|damage| self.damage(damage))? {
                Target::Named(name) => name,
                Target::Nothing => return Ok(self.nothing()),
                Target::Elsewhere(name) => {
                    // It moves as often as somebody gives it another name: that ends.
                    self.late(until)?;
                    hint = Some(name);
                    keys = keys_of(&self.keys, ask, hint.as_ref());
                    snapshot = self.client.snapshot(&keys, until).await?;
                    continue;
                }
            };
            let step = self.decide(ask, name, &snapshot).map_err(|damage| self.damage(damage))?;
            if step.writes.then.is_empty() {
                return Ok(step.told);
            }
            match self.client.write(step.writes, &keys, until).await? {
                Outcome::Written => {
                    if let Some(record) = &step.after {
                        self.observe(record);
                    }
                    self.changes.send_modify(|count| *count += 1);
                    return Ok(step.told);
                }
                Outcome::Changed(now) => snapshot = now,
            }
            self.late(until)?;
            sleep(chance::part(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What a question to the lock of this name comes to, by what was read.
    pub fn decide(&self, ask: &Ask, name: LockName, snapshot: &Snapshot) -> Result<Step, Damage> {
        let read = Read::new(&self.keys, ask, name, snapshot)?;
        let moment = Moment { now: self.clock.now(), nonce: chance::number() };
        let seen = read.before.as_ref().map(|record| self.by_clock(record, moment.now));
        Ok(read.decide(&self.keys, ask, seen, snapshot, moment))
    }

    /// Notes what was read or written.
    fn observe(&self, record: &LockRecord) {
        let at = self.clock.passed();
        self.ages().observe(record, at);
        self.names().insert(record.lock.id, record.lock.name.clone());
    }

    fn by_clock(&self, record: &LockRecord, now: Time) -> Lock {
        self.observe(record);
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
    pub async fn lapse(&self) -> Result<(), StoreError> {
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
                self.ask_lock(&ask).await?;
            }
        }
        Ok(())
    }

    /// Whether a sweep of this lock would change something: most do not, and need no request of their own.
    fn lapses(&self, ask: &Ask, record: &LockRecord) -> Result<bool, Damage> {
        let key = self.keys.lock(&record.lock.name);
        let snapshot = Snapshot::with(key, record);
        let step = self.decide(ask, record.lock.name.clone(), &snapshot)?;
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
