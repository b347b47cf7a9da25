//! Foreman's search language (scoped_search), as far as locks have fields: a filter, as plain data. `parse` makes it from text or says
//! what cannot be understood; nothing that cannot be parsed ever means "all".

pub mod parse;
mod token;

#[cfg(test)]
mod parse_tests;

use std::cmp::Ordering;

use disco_dlm::model::Lock;

/// Which locks are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All of them.
    All,
    /// Those that pass both.
    And(Box<Filter>, Box<Filter>),
    /// Those that pass one or both.
    Or(Box<Filter>, Box<Filter>),
    /// Those that do not pass it.
    Not(Box<Filter>),
    /// Those whose field compares so.
    Compare(Field, Comparison, String),
    /// Those whose field has a value (`has?`, `set?`).
    Has(Field),
}

/// What can be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The lock's name.
    Name,
    /// A holder's name.
    Host,
    /// Foreman's type.
    Type,
    /// `true` or `false`; only by name, never by a bare word.
    Enabled,
}

/// How a field compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`, `<>`
    NotEqual,
    /// `~`, `like`: contains, without regard to case; `*` and `%` stand for anything.
    Like,
    /// `!~`, `unlike`
    Unlike,
    /// `^`, `in`: one of a list with commas.
    In,
    /// `!^`, `not in`
    NotIn,
}

/// By what a list is ordered; ties by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// By this.
    pub by: OrderField,
    /// The largest first.
    pub descending: bool,
}

/// What a list can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderField {
    /// The name.
    Name,
    /// The first holder's name; free locks first.
    Host,
    /// The type.
    Type,
    /// Whether it is enabled.
    Enabled,
    /// The number.
    Id,
    /// When it was made.
    Created,
    /// When it was changed.
    Updated,
}

impl Default for Order {
    fn default() -> Order {
        Order { by: OrderField::Name, descending: false }
    }
}

/// Whether a lock passes.
pub fn passes(filter: &Filter, lock: &Lock) -> bool {
    match filter {
        Filter::All => true,
        Filter::And(a, b) => passes(a, lock) && passes(b, lock),
        Filter::Or(a, b) => passes(a, lock) || passes(b, lock),
        Filter::Not(filter) => !passes(filter, lock),
        Filter::Has(field) => !values(*field, lock).is_empty(),
        Filter::Compare(field, comparison, value) => compares(*comparison, &values(*field, lock), value),
    }
}

/// What a lock has in a field; nothing where Foreman has `NULL`.
fn values(field: Field, lock: &Lock) -> Vec<String> {
    match field {
        Field::Name => vec![lock.name.to_string()],
        Field::Host => lock.holders.iter().map(|holder| holder.host.to_string()).collect(),
        Field::Type => lock.kind.sti().map(str::to_owned).into_iter().collect(),
        Field::Enabled => vec![lock.enabled.to_string()],
    }
}

/// As in SQL, what is not there is neither equal nor unequal to anything.
fn compares(comparison: Comparison, values: &[String], to: &str) -> bool {
    let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|value| test(value));
    let none = |test: &dyn Fn(&str) -> bool| !values.is_empty() && !any(test);
    let listed = |value: &str| to.split(',').any(|one| one.trim() == value);
    match comparison {
        Comparison::Equal => any(&|value| value == to),
        Comparison::NotEqual => none(&|value| value == to),
        Comparison::Like => any(&|value| like(value, to)),
        Comparison::Unlike => none(&|value| like(value, to)),
        Comparison::In => any(&listed),
        Comparison::NotIn => none(&listed),
    }
}

/// Whether a text has a pattern in it: `*` and `%` are anything; without any of them the pattern may stand anywhere.
pub fn like(value: &str, pattern: &str) -> bool {
    let value = value.to_lowercase();
    let pattern = pattern.to_lowercase();
    if !pattern.contains(['*', '%']) {
        return value.contains(&pattern);
    }
    let parts: Vec<&str> = pattern.split(['*', '%']).collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let Some(rest) = value.strip_prefix(first) else { return false };
    let Some(mut rest) = rest.strip_suffix(last) else { return false };
    parts[1..parts.len() - 1].iter().all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// Which of two locks comes first.
pub fn compare(order: Order, a: &Lock, b: &Lock) -> Ordering {
    let host = |lock: &Lock| lock.holders.first().map(|holder| holder.host.clone());
    let by = match order.by {
        OrderField::Name => a.name.cmp(&b.name),
        OrderField::Host => host(a).cmp(&host(b)),
        OrderField::Type => a.kind.sti().cmp(&b.kind.sti()),
        OrderField::Enabled => a.enabled.cmp(&b.enabled),
        OrderField::Id => a.id.cmp(&b.id),
        OrderField::Created => a.created.cmp(&b.created),
        OrderField::Updated => a.updated.cmp(&b.updated),
    };
    let by = if order.descending { by.reverse() } else { by };
    by.then(a.id.cmp(&b.id))
}
