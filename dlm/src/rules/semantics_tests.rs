//! Foreman's rules, row by row, for locks without a native policy.

use super::stage::*;
use super::*;
use crate::model::{LockId, Time, Token};

/// A lock in this state: `missing`, or `enabled` or `disabled` and `free` or `held` (by `owner`, with token 1).
fn stage(state: &str) -> Stage {
    let mut stage = Stage::new();
    if state == "missing" {
        return stage;
    }
    if state.contains("held") {
        assert_eq!(stage.acquire("owner"), "granted 1");
    } else {
        assert_eq!(stage.release("owner"), "not held");
    }
    if state.contains("disabled") {
        assert_eq!(stage.ask(by_user(), Operation::Disable), "updated");
    }
    stage.facts.next_token = Token(9);
    stage.later(500);
    stage
}

/// State, who asks, what; the answer, the state afterwards, the events.
const TABLE: &[(&str, &str, &str, &str, &str, &str)] = &[
    // missing
    (
        "missing",
        "owner",
        "acquire",
        "granted 1",
        "enabled owner",
        "create - by owner, acquire owner by owner",
    ),
    ("missing", "owner", "release", "not held", "enabled free", "create - by owner"),
    ("missing", "owner", "show", "missing", "missing", ""),
    // free, enabled
    ("enabled free", "owner", "acquire", "granted 9", "enabled owner", "acquire owner by owner"),
    ("enabled free", "other", "acquire", "granted 9", "enabled other", "acquire other by other"),
    ("enabled free", "owner", "release", "not held", "enabled free", ""),
    ("enabled free", "other", "release", "not held", "enabled free", ""),
    // held, enabled
    ("enabled held", "owner", "acquire", "renewed 1", "enabled owner", ""),
    (
        "enabled held",
        "other",
        "acquire",
        "refused: 1 of 1 slots held, again at 1560",
        "enabled owner",
        "fail owner by other",
    ),
    ("enabled held", "owner", "release", "released", "enabled free", "release owner by owner"),
    ("enabled held", "other", "release", "refused: held by owner", "enabled owner", "fail owner by other"),
    // disabled, free
    (
        "disabled free",
        "owner",
        "acquire",
        "refused: disabled, again at 1560",
        "disabled free",
        "fail - by owner",
    ),
    (
        "disabled free",
        "other",
        "acquire",
        "refused: disabled, again at 1560",
        "disabled free",
        "fail - by other",
    ),
    ("disabled free", "owner", "release", "refused: disabled", "disabled free", "fail - by owner"),
    ("disabled free", "other", "release", "refused: disabled", "disabled free", "fail - by other"),
    // disabled, held
    (
        "disabled held",
        "owner",
        "acquire",
        "refused: disabled, again at 1560",
        "disabled owner",
        "fail owner by owner",
    ),
    (
        "disabled held",
        "other",
        "acquire",
        "refused: disabled, again at 1560",
        "disabled owner",
        "fail owner by other",
    ),
    ("disabled held", "owner", "release", "refused: disabled", "disabled owner", "fail owner by owner"),
    ("disabled held", "other", "release", "refused: disabled", "disabled owner", "fail owner by other"),
    ("disabled held", "other", "show", "shown", "disabled owner", ""),
];

#[test]
fn every_row_of_the_table() {
    for (state, by, what, answer, after, events) in TABLE {
        let mut stage = stage(state);
        let operation = match *what {
            "acquire" => acquire(),
            "release" => release(),
            _ => Operation::Show,
        };
        let said = stage.ask(by_host(by), operation);
        assert_eq!((said.as_str(), stage.state().as_str()), (*answer, *after), "{state}: {what} by {by}");
        assert_eq!(stage.logged(), *events, "{state}: {what} by {by}");
    }
}

#[test]
fn what_is_made_by_asking_is_for_updates() {
    let mut stage = stage("missing");
    stage.acquire("owner");
    let lock = stage.lock.unwrap();
    assert_eq!((lock.id, lock.name.as_str(), lock.kind), (LockId(7), "web", Kind::Update));
    assert_eq!((lock.created, lock.updated), (Time::new(1000, 0), Time::new(1000, 0)));
}

