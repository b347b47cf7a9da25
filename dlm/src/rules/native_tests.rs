//! What goes beyond Foreman: slots, expiry, times, freezing, queues, tokens, by example.

use std::num::NonZeroU32;

use super::stage::*;
use super::*;
use crate::model::{
    Blackout, Calendar, Order, Percent, Policy, PolicyError, Queue, Seconds, Slots, Time, Token, Window,
    ZoneName,
};

fn slots(number: u32) -> Policy {
    Policy { slots: Slots::Number(number), ..Policy::default() }
}

fn fair(slots: u32) -> Policy {
    Policy {
        slots: Slots::Number(slots),
        queue: Queue { order: Order::Fair, poll: Seconds(60) },
        ..Policy::default()
    }
}

fn zone(name: &str) -> ZoneName {
    ZoneName::try_from(name.to_owned()).unwrap()
}

/// The seconds since 1970 of a time such as `2026-03-27T22:00[Europe/Berlin]`.
fn when(text: &str) -> i64 {
    let zoned = text.split_once('[').unwrap();
    let zone = super::super::model::policy::jiff_zone(zoned.1.trim_end_matches(']')).unwrap();
    zone.to_timestamp(zoned.0.parse().unwrap()).unwrap().as_second()
}

#[test]
fn slots_change_at_run_time_and_count_at_once() {
    let mut stage = Stage::with(slots(2));
    assert_eq!(stage.acquire("a"), "granted 3");
    assert_eq!(stage.acquire("b"), "granted 4");
    assert_eq!(stage.acquire("c"), "refused: 2 of 2 slots held, again at 1060");
    assert_eq!(stage.set(slots(3)), "updated");
    assert_eq!((stage.acquire("c").as_str(), stage.logged().as_str()), ("granted 7", "acquire c by c"));
    stage.set(slots(1));
    assert_eq!(stage.state(), "enabled a b c", "nobody loses what was granted");
    assert_eq!(stage.acquire("b"), "renewed 4");
    assert_eq!(stage.release("a"), "released");
    assert_eq!(stage.release("b"), "released");
    assert_eq!(stage.acquire("d"), "refused: 1 of 1 slots held, again at 1060");
    assert_eq!(stage.release("c"), "released");
    assert_eq!(stage.acquire("d"), "granted 14");
    stage.set(slots(0));
    stage.release("d");
    assert_eq!(stage.acquire("d"), "refused: 0 of 0 slots held, again at 1060");
    // An update is done whole or not at all.
    let rename = Operation::Update {
        name: Some(name("db")),
        kind: None,
        holder: NewHolder::Host(host("x")),
        enabled: Some(false),
    };
    assert_eq!(stage.ask(by_user(), rename), "refused: 0 of 0 slots held");
    assert_eq!((stage.state(), stage.logged()), ("enabled free".into(), String::new()));
    assert_eq!(stage.lock.unwrap().name, name("web"));
}

#[test]
fn a_share_is_rounded_down_and_never_none() {
    for (percent, group, expected) in [
        (10, 100, 10),
        (10, 19, 1),
        (10, 9, 1),
        (1, 0, 1),
        (100, 7, 7),
        (50, u64::MAX, u64::MAX / 2),
        (34, 3, 1),
    ] {
        let slots = Slots::Percent(Percent::try_from(percent).unwrap());
        assert_eq!(slots.of(group), expected, "{percent} % of {group}");
    }
    assert_eq!(Percent::try_from(0), Err(PolicyError::Percent(0)));
    assert_eq!(Percent::try_from(101), Err(PolicyError::Percent(101)));

    let percent = Slots::Percent(Percent::try_from(20).unwrap());
    let mut stage = Stage::with(Policy { slots: percent, ..Policy::default() });
    stage.acquire("a");
    stage.acquire("b");
    assert_eq!(stage.acquire("c"), "refused: 2 of 2 slots held, again at 1060");
    stage.facts.group = 15;
    assert!(stage.acquire("c").starts_with("granted"));
}

