//! What is done beside locks and hosts: users, locks that lapse, events that are old.

use disco_dlm::model::{LockId, Time, UserName};
use rusqlite::Row;

use super::rows::{counted, number, positive, time};
use super::trouble::{Done, Trouble};
use super::work::Work;
use crate::access::User;

impl Work<'_> {
    /// Adds a user, or replaces one.
    pub fn put_user(&mut self, user: &User) -> Done<()> {
        let body = serde_json::to_string(user)
            .map_err(|error| Trouble::row(format!("user {}", user.login), error))?;
        let sql = "INSERT INTO user VALUES (?1, ?2) ON CONFLICT (login) DO UPDATE SET body = ?2";
        self.connection.prepare_cached(sql)?.execute((user.login.as_str(), body))?;
        self.wrote();
        Ok(())
    }

    /// Removes a user. Whether there was one.
    pub fn remove_user(&mut self, login: &UserName) -> Done<bool> {
        let gone =
            self.connection.prepare_cached("DELETE FROM user WHERE login = ?1")?.execute([login.as_str()])?;
        Ok(gone > 0)
    }

    /// The locks after that number of which something can have lapsed, so many at most.
    pub fn lapsed(&self, after: u64, most: u64) -> Done<Vec<LockId>> {
        let sql = "SELECT id FROM lock WHERE lapses <= ?1 AND id > ?2 ORDER BY id LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let after = number(after).unwrap_or(i64::MAX);
        let ids = statement.query_map((self.now.seconds(), after, counted(most)?), |row| row.get(0))?;
        Ok(ids.map(|id| id.map(|id| LockId(positive(id)))).collect::<Result<_, _>>()?)
    }

    /// Removes some events of before that time. How many.
    pub fn forget_events(&mut self, before: Time, most: u64) -> Done<u64> {
        // Their number is their order in time, so the oldest come first, and the first that stays ends the search.
        let sql = "SELECT id, seconds, nanoseconds FROM event ORDER BY id LIMIT ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, time(row, 1)?));
        let mut last = None;
        for row in statement.query_map([counted(most)?], row)? {
            match row? {
                (id, at) if at < before => last = Some(id),
                _ => break,
            }
        }
        let Some(last) = last else { return Ok(0) };
        let gone = self.connection.prepare_cached("DELETE FROM event WHERE id <= ?1")?.execute([last])?;
        self.changed();
        Ok(gone as u64)
    }
}
