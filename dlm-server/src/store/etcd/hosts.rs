//! Hosts, their check-ins, and users.

use std::collections::BTreeMap;
use std::sync::Arc;

use disco_dlm::model::{HostName, Requester, Time, UserName};
use disco_dlm::rules::Operation as Asked;

use super::Parts;
use super::optimistic::{Outcome, Snapshot, Writes};
use super::record::Groups;
use super::wire::{Operation, Transaction, TransactionSaid};
use crate::access::{Host, HostChange, HostId, User};
use crate::store::memory::page;
use crate::store::{Ask, Page, Paging, StoreError, Which};

/// How many keys are read or written at once.
const SOME: usize = 100;

impl Parts {
    /// A host, if it is known.
    pub async fn find_host(&self, name: &HostName) -> Result<Option<Host>, StoreError> {
        let keys = [self.keys.host(name), self.keys.check_in(name)];
        let snapshot = self.client.snapshot(&keys, self.deadline()).await?;
        self.host_in(&snapshot, name)
    }

    /// The host of this number.
    pub async fn find_host_of(&self, id: HostId) -> Result<Option<Host>, StoreError> {
        let key = self.keys.host_id(id);
        let snapshot = self.client.snapshot(std::slice::from_ref(&key), self.deadline()).await?;
        let Some(name) = self.in_snapshot::<HostName>(&snapshot, &key)? else { return Ok(None) };
        // A name that belongs to another number by now: this one is gone, for numbers are given once.
        Ok(self.find_host(&name).await?.filter(|host| host.id == id))
    }

    /// The numbers of those that are known.
    pub async fn find_host_ids(&self, names: &[HostName]) -> Result<BTreeMap<HostName, HostId>, StoreError> {
        let until = self.deadline();
        let mut ids = BTreeMap::new();
        for some in names.chunks(SOME) {
            let keys: Vec<String> = some.iter().map(|name| self.keys.host(name)).collect();
            let snapshot = self.client.snapshot(&keys, until).await?;
            for key in &keys {
                if let Some(host) = self.in_snapshot::<Host>(&snapshot, key)? {
                    ids.insert(host.name, host.id);
                }
            }
        }
        Ok(ids)
    }

    /// All hosts, by name.
    pub async fn list_hosts(&self, paging: Paging) -> Result<Page<Host>, StoreError> {
        let until = self.deadline();
        let mut hosts: Vec<Host> = self.all("host", until).await?;
        // Keys sort otherwise than names do.
        hosts.sort_by(|a, b| a.name.cmp(&b.name));
        let mut page = page(hosts, paging);
        for some in page.items.chunks_mut(SOME) {
            let keys: Vec<String> = some.iter().map(|host| self.keys.check_in(&host.name)).collect();
            let snapshot = self.client.snapshot(&keys, until).await?;
            for (host, key) in some.iter_mut().zip(&keys) {
                host.last_checkin = self.checked_in(&host.name).max(self.in_snapshot(&snapshot, key)?);
            }
        }
        Ok(page)
    }

    /// Adds a host, or changes one.
    pub async fn change_host(&self, name: &HostName, change: &HostChange) -> Result<Host, StoreError> {
        let until = self.deadline();
        let (host_key, made, groups_key) = (self.keys.host(name), self.keys.last_host(), self.keys.groups());
        let keys = [host_key.clone(), made.clone(), groups_key.clone(), self.keys.check_in(name)];
        let _turn = self.turn(&groups_key, until).await?;
        let mut snapshot = self.client.snapshot(&keys, until).await?;
        loop {
            let known: Option<Host> = self.in_snapshot(&snapshot, &host_key)?;
            let last: u64 = self.in_snapshot(&snapshot, &made)?.unwrap_or(0);
            let mut groups: Groups = self.in_snapshot(&snapshot, &groups_key)?.unwrap_or_default();
            let mut writes = Writes { guards: vec![snapshot.guard(host_key.clone())], ..Writes::default() };
            let mut host = known.clone().unwrap_or_else(|| Host {
                id: HostId(last + 1),
                name: name.clone(),
                groups: std::collections::BTreeSet::new(),
                may_acquire: true,
                enrolled: self.clock.now(),
                last_checkin: None,
            });
            host.groups = change.groups.clone().unwrap_or(host.groups);
            host.may_acquire = change.may_acquire.unwrap_or(host.may_acquire);
            if known.as_ref() != Some(&host) {
                writes.then.push(Operation::put(host_key.clone(), &host));
            }
            if known.is_none() {
                writes.guards.push(snapshot.guard(made.clone()));
                writes.then.push(Operation::put(made.clone(), &host.id.0));
                writes.then.push(Operation::put(self.keys.host_id(host.id), name));
            }
            if known.as_ref().is_none_or(|known| known.groups != host.groups) {
                if let Some(known) = &known {
                    groups.take(&known.groups);
                }
                groups.add(&host.groups);
                writes.guards.push(snapshot.guard(groups_key.clone()));
                writes.then.push(Operation::put(groups_key.clone(), &groups));
            }
            host.last_checkin = self.checked_in(name).max(self.in_snapshot(&snapshot, &keys[3])?);
            if writes.then.is_empty() {
                return Ok(host);
            }
            match self.client.write(writes, &keys, until).await? {
                Outcome::Written(_) => return Ok(host),
                Outcome::Changed(now) => snapshot = now,
            }
            self.late(until)?;
        }
    }

