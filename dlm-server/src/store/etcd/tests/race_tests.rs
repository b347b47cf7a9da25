//! Many at once.

use std::sync::Arc;

use disco_dlm::model::{LockId, Policy, Slots};
use disco_dlm::rules::{Answer, Grant, NewHolder, Operation, Reason};
use tokio::task::JoinSet;

use super::cluster_tests::Cluster;
use super::{acquire, admin, create, host, lock, slots};
use crate::access::HostChange;
use crate::search::{Filter, Order};
use crate::store::etcd::EtcdStore;
use crate::store::etcd::asking::{Target, keys_of, target};
use crate::store::etcd::optimistic::Outcome;
use crate::store::{Ask, EventQuery, Paging, Store, Which};

/// The answers to these, all asked at once, each of the next store.
async fn all_at_once(stores: &[Arc<EtcdStore>], asks: Vec<Ask>) -> Vec<Answer> {
    let mut racers = JoinSet::new();
    for (at, ask) in asks.into_iter().enumerate() {
        let store = stores[at % stores.len()].clone();
        racers.spawn(async move { store.ask(ask).await.unwrap().answer });
    }
    racers.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_racers_for_two_slots_are_two_grants_and_38_true_refusals() {
    let cluster = Cluster::start(3).await;
    let mut stores = vec![];
    for _ in 0..3 {
        stores.push(Arc::new(cluster.store().await));
    }
    stores[0].ask(acquire("web", "first")).await.unwrap();
    stores[0].ask(super::release("web", "first")).await.unwrap();
    stores[0].ask(slots("web", 2)).await.unwrap();
    let asks = (0..40).map(|number| acquire("web", &format!("host-{number}"))).collect();
    let answers = all_at_once(&stores, asks).await;
    let mut tokens = vec![];
    for answer in &answers {
        match answer {
            Answer::Granted { token, grant: Grant::New } => tokens.push(*token),
            Answer::Refused(refusal) => assert_eq!(refusal.reason, Reason::Full { holders: 2, slots: 2 }),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((tokens.len(), answers.len()), (2, 40));
    assert_ne!(tokens[0], tokens[1]);
    let all = Paging { page: 1, per_page: None };
    let events = stores[1].events(None, EventQuery::Newest(all)).await.unwrap();
    // Made, first grant, its release, policy, and one for each racer: none twice, none missing.
    assert_eq!(events.total, 4 + 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racers_for_locks_that_are_not_there_make_one_each() {
    const NAMES: [&str; 4] = ["web", "db", "mail", "7"];
    let cluster = Cluster::start(1).await;
    let mut stores = vec![];
    for _ in 0..3 {
        stores.push(Arc::new(cluster.store().await));
    }
    let asks = (0..9 * NAMES.len()).map(|number| acquire(NAMES[number / 9], &format!("host-{number}")));
    let answers = all_at_once(&stores, asks.collect()).await;
    let granted = answers.iter().filter(|answer| matches!(answer, Answer::Granted { .. })).count();
    assert_eq!(granted, NAMES.len(), "{answers:?}");
    let all = Paging { page: 1, per_page: None };
    let locks = stores[0].locks(&Filter::All, Order::default(), all).await.unwrap();
    let mut ids: Vec<u64> = locks.items.iter().map(|lock| lock.id.0).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4]);
}

/// Decides a question, lets something else happen, and only then writes what was decided: whether that is done.
async fn written_after(store: &EtcdStore, late: &Ask, meanwhile: impl AsyncFnOnce()) -> bool {
    let parts = &store.parts;
    let keys = keys_of(&parts.keys, late, None);
    let snapshot = parts.client.snapshot(&keys, parts.deadline()).await.unwrap();
    let Ok(Target::Named(name)) = target(&parts.keys, late, &snapshot) else { panic!("no name: {late:?}") };
    let step = parts.decide(late, name, &snapshot).ok().unwrap();
    assert!(!step.writes.then.is_empty());
    meanwhile().await;
    match parts.client.write(step.writes, &keys, parts.deadline()).await.unwrap() {
        Outcome::Written => true,
        Outcome::Changed(now) => {
            assert!(now.revision > snapshot.revision);
            false
        }
    }
}

/// A lock that was not there and is not there is the same to look at, but tokens were given meanwhile, and a number.
#[tokio::test]
async fn nothing_is_written_that_rests_on_what_came_and_went() {
    let cluster = Cluster::start(1).await;
    let (store, other) = (cluster.store().await, cluster.store().await);
    let does = async |ask: Ask| drop(other.ask(ask).await.unwrap());
    let user = |name: &str, operation| super::ask(name, admin(), operation);
    let rename = |from: &str, to: &str| {
        let name = Some(lock(to));
        user(from, Operation::Update { name, kind: None, holder: NewHolder::Same, enabled: None })
    };
    assert!(written_after(&store, &acquire("a", "x"), async || {}).await);
    assert!(written_after(&store, &acquire("b", "x"), async || does(acquire("a", "x")).await).await);

    let came_and_went = async || {
        does(acquire("new", "y")).await;
        does(user("new", Operation::Delete)).await;
    };
    assert!(!written_after(&store, &acquire("new", "x"), came_and_went).await);
    let renamed_there_and_away = async || {
        does(super::release("a", "x")).await;
        does(rename("a", "new")).await;
        does(acquire("new", "y")).await;
        does(rename("new", "a")).await;
    };
    assert!(!written_after(&store, &acquire("new", "x"), renamed_there_and_away).await);
    let made_anew = async || {
        does(user("b", Operation::Delete)).await;
        does(acquire("b", "z")).await;
    };
    assert!(!written_after(&store, &super::release("b", "x"), made_anew).await);
    assert!(!written_after(&store, &rename("b", "c"), async || does(acquire("c", "z")).await).await);

    let number = other.ask(user("c", Operation::Show)).await.unwrap().after.unwrap().id;
    let or_named = Which::NumberedOrNamed(LockId(number.0 + 1), lock(&(number.0 + 1).to_string()));
    let late = Ask { which: or_named, ..acquire("c", "x") };
    assert!(
        !written_after(&store, &late, async || does(acquire("d", "z")).await).await,
        "it has that number"
    );

    let forbid = HostChange { may_acquire: Some(false), ..HostChange::default() };
    let forbidden = async || drop(other.put_host(&host("x"), forbid.clone()).await.unwrap());
    assert!(!written_after(&store, &acquire("e", "x"), forbidden).await);
    does(super::slots("f", 1)).await;
    does(create("f")).await;
    let share = Slots::Percent(50.try_into().unwrap());
    does(user("f", Operation::SetPolicy(Policy { slots: share, ..Policy::default() }))).await;
    let grown = async || drop(other.put_host(&host("y"), HostChange::default()).await.unwrap());
    assert!(!written_after(&store, &acquire("f", "z"), grown).await, "the group is another one");
}

#[tokio::test]
async fn a_decision_with_more_events_than_a_transaction_has_operations_is_one() {
    let cluster = Cluster::start(1).await;
    let store = cluster.store().await;
    store.ask(create("web")).await.unwrap();
    store.ask(super::slots("web", 300)).await.unwrap();
    for number in 0..250 {
        store.ask(acquire("web", &format!("host-{number}"))).await.unwrap();
    }
    let operation = Operation::ForceRelease { host: None, reason: "all".into() };
    let told = store.ask(super::ask("web", admin(), operation)).await.unwrap();
    assert!(told.after.unwrap().holders.is_empty());
    let newest = EventQuery::Newest(Paging { page: 1, per_page: Some(250) });
    let events = store.events(None, newest).await.unwrap();
    assert_eq!(events.total, 2 + 250 + 250);
    let hosts: Vec<String> =
        events.items.iter().rev().map(|logged| logged.event.host.clone().unwrap().into()).collect();
    let all: Vec<String> = (0..250).map(|number| format!("host-{number}")).collect();
    assert_eq!(hosts, all);
}
