//! Spans of time and policies in words, and the other way round. Pure.

use std::str::FromStr;

use disco_dlm::model::words::{BLACKOUT, WINDOW};
use disco_dlm::model::{Blackout, Order, Policy, Slots, Window};
use serde::Serialize;
use serde_json::{Value, json};

/// A span of seconds in words: its two largest parts.
pub fn span(seconds: u64) -> String {
    let parts =
        [(seconds / 86400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let begin = parts.iter().position(|(number, _)| *number > 0).unwrap_or(3);
    let parts: Vec<String> = parts[begin..]
        .iter()
        .take(2)
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

/// A span as one types it: seconds, or a number with s, m, h or d.
pub fn seconds(text: &str) -> Option<u64> {
    let (number, factor) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        Some((at, 'd')) => (&text[..at], 86400),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A policy in words, a line each; the keys are those of [`part`].
pub fn policy(policy: &Policy) -> Vec<(&'static str, String)> {
    let optional = |seconds: Option<u64>| seconds.map_or_else(|| "none".to_owned(), span);
    let slots = match policy.slots {
        Slots::Number(number) => number.to_string(),
        Slots::Percent(percent) => format!("{}%", u32::from(percent)),
    };
    let order = match policy.queue.order {
        Order::None => "none",
        Order::Fair => "fair",
    };
    fn list<T: ToString>(list: &[T]) -> String {
        let list: Vec<String> = list.iter().map(T::to_string).collect();
        if list.is_empty() { "none".to_owned() } else { list.join("; ") }
    }
    vec![
        ("slots", slots),
        ("expires_after", optional(policy.expires_after.map(|span| span.0))),
        ("stale_after", optional(policy.stale_after.map(|span| span.0))),
        ("gap", optional(policy.gap.map(|span| span.0))),
        ("freeze_after", policy.freeze_after.map_or_else(|| "none".to_owned(), |number| number.to_string())),
        ("order", order.to_owned()),
        ("poll", span(policy.queue.poll.0)),
        ("zone", policy.calendar.zone.as_str().to_owned()),
        ("windows", list(&policy.calendar.windows)),
        ("blackouts", list(&policy.calendar.blackouts)),
    ]
}

/// `KEY=VALUE` as a part of a policy, to be merged into it (RFC 7396); or what is allowed.
pub fn part(assignment: &str) -> Result<Value, String> {
    let (key, value) = assignment.split_once('=').ok_or_else(|| format!("{assignment:?}: use KEY=VALUE"))?;
    let value = value.trim();
    let bad = |allowed: &str| format!("{key} is {value:?}: use {allowed}");
    let spanned = || match value {
        "none" => Ok(Value::Null),
        text => seconds(text)
            .map(Value::from)
            .ok_or_else(|| bad("seconds, a span such as 30m, 4h or 2d, or none")),
    };
    /// Entries of a calendar, read and put into the form of the wire.
    fn list<T: FromStr + Serialize>(text: &str) -> Option<Value> {
        if matches!(text, "none" | "") {
            return Some(json!([]));
        }
        let entries =
            text.split(';').map(|text| text.trim().parse::<T>().ok()).collect::<Option<Vec<_>>>()?;
        serde_json::to_value(entries).ok()
    }
    Ok(match key.trim() {
        "slots" => {
            let (number, name) = match value.strip_suffix('%') {
                Some(number) => (number, "percent"),
                None => (value, "number"),
            };
            let number: u32 =
                number.parse().map_err(|_| bad("a number, or a share of the group such as 10%"))?;
            // The other name is taken away, for a merge would keep both.
            let other = if name == "number" { "percent" } else { "number" };
            json!({"slots": {name: number, other: null}})
        }
        key @ ("expires_after" | "stale_after" | "gap") => json!({key: spanned()?}),
        "freeze_after" => match value {
            "none" => json!({"freeze_after": null}),
            text => {
                let number: std::num::NonZeroU32 =
                    text.parse().map_err(|_| bad("a number from 1, or none"))?;
                json!({"freeze_after": number})
            }
        },
        "order" if matches!(value, "none" | "fair") => json!({"queue": {"order": value}}),
        "order" => return Err(bad("none or fair")),
        "poll" => {
            let poll = seconds(value)
                .filter(|poll| *poll > 0)
                .ok_or_else(|| bad("seconds from 1, or a span such as 5m"))?;
            json!({"queue": {"poll": poll}})
        }
        "zone" => json!({"calendar": {"zone": value}}),
        "windows" => {
            let windows = list::<Window>(value);
            let windows = windows.ok_or_else(|| bad(&format!("none, or {WINDOW}, with ; between")))?;
            json!({"calendar": {"windows": windows}})
        }
        "blackouts" => {
            let blackouts = list::<Blackout>(value);
            let blackouts = blackouts.ok_or_else(|| bad(&format!("none, or {BLACKOUT}, with ; between")))?;
            json!({"calendar": {"blackouts": blackouts}})
        }
        key => {
            let keys = "slots, expires_after, stale_after, gap, freeze_after, order, poll, zone, windows or blackouts";
            return Err(format!("{key:?} is no part of a policy: use {keys}"));
        }
    })
}

/// A policy with a part merged into it. Where the part takes the time away after which a holder is stale, that is said, for
/// what is merely absent is as by default.
pub fn apply(policy: &Policy, part: Value) -> Result<Policy, serde_json::Error> {
    let never_stale = takes_stale_away(&part);
    let mut whole = serde_json::to_value(policy)?;
    merge(&mut whole, part);
    if never_stale {
        whole["stale_after"] = Value::Null;
    }
    serde_json::from_value(whole)
}

/// Whether a part takes `stale_after` away, which no merge can: its default is not `null`.
pub fn takes_stale_away(part: &Value) -> bool {
    part.get("stale_after").is_some_and(Value::is_null)
}

/// Merges a part into a whole, as RFC 7396 has it.
fn merge(into: &mut Value, part: Value) {
    let Value::Object(part) = part else {
        *into = part;
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    if let Value::Object(into) = into {
        for (key, value) in part {
            if value.is_null() {
                into.remove(&key);
            } else {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_have_two_parts() {
        for (seconds, words) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3700, "1 h 1 min"), (7200, "2 h"), (90061, "1 d 1 h")]
        {
            assert_eq!(span(seconds), words);
        }
        for (text, expected) in [
            ("90", Some(90)),
            ("30m", Some(1800)),
            ("2d", Some(172_800)),
            ("x", None),
            ("", None),
            ("h", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    fn set(assignments: &[&str]) -> Policy {
        let parts = assignments.iter().map(|text| part(text).unwrap());
        parts.fold(Policy::default(), |policy, part| apply(&policy, part).unwrap())
    }

    #[test]
    fn a_policy_is_typed_as_it_is_shown() {
        let typed = [
            ("slots", "25%"),
            ("expires_after", "2h"),
            ("stale_after", "none"),
            ("gap", "10m"),
            ("freeze_after", "2"),
            ("order", "fair"),
            ("poll", "30"),
            ("zone", "Europe/Berlin"),
            ("windows", "mon,tue 22:00+120; sat 08:30+60"),
            ("blackouts", "2026-12-20..2027-01-05 holidays"),
        ];
        let lines: Vec<String> = typed.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let set = set(&lines);
        assert!(set.check().is_ok());
        let shown: Vec<String> =
            policy(&set).into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            shown,
            [
                "slots=25%",
                "expires_after=2 h",
                "stale_after=none",
                "gap=10 min",
                "freeze_after=2",
                "order=fair",
                "poll=30 s",
                "zone=Europe/Berlin",
                "windows=mon,tue 22:00+120; sat 08:30+60",
                "blackouts=2026-12-20..2027-01-05 holidays",
            ]
        );
    }

    #[test]
    fn a_bad_part_says_what_is_allowed() {
        for text in [
            "slots",
            "slots=many",
            "slots=-1",
            "gap=soon",
            "freeze_after=0",
            "order=lifo",
            "poll=0",
            "windows=mon",
            "windows=mon 25:00+1",
            "windows=abc 22:00+1",
            "blackouts=soon",
            "color=red",
            "",
        ] {
            assert!(part(text).unwrap_err().contains("use "), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_part_or_refused(key in "[a-z_]{0,12}", value in "\\PC{0,40}") {
            let _ = part(&format!("{key}={value}"));
            let _ = part(&format!("windows={value}"));
            let _ = part(&format!("blackouts={value}"));
        }
    }
}
