//! The queue, case by case, and under whatever may be asked in any order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn id(number: u8) -> TriggerId {
    TriggerId::of([number; 16])
}

fn wanted(noop: bool, modules: &[&str], by: &str) -> Wanted {
    let modules = modules.iter().map(|name| (*name).to_owned()).collect();
    Wanted { noop, modules, by: by.to_owned(), key: None, alone: false }
}

#[track_caller]
fn waits(taken: Taken) -> Kept {
    let Taken::Waits(kept) = taken else { panic!("it does not wait: {taken:?}") };
    kept
}

#[test]
fn one_is_under_way_and_the_next_of_a_kind_has_all_who_ask() {
    let mut queue = Queue::default();
    waits(queue.take(wanted(false, &["a"], "ci"), id(1), 10));
    assert_eq!(queue.begin().unwrap().run.id, id(1));
    assert_eq!(queue.begin(), None, "one is under way");
    let second = waits(queue.take(wanted(false, &["b"], "ci"), id(2), 11));
    assert_eq!(second.run.id, id(2), "what is under way is joined by nobody");
    let third = waits(queue.take(wanted(false, &["a", "b"], "bob"), id(3), 12));
    assert_eq!((third.run.id, third.run.by), (id(2), vec!["ci".to_owned(), "bob".to_owned()]));
    assert_eq!(third.run.modules, ["a", "b"]);
    let dry = waits(queue.take(wanted(true, &["c"], "bob"), id(4), 13));
    assert_eq!(dry.run.id, id(4), "a dry run is none of a live one");
    let all = waits(queue.take(wanted(false, &[], "ci"), id(5), 14));
    assert_eq!((all.run.id, all.run.modules.len()), (id(2), 0), "all modules are all modules");
    assert_eq!(queue.begin(), None);
    queue.ended(&id(9));
    assert_eq!(queue.under_way(), Some(&id(1)), "another's end is not its end");
    queue.ended(&id(1));
    assert_eq!(queue.begin().unwrap().run.id, id(2), "the oldest comes first");
    queue.ended(&id(2));
    assert_eq!(queue.begin().unwrap().run.id, id(4));
    queue.ended(&id(4));
    assert!(queue.is_idle());
}

#[test]
fn a_key_leads_to_its_run_for_a_day_and_is_its_owners() {
    let mut queue = Queue::default();
    let keyed = |by: &str| Wanted { key: Some("k".to_owned()), ..wanted(true, &[], by) };
    let kept = waits(queue.take(keyed("ci"), id(1), 10));
    assert_eq!(kept.keys.len(), 1);
    queue.begin();
    queue.ended(&id(1));
    assert_eq!(queue.take(keyed("ci"), id(2), 10 + KEY_LASTS), Taken::Known(id(1)));
    let (mut again, _) = Queue::of(vec![kept.clone()], None);
    assert_eq!(again.take(keyed("ci"), id(2), 20), Taken::Known(id(1)), "it is kept with the run");
    for (noop, modules) in [(false, &[][..]), (true, &["a"])] {
        let other = Wanted { key: Some("k".to_owned()), ..wanted(noop, modules, "ci") };
        assert_eq!(again.take(other, id(2), 20), Taken::Differs, "its end is not that of another wish");
    }
    let mut older = kept;
    older.keys[0].wish = None;
    let (mut of_before, _) = Queue::of(vec![older], None);
    assert_eq!(of_before.take(keyed("ci"), id(2), 20), Taken::Known(id(1)), "kept by an older version");
    again.forget(&id(1));
    queue.forget(&id(7));
    assert_eq!(waits(queue.take(keyed("bob"), id(3), 20)).run.id, id(3));
    assert_eq!(waits(queue.take(keyed("ci"), id(4), 11 + KEY_LASTS)).run.id, id(3), "a day is over");
}

#[test]
fn alone_is_with_nothing_under_way_and_nothing_before_it() {
    let mut queue = Queue::default();
    let alone = || Wanted { alone: true, ..wanted(false, &[], "twitch") };
    waits(queue.take(alone(), id(1), 10));
    assert_eq!(queue.take(alone(), id(2), 10), Taken::Busy, "one waits");
    queue.begin();
    assert_eq!(queue.take(alone(), id(2), 10), Taken::Busy, "one is under way");
    queue.ended(&id(1));
    waits(queue.take(alone(), id(2), 10));
}