#[test]
fn expiry_is_by_the_policy_as_it_is_now() {
    let expiring = |seconds| Policy { expires_after: Some(Seconds(seconds)), ..Policy::default() };
    let mut stage = Stage::with(slots(1));
    stage.acquire("a");
    assert_eq!(stage.at(9000).acquire("b"), "refused: 1 of 1 slots held, again at 9060");
    // Granted when nothing expired, and ended all the same.
    stage.set(expiring(9000));
    assert_eq!(stage.acquire("b"), "refused: 1 of 1 slots held, again at 9060");
    assert_eq!(
        stage.at(9980).acquire("b"),
        "refused: 1 of 1 slots held, again at 10000",
        "it ends before the next poll"
    );
    assert_eq!(stage.at(9990).acquire("a"), "renewed 3");
    assert_eq!(stage.at(10000).acquire("b"), "refused: 1 of 1 slots held, again at 10060");
    assert!(stage.at(18990).acquire("b").starts_with("granted"));
    assert_eq!(stage.logged(), "expire a by server, acquire b by b");
    // Whoever looks sees what has ended, and it is logged once.
    assert_eq!(
        (stage.at(40000).ask(by_user(), Operation::Show), stage.state()),
        ("shown".into(), "enabled free".into())
    );
    assert_eq!(stage.logged(), "expire b by server");
    stage.ask(Requester::Server, Operation::Sweep);
    assert_eq!(stage.logged(), "");
    // So does who asks what it may not, or what cannot be.
    for by in [by_host("x"), by_user()] {
        stage.at(40000).acquire("c");
        let create = Operation::Create { kind: Kind::Update, enabled: true, holder: None };
        stage.at(60000).ask(by, create);
        assert_eq!((stage.state(), stage.logged()), ("enabled free".into(), "expire c by server".into()));
    }
    // A longer expiry lets live who would be gone by the shorter one.
    stage.set(expiring(10));
    stage.acquire("c");
    stage.set(expiring(10_000));
    assert_eq!(stage.at(61000).release("c"), "released");
    // A clock that goes back ends nothing.
    stage.acquire("d");
    assert!(stage.at(5).acquire("e").starts_with("refused"));
}

#[test]
fn with_slots_lowered_as_many_grants_must_end_as_are_too_many() {
    let expiring = |number| Policy { expires_after: Some(Seconds(100)), ..slots(number) };
    let mut stage = Stage::with(expiring(3));
    for (seconds, by) in [(1000, "a"), (1010, "b"), (1020, "c")] {
        assert!(stage.at(seconds).acquire(by).starts_with("granted"));
    }
    stage.at(1095).set(expiring(2));
    assert_eq!(stage.acquire("d"), "refused: 3 of 2 slots held, again at 1110");
}

#[test]
fn a_stale_holder_is_told_of_and_holds() {
    let mut stage = Stage::with(Policy { stale_after: Some(Seconds(100)), ..Policy::default() });
    stage.acquire("a");
    let stale = |stage: &Stage, now| stage.lock.as_ref().unwrap().stale(Time::new(now, 0)).count();
    assert_eq!((stale(&stage, 1100), stale(&stage, 1101)), (0, 1));
    assert!(stage.at(1200).acquire("b").starts_with("refused"));
    stage.set(Policy { stale_after: None, ..Policy::default() });
    assert_eq!(stale(&stage, 1_000_000), 0);
}

