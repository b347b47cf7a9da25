//! Searches that mean something, those that mean nothing, and that no text ever means more than it says.

use super::parse::{ParseError, filter, order};
use super::*;
use disco_dlm::model::{Holder, HostName, Kind, LockId, LockName, Time, Token};
use proptest::prelude::*;

/// `web1` held by `a`, `web2` free and disabled, `Db and more` of no type held by `b.example.com`.
fn locks() -> Vec<Lock> {
    let lock = |id, name: &str, kind, holder: Option<&str>| {
        let mut lock = Lock::new(LockId(id), LockName::new(name).unwrap(), kind, Time::new(0, 0));
        lock.holders.extend(holder.map(|host| Holder {
            host: HostName::new(host).unwrap(),
            since: Time::new(0, 0),
            renewed: Time::new(0, 0),
            token: Token(1),
            note: String::new(),
        }));
        lock
    };
    let mut web2 = lock(2, "web2", Kind::Update, None);
    web2.enabled = false;
    vec![
        lock(1, "web1", Kind::Update, Some("a")),
        web2,
        lock(3, "Db and more", Kind::Generic, Some("b.example.com")),
    ]
}

fn found(search: &str) -> String {
    match filter(search) {
        Ok(filter) => {
            let ids =
                locks().into_iter().filter(|lock| passes(&filter, lock)).map(|lock| lock.id.0.to_string());
            ids.collect::<Vec<_>>().join(" ")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn searches_and_what_they_find() {
    let table = [
        ("", "1 2 3"),
        ("   ", "1 2 3"),
        ("name = web1", "1"),
        ("name=web1", "1"),
        ("name == web1", "1"),
        ("name at web1", "1"),
        ("name = WEB1", ""),
        ("name != web1", "2 3"),
        ("name!=web1", "2 3"),
        ("name <> web1", "2 3"),
        ("name ~ WEB", "1 2"),
        ("name !~ web", "3"),
        ("name like w*1", "1"),
        ("name unlike web", "3"),
        ("name ^ web1,web2", "1 2"),
        ("name ^ (web1, web2)", "1 2"),
        ("name in (web1)", "1"),
        ("name in web1, web2", "1 2"),
        ("name !^ (web1,web2)", "3"),
        ("name not in (web1,web2)", "3"),
        ("name ^ \"web1,web2\"", "1 2"),
        ("name = \"Db and more\"", "3"),
        ("name = \"Db \\and more\"", "3"),
        ("host = a", "1"),
        ("host != a", "3"),
        ("host ~ example", "3"),
        ("type = ForemanDlm::Dlmlock::Update", "1 2"),
        ("enabled = true", "1 3"),
        ("enabled = false", "2"),
        ("enabled != true", "2"),
        ("has host", "1 3"),
        ("set? host", "1 3"),
        ("has? type", "1 2"),
        ("null? host", "2"),
        ("not has host", "2"),
        ("web", "1 2"),
        ("example", "3"),
        ("dlmlock", "1 2"),
        ("true", ""),
        ("name ~ \"and\"", "3"),
        ("web 1", "1"),
        ("web1 web2", ""),
        ("web1, web2", ""),
        ("web1 or web2", "1 2"),
        ("web1 | web2", "1 2"),
        ("web1 || web2", "1 2"),
        ("web & host = a", "1"),
        ("web && host = a", "1"),
        ("not web1", "2 3"),
        ("!web1", "2 3"),
        ("-web1", "2 3"),
        ("not not web1", "1"),
        ("! (web1 or web2)", "3"),
        ("NOT web1 AND web", "2"),
        ("(name = web1)", "1"),
        ("((web))", "1 2"),
        // To the right, and alike: name = web1 and (host = b or enabled = true).
        ("name = web1 and host = b or enabled = true", "1"),
        // name = web2 or (enabled = true and host = a)
        ("name = web2 or enabled = true and host = a", "1 2"),
        // not binds the next term alone.
        ("not web1 or web1", "1 2 3"),
        ("name = x-y", ""),
    ];
    for (search, expected) in table {
        assert_eq!(found(search), expected, "{search:?}");
    }
}

#[test]
fn what_cannot_be_understood_is_an_error_and_not_everything() {
    let table = [
        ("x = 1", "Field 'x' not recognized for searching!"),
        ("Name = 1", "Field 'Name' not recognized for searching!"),
        ("has x", "Field 'x' not recognized for searching!"),
        ("null? x", "Field 'x' not recognized for searching!"),
        ("name =", "Value expected but found the end"),
        ("name = and", "Value expected but found 'and'"),
        ("name = )", "Value expected but found ')'"),
        ("name ^ ()", "Value expected but found ')'"),
        ("name ^ (a", "'(' without its other half"),
        ("= a", "Value expected but found '='"),
        ("and", "Value expected but found 'and'"),
        ("web1 and", "Value expected but found the end"),
        ("or web1", "Value expected but found 'or'"),
        ("not", "No operands found"),
        ("-", "No operands found"),
        ("has", "Value expected but found the end"),
        ("()", "No operands found"),
        ("(web", "'(' without its other half"),
        ("web)", "')' without its other half"),
        (")", "No operands found"),
        ("\"web", "'\"' without its other half"),
        ("name = \"web", "'\"' without its other half"),
        ("name > a", "Operator '>' not supported for 'name'"),
        ("name before a", "Operator 'before' not supported for 'name'"),
        ("enabled ~ true", "Operator '~' not supported for 'enabled'"),
        ("enabled ^ true", "Operator '^' not supported for 'enabled'"),
        ("enabled = yes", "'enabled' should be one of 'true, false', but the query was 'yes'"),
        (",", "Value expected but found ','"),
    ];
    for (search, expected) in table {
        assert_eq!(found(search), expected, "{search:?}");
    }
    let long = [
        "a".repeat(5000),
        "a ".repeat(201),
        format!("{}a{}", "(".repeat(31), ")".repeat(31)),
        "not ".repeat(40) + "a",
        "-".repeat(4000),
        "(".repeat(4000),
    ];
    for search in long {
        assert_eq!(filter(&search), Err(ParseError::TooMuch), "{:.20}", search);
    }
    assert!(filter(&"a ".repeat(200)).is_ok());
}

#[test]
fn orders() {
    let by = |by, descending| Ok(Order { by, descending });
    let table = [
        ("", by(OrderField::Name, false)),
        ("name", by(OrderField::Name, false)),
        ("name ASC", by(OrderField::Name, false)),
        (" host desc", by(OrderField::Host, true)),
        ("type DESC", by(OrderField::Type, true)),
        ("enabled", by(OrderField::Enabled, false)),
        ("updated_at DESC", by(OrderField::Updated, true)),
        ("descr", Err(ParseError::OrderField("descr".into()))),
        ("name;drop", Err(ParseError::OrderField("name;drop".into()))),
    ];
    for (text, expected) in table {
        assert_eq!(order(text), expected, "{text:?}");
    }
}

fn filters() -> impl Strategy<Value = Filter> {
    let field = prop_oneof![Just(Field::Name), Just(Field::Host), Just(Field::Type)];
    let comparison = prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::NotEqual),
        Just(Comparison::Like),
        Just(Comparison::Unlike),
        Just(Comparison::In),
        Just(Comparison::NotIn),
    ];
    let compare = (field.clone(), comparison, "[a-z\"\\\\ ,()äß=*-]{0,8}");
    let enabled = any::<bool>().prop_map(|on| (Field::Enabled, Comparison::Equal, on.to_string()));
    let leaf = prop_oneof![
        field.prop_map(Filter::Has),
        prop_oneof![compare, enabled]
            .prop_map(|(field, comparison, value)| { Filter::Compare(field, comparison, value) }),
    ];
    leaf.prop_recursive(5, 40, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            pair.clone().prop_map(|(a, b)| Filter::And(Box::new(a), Box::new(b))),
            pair.prop_map(|(a, b)| Filter::Or(Box::new(a), Box::new(b))),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn a_filter_printed_is_read_as_the_same(filter in filters()) {
        prop_assert_eq!(super::parse::filter(&filter.to_string()), Ok(filter));
    }

    #[test]
    fn any_text_is_an_error_or_a_filter_that_reads_the_same(
        text in prop_oneof![
            "\\PC{0,60}",
            "((name|host|enabled|x|and|or|not|has|null\\?|true|in|like|\"|\\(|\\)|=|!=|~|!|\\^|,|-|web1) ?){0,25}",
        ],
    ) {
        if let Ok(read) = filter(&text) {
            prop_assert_eq!(read == Filter::All, text.trim().is_empty(), "all is meant by nothing else");
            // Printed it has more parentheses, which may be too many.
            match filter(&read.to_string()) {
                Ok(again) => prop_assert_eq!(again, read),
                Err(error) => prop_assert_eq!(error, ParseError::TooMuch),
            }
        }
    }
}
