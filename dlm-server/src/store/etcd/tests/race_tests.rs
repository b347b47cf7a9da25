//! Many at once.

use std::sync::Arc;

use disco_dlm::model::{LockId, Policy, Slots};
use disco_dlm::rules::{Answer, Grant, NewHolder, Operation, Reason};
use tokio::task::JoinSet;

use super::cluster_tests::Cluster;
use super::{acquire, admin, create, host, lock, patient, slots};
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
    all_written_after(store, std::slice::from_ref(late), meanwhile).await
}

/// The same with questions that are decided together.
async fn all_written_after(store: &EtcdStore, late: &[Ask], meanwhile: impl AsyncFnOnce()) -> bool {
    let parts = &store.parts;
    let keys = keys_of(&parts.keys, late, None);
    let snapshot = parts.client.snapshot(&keys, parts.deadline()).await.unwrap();
    let Ok(Target::Named(name)) = target(&parts.keys, &late[0].which, &snapshot) else {
        panic!("no name: {late:?}")
    };
    let step = parts.decide(late, name, &snapshot).ok().unwrap();
    assert_eq!(step.told.len(), late.len());
    assert!(!step.writes.then.is_empty());
    meanwhile().await;
    match parts.client.write(step.writes, &keys, parts.deadline()).await.unwrap() {
        Outcome::Written(_) => true,
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

    // A lock whose name is the number of another one, once there is that.
    let last = other.ask(user("c", Operation::Show)).await.unwrap().after.unwrap().id.0;
    let digits = (last + 2).to_string();
    does(create(&digits)).await;
    let late = Ask { which: Which::NumberedOrNamed(LockId(last + 2), lock(&digits)), ..acquire("c", "x") };
    assert!(
        !written_after(&store, &late, async || does(acquire("d", "z")).await).await,
        "it has that number"
    );

    let forbid = HostChange { may_acquire: Some(false), ..HostChange::default() };
    let forbidden = async || drop(other.put_host(&host("x"), forbid.clone()).await.unwrap());
    assert!(!written_after(&store, &acquire("e", "x"), &forbidden).await);
    other
        .put_host(&host("x"), HostChange { may_acquire: Some(true), ..HostChange::default() })
        .await
        .unwrap();
    let crowd = [acquire("b", "first"), acquire("b", "x")];
    assert!(all_written_after(&store, &crowd, async || {}).await);
    assert!(!all_written_after(&store, &crowd, &forbidden).await, "the second one may not any more");
    does(super::slots("f", 1)).await;
    does(create("f")).await;
    let share = Slots::Percent(50.try_into().unwrap());
    does(user("f", Operation::SetPolicy(Policy { slots: share, ..Policy::default() }))).await;
    let grown = async || drop(other.put_host(&host("y"), HostChange::default()).await.unwrap());
    assert!(!written_after(&store, &acquire("f", "z"), grown).await, "the group is another one");
}

/// Requests that wait together are decided together, and each is told what it would have been told alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_at_one_lock_is_told_the_truth_in_few_transactions() {
    let cluster = Cluster::start(1).await;
    let stores = [Arc::new(EtcdStore::connect(&cluster.address(), &patient()).await.unwrap())];
    stores[0].ask(acquire("web", "holder")).await.unwrap();
    let mut asks: Vec<Ask> = (0..500).map(|number| acquire("web", &format!("host-{number}"))).collect();
    asks.push(super::release("web", "holder"));
    asks.extend((500..600).map(|number| acquire("web", &format!("host-{number}"))));
    let answers = all_at_once(&stores, asks).await;
    let granted = answers.iter().filter(|answer| matches!(answer, Answer::Granted { .. })).count();
    let refused = answers.iter().filter(|answer| matches!(answer, Answer::Refused(_))).count();
    assert!(answers.contains(&Answer::Released { held: true }));
    assert_eq!((granted, granted + refused), (1, 600));
    let newest = EventQuery::Newest(Paging { page: 1, per_page: None });
    let events = stores[0].events(None, newest).await.unwrap();
    assert_eq!(events.total, 2 + 1 + 600);
    let mut decisions: Vec<u64> = events.items.iter().map(|logged| logged.id >> 14).collect();
    decisions.dedup();
    assert!(decisions.len() < 100, "{} transactions", decisions.len());
}