#[test]
fn windows_open_by_the_clocks_of_their_zone() {
    use jiff::civil::Weekday::{Friday, Saturday, Sunday};
    let window = |days: &[_], start: &str, minutes| Window {
        days: days.to_vec(),
        start: start.parse().unwrap(),
        minutes,
    };
    let calendar =
        |name: &str, windows: Vec<Window>| Calendar { zone: zone(name), windows, blackouts: vec![] };
    let berlin = calendar("Europe/Berlin", vec![window(&[Friday], "22:00", 480)]);
    let gap = calendar("Europe/Berlin", vec![window(&[Sunday], "02:30", 30)]);
    let week = calendar("UTC", vec![window(&[Saturday], "00:00", 10080)]);
    for (calendar, at, opens) in [
        (&berlin, "2026-11-20T21:59:59[Europe/Berlin]", Some("2026-11-20T22:00[Europe/Berlin]")),
        (&berlin, "2026-11-20T22:00:00[Europe/Berlin]", None),
        (&berlin, "2026-11-21T05:59:59[Europe/Berlin]", None),
        (&berlin, "2026-11-21T06:00:00[Europe/Berlin]", Some("2026-11-27T22:00[Europe/Berlin]")),
        // In summer an hour earlier by UTC.
        (&berlin, "2026-07-03T19:59:59[UTC]", Some("2026-07-03T20:00[UTC]")),
        (&berlin, "2026-07-03T20:00[UTC]", None),
        // Clocks skip 02:00 to 03:00 on 29 March 2026: half past two is half past three.
        (&gap, "2026-03-29T01:00[Europe/Berlin]", Some("2026-03-29T03:30[Europe/Berlin]")),
        (&gap, "2026-03-29T03:59[Europe/Berlin]", None),
        (&gap, "2026-03-29T04:00[Europe/Berlin]", Some("2026-04-05T02:30[Europe/Berlin]")),
        // Whole weeks follow each other without a hole.
        (&week, "2026-11-20T23:59[UTC]", None),
        (&week, "2026-11-21T00:00[UTC]", None),
    ] {
        let expected = opens.map_or(Opening::Open, |opens| Opening::Closed {
            why: Closed::NoWindow,
            until: Some(Time::new(when(opens), 0)),
        });
        assert_eq!(opening(calendar, Time::new(when(at), 0)), expected, "{at}");
    }
}

#[test]
fn blackouts_are_whole_days_whatever_the_windows_say() {
    let blackout = |from: &str, to: &str| Blackout {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        reason: "sale".into(),
    };
    let sales = vec![blackout("2026-11-27", "2026-11-30"), blackout("2026-11-30", "2026-12-02")];
    let plain = Calendar { zone: zone("America/New_York"), windows: vec![], blackouts: sales.clone() };
    let fridays =
        Window { days: vec![jiff::civil::Weekday::Friday], start: "22:00".parse().unwrap(), minutes: 240 };
    let both = Calendar { windows: vec![fridays], ..plain.clone() };
    let sale = || Closed::Blackout("sale".into());
    for (calendar, at, expected) in [
        (&plain, "2026-11-26T23:59[America/New_York]", None),
        (&plain, "2026-11-27T00:00[America/New_York]", Some((sale(), "2026-12-03T00:00[America/New_York]"))),
        (&plain, "2026-12-02T23:59[America/New_York]", Some((sale(), "2026-12-03T00:00[America/New_York]"))),
        (&plain, "2026-12-03T00:00[America/New_York]", None),
        (&both, "2026-11-27T22:30[America/New_York]", Some((sale(), "2026-12-04T22:00[America/New_York]"))),
        (
            &both,
            "2026-11-26T12:00[America/New_York]",
            Some((Closed::NoWindow, "2026-12-04T22:00[America/New_York]")),
        ),
        (&both, "2026-12-05T01:59[America/New_York]", None),
    ] {
        let expected = expected.map_or(Opening::Open, |(why, until)| Opening::Closed {
            why,
            until: Some(Time::new(when(until), 0)),
        });
        assert_eq!(opening(calendar, Time::new(when(at), 0)), expected, "{at}");
    }
    let for_ever = Calendar { blackouts: vec![blackout("2026-01-01", "9999-12-31")], ..plain.clone() };
    let now = Time::new(when("2026-11-27T22:30[UTC]"), 0);
    assert_eq!(opening(&for_ever, now), Opening::Closed { why: sale(), until: None });
    for end in [i64::MIN, i64::MAX] {
        let beyond = Opening::Closed { why: Closed::Beyond, until: None };
        assert_eq!(opening(&plain, Time::new(end, 0)), beyond);
    }
}

