//! Many at once.

use std::sync::Arc;

use disco_dlm::rules::{Answer, Grant, Reason};
use tokio::task::JoinSet;

use super::cluster_tests::Cluster;
use super::{acquire, slots};
use crate::search::{Filter, Order};
use crate::store::etcd::EtcdStore;
use crate::store::{Ask, EventQuery, Paging, Store};

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
async fn racers_for_a_lock_that_is_not_there_make_one() {
    let cluster = Cluster::start(1).await;
    let mut stores = vec![];
    for _ in 0..3 {
        stores.push(Arc::new(cluster.store().await));
    }
    for name in ["web", "db", "mail"] {
        let asks = (0..9).map(|number| acquire(name, &format!("host-{number}"))).collect();
        let answers = all_at_once(&stores, asks).await;
        let granted = answers.iter().filter(|answer| matches!(answer, Answer::Granted { .. })).count();
        assert_eq!(granted, 1, "{answers:?}");
    }
    let all = Paging { page: 1, per_page: None };
    let locks = stores[0].locks(&Filter::All, Order::default(), all).await.unwrap();
    let mut ids: Vec<u64> = locks.items.iter().map(|lock| lock.id.0).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3]);
}
