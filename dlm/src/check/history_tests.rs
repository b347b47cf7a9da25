//! The checker, checked: against another one on small histories, and against systems that are known to be right and wrong.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

use super::*;
use crate::model::{HostName, Kind, LockName, Policy, Requester, Slots, Token, UserName};
use crate::rules::{NewHolder, NotHeld, Operation, Outcome, Request};

const LIMIT: usize = 1_000_000;

fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

fn ask(requester: Requester, operation: Operation) -> Request {
    Request { requester, name: LockName::new("web").unwrap(), operation }
}

fn acquire(by: &str) -> Request {
    ask(Requester::Host(host(by)), Operation::Acquire { note: String::new() })
}

fn release(by: &str) -> Request {
    let operation = Operation::Release { outcome: Outcome::Ok, token: None, not_held: NotHeld::Refuse };
    ask(Requester::Host(host(by)), operation)
}

fn show() -> Request {
    ask(Requester::Server, Operation::Show)
}

fn by_user(operation: Operation) -> Request {
    ask(Requester::User(UserName::new("admin").unwrap()), operation)
}

fn slots(number: u32) -> Request {
    by_user(Operation::SetPolicy(Policy { slots: Slots::Number(number), ..Policy::default() }))
}

fn force() -> Request {
    by_user(Operation::ForceRelease { host: None, reason: String::new() })
}

fn call(request: Request, invoked: u64, at: u64, saw: Saw) -> Call {
    Call { request, invoked, returned: Some(Return { at, saw, token: None }) }
}

fn unknown(request: Request, invoked: u64) -> Call {
    Call { request, invoked, returned: None }
}

fn shown(holders: &[&str]) -> Saw {
    Saw::Shown { enabled: true, holders: holders.iter().map(|name| host(name)).collect() }
}

fn linearizable(from: &State, calls: &[Call]) -> bool {
    match linearize(from, calls, LIMIT) {
        Verdict::Linearizable(order) => {
            explains(from, calls, &order);
            true
        }
        Verdict::Violation { .. } => false,
        Verdict::Undecided => panic!("the limit came first"),
    }
}

/// The order has every call that returned, none twice, keeps real time, and is what the rules say.
fn explains(from: &State, calls: &[Call], order: &[usize]) {
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), order.len());
    assert!((0..calls.len()).all(|number| calls[number].returned.is_none() || sorted.contains(&number)));
    let mut state = from.clone();
    for (at, number) in order.iter().enumerate() {
        let call = &calls[*number];
        let (after, saw) = state.after(&call.request);
        assert!(call.returned.as_ref().is_none_or(|returned| returned.saw == saw));
        for later in &order[at + 1..] {
            let returned = calls[*later].returned.as_ref();
            assert!(
                returned.is_none_or(|returned| returned.at >= call.invoked),
                "{later} was over before {number}"
            );
        }
        state = after;
    }
}

