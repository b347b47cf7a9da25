//! Whatever is sent as a body: it is understood, or refused; never anything else, and never half.

use disco_dlm::model::{Policy, Seconds, Slots};
use disco_dlm::native::ask::{Acquire, Because, Create, ForceRelease, Release, Rename, WorkResult};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::asked::parse;
use super::error::Problem;
use super::policy::{changed, read};

fn ok<T: DeserializeOwned>(text: &str) -> bool {
    match parse::<T>(text.as_bytes()) {
        Ok(_) => true,
        Err(Problem::Bad(_)) => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn bodies_are_read_strictly() {
    for (text, fits) in [
        ("", true),
        ("{}", true),
        (r#"{"note":"kernel","wait":10}"#, true),
        (r#"{"note":"kernel","weight":10}"#, false),
        (r#"{"note":1}"#, false),
        (r#"{"wait":-1}"#, false),
        (r#"{"note":"a","note":"b"}"#, false),
        (r#"{"note":"a"} x"#, false),
        ("[]", false),
        (r#"["kernel", 10]"#, false),
        (" {} ", true),
        ("null", false),
        ("{", false),
        ("\u{feff}{}", false),
    ] {
        assert_eq!(ok::<Acquire>(text), fits, "{text}");
    }
    assert_eq!(parse::<Release>(br#"{"result":"failed"}"#).unwrap().result, WorkResult::Failed);
    assert!(!ok::<Release>(r#"{"result":"Failed"}"#));
    assert!(!ok::<ForceRelease>(r#"{"host":"","reason":"x"}"#));
    assert!(!ok::<Rename>(&json!({ "name": "x".repeat(256) }).to_string()));
    assert!(ok::<Rename>(&json!({ "name": "x".repeat(255) }).to_string()));
    assert!(parse::<Acquire>(b"{\"note\":\"\xff\"}").is_err());
    assert!(!ok::<Acquire>(&format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000))), "deep nesting");
}

/// What becomes of the default policy by this part: `bad`, `policy`, or what differs.
fn outcome(part: &Value) -> String {
    match changed(&Policy::default(), part) {
        Ok(policy) => {
            let (old, new) = (json!(Policy::default()), json!(policy));
            let old = old.as_object().unwrap();
            let differs = new.as_object().unwrap().iter().filter(|(key, value)| old[*key] != **value);
            differs.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
        }
        Err(Problem::Bad(message)) => format!("bad: {message}"),
        Err(Problem::Policy(_) | Problem::ImpossiblePolicy(_)) => String::from("policy"),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_part_of_a_policy_changes_that_part() {
    for (part, expected) in [
        (json!({}), ""),
        (json!({"slots": {"number": 2}}), r#"slots={"number":2}"#),
        (json!({"slots": {"percent": 20}}), r#"slots={"percent":20}"#),
        (json!({"slots": {"number": null, "percent": 20}}), r#"slots={"percent":20}"#),
        (json!({"queue": {"order": "fair"}}), r#"queue={"order":"fair","poll":60}"#),
        (json!({"stale_after": 1, "gap": 5}), "gap=5 stale_after=1"),
        (json!({"stale_after": null}), ""),
        (
            json!({"calendar": {"zone": "Europe/Berlin"}}),
            r#"calendar={"blackouts":[],"windows":[],"zone":"Europe/Berlin"}"#,
        ),
        (json!({"slots": {"number": 1, "percent": 20}}), "policy"),
        (json!({"slots": 3}), "policy"),
        (json!({"slots": {"percent": 0}}), "policy"),
        (json!({"queue": {"poll": 0}}), "policy"),
        (json!({"queue": null}), ""),
        (json!({"calendar": {"zone": "Mars/Base"}}), "policy"),
        (json!({"slot": {"number": 2}}), r#"bad: a policy has no field "slot""#),
        (json!({"queue": {"pol": 2}}), r#"bad: a policy has no field "queue.pol""#),
        (
            json!({"calendar": {"windows": [{"days": ["mon"], "start": "10:00:00", "minutes": 5, "zone": "UTC"}]}}),
            r#"bad: a policy has no field "calendar.windows.0.zone""#,
        ),
        (json!([]), "bad: a part of a policy is a JSON object"),
    ] {
        let sorted = |text: &str| {
            let mut words: Vec<&str> = text.split(' ').collect();
            if !text.starts_with("bad") {
                words.sort_unstable();
            }
            words.join(" ")
        };
        assert_eq!(sorted(&outcome(&part)), sorted(expected), "{part}");
    }
}

#[test]
fn null_puts_back_what_is_so_by_default() {
    let policy =
        Policy { slots: Slots::Number(5), gap: Some(Seconds(9)), stale_after: None, ..Policy::default() };
    let part = json!({"slots": null, "gap": null, "stale_after": null});
    assert_eq!(changed(&policy, &part).unwrap(), Policy::default());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z:0-9-]{0,12}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        3 => prop::sample::select(vec![
            "slots", "number", "percent", "queue", "order", "poll", "calendar", "zone", "windows", "days", "start",
            "minutes", "blackouts", "from", "to", "reason", "gap", "freeze_after", "expires_after", "stale_after",
        ])
        .prop_map(String::from),
        1 => "[a-z]{1,5}",
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for problem in [
            parse::<Acquire>(&bytes).err(), parse::<Release>(&bytes).err(), parse::<ForceRelease>(&bytes).err(),
            parse::<Because>(&bytes).err(), parse::<Rename>(&bytes).err(), parse::<Create>(&bytes).err(),
        ].into_iter().flatten() {
            prop_assert!(matches!(problem, Problem::Bad(_)));
        }
    }

    #[test]
    fn a_field_that_there_is_not_is_never_let_pass(key in "[a-z_]{1,12}") {
        prop_assume!(!["note", "wait", "result", "token", "host", "reason", "name", "type", "enabled", "policy"].contains(&key.as_str()));
        let text = json!({ key: Value::Null }).to_string();
        prop_assert!(!ok::<Acquire>(&text) && !ok::<Release>(&text) && !ok::<ForceRelease>(&text));
        prop_assert!(!ok::<Because>(&text) && !ok::<Rename>(&text) && !ok::<Create>(&text));
    }

    #[test]
    fn whatever_is_merged_is_a_policy_that_can_be_or_is_refused(part in any_json()) {
        match changed(&Policy::default(), &part) {
            Ok(policy) => {
                prop_assert!(policy.check().is_ok());
                // As it is said, it is read again.
                prop_assert_eq!(read(json!(policy.clone())).unwrap(), policy);
            }
            Err(problem) => prop_assert!(
                matches!(problem, Problem::Bad(_) | Problem::Policy(_) | Problem::ImpossiblePolicy(_))
            ),
        }
    }
}