#[test]
fn a_closed_lock_is_renewed_and_released_and_says_when_to_come_again() {
    let sunday =
        Window { days: vec![jiff::civil::Weekday::Sunday], start: "02:00".parse().unwrap(), minutes: 60 };
    let calendar = Calendar { windows: vec![sunday], ..Calendar::default() };
    let mut stage = Stage::with(Policy { calendar, ..slots(2) });
    let open = when("2026-11-22T02:30[UTC]");
    assert!(stage.at(open).acquire("a").starts_with("granted"));
    stage.later(3600);
    assert!(stage.acquire("a").starts_with("renewed"));
    let next = when("2026-11-29T02:00[UTC]");
    assert_eq!(stage.acquire("b"), format!("refused: outside of its windows, again at {next}"));
    assert_eq!(stage.logged(), "fail a by b");
    assert_eq!(stage.events[0].detail, "outside of its windows");
    assert_eq!(stage.release("a"), "released");
    assert!(stage.at(next).acquire("b").starts_with("granted"));
}

#[test]
fn the_gap_is_between_grants() {
    let mut stage = Stage::with(Policy { gap: Some(Seconds(600)), ..slots(2) });
    assert!(stage.acquire("a").starts_with("granted"));
    assert_eq!(stage.later(10).acquire("b"), "refused: too soon after the last grant, again at 1600");
    assert!(stage.at(1599).acquire("a").starts_with("renewed"), "a renewal is no grant");
    assert_eq!(stage.release("a"), "released");
    assert_eq!(stage.acquire("b"), "refused: too soon after the last grant, again at 1600");
    assert!(stage.at(1600).acquire("b").starts_with("granted"));
}

#[test]
fn failures_freeze_until_thawed() {
    let policy = Policy { freeze_after: NonZeroU32::new(2), ..slots(3) };
    let mut stage = Stage::with(policy.clone());
    for by in ["a", "b", "c"] {
        stage.acquire(by);
    }
    assert_eq!(stage.ask(by_host("a"), failed()), "released");
    assert_eq!(stage.logged(), "releasefailed a by a");
    assert_eq!(stage.events[0].detail, "exit 1");
    // The same host failing again is one host; a success takes its failure away.
    stage.acquire("a");
    stage.ask(by_host("a"), failed());
    assert_eq!(stage.lock.as_ref().unwrap().failures.len(), 1);
    stage.acquire("a");
    stage.release("a");
    assert_eq!(stage.lock.as_ref().unwrap().failures, vec![]);

    stage.ask(by_host("b"), failed());
    stage.acquire("a");
    stage.ask(by_host("a"), failed());
    assert_eq!(stage.logged(), "releasefailed a by a, freeze - by a");
    assert_eq!(stage.acquire("d"), "refused: frozen after 2 failures, again at 1060");
    assert!(stage.acquire("c").starts_with("renewed"), "who holds it goes on");
    assert_eq!(stage.release("c"), "released");
    assert_eq!(stage.ask(by_user(), Operation::Thaw { reason: "mended".into() }), "updated");
    assert_eq!(stage.logged(), "thaw - by admin");
    assert!(stage.acquire("d").starts_with("granted"));
    // By the policy as it is now: failures count that were there before it said so.
    stage.set(slots(3));
    stage.ask(by_host("d"), failed());
    assert!(stage.acquire("e").starts_with("granted"));
    stage.set(Policy { freeze_after: NonZeroU32::new(1), ..policy });
    assert!(stage.acquire("f").starts_with("refused: frozen after 1"));
}