#[test]
fn histories_by_hand() {
    let (free, two) = (State::free(1), State::free(2));
    for (what, from, calls, expected) in [
        ("nothing", &free, vec![], true),
        (
            "one after the other",
            &free,
            vec![
                call(acquire("a"), 1, 2, Saw::Granted),
                call(acquire("b"), 3, 4, Saw::Refused),
                call(release("a"), 5, 6, Saw::Released),
                call(acquire("b"), 7, 8, Saw::Granted),
                call(show(), 9, 10, shown(&["b"])),
            ],
            true,
        ),
        (
            "both at once",
            &free,
            vec![call(acquire("a"), 1, 4, Saw::Granted), call(acquire("b"), 2, 3, Saw::Granted)],
            false,
        ),
        (
            "both at once, of two slots",
            &two,
            vec![call(acquire("a"), 1, 4, Saw::Granted), call(acquire("b"), 2, 3, Saw::Granted)],
            true,
        ),
        (
            "a release under way explains both",
            &free,
            vec![
                call(acquire("a"), 1, 2, Saw::Granted),
                call(release("a"), 3, 9, Saw::Released),
                call(acquire("b"), 4, 5, Saw::Granted),
            ],
            true,
        ),
        (
            "a look that comes too late to be stale",
            &free,
            vec![call(acquire("a"), 1, 2, Saw::Granted), call(show(), 3, 4, shown(&[]))],
            false,
        ),
        (
            "a look that overlaps",
            &free,
            vec![call(acquire("a"), 1, 3, Saw::Granted), call(show(), 2, 4, shown(&[]))],
            true,
        ),
        (
            "of one moment is at once",
            &free,
            vec![call(acquire("a"), 1, 3, Saw::Granted), call(show(), 3, 4, shown(&[]))],
            true,
        ),
        (
            "an unknown acquire that had its effect",
            &free,
            vec![unknown(acquire("a"), 1), call(acquire("b"), 5, 6, Saw::Refused)],
            true,
        ),
        (
            "an unknown acquire that had it later, or never",
            &free,
            vec![unknown(acquire("a"), 1), call(acquire("b"), 5, 6, Saw::Granted)],
            true,
        ),
        (
            "an unknown call has no effect before it was invoked",
            &free,
            vec![call(acquire("b"), 1, 2, Saw::Refused), unknown(acquire("a"), 3)],
            false,
        ),
        (
            "an unknown release between two looks, and not back again",
            &free,
            vec![
                call(acquire("a"), 1, 2, Saw::Granted),
                unknown(release("a"), 3),
                call(show(), 4, 5, shown(&["a"])),
                call(show(), 6, 7, shown(&[])),
                call(show(), 8, 9, shown(&["a"])),
            ],
            false,
        ),
        (
            "an unknown call has its effect once",
            &free,
            vec![
                unknown(acquire("a"), 1),
                call(show(), 2, 3, shown(&["a"])),
                call(force(), 4, 5, Saw::Done),
                call(show(), 6, 7, shown(&["a"])),
            ],
            false,
        ),
        (
            "unknown calls that could have come and gone, and are needed later",
            &free,
            vec![
                unknown(acquire("a"), 1),
                unknown(release("a"), 2),
                call(acquire("c"), 3, 4, Saw::Granted),
                call(release("c"), 5, 6, Saw::Released),
                call(show(), 7, 8, shown(&["a"])),
                call(show(), 9, 10, shown(&[])),
            ],
            true,
        ),
        (
            "a missing lock is made by asking, and a look at it makes none",
            &State::Missing,
            vec![
                call(show(), 1, 2, Saw::Missing),
                call(release("a"), 3, 4, Saw::Released),
                call(show(), 5, 6, shown(&[])),
                call(by_user(Operation::Delete), 7, 8, Saw::Done),
                call(show(), 9, 10, Saw::Missing),
            ],
            true,
        ),
        (
            "slots lowered under way",
            &two,
            vec![
                call(acquire("a"), 1, 2, Saw::Granted),
                call(slots(1), 3, 10, Saw::Done),
                call(acquire("b"), 4, 5, Saw::Granted),
                call(acquire("c"), 11, 12, Saw::Refused),
                call(release("a"), 13, 14, Saw::Released),
                call(acquire("c"), 15, 16, Saw::Refused),
            ],
            true,
        ),
        (
            "granted when disabled for long",
            &free,
            vec![call(by_user(Operation::Disable), 1, 2, Saw::Done), call(acquire("a"), 3, 4, Saw::Granted)],
            false,
        ),
    ] {
        assert_eq!(linearizable(from, &calls), expected, "{what}");
    }
}

#[test]
fn a_violation_says_how_far_it_makes_sense_and_a_limit_is_no_verdict() {
    let calls = [
        call(acquire("a"), 1, 2, Saw::Granted),
        call(acquire("b"), 3, 4, Saw::Refused),
        call(acquire("c"), 5, 6, Saw::Granted),
        call(release("a"), 7, 8, Saw::Released),
    ];
    let violation = Verdict::Violation { longest: vec![0, 1], stuck: 2 };
    assert_eq!(linearize(&State::free(1), &calls, LIMIT), violation);
    assert_eq!(linearize(&State::free(1), &calls, 1), Verdict::Undecided);
    let json = serde_json::to_string(&calls).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Call>>(&json).unwrap(), calls);
}

