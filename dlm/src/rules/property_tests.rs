//! What holds whatever hosts and users do, in any order, at any time: random histories of one lock under random policies.

use std::num::NonZeroU32;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::draft::MISSED_POLLS;
use super::stage::*;
use super::*;
use crate::model::{
    Blackout, Calendar, HostName, LockId, Order, Percent, Policy, Queue, Seconds, Slots, Time, Token, Window,
    ZoneName,
};

const HOSTS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn any_host() -> impl Strategy<Value = HostName> {
    select(&HOSTS[..]).prop_map(host)
}

fn any_calendar() -> impl Strategy<Value = Calendar> {
    use jiff::civil::{Date, Time as TimeOfDay, Weekday};
    let days = subsequence(
        vec![Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Sunday],
        1..=5,
    );
    let window = (days, 0i8..24, 0i8..60, 1u32..=10080).prop_map(|(days, hour, minute, minutes)| Window {
        days,
        start: TimeOfDay::new(hour, minute, 0, 0).unwrap(),
        minutes,
    });
    // The histories are in January 1970.
    let blackout = (1i8..28, 0i8..5).prop_map(|(day, more)| Blackout {
        from: Date::new(1970, 1, day).unwrap(),
        to: Date::new(1970, 1, (day + more).min(31)).unwrap(),
        reason: "closed".into(),
    });
    let zone = select(vec!["UTC", "Europe/Berlin", "Pacific/Apia", "America/New_York"]);
    (zone, vec(window, 0..3), vec(blackout, 0..3)).prop_map(|(zone, windows, blackouts)| Calendar {
        zone: ZoneName::try_from(zone.to_owned()).unwrap(),
        windows,
        blackouts,
    })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let slots = prop_oneof![
        4 => (0u32..4).prop_map(Slots::Number),
        1 => (1u32..=100).prop_map(|share| Slots::Percent(Percent::try_from(share).unwrap())),
    ];
    let calendar = prop_oneof![2 => Just(Calendar::default()), 1 => any_calendar()];
    let span = |longest| of((1u64..longest).prop_map(Seconds));
    let queue = (select(vec![Order::None, Order::Fair]), 1u64..100)
        .prop_map(|(order, poll)| Queue { order, poll: Seconds(poll) });
    (slots, span(500), span(500), calendar, span(100), of(1u32..3), queue).prop_map(
        |(slots, expires_after, stale_after, calendar, gap, freeze_after, queue)| Policy {
            slots,
            expires_after,
            stale_after,
            calendar,
            gap,
            freeze_after: freeze_after.and_then(NonZeroU32::new),
            queue,
        },
    )
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Outcome::Ok), Just(Outcome::Failed("exit 1".into()))]
}

/// What a host does; mostly what hosts do.
fn by_a_host() -> impl Strategy<Value = (Requester, Operation)> {
    let release =
        (any_outcome(), of((0u64..60).prop_map(Token)), select(vec![NotHeld::Refuse, NotHeld::Accept]))
            .prop_map(|(outcome, token, not_held)| Operation::Release { outcome, token, not_held });
    let plain = (any_outcome()).prop_map(|outcome| Operation::Release {
        outcome,
        token: None,
        not_held: NotHeld::Refuse,
    });
    let operation = prop_oneof![12 => Just(acquire()), 4 => plain, 2 => release, 1 => Just(Operation::Show)];
    (any_host().prop_map(Requester::Host), operation)
}

