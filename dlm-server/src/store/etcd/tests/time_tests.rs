//! Grants end by the time that has passed, whatever clocks say.

use std::sync::Arc;

use disco_dlm::model::{Policy, Seconds, Time};
use disco_dlm::rules::{Answer, Operation};

use super::cluster_tests::Cluster;
use super::{HandClock, acquire, admin, ask};
use crate::store::etcd::EtcdStore;
use crate::store::{Store, StoreError};

const HOUR: i64 = 3600;

async fn granted(store: &EtcdStore, by: &str) -> bool {
    match store.ask(acquire("web", by)).await.unwrap().answer {
        Answer::Granted { .. } => true,
        Answer::Refused(refusal) => {
            assert!(refusal.retry_at.is_some());
            false
        }
        other => panic!("{other:?}"),
    }
}

async fn expires_after(store: &EtcdStore, seconds: u64) -> Result<(), StoreError> {
    let policy = Policy { expires_after: Some(Seconds(seconds)), ..Policy::default() };
    store.ask(ask("web", admin(), Operation::SetPolicy(policy))).await.map(|_| ())
}

/// Both clocks go on.
fn pass(clocks: [&HandClock; 2], seconds: u64) {
    clocks.iter().for_each(|clock| clock.pass(seconds));
}

#[tokio::test]
async fn a_clock_that_is_hours_ahead_or_behind_ends_no_grant_early_and_none_late() {
    let cluster = Cluster::start(1).await;
    for (steps, name) in [(5 * HOUR, "ahead"), (-5 * HOUR, "behind")] {
        let (one, two) = (Arc::new(HandClock::at(1_000_000)), Arc::new(HandClock::at(1_000_000)));
        let mut address = cluster.address();
        address.prefix = format!("/{name}");
        let connect = async |clock| EtcdStore::connect_at(&address, &super::patient(), clock).await.unwrap();
        let (a, b) = (connect(one.clone()).await, connect(two.clone()).await);
        assert!(granted(&a, "a").await);
        expires_after(&a, 600).await.unwrap();
        assert!(!granted(&b, "b").await);
        two.step(steps);
        assert!(!granted(&b, "b").await, "{name}");
        b.sweep(Time::new(0, 0)).await.unwrap();
        pass([&one, &two], 599);
        assert!(!granted(&b, "b").await && !granted(&a, "b").await, "{name}");
        // A renewal by the server whose clock is wrong counts as one.
        assert!(granted(&b, "a").await);
        assert!(!granted(&a, "c").await);
        pass([&one, &two], 599);
        one.step(-steps);
        assert!(!granted(&a, "c").await && !granted(&b, "c").await, "{name}");
        pass([&one, &two], 1);
        assert!(granted(&a, "c").await, "{name}: lapsed by now");
        assert!(!granted(&b, "a").await);
    }
}

#[tokio::test]
async fn a_policy_counts_as_it_is_now() {
    let cluster = Cluster::start(1).await;
    let clock = Arc::new(HandClock::at(1_000_000));
    let store = cluster.store_at(clock.clone()).await;
    assert!(granted(&store, "a").await);
    clock.pass(1000);
    assert!(!granted(&store, "b").await, "a grant ends never");
    expires_after(&store, 2000).await.unwrap();
    clock.pass(500);
    assert!(!granted(&store, "b").await);
    expires_after(&store, 1400).await.unwrap();
    assert!(granted(&store, "b").await, "1500 seconds are over");
}

#[tokio::test]
async fn a_new_server_goes_on_from_what_others_wrote_down() {
    let cluster = Cluster::start(1).await;
    let clock = Arc::new(HandClock::at(1_000_000));
    let old = cluster.store_at(clock.clone()).await;
    assert!(granted(&old, "a").await);
    expires_after(&old, 1000).await.unwrap();
    clock.pass(700);
    old.sweep(Time::new(0, 0)).await.unwrap();
    drop(old);
    let clock = Arc::new(HandClock::at(5));
    let new = cluster.store_at(clock.clone()).await;
    clock.pass(299);
    assert!(!granted(&new, "b").await, "never early");
    clock.pass(1);
    assert!(granted(&new, "b").await, "700 of the 1000 seconds were seen before");
    // What is written down of a grant is not said of the next one.
    let clock = Arc::new(HandClock::at(5));
    let newer = cluster.store_at(clock.clone()).await;
    clock.pass(999);
    assert!(!granted(&newer, "c").await);
}