/// What is granted together would have tokens beyond the revision, and a lock that is made anew would give them again.
#[tokio::test]
async fn tokens_of_a_crowd_are_not_given_again_after_delete() {
    let cluster = Cluster::start(1).await;
    let store = cluster.store().await;
    store.ask(create("web")).await.unwrap();
    store.ask(slots("web", 9)).await.unwrap();
    let asks: Vec<Ask> = (0..9).map(|number| acquire("web", &format!("host-{number}"))).collect();
    let mut told = vec![];
    while told.len() < asks.len() {
        told.extend(store.parts.decide_some(&asks[told.len()..], store.parts.deadline()).await.unwrap());
    }
    store.ask(super::ask("web", admin(), Operation::Delete)).await.unwrap();
    told.push(store.ask(acquire("web", "new")).await.unwrap());
    let tokens: Vec<u64> = told
        .iter()
        .map(|told| match told.answer {
            Answer::Granted { token, grant: Grant::New } => token.0,
            _ => panic!("{told:?}"),
        })
        .collect();
    assert!(tokens.is_sorted_by(|one, next| one < next), "{tokens:?}");
}

#[tokio::test]
async fn a_decision_with_more_events_than_a_transaction_has_operations_is_one() {
    let cluster = Cluster::start(1).await;
    let store = cluster.store().await;
    store.ask(create("web")).await.unwrap();
    store.ask(super::slots("web", 300)).await.unwrap();
    for number in 0..120 {
        store.ask(acquire("web", &format!("host-{number}"))).await.unwrap();
    }
    let operation = Operation::ForceRelease { host: None, reason: "all".into() };
    let told = store.ask(super::ask("web", admin(), operation)).await.unwrap();
    assert!(told.after.unwrap().holders.is_empty());
    let newest = EventQuery::Newest(Paging { page: 1, per_page: Some(120) });
    let events = store.events(None, newest).await.unwrap();
    assert_eq!(events.total, 2 + 120 + 120);
    let hosts: Vec<String> =
        events.items.iter().rev().map(|logged| logged.event.host.clone().unwrap().into()).collect();
    let all: Vec<String> = (0..120).map(|number| format!("host-{number}")).collect();
    assert_eq!(hosts, all);
}

/// What a server wrote last is no ground for an answer once another one has written.
#[tokio::test]
async fn what_was_written_last_is_asked_about_again_where_another_server_wrote_since() {
    let cluster = Cluster::start(1).await;
    let (here, there) = (cluster.store().await, cluster.store().await);
    let granted = async |store: &EtcdStore, ask: Ask| match store.ask(ask).await.unwrap().answer {
        Answer::Granted { token, grant } => Some((token, grant)),
        _ => None,
    };
    let (first, _) = granted(&here, acquire("web", "a")).await.unwrap();
    there.ask(super::release("web", "a")).await.unwrap();
    let (second, _) = granted(&there, acquire("web", "b")).await.unwrap();
    assert!(second > first);
    // Here it looks as if a held it still: a renewal, without another word.
    assert_eq!(granted(&here, acquire("web", "a")).await, None);
    // A free one is taken with one transaction, and its token is larger than those of others.
    here.ask(super::release("web", "b")).await.unwrap();
    let (third, _) = granted(&here, acquire("web", "b")).await.unwrap();
    assert!(third > second);
    // What would write nothing is looked at again: here the lock is there still.
    there.ask(super::ask("web", admin(), Operation::Delete)).await.unwrap();
    let release = here.ask(super::ask("web", admin(), Operation::Delete)).await.unwrap();
    assert_eq!(release.answer, Answer::Missing);
    let by_number =
        Ask { which: Which::Numbered(LockId(1)), requester: admin(), operation: Operation::Delete };
    assert_eq!(here.ask(by_number).await.unwrap().answer, Answer::Missing);
    there.ask(create("web")).await.unwrap();
    let (fourth, grant) = granted(&here, acquire("web", "a")).await.unwrap();
    assert!(fourth > third);
    assert_eq!(grant, Grant::New);
}