fn managing() -> impl Strategy<Value = Operation> {
    let holder =
        prop_oneof![Just(NewHolder::Same), Just(NewHolder::Nobody), any_host().prop_map(NewHolder::Host)];
    let kind = || select(vec![Kind::Generic, Kind::Update]);
    let create = (kind(), any::<bool>(), of(any_host()))
        .prop_map(|(kind, enabled, holder)| Operation::Create { kind, enabled, holder });
    let update = (of(select(vec!["web", "db"]).prop_map(name)), of(kind()), holder, of(any::<bool>()))
        .prop_map(|(name, kind, holder, enabled)| Operation::Update { name, kind, holder, enabled });
    let force = of(any_host()).prop_map(|host| Operation::ForceRelease { host, reason: "gone".into() });
    let define = (kind(), any::<bool>(), any_policy())
        .prop_map(|(kind, enabled, policy)| Operation::Define { kind, enabled, policy: Box::new(policy) });
    let switch = any::<bool>().prop_map(|enabled| Operation::Switch { enabled, reason: "work".into() });
    let swap = (any_policy(), any_policy())
        .prop_map(|(from, to)| Operation::SwapPolicy { from: Box::new(from), to: Box::new(to) });
    prop_oneof![
        1 => create,
        1 => define,
        2 => switch,
        2 => swap,
        2 => update,
        1 => Just(Operation::Delete),
        2 => force,
        10 => Just(Operation::Enable),
        2 => Just(Operation::Disable),
        10 => any_policy().prop_map(Operation::SetPolicy),
        4 => Just(Operation::Thaw { reason: "mended".into() }),
        1 => Just(acquire()),
    ]
}

#[derive(Debug, Clone)]
struct Step {
    requester: Requester,
    operation: Operation,
    /// How long after the last one.
    later: u64,
    may_acquire: bool,
    name_taken: bool,
    group: u64,
}

fn any_step() -> impl Strategy<Value = Step> {
    let asked = prop_oneof![
        12 => by_a_host(),
        2 => managing().prop_map(|operation| (by_user(), operation)),
        // A host may not, and nothing happens but what does anyway.
        1 => (any_host().prop_map(Requester::Host), managing()),
        1 => Just((Requester::Server, Operation::Sweep)),
    ];
    let later = prop_oneof![12 => 0u64..20, 3 => 20u64..400, 1 => 0u64..400_000];
    let seldom = || proptest::bool::weighted(0.03);
    (asked, later, seldom(), seldom(), 0u64..30).prop_map(
        |((requester, operation), later, may_not, name_taken, group)| Step {
            requester,
            operation,
            later,
            may_acquire: !may_not,
            name_taken,
            group,
        },
    )
}

/// What was asked, what there was before, and what came out.
struct Seen {
    before: Option<Lock>,
    request: Request,
    facts: Facts,
    decision: Decision,
}

/// Plays the steps against one name, as a store would that gives each grant a larger token.
fn play(steps: &[Step]) -> Vec<Seen> {
    let (mut lock, mut now, mut seen): (Option<Lock>, _, _) = (None, Time::new(0, 0), vec![]);
    for (number, step) in (1u64..).zip(steps) {
        now = now.after(Seconds(step.later));
        let facts = Facts {
            now,
            group: step.group,
            next_id: LockId(number),
            next_token: Token(number),
            name_taken: step.name_taken,
            may_acquire: step.may_acquire,
        };
        let (requester, operation) = (step.requester.clone(), step.operation.clone());
        let request = Request { requester, name: name("web"), operation };
        let decision = decide(lock.as_ref(), &request, &facts);
        let after = decision.lock(lock.as_ref()).cloned();
        seen.push(Seen { before: lock, request, facts, decision });
        lock = after;
    }
    seen
}

/// The token of a new grant by acquire.
fn granted(seen: &Seen) -> Option<Token> {
    match seen.decision.answer {
        Answer::Granted { token, grant: Grant::New } => Some(token),
        _ => None,
    }
}

/// The tickets of a lock that are alive at this time, as the rule says it in words.
fn alive(lock: &Lock, now: Time) -> Vec<HostName> {
    let patience = lock.policy.queue.poll.0 * MISSED_POLLS;
    let tickets = lock.tickets.iter().filter(|ticket| now.since(ticket.due) <= Seconds(patience));
    tickets.map(|ticket| ticket.host.clone()).collect()
}

