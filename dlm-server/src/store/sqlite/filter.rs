//! A filter as SQL with parameters. It gives what [`crate::search::passes`] does, row by row; each part of it is 0 or 1, never
//! `NULL`, for a filter turned round must turn round.

use rusqlite::types::Value;

use crate::search::{Comparison, Field, Filter, Order, OrderField};

/// A condition, and the values of its parameters in their order.
pub struct Where {
    /// The condition.
    pub sql: String,
    /// The values.
    pub values: Vec<Value>,
}

/// The condition of a filter, for rows of `lock`.
pub fn condition(filter: &Filter) -> Where {
    let mut found = Where { sql: String::new(), values: Vec::new() };
    found.add(filter);
    found
}

impl Where {
    fn add(&mut self, filter: &Filter) {
        match filter {
            Filter::All => self.sql.push('1'),
            Filter::And(..) | Filter::Or(..) => {
                let word = if matches!(filter, Filter::And(..)) { " AND " } else { " OR " };
                let mut parts = Vec::new();
                chain(filter, &mut parts);
                self.halves(&parts, word);
            }
            Filter::Not(filter) => {
                self.sql.push_str("NOT (");
                self.add(filter);
                self.sql.push(')');
            }
            Filter::Has(field) => self.sql.push_str(has(*field)),
            Filter::Compare(field, comparison, value) => self.compare(*field, *comparison, value),
        }
    }

    /// A long chain, as a tree that is not deep: SQLite bounds the depth.
    fn halves(&mut self, parts: &[&Filter], word: &str) {
        match parts {
            [] => self.sql.push('1'),
            [one] => self.add(one),
            more => {
                let (left, right) = more.split_at(more.len() / 2);
                self.sql.push('(');
                self.halves(left, word);
                self.sql.push_str(word);
                self.halves(right, word);
                self.sql.push(')');
            }
        }
    }

    fn compare(&mut self, field: Field, comparison: Comparison, to: &str) {
        let (test, negated, value) = match comparison {
            Comparison::Equal => ("= ?", false, to.to_owned()),
            Comparison::NotEqual => ("= ?", true, to.to_owned()),
            Comparison::Like => ("disco_like", false, to.to_owned()),
            Comparison::Unlike => ("disco_like", true, to.to_owned()),
            Comparison::In => ("IN (SELECT value FROM json_each(?))", false, list(to)),
            Comparison::NotIn => ("IN (SELECT value FROM json_each(?))", true, list(to)),
        };
        let test = |column: &str| match test {
            "disco_like" => format!("disco_like({column}, ?)"),
            test => format!("{column} {test}"),
        };
        let not = if negated { "NOT " } else { "" };
        let sql = match field {
            Field::Name => format!("{not}({})", test("lock.name")),
            Field::Type => format!("(lock.kind IS NOT NULL AND {not}({}))", test("lock.kind")),
            Field::Enabled => format!("{not}({})", test("iif(lock.enabled, 'true', 'false')")),
            Field::Host => {
                let held = if negated { format!("{} AND ", has(Field::Host)) } else { String::new() };
                let test = test("holder.host");
                format!("({held}{not}(lock.id IN (SELECT holder.lock FROM holder WHERE {test})))")
            }
        };
        self.sql.push_str(&sql);
        self.values.push(Value::Text(value));
    }
}

/// The links of a chain of the same word.
fn chain<'a>(filter: &'a Filter, parts: &mut Vec<&'a Filter>) {
    let is_and = matches!(filter, Filter::And(..));
    let mut open = vec![filter];
    while let Some(one) = open.pop() {
        match one {
            Filter::And(left, right) if is_and => open.extend([right.as_ref(), left.as_ref()]),
            Filter::Or(left, right) if !is_and => open.extend([right.as_ref(), left.as_ref()]),
            link => parts.push(link),
        }
    }
}

fn has(field: Field) -> &'static str {
    match field {
        Field::Name | Field::Enabled => "1",
        Field::Type => "(lock.kind IS NOT NULL)",
        Field::Host => "(lock.first_holder IS NOT NULL)",
    }
}

/// A list with commas, as an array in JSON.
fn list(to: &str) -> String {
    serde_json::Value::from(to.split(',').map(str::trim).collect::<Vec<_>>()).to_string()
}

/// What to order by; ties by number.
pub fn order(order: Order) -> &'static str {
    match (order.by, order.descending) {
        (OrderField::Name, false) => "lock.name, lock.id",
        (OrderField::Name, true) => "lock.name DESC, lock.id",
        (OrderField::Host, false) => "lock.first_holder, lock.id",
        (OrderField::Host, true) => "lock.first_holder DESC, lock.id",
        (OrderField::Type, false) => "lock.kind, lock.id",
        (OrderField::Type, true) => "lock.kind DESC, lock.id",
        (OrderField::Enabled, false) => "lock.enabled, lock.id",
        (OrderField::Enabled, true) => "lock.enabled DESC, lock.id",
        (OrderField::Id, false) => "lock.id",
        (OrderField::Id, true) => "lock.id DESC",
        (OrderField::Created, false) => "lock.created_seconds, lock.created_nanoseconds, lock.id",
        (OrderField::Created, true) => "lock.created_seconds DESC, lock.created_nanoseconds DESC, lock.id",
        (OrderField::Updated, false) => "lock.updated_seconds, lock.updated_nanoseconds, lock.id",
        (OrderField::Updated, true) => "lock.updated_seconds DESC, lock.updated_nanoseconds DESC, lock.id",
    }
}