    /// Removes a host; what it holds is released first.
    pub async fn drop_host(self: &Arc<Self>, name: &HostName, by: &Requester) -> Result<bool, StoreError> {
        self.release_all(name, by).await?;
        let until = self.deadline();
        let (host_key, groups_key) = (self.keys.host(name), self.keys.groups());
        let keys = [host_key.clone(), groups_key.clone()];
        let turn = self.turn(&groups_key, until).await?;
        let mut snapshot = self.client.snapshot(&keys, until).await?;
        let mut there = false;
        loop {
            // Once it was there it was removed by this request, if it is gone after one whose outcome was not known.
            let Some(host) = self.in_snapshot::<Host>(&snapshot, &host_key)? else { break };
            there = true;
            let mut groups: Groups = self.in_snapshot(&snapshot, &groups_key)?.unwrap_or_default();
            groups.take(&host.groups);
            let writes = Writes {
                guards: vec![snapshot.guard(host_key.clone()), snapshot.guard(groups_key.clone())],
                then: vec![
                    Operation::Delete(host_key.clone()),
                    Operation::Delete(self.keys.host_id(host.id)),
                    Operation::Delete(self.keys.check_in(name)),
                    Operation::put(groups_key.clone(), &groups),
                ],
                mark: None,
            };
            match self.client.write(writes, &keys, until).await? {
                Outcome::Written(_) => break,
                Outcome::Changed(now) => snapshot = now,
            }
            self.late(until)?;
        }
        drop(turn);
        self.check_ins().remove(name);
        // What was granted between the two: a grant decided before rests on the host being as it was, so there are no more.
        if there {
            self.release_all(name, by).await?;
        }
        Ok(there)
    }

    async fn release_all(self: &Arc<Self>, name: &HostName, by: &Requester) -> Result<(), StoreError> {
        let records = self.all_locks(self.deadline()).await?;
        let held = records.iter().filter(|record| record.lock.holder(name).is_some());
        for id in held.map(|record| record.lock.id) {
            let reason = String::from("host removed");
            let operation = Asked::ForceRelease { host: Some(name.clone()), reason };
            self.ask_lock(Ask { which: Which::Numbered(id), requester: by.clone(), operation }).await?;
        }
        Ok(())
    }

    /// Writes down the check-ins that are only here. Those that could not be written stay.
    pub async fn flush_check_ins(&self) -> Result<(), StoreError> {
        let taken: Vec<(HostName, Time)> = std::mem::take(&mut *self.check_ins()).into_iter().collect();
        for (at, some) in taken.chunks(SOME).enumerate() {
            let one = |(name, time): &(HostName, Time)| {
                // Of a host that is gone nothing is kept: it would be that of the next one of this name.
                let put = Operation::put(self.keys.check_in(name), time);
                Operation::Nested(Transaction {
                    guards: vec![(self.keys.host(name), 0)],
                    then: vec![],
                    or: vec![put],
                })
            };
            let transaction = Transaction { then: some.iter().map(one).collect(), ..Transaction::default() };
            let said: Result<TransactionSaid, _> =
                self.client.ask("/v3/kv/txn", &transaction.json(), self.deadline()).await;
            if let Err(error) = said {
                for (name, time) in &taken[at * SOME..] {
                    let mut check_ins = self.check_ins();
                    let known = check_ins.entry(name.clone()).or_insert(*time);
                    *known = (*known).max(*time);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn checked_in(&self, name: &HostName) -> Option<Time> {
        self.check_ins().get(name).copied()
    }

    fn host_in(&self, snapshot: &Snapshot, name: &HostName) -> Result<Option<Host>, StoreError> {
        let Some(mut host) = self.in_snapshot::<Host>(snapshot, &self.keys.host(name))? else {
            return Ok(None);
        };
        host.last_checkin = self.checked_in(name).max(self.in_snapshot(snapshot, &self.keys.check_in(name))?);
        Ok(Some(host))
    }

    /// A user, if there is one.
    pub async fn find_user(&self, login: &UserName) -> Result<Option<User>, StoreError> {
        let key = self.keys.user(login);
        let snapshot = self.client.snapshot(std::slice::from_ref(&key), self.deadline()).await?;
        self.in_snapshot(&snapshot, &key)
    }

    /// All users, by login.
    pub async fn list_users(&self) -> Result<Vec<User>, StoreError> {
        let mut users: Vec<User> = self.all("user", self.deadline()).await?;
        users.sort_by(|a, b| a.login.cmp(&b.login));
        Ok(users)
    }

    /// Adds a user, or replaces one.
    pub async fn save_user(&self, user: &User) -> Result<(), StoreError> {
        let value = Operation::put(self.keys.user(&user.login), user);
        self.change_user(&user.login, |_| Some(value.clone())).await.map(|_| ())
    }

    /// Removes a user.
    pub async fn drop_user(&self, login: &UserName) -> Result<bool, StoreError> {
        let key = self.keys.user(login);
        self.change_user(login, |there| there.then(|| Operation::Delete(key.clone()))).await
    }

    /// Writes what is to be written of a user, and says whether there was one. Guarded like all else: what is not, and is sent twice,
    /// may be done for the second time long after, over what others have written meanwhile.
    async fn change_user(
        &self,
        login: &UserName,
        write: impl Fn(bool) -> Option<Operation>,
    ) -> Result<bool, StoreError> {
        let until = self.deadline();
        let keys = [self.keys.user(login)];
        let mut snapshot = self.client.snapshot(&keys, until).await?;
        let mut was_there = false;
        loop {
            let there = snapshot.value(&keys[0]).is_some();
            was_there |= there;
            let Some(write) = write(there) else { return Ok(was_there) };
            let writes =
                Writes { guards: vec![snapshot.guard(keys[0].clone())], then: vec![write], mark: None };
            match self.client.write(writes, &keys, until).await? {
                Outcome::Written(_) => return Ok(was_there),
                Outcome::Changed(now) => snapshot = now,
            }
            self.late(until)?;
        }
    }
}
