//! Optimistic transactions: keys are read, all at one revision; what is to be written is decided; it is written if what was read is
//! still there. A transaction of unknown outcome is sent again as it is: it can be done once at most, because what it writes changes
//! what it guards, and by its mark it is known whether it was.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::client::Client;
use super::wire::{DeleteSaid, Entry, Operation, RangeSaid, Transaction, TransactionSaid, Wanted, delete};
use crate::store::StoreError;

/// Some keys as they were at one revision.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The revision.
    pub revision: u64,
    found: BTreeMap<String, Option<Entry>>,
}

impl Snapshot {
    /// Whether this key was looked for.
    pub fn has(&self, key: &str) -> bool {
        self.found.contains_key(key)
    }

    /// The value of a key, if there is one.
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        self.found.get(key)?.as_ref().map(|entry| entry.value.as_slice())
    }

    /// That a key is as it was seen.
    pub fn guard(&self, key: String) -> (String, u64) {
        let seen = self.found.get(&key).and_then(Option::as_ref).map_or(0, |entry| entry.mod_revision);
        (key, seen)
    }

    /// One key with this value, as it may be by now or not: to look what would come of it.
    pub fn with<T: serde::Serialize>(key: String, value: &T) -> Snapshot {
        let Operation::Put(key, value) = Operation::put(key, value) else { return Snapshot::default() };
        let entry = Entry { key: key.clone(), value, ..Entry::default() };
        Snapshot { revision: 0, found: BTreeMap::from([(key, Some(entry))]) }
    }

    /// The same keys after this was written at that revision.
    #[must_use]
    pub fn after(mut self, written: Vec<Operation>, revision: u64) -> Snapshot {
        for operation in written {
            let (key, entry) = match operation {
                Operation::Put(key, value) => {
                    (key.clone(), Some(Entry { key, value, mod_revision: revision, create_revision: 0 }))
                }
                Operation::Delete(key) => (key, None),
                Operation::Get(_) | Operation::Nested(_) => continue,
            };
            if let Some(found) = self.found.get_mut(&key) {
                *found = entry;
            }
        }
        Snapshot { revision, found: self.found }
    }

    fn of(keys: &[String], said: &TransactionSaid) -> Snapshot {
        let found = said.responses.iter().map(|one| one.response_range.kvs.first().cloned());
        Snapshot { revision: said.header.revision, found: keys.iter().cloned().zip(found).collect() }
    }
}

/// What is to be written.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    /// What must still be as it was seen.
    pub guards: Vec<(String, u64)>,
    /// What to write, in order.
    pub then: Vec<Operation>,
    /// A key that this transaction writes, and never another one: if it is there then this was done. Without a mark, to decide again
    /// must come to the same.
    pub mark: Option<String>,
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// It is written: at this revision, where that is known (of what was done by a try whose answer was lost it is not).
    Written(Option<u64>),
    /// Something was not as it was seen; this is how it is.
    Changed(Snapshot),
}

impl Client {
    /// These keys, all at one revision, which is not before any that an answer was given for.
    pub async fn snapshot(&self, keys: &[String], until: Instant) -> Result<Snapshot, StoreError> {
        let then = keys.iter().cloned().map(Operation::Get).collect();
        let transaction = Transaction { then, ..Transaction::default() };
        let said: TransactionSaid = self.ask("/v3/kv/txn", &transaction.json(), until).await?;
        Ok(Snapshot::of(keys, &said))
    }

    /// Writes, if all guards hold; else reads these keys.
    pub async fn write(
        &self,
        writes: Writes,
        keys: &[String],
        until: Instant,
    ) -> Result<Outcome, StoreError> {
        let mut or: Vec<Operation> = keys.iter().cloned().map(Operation::Get).collect();
        or.extend(writes.mark.clone().map(Operation::Get));
        let transaction = Transaction { guards: writes.guards, then: writes.then, or };
        let said: TransactionSaid = self.ask("/v3/kv/txn", &transaction.json(), until).await?;
        if said.succeeded {
            return Ok(Outcome::Written(Some(said.header.revision)));
        }
        let mark = said.responses.get(keys.len()).filter(|_| writes.mark.is_some());
        if mark.is_some_and(|mark| !mark.response_range.kvs.is_empty()) {
            return Ok(Outcome::Written(None));
        }
        Ok(Outcome::Changed(Snapshot::of(keys, &said)))
    }

    /// Keys of a span.
    pub async fn range(&self, wanted: &Wanted, until: Instant) -> Result<RangeSaid, StoreError> {
        self.ask("/v3/kv/range", &wanted.json(), until).await
    }

    /// Removes all keys of a span, and says how many there were.
    pub async fn delete(&self, span: &super::keys::Span, until: Instant) -> Result<u64, StoreError> {
        let said: DeleteSaid = self.ask("/v3/kv/deleterange", &delete(span), until).await?;
        Ok(said.deleted)
    }
}
