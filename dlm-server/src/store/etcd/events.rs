//! The log. The number of an event is the revision at which it was written, and which one of its decision it is: so numbers grow in the
//! order in which things were decided, whichever server decided them, and who has read up to one misses none.

use disco_dlm::model::{LockId, Time};

use super::Parts;
use super::keys::Span;
use super::record::EventRecord;
use super::wire::{Entry, RangeSaid, Sort, Wanted};
use crate::store::memory::page;
use crate::store::{EventQuery, Logged, Page, Paging, StoreError};

/// How many bits of an event's number say which one of its decision it is. More events than that are larger than what etcd takes in
/// one transaction; and with 1000 decisions a second numbers stay below 2^53, which all readers of JSON can have, for 17 years.
const BITS: u32 = 14;

impl Parts {
    /// The events of one lock, or of all.
    pub async fn list_events(
        &self,
        of: Option<LockId>,
        query: EventQuery,
    ) -> Result<Page<Logged>, StoreError> {
        let span = of.map_or_else(|| self.keys.all("log"), |id| self.keys.log(id));
        match query {
            EventQuery::Newest(paging) => self.newest(span, paging).await,
            EventQuery::After(after, most) => self.after(span, after, most).await,
        }
    }

    async fn newest(&self, span: Span, paging: Paging) -> Result<Page<Logged>, StoreError> {
        let limit = paging.per_page.map_or(0, |per_page| paging.page.saturating_mul(per_page));
        if paging.per_page == Some(0) {
            let wanted = Wanted { limit: 1, keys_only: true, ..Wanted::all(span) };
            let total = self.client.range(&wanted, self.deadline()).await?.count;
            return Ok(Page { items: vec![], total });
        }
        let wanted = Wanted { sort: Sort::Newest, limit, ..Wanted::all(span) };
        let (said, mut events) = self.whole(wanted).await?;
        events.sort_by_key(|logged| std::cmp::Reverse(logged.id));
        // More than the limit may be here, and all that is wanted: only the number of them all comes from elsewhere.
        Ok(Page { total: said.count, ..page(events, paging) })
    }

    async fn after(&self, span: Span, after: u64, most: u64) -> Result<Page<Logged>, StoreError> {
        // Those of the same revision up to this one are read in vain.
        let in_vain = (after & ((1 << BITS) - 1)) + 1;
        let wanted = Wanted {
            sort: Sort::Oldest,
            limit: most.saturating_add(in_vain),
            made_from: after >> BITS,
            ..Wanted::all(span)
        };
        let (_said, mut events) = self.whole(wanted).await?;
        events.retain(|logged| logged.id > after);
        events.sort_by_key(|logged| logged.id);
        Ok(page(events, Paging { page: 1, per_page: Some(most) }))
    }

    /// What is wanted, up to the limit and on to the end of the last decision: those of one decision come in any order.
    async fn whole(&self, wanted: Wanted) -> Result<(RangeSaid, Vec<Logged>), StoreError> {
        let until = self.deadline();
        let mut said = self.client.range(&wanted, until).await?;
        let mut entries = std::mem::take(&mut said.kvs);
        if said.more
            && let Some(last) = entries.last().map(|entry| entry.create_revision)
        {
            entries.retain(|entry| entry.create_revision != last);
            let rest = Wanted { limit: 0, made_from: last, made_until: last, ..wanted };
            entries.extend(self.client.range(&rest, until).await?.kvs);
        }
        let events = entries.iter().map(|entry| self.logged(entry)).collect::<Result<_, _>>()?;
        Ok((said, events))
    }

    fn logged(&self, entry: &Entry) -> Result<Logged, StoreError> {
        let record: EventRecord = self.parse(entry)?;
        Ok(Logged {
            id: (entry.create_revision << BITS) + record.number,
            lock: record.name,
            event: record.event,
        })
    }

    /// Removes events of before a time, and says how many.
    pub async fn forget_events(&self, before: Time) -> Result<u64, StoreError> {
        let (mut gone, mut span) = (0, self.keys.all("log"));
        loop {
            // One request a lock that has events, whatever their number.
            let wanted = Wanted { limit: 1, keys_only: true, ..Wanted::all(span) };
            let said = self.client.range(&wanted, self.deadline()).await?;
            let Some(id) = said.kvs.first().and_then(|entry| self.keys.logged(&entry.key)) else {
                return Ok(gone);
            };
            gone += self.client.delete(&self.keys.log_before(id, before), self.deadline()).await?;
            span = self.keys.logs_after(id);
        }
    }
}