#[test]
fn a_renewal_moves_the_time_of_change_and_keeps_the_token_and_a_refusal_does_not() {
    let mut stage = stage("enabled held");
    stage.acquire("other");
    assert_eq!(stage.lock.as_ref().unwrap().updated, Time::new(1000, 0));
    stage.acquire("owner");
    let lock = stage.lock.unwrap();
    assert_eq!(lock.updated, Time::new(1500, 0));
    let holder = &lock.holders[0];
    assert_eq!((holder.since, holder.renewed), (Time::new(1000, 0), Time::new(1500, 0)));
    assert_eq!((holder.token, lock.last_token), (Token(1), Token(1)));
}

#[test]
fn a_host_whose_parameter_says_no_is_refused_without_an_event_and_may_release() {
    for (state, after) in [
        ("enabled free", "enabled free"),
        ("enabled held", "enabled owner"),
        ("disabled held", "disabled owner"),
    ] {
        let mut stage = stage(state);
        stage.facts.may_acquire = false;
        assert_eq!(stage.acquire("owner"), "refused: the host may not acquire locks", "{state}");
        assert_eq!((stage.state().as_str(), stage.logged().as_str()), (after, ""), "{state}");
        assert!(stage.lock.as_ref().unwrap().tickets.is_empty());
    }
    let mut held = stage("enabled held");
    held.facts.may_acquire = false;
    assert_eq!(held.release("owner"), "released");
    // The lock is made before the parameter is asked.
    let mut missing = stage("missing");
    missing.facts.may_acquire = false;
    assert_eq!(missing.acquire("owner"), "refused: the host may not acquire locks");
    assert_eq!((missing.state().as_str(), missing.logged().as_str()), ("enabled free", "create - by owner"));
}

#[test]
fn users_do_not_acquire_and_hosts_do_not_manage() {
    for operation in [acquire(), release()] {
        let mut missing = stage("missing");
        assert_eq!(missing.ask(by_user(), operation.clone()), "hostsonly");
        assert_eq!(missing.state(), "enabled free", "made all the same, as Foreman does");
        let mut held = stage("enabled held");
        assert_eq!(held.ask(by_user(), operation), "hostsonly");
        assert_eq!((held.state().as_str(), held.logged().as_str()), ("enabled owner", ""));
    }
    let create = Operation::Create { kind: Kind::Update, enabled: true, holder: None };
    for operation in [
        create,
        update(NewHolder::Nobody, None),
        Operation::Delete,
        force(None),
        Operation::Enable,
        Operation::Disable,
        Operation::SetPolicy(crate::model::Policy::default()),
        Operation::Thaw { reason: String::new() },
    ] {
        for (state, after) in [("missing", "missing"), ("enabled held", "enabled owner")] {
            let mut stage = stage(state);
            assert_eq!(stage.ask(by_host("owner"), operation.clone()), "usersonly", "{operation:?}");
            assert_eq!((stage.state().as_str(), stage.logged().as_str()), (after, ""), "{operation:?}");
        }
    }
}

