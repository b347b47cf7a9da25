//! Settings files under chance: nothing that is written makes the reader fall over, and what is written well is read back.

use proptest::prelude::*;

use crate::settings::global::Global;
use crate::settings::value::Value;
use crate::settings::yaml::parse;

/// A value, and as it is written in one line.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-1.0e9..1.0e9f64).prop_filter("no whole number", |x| x.fract() != 0.0).prop_map(Value::Float),
        any::<String>().prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            proptest::collection::btree_map("[a-z_]{1,8}", inner, 0..5)
                .prop_map(|map| Value::Map(map.into_iter().collect())),
        ]
    })
}

fn written(value: &Value) -> String {
    match value {
        Value::Null => String::from("~"),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Text(text) => quoted(text),
        Value::List(list) => format!("[{}]", list.iter().map(written).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => {
            let all: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", quoted(key), written(value))).collect();
            format!("{{{}}}", all.join(", "))
        }
    }
}

fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' => String::from("\\\""),
        '\\' => String::from("\\\\"),
        c if c.is_ascii_graphic() || c == ' ' => c.to_string(),
        c => format!("\\U{:08x}", u32::from(c)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(map in proptest::collection::btree_map("[a-z_][a-z0-9_]{0,10}", value(), 0..6)) {
        let text: String = map.iter().map(|(key, value)| format!(":{key}: {}\n", written(value))).collect();
        let read = parse("x.yml", &text).unwrap();
        for (line, (key, value)) in map.iter().enumerate() {
            prop_assert_eq!(read.value(key), value);
            prop_assert_eq!(read.get(key).unwrap().line, line + 1);
        }
        prop_assert_eq!(read.all.len(), map.len());
        // Whatever the values are: it is taken or refused, in words.
        if let Err(error) = Global::of(&read) {
            prop_assert!(error.to_string().starts_with("x.yml"));
        }
    }

    #[test]
    fn no_text_makes_it_fall_over(text in "(?s).{0,200}") {
        if let Err(error) = parse("x.yml", &text) {
            prop_assert!(error.to_string().starts_with("x.yml:"), "{}", error);
        }
    }

    #[test]
    fn nor_does_what_looks_like_settings(text in "(:?[a-c]{1,3}: ?[-\\[\\]{}:'\"&*!|>~, a-c0-9\n]{0,20}\n){0,6}") {
        if let Err(error) = parse("x.yml", &text) {
            prop_assert!(error.to_string().starts_with("x.yml:"), "{}", error);
        }
    }
}