#[test]
fn a_fair_queue_keeps_its_order_and_tells_it() {
    let mut stage = Stage::with(fair(1));
    stage.acquire("a");
    assert_eq!(stage.acquire("b"), "refused: 1 of 1 slots held, again at 1060, place 1");
    assert_eq!(stage.later(1).acquire("c"), "refused: 1 of 1 slots held, again at 1061, place 2");
    assert_eq!(stage.later(1).acquire("b"), "refused: 1 of 1 slots held, again at 1062, place 1");
    assert_eq!(stage.release("a"), "released");
    assert_eq!(stage.acquire("c"), "refused: 1 waited longer, again at 1062, place 2");
    assert_eq!(stage.acquire("a"), "refused: 2 waited longer, again at 1062, place 3");
    assert!(stage.acquire("b").starts_with("granted"));
    assert_eq!(stage.acquire("c"), "refused: 1 of 1 slots held, again at 1062, place 1");
    stage.release("b");
    // c was told to come at 1062, and misses three polls after that.
    assert_eq!(stage.at(1242).acquire("a"), "refused: 1 waited longer, again at 1302, place 2");
    assert!(stage.at(1243).acquire("a").starts_with("granted"));
    assert!(stage.lock.as_ref().unwrap().tickets.is_empty());
}

#[test]
fn a_fair_queue_grants_as_many_as_there_are_slots() {
    let mut stage = Stage::with(fair(2));
    for by in ["a", "b", "c", "d", "e"] {
        stage.acquire(by);
    }
    stage.release("a");
    stage.release("b");
    assert_eq!(stage.acquire("e"), "refused: 2 waited longer, again at 1060, place 3");
    assert!(stage.acquire("d").starts_with("granted"), "one slot is kept for c");
    assert_eq!(stage.acquire("e"), "refused: 1 waited longer, again at 1060, place 2");
    assert!(stage.acquire("c").starts_with("granted"));

    // With a gap a grant to the second would keep the first waiting.
    let mut gap = Stage::with(Policy { gap: Some(Seconds(100)), ..fair(3) });
    gap.acquire("a");
    gap.acquire("b");
    gap.acquire("c");
    assert_eq!(gap.at(1100).acquire("c"), "refused: 1 waited longer, again at 1160, place 2");
    assert!(gap.acquire("b").starts_with("granted"));
}

#[test]
fn a_place_is_kept_until_the_window_opens_and_no_longer_than_the_policy() {
    let sunday =
        Window { days: vec![jiff::civil::Weekday::Sunday], start: "02:00".parse().unwrap(), minutes: 60 };
    let calendar = Calendar { windows: vec![sunday], ..Calendar::default() };
    let closed = Policy { calendar, ..fair(1) };
    let (monday, open) = (when("2026-11-23T12:00[UTC]"), when("2026-11-29T02:00[UTC]"));
    let mut stage = Stage::with(closed.clone());
    assert_eq!(
        stage.at(monday).acquire("a"),
        format!("refused: outside of its windows, again at {open}, place 1")
    );
    assert_eq!(
        stage.at(open + 180).acquire("b"),
        format!("refused: 1 waited longer, again at {}, place 2", open + 240)
    );
    assert!(stage.acquire("a").starts_with("granted"));

    let mut opened = Stage::with(closed);
    opened.at(monday).acquire("a");
    opened.set(fair(1));
    assert!(opened.later(180).acquire("b").starts_with("refused: 1 waited longer"));
    assert!(opened.later(1).acquire("b").starts_with("granted"), "a sleeps until Sunday");
}