#[test]
fn too_many_modules_are_refused_and_change_nothing() {
    let mut queue = Queue::default();
    let names = |from: usize| (from..from + MOST_MODULES).map(|n| format!("m{n}")).collect();
    let many = |from: usize| Wanted { modules: names(from), ..wanted(true, &[], "ci") };
    waits(queue.take(many(0), id(1), 10));
    let before = queue.clone();
    assert_eq!(queue.take(many(1), id(2), 10), Taken::Crowded);
    assert_eq!(queue, before);
    waits(queue.take(many(0), id(2), 10));
}

#[test]
fn keys_of_one_run_have_an_end_and_those_it_has_lead_to_it() {
    let mut queue = Queue::default();
    let keyed = |key: usize| Wanted { key: Some(key.to_string()), ..wanted(false, &["a"], "ci") };
    waits(queue.take(wanted(false, &["a"], "ci"), id(1), 10));
    queue.begin();
    for key in 0..MOST_KEYS {
        assert_eq!(waits(queue.take(keyed(key), id(2), 10)).run.id, id(2));
    }
    let before = queue.clone();
    let other = Wanted { key: Some("other".to_owned()), ..wanted(false, &["b"], "bob") };
    for _ in 0..2 {
        assert_eq!(queue.take(other.clone(), id(3), 10), Taken::TooManyKeys);
    }
    assert_eq!(queue, before, "nothing of it is kept");
    assert_eq!(queue.take(keyed(0), id(3), 10), Taken::Known(id(2)), "who asks again is answered");
    let joined = waits(queue.take(Wanted { key: None, ..other.clone() }, id(3), 10));
    assert_eq!((joined.run.id, joined.keys.len()), (id(2), MOST_KEYS), "without a key there is room");
    let later = waits(queue.clone().take(other.clone(), id(3), 11 + KEY_LASTS));
    assert_eq!((later.run.id, later.keys.len()), (id(2), 1), "those that lead nowhere any more are gone");
    queue.ended(&id(1));
    queue.begin();
    assert_eq!(waits(queue.take(other, id(3), 10)).run.id, id(3), "the next one has room");
}

#[test]
fn whoever_is_dropped_before_it_begins_never_begins() {
    let mut queue = Queue::default();
    waits(queue.take(wanted(false, &[], "ci"), id(1), 10));
    waits(queue.take(wanted(true, &[], "ci"), id(2), 10));
    let Dropped::Waited(kept) = queue.remove(&id(1), "bob", 12) else { panic!("it waited") };
    assert_eq!(kept.run.state, State::Aborted { by: "bob".to_owned() });
    assert_eq!((kept.run.ended, queue.remove(&id(1), "bob", 12)), (Some(12), Dropped::Neither));
    assert_eq!(queue.begin().unwrap().run.id, id(2));
    assert_eq!(queue.remove(&id(2), "bob", 13), Dropped::UnderWay);
}

#[test]
fn it_is_taken_up_again_as_it_was() {
    let mut queue = Queue::default();
    let first = waits(queue.take(wanted(false, &[], "ci"), id(1), 10));
    queue.begin();
    let second = waits(queue.take(wanted(true, &[], "ci"), id(2), 11));
    let third = waits(queue.take(wanted(false, &[], "ci"), id(3), 12));
    let all = vec![third.clone(), first.clone(), second];
    assert_eq!(Queue::of(all.clone(), Some(id(1))), (queue, vec![]));
    let stray = Kept { run: RunState { id: id(4), asked: 99, ..third.run }, ..third };
    let (queue, over) = Queue::of([all, vec![stray.clone()]].concat(), Some(id(1)));
    assert_eq!((queue.waiting.len(), over), (2, vec![stray]));
}

