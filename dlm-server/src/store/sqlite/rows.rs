//! Rows into what they mean, and back.

use disco_dlm::model::{Event, EventKind, HostName, Lock, LockId, LockName, Requester, Time, Token};
use rusqlite::{Connection, OptionalExtension, Params, Row};
use serde::de::DeserializeOwned;

use super::trouble::{Done, Trouble};
use crate::store::Logged;

/// A number as SQLite has it; `None` where it is larger than any there.
pub fn number(number: u64) -> Option<i64> {
    i64::try_from(number).ok()
}

/// A number that was given from a counter.
pub fn counted(number: u64) -> Done<i64> {
    i64::try_from(number).map_err(|error| Trouble::row("the counters", error))
}

/// A number that SQLite has; ours are never negative.
pub fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The two columns of a time.
pub fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Time> {
    Ok(Time::new(row.get(at)?, row.get(at + 1)?))
}

/// What a JSON column means.
pub fn from_json<T: DeserializeOwned>(what: impl Fn() -> String, json: &str) -> Done<T> {
    serde_json::from_str(json).map_err(|error| Trouble::row(what(), error))
}

/// A name or a word, as JSON has it, from a plain column.
pub fn from_word<T: DeserializeOwned>(what: impl Fn() -> String, word: String) -> Done<T> {
    serde_json::from_value(serde_json::Value::String(word)).map_err(|error| Trouble::row(what(), error))
}

/// The lock of this number and body.
pub fn lock(id: i64, body: &str) -> Done<Lock> {
    let lock: Lock = from_json(|| format!("lock {id}"), body)?;
    if number(lock.id.0) == Some(id) {
        Ok(lock)
    } else {
        Err(Trouble::row(format!("lock {id}"), format!("its body is that of lock {}", lock.id.0)))
    }
}

/// The lock that a query gives, of the columns `id, body`.
pub fn one_lock(connection: &Connection, sql: &str, params: impl Params) -> Done<Option<Lock>> {
    let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
    let found = connection.prepare_cached(sql)?.query_row(params, row).optional()?;
    found.map(|(id, body)| lock(id, &body)).transpose()
}

/// From which second on something of a lock can have lapsed; `None` is never. It is never too late, and may be too early:
/// the rules look again.
pub fn lapses(lock: &Lock) -> Option<i64> {
    let ends = lock.holders.iter().filter_map(|holder| lock.expires(holder));
    let dues = lock.tickets.iter().map(|ticket| ticket.due);
    ends.chain(dues).map(Time::seconds).min()
}

/// The columns of an event, in the order of [`event`].
pub const EVENT: &str = "id, lock, lock_name, kind, host, requester, detail, seconds, nanoseconds";

/// What an event's row has.
pub struct EventRow {
    id: i64,
    lock: i64,
    lock_name: String,
    kind: String,
    host: Option<String>,
    requester: String,
    detail: String,
    at: Time,
}

impl EventRow {
    /// The row as it is.
    pub fn read(row: &Row<'_>) -> rusqlite::Result<EventRow> {
        Ok(EventRow {
            id: row.get(0)?,
            lock: row.get(1)?,
            lock_name: row.get(2)?,
            kind: row.get(3)?,
            host: row.get(4)?,
            requester: row.get(5)?,
            detail: row.get(6)?,
            at: time(row, 7)?,
        })
    }

    /// What it means.
    pub fn meant(self) -> Done<Logged> {
        let id = self.id;
        let what = || format!("event {id}");
        let requester: Requester = from_json(what, &self.requester)?;
        let kind: EventKind = from_word(what, self.kind)?;
        let host: Option<HostName> = self.host.map(|host| from_word(what, host)).transpose()?;
        let lock: LockName = from_word(what, self.lock_name)?;
        let of = LockId(positive(self.lock));
        let event = Event { lock: of, kind, host, requester, detail: self.detail, at: self.at };
        Ok(Logged { id: positive(id), lock, event })
    }
}

/// The counters, and the last time that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The number of the lock that was made last.
    pub lock: LockId,
    /// The number of the host that was made last.
    pub host: u64,
    /// The token that was given last.
    pub token: Token,
    /// The number of the last event.
    pub event: u64,
    /// How often a lock or a log was changed.
    pub changes: u64,
    /// The last time.
    pub at: Time,
}

impl State {
    /// As it is in the file.
    pub fn read(connection: &Connection) -> Done<State> {
        let sql =
            "SELECT last_lock, last_host, last_token, last_event, changes, seconds, nanoseconds FROM state";
        let row = |row: &Row<'_>| {
            let count = |at: usize| row.get::<_, i64>(at).map(positive);
            Ok(State {
                lock: LockId(count(0)?),
                host: count(1)?,
                token: Token(count(2)?),
                event: count(3)?,
                changes: count(4)?,
                at: time(row, 5)?,
            })
        };
        Ok(connection.prepare_cached(sql)?.query_row([], row)?)
    }

    /// Into the file.
    pub fn write(&self, connection: &Connection) -> Done<()> {
        let sql = "UPDATE state SET last_lock = ?1, last_host = ?2, last_token = ?3, last_event = ?4, changes = ?5, \
                   seconds = ?6, nanoseconds = ?7";
        let (host, event, changes) = (counted(self.host)?, counted(self.event)?, counted(self.changes)?);
        let (lock, token) = (counted(self.lock.0)?, counted(self.token.0)?);
        let (seconds, nanoseconds) = (self.at.seconds(), self.at.nanoseconds());
        let written = connection.prepare_cached(sql)?.execute((
            lock,
            host,
            token,
            event,
            changes,
            seconds,
            nanoseconds,
        ))?;
        match written {
            1 => Ok(()),
            rows => Err(Trouble::row("the counters", format!("there are {rows} rows of them"))),
        }
    }
}