#[test]
fn a_queue_has_room_for_so_many() {
    let mut stage = Stage::with(fair(1));
    stage.acquire("a");
    for number in 0..MOST_TICKETS {
        assert!(stage.acquire(&format!("h{number}")).ends_with(&format!("place {}", number + 1)));
    }
    assert_eq!(stage.acquire("late"), "refused: 1 of 1 slots held, again at 1060");
    assert_eq!(stage.lock.as_ref().unwrap().tickets.len(), MOST_TICKETS);
    stage.release("a");
    assert_eq!(stage.acquire("late"), "refused: 1000 waited longer, again at 1060");
}

#[test]
fn without_order_who_asks_first_has_it_and_who_waits_is_seen() {
    let mut stage = Stage::with(slots(1));
    stage.acquire("a");
    assert_eq!(stage.acquire("b"), "refused: 1 of 1 slots held, again at 1060");
    let waiting: Vec<_> = stage.lock.as_ref().unwrap().tickets.iter().map(|t| t.host.as_str()).collect();
    assert_eq!(waiting, ["b"]);
    stage.release("a");
    assert!(stage.acquire("c").starts_with("granted"));
    // A holder that a disabled lock turns away waits for nothing.
    stage.ask(by_user(), Operation::Disable);
    stage.acquire("c");
    assert_eq!(stage.lock.as_ref().unwrap().tickets.len(), 1);
}

#[test]
fn a_release_that_names_a_token_releases_that_grant_alone() {
    let with = |token| Operation::Release {
        outcome: Outcome::Ok,
        token: Some(Token(token)),
        not_held: NotHeld::Refuse,
    };
    let mut stage = Stage::new();
    assert_eq!(stage.acquire("a"), "granted 1");
    stage.ask(by_user(), force(None));
    assert_eq!(stage.acquire("a"), "granted 3");
    assert_eq!(stage.ask(by_host("a"), with(1)), "refused: held by another grant than that of token 1");
    assert_eq!((stage.state().as_str(), stage.logged().as_str()), ("enabled a", "fail a by a"));
    assert_eq!(stage.ask(by_host("a"), with(3)), "released");
    assert_eq!(
        stage.ask(by_host("a"), with(3)),
        "not held",
        "a release whose answer was lost can be repeated"
    );
}

#[test]
fn fleetlock_releases_what_it_does_not_hold() {
    let lenient = || Operation::Release { outcome: Outcome::Ok, token: None, not_held: NotHeld::Accept };
    let mut stage = Stage::new();
    stage.acquire("a");
    assert_eq!(stage.ask(by_host("b"), lenient()), "not held");
    assert_eq!((stage.state().as_str(), stage.logged().as_str()), ("enabled a", ""));
    assert_eq!(stage.ask(by_host("a"), lenient()), "released");
}

#[test]
fn tokens_grow_whatever_the_store_offers_and_end_without_a_panic() {
    let mut stage = Stage::new();
    stage.facts.next_token = Token(50);
    assert_eq!(stage.acquire("a"), "granted 50");
    stage.release("a");
    stage.facts.next_token = Token(3);
    assert_eq!(stage.acquire("a"), "granted 51");
    stage.release("a");
    stage.facts.next_token = Token(u64::MAX - 1);
    assert_eq!(stage.acquire("a"), format!("granted {}", u64::MAX - 1));
    stage.release("a");
    stage.facts.next_token = Token(0);
    assert_eq!(stage.acquire("a"), format!("granted {}", u64::MAX));
    stage.release("a");
    stage.facts.next_token = Token(0);
    assert_eq!(stage.acquire("a"), "refused: no fencing token is left");
    assert_eq!((stage.state().as_str(), stage.logged().as_str()), ("enabled free", "fail - by a"));
}