#[derive(Debug, Clone)]
enum Step {
    Take { noop: bool, modules: Vec<u8>, by: u8, key: Option<u8>, alone: bool },
    Begin,
    End,
    Drop(usize),
    Restart,
    Later(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let few = proptest::collection::vec(0u8..5, 0..3);
    prop_oneof![
        4 => (any::<bool>(), few, 0u8..3, proptest::option::of(0u8..3), proptest::bool::weighted(0.2))
            .prop_map(|(noop, modules, by, key, alone)| Step::Take { noop, modules, by, key, alone }),
        2 => Just(Step::Begin),
        2 => Just(Step::End),
        1 => (0usize..20).prop_map(Step::Drop),
        1 => Just(Step::Restart),
        1 => (0i64..KEY_LASTS).prop_map(Step::Later),
    ]
}

/// Where a key leads, since when, and the wish: dry or not, which modules.
type Led = (usize, i64, (bool, BTreeSet<u8>));

/// The number of a run, from its id.
fn number(id: &TriggerId) -> usize {
    (0..=255).position(|n| TriggerId::of([n; 16]) == *id).unwrap()
}

proptest! {
    #[test]
    fn whatever_is_asked_in_whatever_order(steps in proptest::collection::vec(step(), 0..60)) {
        let (mut queue, mut now, mut next) = (Queue::default(), 1_000_000, 0u8);
        // What a helper keeps in files, and the truth about each run.
        let mut kept: BTreeMap<usize, Kept> = BTreeMap::new();
        let mut keys: BTreeMap<(u8, u8), Led> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Take { noop, modules, by, key, alone } => {
                    let names: Vec<String> = modules.iter().map(|n| format!("m{n}")).collect();
                    let wish = Wanted { noop, modules: names.clone(), by: by.to_string(), key: key.map(|k| k.to_string()), alone };
                    let (free, what) = (queue.is_idle(), (noop, modules.iter().copied().collect()));
                    match queue.take(wish, id(next), now) {
                        Taken::Waits(got) => {
                            prop_assert!(free || !alone);
                            prop_assert_eq!(got.run.noop, noop);
                            prop_assert_eq!(&got.run.state, &State::Queued);
                            prop_assert!(got.run.modules.is_empty() || (!names.is_empty() && names.iter().all(|n| got.run.modules.contains(n))));
                            prop_assert!(got.run.by.contains(&by.to_string()));
                            if let Some(key) = key { keys.insert((by, key), (number(&got.run.id), now, what)); }
                            kept.insert(number(&got.run.id), got);
                            next += 1;
                        }
                        Taken::Known(of) => {
                            let (run, since, before) = &keys[&(by, key.unwrap())];
                            prop_assert_eq!((*run, before), (number(&of), &what));
                            prop_assert!(now - since <= KEY_LASTS);
                        }
                        Taken::Differs => {
                            let (_, since, before) = &keys[&(by, key.unwrap())];
                            prop_assert!(now - since <= KEY_LASTS && *before != what);
                        }
                        Taken::Busy => prop_assert!(alone && !free),
                        Taken::Crowded => prop_assert!(false, "few modules are not too many"),
                        Taken::TooManyKeys => prop_assert!(false, "few keys are not too many"),
                    }
                }
                Step::Begin => {
                    let before = queue.under_way().cloned();
                    if let Some(begun) = queue.begin() {
                        prop_assert_eq!(before, None, "two at once");
                        let all = kept.get_mut(&number(&begun.run.id)).unwrap();
                        prop_assert_eq!(&begun, &*all, "what begins is what was kept last");
                        all.run.state = State::Running;
                    }
                }
                Step::End => if let Some(id) = queue.under_way().cloned() {
                    kept.get_mut(&number(&id)).unwrap().run.state = State::Done { exit: 0 };
                    queue.ended(&id);
                },
                Step::Drop(which) => {
                    let state = kept.get(&which).map(|one| one.run.state.clone());
                    match queue.remove(&id(u8::try_from(which).unwrap()), "x", now) {
                        Dropped::Waited(got) => {
                            prop_assert_eq!(state, Some(State::Queued));
                            kept.insert(which, *got);
                        }
                        Dropped::UnderWay => prop_assert_eq!(state, Some(State::Running)),
                        Dropped::Neither => prop_assert!(state.is_none_or(|state| state.is_end())),
                    }
                }
                Step::Restart => {
                    let under_way = queue.under_way().cloned();
                    let (again, over) = Queue::of(kept.values().cloned().collect(), under_way);
                    prop_assert!(over.is_empty());
                    prop_assert_eq!(&again.under_way, &queue.under_way);
                    let ids = |queue: &Queue| queue.waiting.iter().map(|one| (one.run.noop, one.clone())).collect::<BTreeMap<_, _>>();
                    prop_assert_eq!(ids(&again), ids(&queue));
                    queue = again;
                }
                Step::Later(seconds) => now += seconds,
            }
            let running = kept.values().filter(|one| one.run.state == State::Running).count();
            prop_assert!(running <= 1);
            for noop in [false, true] {
                let of_kind = |one: &&Kept| one.run.state == State::Queued && one.run.noop == noop;
                prop_assert!(kept.values().filter(of_kind).count() <= 1);
            }
        }
    }
}
