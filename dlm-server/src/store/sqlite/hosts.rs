//! Hosts: read, added, changed, removed, and when they asked for anything last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use disco_dlm::model::{HostName, LockId, Requester, Time};
use disco_dlm::rules::Operation;
use rusqlite::{Connection, OptionalExtension, Row};

use super::rows::{counted, from_json, from_word, number, positive, time};
use super::trouble::Done;
use super::work::Work;
use crate::access::{Host, HostChange, HostId};
use crate::store::{Ask, Which};

/// What check-ins are not written yet.
#[derive(Default)]
pub struct Seen(Mutex<BTreeMap<HostName, Time>>);

impl Seen {
    fn all(&self) -> MutexGuard<'_, BTreeMap<HostName, Time>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes one.
    pub fn note(&self, host: &HostName, at: Time) {
        self.all().insert(host.clone(), at);
    }

    /// Forgets those of a host.
    pub fn forget(&self, host: &HostName) {
        self.all().remove(host);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    /// Those that there are, which stay until they are [`Seen::written`].
    pub fn some(&self) -> BTreeMap<HostName, Time> {
        self.all().clone()
    }

    /// Forgets those that are written, unless the host came again meanwhile.
    pub fn written(&self, those: &BTreeMap<HostName, Time>) {
        self.all().retain(|host, at| those.get(host) != Some(at));
    }

    /// The host with its last check-in, written or not.
    pub fn shown(&self, mut host: Host) -> Host {
        host.last_checkin = host.last_checkin.max(self.all().get(&host.name).copied());
        host
    }
}

/// The columns of a host, in the order of [`HostRow::read`]; its groups are an array in JSON.
const HOST: &str = "SELECT id, name, may_acquire, enrolled_seconds, enrolled_nanoseconds, checkin_seconds, \
                    checkin_nanoseconds, (SELECT json_group_array(name) FROM host_group WHERE host = host.id) FROM host";

struct HostRow {
    id: i64,
    name: String,
    may_acquire: bool,
    enrolled: Time,
    last_checkin: Option<Time>,
    groups: String,
}

impl HostRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<HostRow> {
        let seconds: Option<i64> = row.get(5)?;
        let last_checkin = seconds.map(|_| time(row, 5)).transpose()?;
        Ok(HostRow {
            id: row.get(0)?,
            name: row.get(1)?,
            may_acquire: row.get(2)?,
            enrolled: time(row, 3)?,
            last_checkin,
            groups: row.get(7)?,
        })
    }

    fn meant(self) -> Done<Host> {
        let id = self.id;
        let what = || format!("host {id}");
        let groups: BTreeSet<String> = from_json(what, &self.groups)?;
        let name: HostName = from_word(what, self.name)?;
        Ok(Host {
            id: HostId(positive(id)),
            name,
            groups,
            may_acquire: self.may_acquire,
            enrolled: self.enrolled,
            last_checkin: self.last_checkin,
        })
    }
}

/// The host of this name.
pub fn named(connection: &Connection, name: &HostName) -> Done<Option<Host>> {
    let sql = format!("{HOST} WHERE name = ?1");
    let found = connection.prepare_cached(&sql)?.query_row([name.as_str()], HostRow::read).optional()?;
    found.map(HostRow::meant).transpose()
}

/// The host of this number.
pub fn numbered(connection: &Connection, id: HostId) -> Done<Option<Host>> {
    let Some(id) = number(id.0) else { return Ok(None) };
    let found = connection.prepare_cached(&format!("{HOST} WHERE id = ?1"))?.query_row([id], HostRow::read);
    found.optional()?.map(HostRow::meant).transpose()
}

/// The numbers of those that are known.
pub fn ids(connection: &Connection, names: &[HostName]) -> Done<BTreeMap<HostName, HostId>> {
    let mut statement = connection.prepare_cached("SELECT id FROM host WHERE name = ?1")?;
    let mut known = BTreeMap::new();
    for name in names {
        if let Some(id) = statement.query_row([name.as_str()], |row| row.get(0)).optional()? {
            known.insert(name.clone(), HostId(positive(id)));
        }
    }
    Ok(known)
}