#[test]
fn what_users_change() {
    let case = |state: &str, operation: Operation, expected: (&str, &str, &str)| {
        let shown = format!("{state}: {operation:?}");
        let mut stage = stage(state);
        let answer = stage.ask(by_user(), operation);
        let (after, events) = (stage.state(), stage.logged());
        assert_eq!((answer.as_str(), after.as_str(), events.as_str()), expected, "{shown}");
    };
    let create = |enabled, holder: Option<&str>| Operation::Create {
        kind: Kind::Generic,
        enabled,
        holder: holder.map(host),
    };
    case("missing", create(true, None), ("created", "enabled free", "create - by admin"));
    case(
        "missing",
        create(false, None),
        ("created", "disabled free", "create - by admin, disable - by admin"),
    );
    case(
        "missing",
        create(true, Some("x")),
        ("created", "enabled x", "create - by admin, acquire x by admin"),
    );
    case("enabled held", create(true, None), ("nametaken", "enabled owner", ""));
    for operation in [
        update(NewHolder::Nobody, None),
        Operation::Delete,
        force(None),
        Operation::Enable,
        Operation::Sweep,
        Operation::Show,
    ] {
        case("missing", operation, ("missing", "missing", ""));
    }
    case("enabled held", Operation::Delete, ("deleted", "missing", "delete owner by admin"));
    case("enabled held", Operation::Enable, ("updated", "enabled owner", ""));
    case("enabled held", Operation::Disable, ("updated", "disabled owner", "disable owner by admin"));
    case("disabled held", Operation::Enable, ("updated", "enabled owner", "enable owner by admin"));
    case("disabled held", Operation::Disable, ("updated", "disabled owner", ""));
    // `host_id: null`: the force release, of a disabled lock too.
    for state in ["enabled", "disabled"] {
        let free = format!("{state} free");
        let held = format!("{state} held");
        let nobody = update(NewHolder::Nobody, None);
        case(&held, nobody.clone(), ("updated", &free, "release owner by admin"));
        case(&free, nobody, ("updated", &free, ""));
        case(&held, force(None), ("updated", &free, "force owner by admin"));
        case(&held, force(Some("owner")), ("updated", &free, "force owner by admin"));
        case(&held, force(Some("other")), ("updated", &format!("{state} owner"), ""));
    }
    case("enabled held", update(NewHolder::Same, None), ("updated", "enabled owner", ""));
    case(
        "enabled held",
        update(NewHolder::Host(host("x")), None),
        ("updated", "enabled x", "release owner by admin, acquire x by admin"),
    );
    case("enabled held", update(NewHolder::Host(host("owner")), None), ("updated", "enabled owner", ""));
    case(
        "enabled held",
        update(NewHolder::Nobody, Some(false)),
        ("updated", "disabled free", "disable owner by admin, release owner by admin"),
    );
}

#[test]
fn a_name_belongs_to_one_lock() {
    let rename = |to: &str| Operation::Update {
        name: Some(name(to)),
        kind: Some(Kind::Generic),
        holder: NewHolder::Nobody,
        enabled: Some(false),
    };
    let mut stage = stage("enabled held");
    stage.facts.name_taken = true;
    assert_eq!(stage.ask(by_user(), rename("db")), "nametaken");
    assert_eq!(
        (stage.state().as_str(), stage.logged().as_str()),
        ("enabled owner", ""),
        "nothing of it is done"
    );
    assert_eq!(stage.lock.as_ref().unwrap().kind, Kind::Update);
    assert_eq!(stage.ask(by_user(), rename("web")), "updated", "its own name is not taken");
    stage.facts.name_taken = false;
    assert_eq!(stage.ask(by_user(), rename("Web")), "updated");
    assert_eq!(stage.lock.as_ref().unwrap().name.as_str(), "Web");
    assert_eq!(stage.events[0].detail, "name web => Web");

    let mut missing = Stage::new();
    missing.facts.name_taken = true;
    let create = Operation::Create { kind: Kind::Update, enabled: true, holder: None };
    assert_eq!(missing.ask(by_user(), create), "nametaken");
    assert_eq!(missing.state(), "missing");
}

#[test]
fn the_one_holder_that_old_clients_see() {
    let mut stage = Stage::with(crate::model::Policy {
        slots: crate::model::Slots::Number(2),
        ..crate::model::Policy::default()
    });
    stage.acquire("a");
    stage.acquire("b");
    let lock = stage.lock.unwrap();
    for (asking, shown) in [(Some("a"), "a"), (Some("b"), "b"), (Some("c"), "a"), (None, "a")] {
        let holder = lock.shown_holder(asking.map(host).as_ref()).unwrap();
        assert_eq!(holder.host.as_str(), shown, "{asking:?}");
    }
}
