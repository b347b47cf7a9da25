//! What is asked, before anything is done: parameters of lists, and the attributes of a lock in a body. Pure.

use disco_dlm::model::names::LONGEST_NAME;
use disco_dlm::model::{Kind, LockName};
use serde_json::{Map, Value};

use super::fail::{Fail, Wrong};
use super::say::Sort;
use crate::access::HostId;
use crate::search::{Filter, Order, parse};
use crate::store::Paging;

/// What a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// What was searched for, as it was said.
    pub search: Option<String>,
    /// Which page.
    pub paging: Paging,
    /// By what it is ordered, as it was said.
    pub order: Option<String>,
}

impl Listing {
    /// From the parameters of a query. As in Rails the last of several counts, and one that is not known does not.
    pub fn of(parameters: &[(String, String)], per_page: u64) -> Result<Listing, Fail> {
        let get = |name: &str| {
            let last = parameters.iter().rev().find(|(key, _)| key == name);
            last.map(|(_, value)| value.as_str()).filter(|value| !value.trim().is_empty())
        };
        let search = parameters.iter().rev().find(|(key, _)| key == "search").map(|(_, value)| value.clone());
        let page = get("page").map_or(Ok(1), |value| number("page", value))?;
        let per_page = match get("per_page") {
            None => Some(per_page),
            Some("all") => None,
            Some(value) => Some(number("per_page", value)?),
        };
        Ok(Listing { search, paging: Paging { page, per_page }, order: get("order").map(str::to_owned) })
    }

    /// What the search means.
    pub fn filter(&self) -> Result<Filter, Fail> {
        parse::filter(self.search.as_deref().unwrap_or_default()).map_err(Fail::Search)
    }

    /// What the order means.
    pub fn ordered(&self) -> Result<Order, Fail> {
        self.order.as_deref().map_or(Ok(Order::default()), |order| parse::order(order).map_err(Fail::Search))
    }

    /// The order as the envelope says it.
    pub fn sort(&self) -> Sort {
        let mut words = self.order.as_deref().unwrap_or_default().split_whitespace();
        let by = words.next().map(str::to_owned);
        let order = by.as_ref().map(|_| words.next().unwrap_or("ASC").to_owned());
        Sort { by, order }
    }
}

/// A page, or how many are on one: never less than one, for Foreman fails there.
fn number(name: &str, value: &str) -> Result<u64, Fail> {
    let number = value.trim().parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Fail::Parameter(format!("{name} must be a number from 1 on, or all for per_page")))
}

/// What a body says of a lock. What is `None` was not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The name.
    pub name: Option<LockName>,
    /// The type.
    pub kind: Option<Kind>,
    /// Whether it is enabled.
    pub enabled: Option<bool>,
    /// The holder; `Some(None)` is nobody.
    pub host_id: Option<Option<HostId>>,
}

/// The attributes in a body, wrapped in `dlmlock` or not. An attribute that is not known does not count, as in Rails.
pub fn attributes(body: &[u8]) -> Result<Result<Attributes, Vec<Wrong>>, Fail> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Ok(Attributes::default()));
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| Fail::Json(error.to_string()))?;
    let no_object = || Fail::Json(String::from("an object is expected, with the attributes of a lock"));
    let Value::Object(mut object) = value else { return Err(no_object()) };
    let object = match object.remove("dlmlock") {
        Some(Value::Object(wrapped)) => wrapped,
        Some(_) => return Err(no_object()),
        None => object,
    };
    Ok(checked(&object))
}

fn checked(object: &Map<String, Value>) -> Result<Attributes, Vec<Wrong>> {
    let (mut found, mut wrongs) = (Attributes::default(), vec![]);
    let mut keep = |wrong: Wrong| wrongs.push(wrong);
    if let Some(value) = object.get("name") {
        found.name = name(value).map_err(&mut keep).ok();
    }
    if let Some(value) = object.get("type") {
        found.kind = kind(value).map_err(&mut keep).ok();
    }
    if let Some(value) = object.get("enabled") {
        found.enabled = switch(value).map_err(&mut keep).ok();
    }
    if let Some(value) = object.get("host_id") {
        found.host_id = host_id(value).map_err(&mut keep).ok();
    }
    if wrongs.is_empty() { Ok(found) } else { Err(wrongs) }
}

