//! What is done within one transaction: a lock is read, decided about, and written with its events.

use disco_dlm::model::{Event, Lock, LockId, LockName, Requester, Time, Token};
use disco_dlm::rules::{After, Answer, Facts, Operation, Request, decide};
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{self, State, counted, lapses, number, one_lock, positive};
use super::trouble::{Done, Trouble};
use crate::store::{Ask, Told, Which};

/// A transaction that is open for writing.
pub struct Work<'a> {
    /// Where.
    pub connection: &'a Connection,
    /// The counters as they will be.
    pub state: State,
    /// The time at which all of it is decided.
    pub now: Time,
}

impl Work<'_> {
    /// Decides one request, and writes what comes of it.
    pub fn ask(&mut self, ask: &Ask) -> Done<Told> {
        let before = self.find(&ask.which)?;
        let name = before.as_ref().map(|lock| &lock.name).or(ask.which.name()).cloned();
        let Some(name) = name else {
            return Ok(Told { answer: Answer::Missing, before: None, after: None, group: 0, at: self.now });
        };
        let facts = self.facts(ask, before.as_ref(), &name)?;
        let request = Request {
            requester: ask.requester.clone(),
            name: name.clone(),
            operation: ask.operation.clone(),
        };
        let decision = decide(before.as_ref(), &request, &facts);
        match &decision.after {
            After::Unchanged => {}
            After::Saved(lock) => self.save(before.as_ref(), lock)?,
            After::Removed => {
                if let Some(lock) = &before {
                    self.remove(lock)?;
                }
            }
        }
        for event in &decision.events {
            self.log(&name, event)?;
        }
        let after = decision.lock(before.as_ref()).cloned();
        Ok(Told { answer: decision.answer, before, after, group: facts.group, at: self.now })
    }

    fn facts(&self, ask: &Ask, before: Option<&Lock>, name: &LockName) -> Done<Facts> {
        let name_taken = match &ask.operation {
            Operation::Update { name: Some(new), .. } => {
                self.numbered(new)?.is_some_and(|id| Some(id) != before.map(|lock| lock.id))
            }
            _ => false,
        };
        let may_acquire = match &ask.requester {
            Requester::Host(host) => self
                .connection
                .prepare_cached("SELECT may_acquire FROM host WHERE name = ?1")?
                .query_row([host.as_str()], |row| row.get(0))
                .optional()?
                .unwrap_or(true),
            Requester::User(_) | Requester::Server => true,
        };
        Ok(Facts {
            now: self.now,
            group: self.group(name)?,
            next_id: LockId(self.state.lock.0.saturating_add(1)),
            next_token: Token(self.state.token.0.saturating_add(1)),
            name_taken,
            may_acquire,
        })
    }

    fn find(&self, which: &Which) -> Done<Option<Lock>> {
        let named = |name: &LockName| {
            let sql = "SELECT id, body FROM lock WHERE name = ?1";
            one_lock(self.connection, sql, [name.as_str()])
        };
        let numbered = |id: &LockId| match number(id.0) {
            None => Ok(None),
            Some(id) => one_lock(self.connection, "SELECT id, body FROM lock WHERE id = ?1", [id]),
        };
        match which {
            Which::Named(name) => named(name),
            Which::Numbered(id) => numbered(id),
            Which::NumberedOrNamed(id, name) => match numbered(id)? {
                Some(lock) => Ok(Some(lock)),
                None => named(name),
            },
        }
    }

    fn numbered(&self, name: &LockName) -> Done<Option<LockId>> {
        let sql = "SELECT id FROM lock WHERE name = ?1";
        let id =
            self.connection.prepare_cached(sql)?.query_row([name.as_str()], |row| row.get(0)).optional()?;
        Ok(id.map(|id| LockId(positive(id))))
    }

    /// How many hosts the group of a lock has: those in the group of its name, or else all.
    fn group(&self, name: &LockName) -> Done<u64> {
        let count = |sql: &str, params: &[&dyn rusqlite::ToSql]| -> Done<u64> {
            Ok(positive(self.connection.prepare_cached(sql)?.query_row(params, |row| row.get(0))?))
        };
        match count("SELECT count(*) FROM host_group WHERE name = ?1", &[&name.as_str()])? {
            0 => count("SELECT count(*) FROM host", &[]),
            own => Ok(own),
        }
    }

    fn save(&mut self, before: Option<&Lock>, lock: &Lock) -> Done<()> {
        let id = counted(lock.id.0)?;
        let body = serde_json::to_string(lock).map_err(|error| Trouble::row(format!("lock {id}"), error))?;
        let sql = "INSERT INTO lock VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
                   ON CONFLICT (id) DO UPDATE SET name = ?2, kind = ?3, enabled = ?4, first_holder = ?5, \
                   created_seconds = ?6, created_nanoseconds = ?7, updated_seconds = ?8, \
                   updated_nanoseconds = ?9, lapses = ?10, body = ?11";
        self.connection.prepare_cached(sql)?.execute(params![
            id,
            lock.name.as_str(),
            lock.kind.sti(),
            lock.enabled,
            lock.holders.first().map(|holder| holder.host.as_str()),
            lock.created.seconds(),
            lock.created.nanoseconds(),
            lock.updated.seconds(),
            lock.updated.nanoseconds(),
            lapses(lock),
            body,
        ])?;
        let held = |lock: &Lock| lock.holders.iter().map(|holder| holder.host.clone()).collect::<Vec<_>>();
        let (old, new) = (before.map(held).unwrap_or_default(), held(lock));
        for host in old.iter().filter(|host| !new.contains(host)) {
            let sql = "DELETE FROM holder WHERE lock = ?1 AND host = ?2";
            self.connection.prepare_cached(sql)?.execute((id, host.as_str()))?;
        }
        for host in new.iter().filter(|host| !old.contains(host)) {
            let sql = "INSERT INTO holder VALUES (?1, ?2)";
            self.connection.prepare_cached(sql)?.execute((id, host.as_str()))?;
        }
        self.state.lock = self.state.lock.max(lock.id);
        self.state.token = self.state.token.max(lock.last_token);
        self.changed();
        Ok(())
    }

    fn remove(&mut self, lock: &Lock) -> Done<()> {
        let id = counted(lock.id.0)?;
        self.connection.prepare_cached("DELETE FROM holder WHERE lock = ?1")?.execute([id])?;
        self.connection.prepare_cached("DELETE FROM lock WHERE id = ?1")?.execute([id])?;
        self.changed();
        Ok(())
    }

    fn log(&mut self, lock: &LockName, event: &Event) -> Done<()> {
        let id = self.state.event.saturating_add(1);
        let bad = |error| Trouble::row(format!("event {id}"), error);
        let kind = serde_json::to_value(event.kind).map_err(bad)?;
        let requester = serde_json::to_string(&event.requester).map_err(bad)?;
        let sql = format!("INSERT INTO event ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", rows::EVENT);
        self.connection.prepare_cached(&sql)?.execute(params![
            counted(id)?,
            counted(event.lock.0)?,
            lock.as_str(),
            kind.as_str(),
            event.host.as_ref().map(|host| host.as_str()),
            requester,
            event.detail,
            event.at.seconds(),
            event.at.nanoseconds(),
        ])?;
        self.state.event = id;
        self.changed();
        Ok(())
    }

    /// Notes that a lock or a log was changed.
    pub fn changed(&mut self) {
        self.state.changes = self.state.changes.saturating_add(1);
        self.wrote();
    }

    /// Notes that something was written now: no time before this one is ever used again.
    pub fn wrote(&mut self) {
        self.state.at = self.now;
    }
}