#[test]
fn a_policy_that_cannot_be_is_refused_whole() {
    let day = jiff::civil::Weekday::Monday;
    let window = |days, minutes| Window { days, start: jiff::civil::Time::midnight(), minutes };
    let calendar = |windows, blackouts| Policy {
        calendar: Calendar { zone: ZoneName::utc(), windows, blackouts },
        ..Policy::default()
    };
    let blackout = Blackout {
        from: "2026-01-02".parse().unwrap(),
        to: "2026-01-01".parse().unwrap(),
        reason: String::new(),
    };
    for (policy, error) in [
        (calendar(vec![window(vec![], 1)], vec![]), "name at least one day"),
        (calendar(vec![window(vec![day], 0)], vec![]), "it has 0 minutes"),
        (calendar(vec![window(vec![day], 10081)], vec![]), "it has 10081 minutes"),
        (calendar(vec![window(vec![day], 1); 101], vec![]), "101 windows"),
        (calendar(vec![], vec![blackout]), "it ends before it begins"),
        (
            Policy { queue: Queue { order: Order::Fair, poll: Seconds(0) }, ..Policy::default() },
            "polls of 0 seconds",
        ),
    ] {
        assert!(policy.check().unwrap_err().to_string().contains(error), "{error}");
        let mut stage = Stage::with(slots(2));
        assert!(stage.set(policy).starts_with("badpolicy"), "{error}");
        assert_eq!((stage.lock.unwrap().policy, stage.events), (slots(2), vec![]));
    }
    assert!(ZoneName::try_from("Europe/Bonn".to_owned()).is_err());
}

#[test]
fn a_policy_is_swapped_only_for_the_one_that_the_change_was_made_from() {
    let swap = |from: Policy, to: Policy| Operation::SwapPolicy { from: Box::new(from), to: Box::new(to) };
    let mut stage = Stage::with(slots(2));
    assert_eq!(stage.ask(by_user(), swap(slots(2), slots(3))), "updated");
    assert_eq!(stage.logged(), "policy - by admin");
    assert_eq!(stage.ask(by_user(), swap(slots(2), slots(9))), "shown", "somebody else was quicker");
    assert_eq!((stage.lock.clone().unwrap().policy, stage.events.len()), (slots(3), 0));
    assert_eq!(stage.ask(by_host("a"), swap(slots(3), slots(9))), "usersonly");
}

#[test]
fn a_lock_has_its_policy_from_the_start_or_is_not_made() {
    let define =
        |policy, enabled| Operation::Define { kind: Kind::Generic, enabled, policy: Box::new(policy) };
    let no_poll = Policy { queue: Queue { order: Order::None, poll: Seconds(0) }, ..Policy::default() };
    let mut stage = Stage::new();
    assert!(stage.ask(by_user(), define(no_poll, true)).starts_with("badpolicy"));
    assert_eq!((stage.state().as_str(), stage.events.len()), ("missing", 0));
    assert_eq!(stage.ask(by_user(), define(slots(2), false)), "created");
    assert_eq!(stage.logged(), "create - by admin, policy - by admin, disable - by admin");
    let lock = stage.lock.clone().unwrap();
    assert_eq!((lock.policy, lock.kind, lock.enabled), (slots(2), Kind::Generic, false));
    assert_eq!(stage.ask(by_user(), define(slots(3), true)), "nametaken");
    stage.facts.name_taken = true;
    stage.lock = None;
    assert_eq!(stage.ask(by_user(), define(slots(3), true)), "nametaken");
}

#[test]
fn a_switch_says_why() {
    let switch = |enabled| Operation::Switch { enabled, reason: String::from("maintenance") };
    let mut stage = Stage::with(slots(1));
    stage.acquire("a");
    assert_eq!(stage.ask(by_user(), switch(false)), "updated");
    assert_eq!(stage.logged(), "disable a by admin");
    assert_eq!(stage.events[0].detail, "maintenance");
    assert_eq!((stage.ask(by_user(), switch(false)).as_str(), stage.events.len()), ("updated", 0));
    assert_eq!(stage.ask(by_user(), switch(true)), "updated");
    assert_eq!((stage.state().as_str(), stage.events[0].detail.as_str()), ("enabled a", "maintenance"));
}
