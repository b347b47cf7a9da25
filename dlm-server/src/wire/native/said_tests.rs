//! What is said of locks, by example, and of times by property.

use disco_dlm::model::{
    Blackout, Calendar, Failure, Holder, Kind, Lock, LockId, Percent, Policy, Seconds, Slots, Ticket, Time,
    Token,
};
use proptest::prelude::*;

use super::said::*;
use crate::stage::{host, name, now};

fn view() -> View {
    View { now: now(), group: 10, stale_hours: 4 }
}

fn lock(policy: Policy) -> Lock {
    let mut lock = Lock::new(LockId(7), name("web"), Kind::Update, Time::new(now().seconds() - 100_000, 0));
    lock.policy = policy;
    lock
}

fn held(since: i64, policy: Policy) -> Lock {
    let at = Time::new(now().seconds() - since, 0);
    let mut lock = lock(policy);
    lock.holders.push(Holder {
        host: host("a"),
        since: at,
        renewed: at,
        token: Token(3),
        note: "kernel".into(),
    });
    lock
}

#[test]
fn a_free_lock_as_json() {
    let said = serde_json::to_value(lock_said(&lock(Policy::default()), view())).unwrap();
    let expected = serde_json::json!({
        "id": 7, "name": "web", "type": "ForemanDlm::Dlmlock::Update", "enabled": true, "slots": 1, "holders": [],
        "waiting": [], "failures": [], "frozen": false, "opens": null,
        "policy": {
            "slots": {"number": 1}, "expires_after": null, "stale_after": 14400,
            "calendar": {"zone": "UTC", "windows": [], "blackouts": []}, "gap": null, "freeze_after": null,
            "queue": {"order": "none", "poll": 60}
        },
        "created": "2026-11-21T04:13:20Z", "updated": "2026-11-21T04:13:20Z"
    });
    assert_eq!(said, expected);
}

#[test]
fn slots_are_worked_out_for_the_group() {
    for (slots, group, expected) in [
        (Slots::Number(3), 10, 3),
        (Slots::Number(0), 10, 0),
        (Slots::Percent(Percent::try_from(25).unwrap()), 10, 2),
        (Slots::Percent(Percent::try_from(25).unwrap()), 2, 1),
    ] {
        let lock = lock(Policy { slots, ..Policy::default() });
        assert_eq!(lock_said(&lock, View { group, ..view() }).slots, expected, "{slots:?} of {group}");
        assert_eq!(needs_group(&lock), matches!(slots, Slots::Percent(_)));
    }
}

#[test]
fn a_holder_is_stale_by_its_policy_or_else_by_the_server() {
    let hours = |hours: u64| Some(Seconds(hours * 3600));
    for (since, after, stale) in [
        (4 * 3600, hours(4), false),
        (4 * 3600 + 1, hours(4), true),
        (4 * 3600 + 1, hours(5), false),
        (4 * 3600 + 1, None, true),
        (4 * 3600, None, false),
        (-10, hours(0), false),
    ] {
        let lock = held(since, Policy { stale_after: after, ..Policy::default() });
        assert_eq!(lock_said(&lock, view()).holders[0].stale, stale, "{since} under {after:?}");
    }
}

#[test]
fn what_ends_by_itself_says_when_and_is_gone_after_that() {
    let policy = Policy { expires_after: Some(Seconds(600)), ..Policy::default() };
    let lock = held(599, policy.clone());
    assert_eq!(lock_said(&lock, view()).holders[0].expires.as_deref(), Some("2026-11-22T08:00:01Z"));
    assert_eq!(lapsed(&lock, view()).holders.len(), 1);
    assert_eq!(lapsed(&held(600, policy), view()).holders, vec![]);
    assert_eq!(lock_said(&held(600, Policy::default()), view()).holders[0].expires, None);
}

#[test]
fn a_calendar_says_when_it_opens() {
    let until = |to: &str| Blackout {
        from: "2026-11-20".parse().unwrap(),
        to: to.parse().unwrap(),
        reason: String::new(),
    };
    for (blackouts, opens) in [
        (vec![], None),
        (vec![until("2026-11-21")], None),
        (vec![until("2026-11-22")], Some("2026-11-23T00:00:00Z")),
    ] {
        let calendar = Calendar { blackouts, ..Calendar::default() };
        let lock = lock(Policy { calendar, ..Policy::default() });
        assert_eq!(lock_said(&lock, view()).opens.as_deref(), opens);
    }
}

#[test]
fn who_waits_has_a_place_and_who_failed_freezes() {
    let mut lock = lock(Policy { freeze_after: std::num::NonZeroU32::new(2), ..Policy::default() });
    let ticket = |who| Ticket { host: host(who), since: now(), due: now() };
    lock.tickets = vec![ticket("b"), ticket("c")];
    let failure = |who| Failure { host: host(who), at: now(), token: Token(1), note: "no boot".into() };
    lock.failures = vec![failure("x")];
    let said = lock_said(&lock, view());
    let places: Vec<(&str, usize)> = said.waiting.iter().map(|one| (one.host.as_str(), one.place)).collect();
    assert_eq!((places, said.frozen), (vec![("b", 1), ("c", 2)], false));
    lock.failures.push(failure("y"));
    assert!(lock_said(&lock, view()).frozen);
    assert_eq!(lock_said(&lock, view()).failures[1].note, "no boot");
}

#[test]
fn seconds_are_rounded_up_so_that_nobody_comes_too_early() {
    for (at, now, seconds) in [
        (Time::new(10, 0), Time::new(10, 0), 1),
        (Time::new(9, 0), Time::new(10, 0), 1),
        (Time::new(11, 0), Time::new(10, 0), 1),
        (Time::new(11, 1), Time::new(10, 0), 2),
        (Time::new(12, 0), Time::new(10, 1), 2),
        (Time::new(70, 0), Time::new(10, 0), 60),
        (Time::new(i64::MAX, 0), Time::new(i64::MIN, 0), u64::MAX),
    ] {
        assert_eq!(seconds_until(at, now), seconds, "{at:?} from {now:?}");
    }
}

#[test]
fn times_that_no_calendar_has_are_the_nearest_ones() {
    assert_eq!(rfc3339(Time::new(0, 0)), "1970-01-01T00:00:00Z");
    assert_eq!(rfc3339(Time::new(0, 500_000_000)), "1970-01-01T00:00:00.5Z");
    assert!(rfc3339(Time::new(i64::MAX, 0)).starts_with("9999-12-30"));
    assert!(rfc3339(Time::new(i64::MIN, 0)).starts_with("-009999-01-02"));
}

proptest! {
    #[test]
    fn a_time_is_read_back_as_it_was(seconds in -62_000_000_000i64..253_000_000_000, nanoseconds in 0u32..1_000_000_000) {
        let text = rfc3339(Time::new(seconds, nanoseconds));
        let read: jiff::Timestamp = text.parse().unwrap();
        let whole = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
        prop_assert_eq!(read.as_nanosecond(), whole);
    }

    #[test]
    fn whoever_comes_after_so_many_seconds_is_not_too_early(at in any::<(i32, u32)>(), now in any::<(i32, u32)>()) {
        let (at, now) = (Time::new(at.0.into(), at.1), Time::new(now.0.into(), now.1));
        let seconds = seconds_until(at, now);
        prop_assert!(now.after(Seconds(seconds)) >= at);
        prop_assert!(seconds == 1 || now.after(Seconds(seconds - 1)) < at);
    }
}
