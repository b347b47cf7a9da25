//! Times, spans, names and policies in words.

pub use disco_dlm::model::visible::visible;
use disco_dlm::model::{Calendar, Order, Policy, Seconds, Slots, Time, Window};
use maud::{Markup, html};

use crate::wire::native::said::rfc3339;

/// A span in its two largest units.
pub fn span(seconds: Seconds) -> String {
    let units = [("d", 86400), ("h", 3600), ("min", 60), ("s", 1)];
    let first = units.iter().position(|(_, size)| seconds.0 >= *size).unwrap_or(3);
    let mut rest = seconds.0;
    let mut words = vec![];
    for (unit, size) in units.iter().skip(first).take(2) {
        if rest / size > 0 || words.is_empty() {
            words.push(format!("{} {unit}", rest / size));
        }
        rest %= size;
    }
    words.join(" ")
}

/// A time: how long ago, and exactly.
pub fn ago(time: Time, now: Time) -> Markup {
    let exact = rfc3339(Time::new(time.seconds(), 0));
    let shown = exact.replace('T', " ").replace('Z', " UTC");
    html! { time datetime=(exact) { (span(now.since(time))) " ago " small { (shown) } } }
}

/// A time exactly, where there is no now.
pub fn exactly(time: Time) -> Markup {
    let exact = rfc3339(Time::new(time.seconds(), 0));
    html! { time datetime=(exact) { (exact.replace('T', " ").replace('Z', " UTC")) } }
}

/// A time to come: in how long, and exactly.
pub fn until(time: Time, now: Time) -> Markup {
    html! { "in " (span(time.since(now))) " " small { (exactly(time)) } }
}

/// What governs a lock, a sentence each.
pub fn policy(policy: &Policy, slots: u64, stale_hours: u64) -> Vec<String> {
    let mut said = vec![match policy.slots {
        Slots::Number(1) => String::from("One host may hold it."),
        Slots::Number(number) => format!("{number} hosts may hold it at once."),
        Slots::Percent(percent) => {
            format!("{} percent of its group may hold it at once: {slots} now.", u32::from(percent))
        }
    }];
    said.push(match policy.expires_after {
        None => String::from("A grant never ends by itself."),
        Some(after) => format!("A grant ends by itself {} after its holder last asked.", span(after)),
    });
    let stale = policy.stale_after.unwrap_or(Seconds(3600).times(stale_hours));
    said.push(format!("A holder is called stale {} after it last asked.", span(stale)));
    said.extend(calendar(&policy.calendar));
    if let Some(gap) = policy.gap {
        said.push(format!("Between two grants there are {} at least.", span(gap)));
    }
    if let Some(limit) = policy.freeze_after {
        said.push(format!("After {limit} failed hosts nothing is granted until somebody thaws it."));
    }
    said.push(match policy.queue.order {
        Order::None => String::from("Whoever asks while a slot is free has it."),
        Order::Fair => format!(
            "Who waits longest has a slot first; a place in the queue is kept for three polls of {} each.",
            span(policy.queue.poll)
        ),
    });
    said
}

fn calendar(calendar: &Calendar) -> Vec<String> {
    let zone = calendar.zone.as_str();
    let window = |window: &Window| {
        let days: Vec<String> = window.days.iter().map(|day| format!("{day:?}")).collect();
        let long = span(Seconds(u64::from(window.minutes) * 60));
        let start = window.start.strftime("%H:%M");
        format!("It is granted on {} from {start} for {long} ({zone}).", days.join(", "))
    };
    let mut said: Vec<String> = calendar.windows.iter().map(window).collect();
    for blackout in &calendar.blackouts {
        let why = if blackout.reason.is_empty() { String::new() } else { format!(": {}", blackout.reason) };
        said.push(format!("It is not granted from {} to {} ({zone}){why}.", blackout.from, blackout.to));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3600, "1 h"),
            (3661, "1 h 1 min"),
            (90_000, "1 d 1 h"),
            (86_400 * 400 + 59, "400 d"),
        ] {
            assert_eq!(span(Seconds(seconds)), words);
        }
    }

    #[test]
    fn what_nobody_would_see_is_shown() {
        assert_eq!(visible("a\u{202e}b\u{200b}\u{7}\n<i>"), "a\\u{202e}b\\u{200b}\\u{7}\n<i>");
    }

    #[test]
    fn a_policy_in_words() {
        let text = r#"{"slots":{"percent":20},"expires_after":3600,"stale_after":null,"gap":90,"freeze_after":2,
            "queue":{"order":"fair","poll":60},"calendar":{"zone":"Europe/Berlin",
            "windows":[{"days":["mon","tue"],"start":"22:00:00","minutes":240}],
            "blackouts":[{"from":"2026-12-24","to":"2026-12-26","reason":"holidays"}]}}"#;
        let said = policy(&serde_json::from_str(text).unwrap(), 3, 4);
        assert_eq!(
            said,
            [
                "20 percent of its group may hold it at once: 3 now.",
                "A grant ends by itself 1 h after its holder last asked.",
                "A holder is called stale 4 h after it last asked.",
                "It is granted on Monday, Tuesday from 22:00 for 4 h (Europe/Berlin).",
                "It is not granted from 2026-12-24 to 2026-12-26 (Europe/Berlin): holidays.",
                "Between two grants there are 1 min 30 s at least.",
                "After 2 failed hosts nothing is granted until somebody thaws it.",
                "Who waits longest has a slot first; a place in the queue is kept for three polls of 1 min each.",
            ]
        );
        assert_eq!(policy(&Policy::default(), 1, 4).len(), 4);
    }
}
