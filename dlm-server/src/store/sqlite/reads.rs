//! What is listed: locks that pass a filter, events, users.

use disco_dlm::model::{Lock, LockId, UserName};
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::filter::{condition, order};
use super::rows::{self, EVENT, EventRow, from_json, number, positive};
use super::trouble::Done;
use crate::access::User;
use crate::search::{Filter, Order};
use crate::store::{EventQuery, Logged, Page, Paging};

/// The `LIMIT` and the `OFFSET` of a page; no limit is -1.
pub fn limits(paging: Paging) -> (i64, i64) {
    match paging.per_page {
        None => (-1, 0),
        Some(per_page) => {
            let skip = paging.page.saturating_sub(1).saturating_mul(per_page);
            (number(per_page).unwrap_or(i64::MAX), number(skip).unwrap_or(i64::MAX))
        }
    }
}

/// The locks of a page, and how many pass.
pub fn locks(connection: &Connection, filter: &Filter, by: Order, paging: Paging) -> Done<Page<Lock>> {
    let passing = condition(filter);
    let sql = format!("SELECT count(*) FROM lock WHERE {}", passing.sql);
    let total =
        connection.prepare_cached(&sql)?.query_row(params_from_iter(&passing.values), |row| row.get(0))?;
    let (most, skip) = limits(paging);
    let sql = format!(
        "SELECT id, body FROM lock WHERE {} ORDER BY {} LIMIT {most} OFFSET {skip}",
        passing.sql,
        order(by)
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map(params_from_iter(&passing.values), |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    })?;
    let items = rows
        .map(|row| {
            let (id, body) = row?;
            rows::lock(id, &body)
        })
        .collect::<Done<_>>()?;
    Ok(Page { items, total: positive(total) })
}

/// The events of a page, and how many there are.
pub fn events(connection: &Connection, of: Option<LockId>, query: &EventQuery) -> Done<Page<Logged>> {
    let of = match of {
        None => None,
        Some(id) => match number(id.0) {
            Some(id) => Some(id),
            None => return Ok(Page { items: vec![], total: 0 }),
        },
    };
    let (after, newest, (most, skip)) = match query {
        EventQuery::Newest(paging) => (0, true, limits(*paging)),
        EventQuery::After(after, most) => {
            let after = number(*after).unwrap_or(i64::MAX);
            (after, false, limits(Paging { page: 1, per_page: Some(*most) }))
        }
    };
    let ours = if of.is_some() { "lock = ?1 AND id > ?2" } else { "?1 IS NULL AND id > ?2" };
    let sql = format!("SELECT count(*) FROM event WHERE {ours}");
    let total = connection.prepare_cached(&sql)?.query_row((of, after), |row| row.get(0))?;
    let order = if newest { "id DESC" } else { "id" };
    let sql = format!("SELECT {EVENT} FROM event WHERE {ours} ORDER BY {order} LIMIT ?3 OFFSET ?4");
    let rows: Vec<EventRow> = connection
        .prepare_cached(&sql)?
        .query_map((of, after, most, skip), EventRow::read)?
        .collect::<Result<_, _>>()?;
    let items = rows.into_iter().map(EventRow::meant).collect::<Done<_>>()?;
    Ok(Page { items, total: positive(total) })
}

/// The user of this login.
pub fn user(connection: &Connection, login: &UserName) -> Done<Option<User>> {
    let sql = "SELECT body FROM user WHERE login = ?1";
    let body: Option<String> =
        connection.prepare_cached(sql)?.query_row([login.as_str()], |row| row.get(0)).optional()?;
    body.map(|body| from_json(|| format!("user {login}"), &body)).transpose()
}

/// All users, by login.
pub fn users(connection: &Connection) -> Done<Vec<User>> {
    let mut statement = connection.prepare_cached("SELECT login, body FROM user ORDER BY login")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        let (login, body) = row?;
        from_json(|| format!("user {login}"), &body)
    })
    .collect()
}