/// A page of them, by name, and how many there are.
pub fn page(connection: &Connection, most: i64, skip: i64) -> Done<(Vec<Host>, u64)> {
    let total = connection.prepare_cached("SELECT count(*) FROM host")?.query_row([], |row| row.get(0))?;
    let sql = format!("{HOST} ORDER BY name LIMIT ?1 OFFSET ?2");
    let rows: Vec<HostRow> =
        connection.prepare_cached(&sql)?.query_map([most, skip], HostRow::read)?.collect::<Result<_, _>>()?;
    Ok((rows.into_iter().map(HostRow::meant).collect::<Done<_>>()?, positive(total)))
}

impl Work<'_> {
    /// Adds a host, or changes it.
    pub fn put_host(&mut self, name: &HostName, change: &HostChange, seen: &Seen) -> Done<Host> {
        let known = named(self.connection, name)?;
        let id = match &known {
            Some(host) => counted(host.id.0)?,
            None => {
                // What it asked for while nobody knew it is not told.
                seen.forget(name);
                self.state.host = self.state.host.saturating_add(1);
                let id = counted(self.state.host)?;
                let sql = "INSERT INTO host VALUES (?1, ?2, 1, ?3, ?4, NULL, NULL)";
                let at = (self.now.seconds(), self.now.nanoseconds());
                self.connection.prepare_cached(sql)?.execute((id, name.as_str(), at.0, at.1))?;
                id
            }
        };
        if let Some(may_acquire) = change.may_acquire {
            let sql = "UPDATE host SET may_acquire = ?2 WHERE id = ?1";
            self.connection.prepare_cached(sql)?.execute((id, may_acquire))?;
        }
        if let Some(groups) = &change.groups {
            self.connection.prepare_cached("DELETE FROM host_group WHERE host = ?1")?.execute([id])?;
            let mut insert = self.connection.prepare_cached("INSERT INTO host_group VALUES (?1, ?2)")?;
            for group in groups {
                insert.execute((group, id))?;
            }
        }
        self.wrote();
        let host = named(self.connection, name)?;
        host.ok_or_else(|| {
            super::trouble::Trouble::row(format!("host {id}"), "it is gone while it is changed")
        })
    }

    /// Releases the slots of a host, and removes it and its events.
    pub fn remove_host(&mut self, name: &HostName, by: &Requester, seen: &Seen) -> Done<bool> {
        let sql = "SELECT lock FROM holder WHERE host = ?1 ORDER BY lock";
        let locks: Vec<i64> = self
            .connection
            .prepare_cached(sql)?
            .query_map([name.as_str()], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for lock in locks {
            let operation =
                Operation::ForceRelease { host: Some(name.clone()), reason: String::from("host removed") };
            let which = Which::Numbered(LockId(positive(lock)));
            self.ask(&Ask { which, requester: by.clone(), operation })?;
        }
        let events =
            self.connection.prepare_cached("DELETE FROM event WHERE host = ?1")?.execute([name.as_str()])?;
        let hosts =
            self.connection.prepare_cached("DELETE FROM host WHERE name = ?1")?.execute([name.as_str()])?;
        seen.forget(name);
        if events + hosts > 0 {
            self.changed();
        }
        Ok(hosts > 0)
    }

    /// Removes some of a host's events. How many.
    pub fn forget_events_of(&mut self, name: &HostName, most: u64) -> Done<u64> {
        let sql = "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE host = ?1 LIMIT ?2)";
        let gone = self.connection.prepare_cached(sql)?.execute((name.as_str(), counted(most)?))?;
        if gone > 0 {
            self.changed();
        }
        Ok(gone as u64)
    }

    /// Writes check-ins. A later one of another process stays.
    pub fn check_in(&mut self, those: &BTreeMap<HostName, Time>) -> Done<()> {
        let sql = "UPDATE host SET checkin_seconds = ?2, checkin_nanoseconds = ?3 WHERE name = ?1 \
                   AND (checkin_seconds IS NULL OR (checkin_seconds, checkin_nanoseconds) < (?2, ?3))";
        let mut update = self.connection.prepare_cached(sql)?;
        for (host, at) in those {
            if update.execute((host.as_str(), at.seconds(), at.nanoseconds()))? > 0 {
                self.state.at = self.state.at.max(*at);
            }
        }
        Ok(())
    }
}