/// The hosts that hold a lock at this time.
fn holding(lock: &Lock, now: Time) -> Vec<HostName> {
    let lapsed = |renewed: Time| lock.policy.expires_after.is_some_and(|span| now.since(renewed) >= span);
    lock.holders.iter().filter(|holder| !lapsed(holder.renewed)).map(|holder| holder.host.clone()).collect()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(any_step(), 1..80)
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn holders_never_exceed_the_slots_but_by_lowering_them(steps in steps()) {
        for seen in play(&steps) {
            let Some(after) = seen.decision.lock(seen.before.as_ref()) else { continue };
            let slots = after.policy.slots.of(seen.facts.group);
            let before = seen.before.as_ref().map_or(vec![], |lock| holding(lock, seen.facts.now));
            let held: Vec<&HostName> = after.holders.iter().map(|holder| &holder.host).collect();
            let gained = held.iter().any(|host| !before.contains(host));
            // Slots that became fewer leave holders, but nobody comes in until there are less than slots.
            prop_assert!(!gained || held.len() as u64 <= slots, "{held:?} of {slots} at {:?}", seen.request);
            prop_assert!(held.len() <= before.len() || gained);
        }
    }

    #[test]
    fn tokens_strictly_increase(steps in steps()) {
        let mut last = Token(0);
        for seen in play(&steps) {
            let Some(after) = seen.decision.lock(seen.before.as_ref()) else { continue };
            let known: Vec<_> = seen.before.iter().flat_map(|lock| &lock.holders).collect();
            for holder in after.holders.iter().filter(|holder| !known.iter().any(|old| old.token == holder.token)) {
                prop_assert!(holder.token > last, "{:?} after {last:?}", holder.token);
                last = holder.token;
            }
            if let Some(token) = granted(&seen) {
                prop_assert_eq!(token, last);
            }
        }
    }

    #[test]
    fn nothing_is_granted_while_disabled_closed_frozen_or_too_soon(steps in steps()) {
        let mut last_grant = None;
        for seen in play(&steps) {
            if granted(&seen).is_some() {
                prop_assert!(seen.facts.may_acquire);
                if let Some(lock) = &seen.before {
                    let policy = &lock.policy;
                    prop_assert!(lock.enabled);
                    prop_assert!(policy.freeze_after.is_none_or(|limit| lock.failures.len() < limit.get() as usize));
                    prop_assert_eq!(opening(&policy.calendar, seen.facts.now), Opening::Open);
                    if let (Some(gap), Some(last)) = (policy.gap, last_grant) {
                        prop_assert!(seen.facts.now.since(last) >= gap);
                    }
                }
            }
            match seen.decision.lock(seen.before.as_ref()) {
                None => last_grant = None,
                Some(_) if seen.decision.events.iter().any(|event| event.kind == EventKind::Acquire) => {
                    last_grant = Some(seen.facts.now);
                }
                Some(_) => {}
            }
        }
    }

    #[test]
    fn who_waited_longer_has_a_slot_kept(steps in steps()) {
        for seen in play(&steps) {
            let (Some(_), Some(lock)) = (granted(&seen), &seen.before) else { continue };
            if lock.policy.queue.order == Order::None {
                continue;
            }
            let Requester::Host(host) = &seen.request.requester else { unreachable!() };
            let tickets = alive(lock, seen.facts.now);
            let older = tickets.iter().take_while(|other| *other != host).count() as u64;
            let free = lock.policy.slots.of(seen.facts.group) - holding(lock, seen.facts.now).len() as u64;
            prop_assert!(older < free, "{host} before {older}, with {free} free");
            prop_assert!(lock.policy.gap.is_none() || older == 0);
        }
    }

    #[test]
    fn who_asks_in_time_keeps_its_place_until_it_is_granted(steps in steps()) {
        for seen in play(&steps) {
            let (Some(before), Some(after)) = (&seen.before, seen.decision.lock(seen.before.as_ref())) else { continue };
            let held = |host: &HostName| after.holder(host).is_some();
            let kept: Vec<_> = alive(before, seen.facts.now).into_iter().filter(|host| !held(host)).collect();
            let now = alive(after, seen.facts.now);
            prop_assert!(now.starts_with(&kept), "{kept:?} became {now:?}");
        }
    }

    #[test]
    fn a_lock_is_sound_and_every_refusal_helps(steps in steps()) {
        for seen in play(&steps) {
            let Some(lock) = seen.decision.lock(seen.before.as_ref()) else { continue };
            let mut hosts: Vec<_> =
                lock.holders.iter().map(|h| &h.host).chain(lock.tickets.iter().map(|t| &t.host)).collect();
            let all = hosts.len();
            hosts.sort();
            hosts.dedup();
            prop_assert_eq!(hosts.len(), all, "no host twice, and no holder waits");
            prop_assert!(lock.holders.is_sorted_by_key(|holder| holder.token));
            if let Answer::Refused(Refusal { reason, retry_at, place }) = &seen.decision.answer {
                let now = seen.facts.now;
                prop_assert!(retry_at.is_none_or(|at| at > now), "{reason}: again at {retry_at:?}, asked at {now:?}");
                let acquire = matches!(seen.request.operation, Operation::Acquire { .. });
                let by_event = *reason != Reason::NotPermitted && !matches!(seen.request.operation, Operation::Update { .. });
                if by_event {
                    let Some(event) = seen.decision.events.last() else { panic!("{reason}: no event") };
                    prop_assert_eq!(event.kind, EventKind::Fail);
                    prop_assert_eq!(&event.requester, &seen.request.requester);
                    prop_assert_eq!(&event.detail, &reason.to_string());
                    prop_assert_eq!(retry_at.is_some(), acquire);
                }
                let Requester::Host(host) = &seen.request.requester else { continue };
                let at = lock.tickets.iter().position(|ticket| ticket.host == *host);
                prop_assert!(place.is_none() || place.map(|place| place - 1) == at);
            }
        }
    }

    /// What changes what, and what does not, is in the log: between two looks nobody comes or goes without an event.
    #[test]
    fn the_log_tells_who_holds_the_lock(steps in steps()) {
        let mut told: Vec<HostName> = vec![];
        for seen in play(&steps) {
            for event in &seen.decision.events {
                match (event.kind, &event.host) {
                    (EventKind::Acquire, Some(host)) => told.push(host.clone()),
                    (EventKind::Release | EventKind::ReleaseFailed | EventKind::Force | EventKind::Expire, Some(host)) => {
                        told.retain(|other| other != host);
                    }
                    (EventKind::Delete, _) => told.clear(),
                    _ => {}
                }
            }
            let lock = seen.decision.lock(seen.before.as_ref());
            let held: Vec<_> = lock.iter().flat_map(|lock| &lock.holders).map(|holder| holder.host.clone()).collect();
            prop_assert_eq!(&told, &held, "{:?}", seen.request);
        }
    }

    #[test]
    fn every_lock_goes_through_json_and_every_decision_can_be_repeated(steps in steps()) {
        for seen in play(&steps) {
            let again = decide(seen.before.as_ref(), &seen.request, &seen.facts);
            prop_assert_eq!(&again, &seen.decision);
            if let Some(lock) = seen.decision.lock(seen.before.as_ref()) {
                let json = serde_json::to_string(lock).unwrap();
                let back: Lock = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(&back, lock);
            }
            for event in &seen.decision.events {
                let back: crate::model::Event = serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap();
                prop_assert_eq!(&back, event);
            }
            let asked: Request = serde_json::from_str(&serde_json::to_string(&seen.request).unwrap()).unwrap();
            prop_assert_eq!(&asked, &seen.request);
        }
    }

    /// When the calendar says when it opens, it opens then, and not a second before.
    #[test]
    fn a_closed_calendar_opens_when_it_says(calendar in any_calendar(), at in 0i64..3_000_000) {
        let now = Time::new(at, 1);
        if let Opening::Closed { until: Some(until), .. } = opening(&calendar, now) {
            prop_assert!(until > now);
            prop_assert_eq!(opening(&calendar, until), Opening::Open);
            for part in 0..40 {
                let between = Time::new(at + (until.seconds() - 1 - at) * part / 39, 2);
                prop_assert!(between >= until || opening(&calendar, between) != Opening::Open, "open at {between:?}");
            }
        } else if let Opening::Closed { .. } = opening(&calendar, now) {
            prop_assert!(false, "these calendars always open again");
        }
    }

    /// The other way round: what a calendar covers is what it would open or black out, and it ends when it says.
    #[test]
    fn what_a_calendar_covers_ends_when_it_says(calendar in any_calendar(), at in 0i64..3_000_000) {
        let now = Time::new(at, 1);
        let windows = Calendar { blackouts: vec![], ..calendar.clone() };
        let is_in_window = !windows.windows.is_empty() && opening(&windows, now) == Opening::Open;
        let days = Calendar { windows: vec![], ..calendar.clone() };
        let is_blacked_out = opening(&days, now) != Opening::Open;
        prop_assert_eq!(covered(&calendar, now) == Covered::Free, !is_in_window && !is_blacked_out);
        if let Covered::By { until: Some(until), .. } = covered(&calendar, now) {
            prop_assert!(until > now);
            prop_assert_eq!(covered(&calendar, until), Covered::Free);
            for part in 0..40 {
                let between = Time::new(at + (until.seconds() - 1 - at) * part / 39, 2);
                prop_assert!(between >= until || covered(&calendar, between) != Covered::Free, "free at {between:?}");
            }
        }
    }

    /// Any clock, with jumps, at the ends of time, and any numbers: an answer, and no panic.
    #[test]
    fn no_time_and_no_number_is_too_large(
        steps in steps(),
        worlds in vec((any::<i64>(), any::<u32>(), any::<u64>(), any::<u64>(), any::<u64>()), 1..80),
        policy in any_policy(),
        span in any::<u64>(),
    ) {
        let policy = Policy { expires_after: Some(Seconds(span)), gap: Some(Seconds(span)), ..policy };
        let policy = Policy { queue: Queue { poll: Seconds(span.max(1)), ..policy.queue }, ..policy };
        let mut lock = None;
        let set = Step {
            requester: by_user(),
            operation: Operation::SetPolicy(policy),
            later: 0,
            may_acquire: true,
            name_taken: false,
            group: 0,
        };
        for (at, (step, world)) in steps.iter().zip(&worlds).enumerate() {
            let step = if at == 1 { &set } else { step };
            let (seconds, nanoseconds, group, id, token) = *world;
            let facts = Facts {
                now: Time::new(seconds, nanoseconds),
                group,
                next_id: LockId(id),
                next_token: Token(token),
                name_taken: false,
                may_acquire: true,
            };
            let request =
                Request { requester: step.requester.clone(), name: name("web"), operation: step.operation.clone() };
            let decision = decide(lock.as_ref(), &request, &facts);
            lock = decision.lock(lock.as_ref()).cloned();
            if let Some(lock) = &lock {
                let back: Lock = serde_json::from_str(&serde_json::to_string(lock).unwrap()).unwrap();
                prop_assert_eq!(&back, lock);
            }
        }
    }
}