/// The specification as the other checker wants it.
#[derive(Clone)]
struct Rules(State);

impl SequentialSpec for Rules {
    type Op = Request;
    type Ret = Saw;

    fn invoke(&mut self, request: &Request) -> Saw {
        let (after, saw) = self.0.after(request);
        self.0 = after;
        saw
    }
}

/// What stateright says of a history in which each client has one call at a time, and none after an unknown one.
fn by_stateright(from: &State, calls: &[(usize, Call)]) -> bool {
    let mut events: Vec<(u64, bool, usize)> = vec![];
    for (number, (_, call)) in calls.iter().enumerate() {
        events.push((call.invoked, false, number));
        if let Some(returned) = &call.returned {
            events.push((returned.at, true, number));
        }
    }
    events.sort_unstable();
    let mut tester = LinearizabilityTester::new(Rules(from.clone()));
    for (_, is_return, number) in events {
        let (client, call) = &calls[number];
        match (&call.returned, is_return) {
            (Some(returned), true) => tester.on_return(*client, returned.saw.clone()).unwrap(),
            _ => tester.on_invoke(*client, call.request.clone()).unwrap(),
        };
    }
    tester.is_consistent()
}

fn any_request() -> impl Strategy<Value = Request> {
    let by = || select(vec!["a", "b", "c"]);
    let create = Operation::Create { kind: Kind::Update, enabled: true, holder: None };
    let give =
        Operation::Update { name: None, kind: None, holder: NewHolder::Host(host("c")), enabled: None };
    prop_oneof![
        8 => by().prop_map(acquire),
        6 => by().prop_map(release),
        3 => Just(show()),
        1 => Just(force()),
        1 => (0u32..3).prop_map(slots),
        1 => select(vec![Operation::Enable, Operation::Disable, Operation::Delete, create, give]).prop_map(by_user),
    ]
}

/// How a client's call goes: when it has its effect and when its answer comes, in moves of all clients; or whether it is lost.
#[derive(Debug, Clone)]
struct Fate {
    client: usize,
    request: Request,
    lost: bool,
}

fn any_fate() -> impl Strategy<Value = Fate> {
    (0usize..3, any_request(), proptest::bool::weighted(0.1)).prop_map(|(client, request, lost)| Fate {
        client,
        request,
        lost,
    })
}

/// Plays calls of three clients against the rules, each with an effect at one moment, by a schedule of whose turn it is. A move is
/// an invocation, an effect or a return.
fn simulate(from: &State, fates: &[Fate], schedule: &[usize]) -> Vec<(usize, Call)> {
    let mut state = from.clone();
    let mut calls: Vec<(usize, Call)> = vec![];
    for client in 0..3 {
        // A lost answer is a client's last.
        let mine = fates.iter().filter(|fate| fate.client == client);
        let last = mine.clone().position(|fate| fate.lost).map_or(usize::MAX, |at| at + 1);
        calls.extend(mine.take(last).map(|fate| (client, unknown(fate.request.clone(), u64::MAX))));
    }
    let lost = |call: &Call| fates.iter().any(|fate| fate.lost && fate.request == call.request);
    let (mut moves, mut answers) = (vec![0; calls.len()], vec![None; calls.len()]);
    let turns = schedule.iter().copied().chain((0..3).cycle().take(200));
    for (now, turn) in (1u64..).zip(turns) {
        let Some(at) = (0..calls.len()).find(|at| calls[*at].0 == turn && moves[*at] < 3) else { continue };
        let call = &mut calls[at].1;
        match moves[at] {
            0 => call.invoked = now,
            1 => {
                let (after, saw) = state.after(&call.request);
                (state, answers[at]) = (after, Some(saw));
            }
            _ => {
                let is_last = (at + 1..calls.len()).all(|other| calls[other].0 != turn);
                let call = &mut calls[at].1;
                if !(is_last && lost(call)) {
                    call.returned = answers[at].take().map(|saw| Return { at: now, saw, token: None });
                }
            }
        }
        moves[at] += 1;
    }
    calls
}