fn name(value: &Value) -> Result<LockName, Wrong> {
    match value {
        Value::String(text) => lock_name(text),
        Value::Number(number) => lock_name(&number.to_string()),
        Value::Null => lock_name(""),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(Wrong::new("name", "is invalid")),
    }
}

/// A name, or what Foreman says is wrong with it.
pub fn lock_name(text: &str) -> Result<LockName, Wrong> {
    LockName::new(text).map_err(|_| {
        let what = match text {
            blank if blank.trim().is_empty() => String::from("can't be blank"),
            long if long.len() > LONGEST_NAME => format!("is too long (maximum is {LONGEST_NAME} bytes)"),
            _ => String::from("is invalid"),
        };
        Wrong::new("name", what)
    })
}

fn kind(value: &Value) -> Result<Kind, Wrong> {
    match value.as_str() {
        Some("ForemanDlm::Dlmlock::Update") => Ok(Kind::Update),
        Some("ForemanDlm::Dlmlock" | "") => Ok(Kind::Generic),
        None if value.is_null() => Ok(Kind::Generic),
        // There Foreman fails with 500.
        Some(_) | None => Err(Wrong::new("type", "is not included in the list")),
    }
}

/// A switch, in the forms that Rails takes. What it would take for true by chance is none: a lock is not enabled by a slip.
fn switch(value: &Value) -> Result<bool, Wrong> {
    match value {
        Value::Bool(on) => Ok(*on),
        Value::Number(number) if number.as_u64() == Some(0) => Ok(false),
        Value::Number(number) if number.as_u64() == Some(1) => Ok(true),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "on" | "1" => Ok(true),
            "false" | "f" | "off" | "0" => Ok(false),
            _ => Err(Wrong::new("enabled", "is not included in the list")),
        },
        _ => Err(Wrong::new("enabled", "is not included in the list")),
    }
}

fn host_id(value: &Value) -> Result<Option<HostId>, Wrong> {
    let id = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_u64(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    id.map(|id| Some(HostId(id))).ok_or_else(|| Wrong::new("host", "must exist"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// JSON that has something to do with a lock.
    fn bodies() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just("{}".to_owned()),
            "-?[1-9][0-9]{0,24}(\\.5)?",
            "[a-z0-9: ]{0,10}".prop_map(|text| format!("\"{text}\"")),
            Just("\"ForemanDlm::Dlmlock::Update\"".to_owned()),
        ];
        let key = prop_oneof![Just("name"), Just("type"), Just("enabled"), Just("host_id"), Just("x")];
        let pairs = proptest::collection::vec((key, value).prop_map(|(k, v)| format!("\"{k}\":{v}")), 0..5);
        pairs.prop_map(|pairs| format!("{{{}}}", pairs.join(",")))
    }

    proptest! {
        #[test]
        fn a_body_means_the_same_wrapped_or_not(body in bodies()) {
            let plain = attributes(body.as_bytes()).unwrap();
            let wrapped = attributes(format!("{{\"dlmlock\":{body},\"name\":\"other\"}}").as_bytes()).unwrap();
            prop_assert_eq!(&plain, &wrapped);
            if let Ok(found) = plain {
                let said = |key: &str| body.contains(&format!("\"{key}\":"));
                prop_assert_eq!(found.name.is_some(), said("name"), "nothing that was said is left out in silence");
                prop_assert_eq!(found.kind.is_some(), said("type"));
                prop_assert_eq!(found.enabled.is_some(), said("enabled"));
                prop_assert_eq!(found.host_id.is_some(), said("host_id"));
            }
        }

        #[test]
        fn no_body_and_no_query_panics(
            body in proptest::collection::vec(any::<u8>(), 0..60),
            query in proptest::collection::vec(("(page|per_page|order|search)", "\\PC{0,8}"), 0..4),
        ) {
            let _ = attributes(&body);
            if let Ok(listing) = Listing::of(&query, 20) {
                prop_assert!(listing.paging.page > 0 && listing.paging.per_page != Some(0));
                let _ = (listing.filter(), listing.ordered(), listing.sort());
            }
        }
    }
}