/// The histories must go where the properties look: each of these happens in them, often enough to be worth a test.
#[test]
fn the_histories_go_everywhere() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen_words = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..400 {
        for seen in play(&steps().new_tree(&mut runner).unwrap().current()) {
            let word = words(&seen.decision.answer);
            let word =
                word.split(|c: char| c.is_ascii_digit() || c == ',').next().unwrap_or_default().to_owned();
            *seen_words.entry(word).or_default() += 1;
            for event in &seen.decision.events {
                *seen_words.entry(format!("{:?}", event.kind)).or_default() += 1;
            }
            if let (Some(_), Some(lock)) = (granted(&seen), &seen.before)
                && lock.policy.queue.order == Order::Fair
                && alive(lock, seen.facts.now).len() > 1
            {
                *seen_words.entry("a grant with others waiting in order".into()).or_default() += 1;
            }
        }
    }
    for word in [
        "granted ",
        "renewed ",
        "released",
        "not held",
        "refused: disabled",
        "refused: outside of its windows",
        "refused: blackout: closed",
        "refused: too soon after the last grant",
        "refused: frozen after ",
        "refused: held by another grant than that of token ",
        "Expire",
        "ReleaseFailed",
        "Freeze",
        "Thaw",
        "Delete",
        "a grant with others waiting in order",
    ] {
        let often = seen_words.get(word).copied().unwrap_or_default();
        assert!(often >= 10, "{word:?}: {often} times in {seen_words:#?}");
    }
}