/// A history to be played, with one answer that may be put in place of another.
#[derive(Debug, Clone)]
struct Small {
    from: State,
    fates: Vec<Fate>,
    schedule: Vec<usize>,
    lie: Option<(usize, Saw)>,
}

fn small() -> impl Strategy<Value = Small> {
    let from = select(vec![State::Missing, State::free(1), State::free(1), State::free(2)]);
    let lies = vec![Saw::Granted, Saw::Released, Saw::Refused, Saw::Missing, shown(&["a"]), shown(&[])];
    let lie = proptest::option::of((0usize..8, select(lies)));
    (from, vec(any_fate(), 1..=8), vec(0usize..3, 0..40), lie)
        .prop_map(|(from, fates, schedule, lie)| Small { from, fates, schedule, lie })
}

/// Whether an answer was changed, and the history.
fn told(small: &Small) -> (bool, Vec<(usize, Call)>) {
    let mut calls = simulate(&small.from, &small.fates, &small.schedule);
    let mut lied = false;
    if let Some((at, saw)) = &small.lie
        && let Some((_, Call { returned: Some(returned), .. })) = calls.get_mut(*at)
    {
        lied = returned.saw != *saw;
        returned.saw = saw.clone();
    }
    (lied, calls)
}

fn alone(calls: &[(usize, Call)]) -> Vec<Call> {
    calls.iter().map(|(_, call)| call.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_checkers_agree(small in small()) {
        let (lied, calls) = told(&small);
        let ours = linearizable(&small.from, &alone(&calls));
        prop_assert_eq!(ours, by_stateright(&small.from, &calls), "{:#?}", calls);
        prop_assert!(ours || lied, "what was played is linearizable");
    }
}

#[test]
fn they_agree_on_both_kinds_of_histories() {
    let mut runner = TestRunner::deterministic();
    let (mut good, mut bad, mut with_unknown) = (0, 0, 0);
    for _ in 0..300 {
        let small = small().new_tree(&mut runner).unwrap().current();
        let (_, calls) = told(&small);
        with_unknown += usize::from(calls.iter().any(|(_, call)| call.returned.is_none()));
        if by_stateright(&small.from, &calls) { good += 1 } else { bad += 1 }
    }
    assert!(
        good > 50 && bad > 50 && with_unknown > 50,
        "{good} good, {bad} bad, {with_unknown} with unknown outcomes"
    );
}

/// The plugin's algorithm (`Relation#update` of ActiveRecord): a read of the row if it may be had, then a write by its number
/// alone. Or, for comparison, both at once. Hosts acquire and release in turn, each as its schedule says.
fn plugin(schedule: &[usize], atomic: bool) -> Vec<Call> {
    let names = ["a", "b", "c"];
    let mut row: Option<usize> = None;
    let mut found = [false; 3];
    let mut step = [0; 3];
    let mut mine: [Option<Call>; 3] = [None, None, None];
    let mut holds = [false; 3];
    let mut calls = vec![];
    for (now, who) in (1u64..).zip(schedule.iter().copied()) {
        let read = |row: Option<usize>| row.is_none_or(|holder| holder == who);
        let wanted = if holds[who] { None } else { Some(who) };
        match step[who] {
            0 => {
                let request = if holds[who] { release(names[who]) } else { acquire(names[who]) };
                mine[who] = Some(unknown(request, now));
            }
            1 => {
                found[who] = read(row);
                if atomic && found[who] {
                    row = wanted;
                }
            }
            2 => {
                if !atomic && found[who] {
                    row = wanted;
                }
            }
            _ => {
                let saw = match (found[who], holds[who]) {
                    (true, false) => Saw::Granted,
                    (true, true) => Saw::Released,
                    (false, _) => Saw::Refused,
                };
                if found[who] {
                    holds[who] = !holds[who];
                }
                let mut call = mine[who].take().unwrap();
                call.returned = Some(Return { at: now, saw, token: None });
                calls.push(call);
            }
        }
        step[who] = (step[who] + 1) % 4;
    }
    calls.extend(mine.into_iter().flatten());
    calls
}

#[test]
fn the_plugins_read_then_write_is_found_and_one_step_is_not() {
    // Both read before either writes.
    let both = [0, 1, 0, 1, 0, 1, 0, 1];
    let calls = plugin(&both, false);
    assert_eq!(calls.iter().filter(|call| call.returned.as_ref().unwrap().saw == Saw::Granted).count(), 2);
    assert!(!linearizable(&State::free(1), &calls));
    assert_eq!(overlap(&calls, 1), Some(Overlap { at: 8, hosts: vec![host("a"), host("b")] }));
    assert!(linearizable(&State::free(1), &plugin(&both, true)));

    let mut runner = TestRunner::deterministic();
    let (mut found, mut overlaps) = (0, 0);
    for _ in 0..200 {
        let schedule = vec(0usize..3, 120..=160).new_tree(&mut runner).unwrap().current();
        let calls = plugin(&schedule, false);
        let violation = !linearizable(&State::free(1), &calls);
        let overlapped = overlap(&calls, 1).is_some();
        assert!(violation || !overlapped, "the quick check finds nothing that the search does not");
        found += usize::from(violation);
        overlaps += usize::from(overlapped);
        let right = plugin(&schedule, true);
        assert!(linearizable(&State::free(1), &right), "{right:#?}");
        assert_eq!(overlap(&right, 1), None);
    }
    assert!(found > 150 && overlaps > 100, "{found} violations and {overlaps} overlaps in 200 histories");
}

/// Eight hosts that acquire and release two slots by the rules, each call with its effect at one moment. Every so many answers one is
/// lost, by turns after its effect and before any; the host repeats what it asked.
fn fleet(schedule: &[usize], lose: usize) -> Vec<Call> {
    let mut state = State::free(2);
    let mut running: [(usize, Option<Call>, Option<Saw>); 8] = Default::default();
    let mut holds = [false; 8];
    let (mut calls, mut count) = (vec![], 0);
    for (now, who) in (1u64..).zip(schedule.iter().copied()) {
        let (step, call, saw) = &mut running[who];
        match step {
            0 => {
                count += 1;
                let name = format!("h{who}");
                *call = Some(unknown(if holds[who] { release(&name) } else { acquire(&name) }, now));
            }
            1 if count % (2 * lose) == 0 => {}
            1 => {
                let (after, said) = state.after(&call.as_ref().unwrap().request);
                (state, *saw) = (after, Some(said));
            }
            _ => {
                let mut call = call.take().unwrap();
                if let Some(saw) = saw.take().filter(|_| count % lose != 0) {
                    holds[who] = saw == Saw::Granted;
                    call.returned = Some(Return { at: now, saw, token: None });
                }
                calls.push(call);
            }
        }
        *step = (*step + 1) % 3;
    }
    calls.extend(running.into_iter().filter_map(|(_, call, _)| call));
    calls
}

#[test]
fn long_histories_with_unknown_outcomes_are_decided() {
    let mut runner = TestRunner::deterministic();
    for round in 0..4 {
        let schedule = vec(0usize..8, 1500).new_tree(&mut runner).unwrap().current();
        let mut calls = fleet(&schedule, 20);
        let lost = calls.iter().filter(|call| call.returned.is_none()).count();
        assert!(calls.len() > 450 && lost > 15, "{} calls, {lost} lost", calls.len());
        assert!(linearizable(&State::free(2), &calls), "round {round}");
        // A third host is told that it has one of the two slots, at the end of it all.
        let end = 10_000;
        calls.extend((0u64..3).map(|n| call(acquire(&format!("late{n}")), end + n, end + 10, Saw::Granted)));
        assert!(!linearizable(&State::free(2), &calls), "round {round}");
    }
}

#[test]
fn overlaps_count_only_what_is_certain() {
    let granted = |by, invoked, at| call(acquire(by), invoked, at, Saw::Granted);
    let released = |by, invoked, at| call(release(by), invoked, at, Saw::Released);
    for (what, calls, expected) in [
        ("one after the other", vec![granted("a", 1, 2), released("a", 3, 4), granted("b", 5, 6)], None),
        ("a release under way", vec![granted("a", 1, 2), released("a", 3, 9), granted("b", 4, 5)], None),
        ("no release", vec![granted("a", 1, 2), granted("b", 3, 4)], Some(4)),
        ("renewed is one", vec![granted("a", 1, 2), granted("a", 3, 4)], None),
        ("refused is none", vec![granted("a", 1, 2), call(acquire("b"), 3, 4, Saw::Refused)], None),
        (
            "an unknown release ends what is certain",
            vec![granted("a", 1, 2), unknown(release("a"), 3), granted("b", 4, 5)],
            None,
        ),
        (
            "so does a force release",
            vec![granted("a", 1, 2), call(force(), 3, 9, Saw::Done), granted("b", 4, 5)],
            None,
        ),
        (
            "a release of the same host under way with its acquire",
            vec![granted("a", 1, 9), released("a", 3, 4), granted("b", 10, 11)],
            None,
        ),
        (
            "another's release ends nothing",
            vec![granted("a", 1, 2), released("c", 3, 4), granted("b", 5, 6)],
            Some(6),
        ),
    ] {
        assert_eq!(overlap(&calls, 1).map(|overlap| overlap.at), expected, "{what}");
        assert_eq!(overlap(&calls, 2), None, "{what}");
    }
}

#[test]
fn tokens_grow_from_one_grant_to_the_next() {
    let granted = |by, invoked, at, token| {
        let mut call = call(acquire(by), invoked, at, Saw::Granted);
        call.returned.as_mut().unwrap().token = Some(Token(token));
        call
    };
    let fault = |first, second| Some(TokenFault { first, second });
    for (what, calls, expected) in [
        ("growing", vec![granted("a", 1, 2, 1), granted("b", 3, 4, 2)], None),
        ("falling", vec![granted("a", 1, 2, 2), granted("b", 3, 4, 1)], fault(0, 1)),
        ("falling, of one host", vec![granted("a", 1, 2, 2), granted("a", 3, 4, 1)], fault(0, 1)),
        ("renewed", vec![granted("a", 1, 2, 2), granted("a", 3, 4, 2)], None),
        ("the same of two hosts", vec![granted("a", 1, 4, 2), granted("b", 2, 3, 2)], fault(0, 1)),
        ("falling but at once", vec![granted("a", 1, 4, 2), granted("b", 2, 3, 1)], None),
        (
            "renewed beside another",
            vec![granted("a", 1, 2, 1), granted("b", 3, 4, 2), granted("a", 5, 6, 1)],
            None,
        ),
        (
            "after a lost answer",
            vec![unknown(acquire("a"), 1), granted("b", 3, 4, 2), granted("a", 5, 6, 1)],
            None,
        ),
        (
            "after one without a token",
            vec![call(acquire("a"), 1, 2, Saw::Granted), granted("b", 3, 4, 2), granted("a", 5, 6, 1)],
            None,
        ),
        (
            "of one that came later",
            vec![granted("b", 1, 2, 2), unknown(acquire("a"), 3), granted("a", 5, 6, 1)],
            fault(0, 2),
        ),
        (
            "after one that was refused",
            vec![call(acquire("a"), 1, 2, Saw::Refused), granted("b", 3, 4, 2), granted("a", 5, 6, 1)],
            fault(1, 2),
        ),
        ("without tokens", vec![call(acquire("a"), 1, 2, Saw::Granted), granted("b", 3, 4, 1)], None),
    ] {
        assert_eq!(token_fault(&calls), expected, "{what}");
    }
}
