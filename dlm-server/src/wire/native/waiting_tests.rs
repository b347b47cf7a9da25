//! Hosts that wait with their request open: woken at once, in order, without a herd, and gone without a trace. Time is tokio's, stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use disco_dlm::model::{Order, Policy, Queue, Requester, Seconds, Slots};
use disco_dlm::native::route;
use disco_dlm::rules::{NotHeld, Operation, Outcome};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::routes;
use super::waiting::{MOST_OF_HOST, MOST_WAITING, Rooms};
use crate::stage::*;
use crate::stage_store::Meanwhile;

const MOMENT: Duration = Duration::from_millis(20);

fn waits(stage: &Stage, by: &str, wait: u64) -> JoinHandle<(Reply, Duration)> {
    let (stage, by) = (stage.clone(), by_host(by));
    let body = format!(r#"{{"wait":{wait}}}"#);
    tokio::spawn(async move {
        let begin = Instant::now();
        let reply = stage.call(&by, "POST", &route::lock("web", "/acquire"), &body).await;
        (reply, begin.elapsed())
    })
}

async fn release(stage: &Stage, by: &str) {
    let operation = Operation::Release { outcome: Outcome::Ok, token: None, not_held: NotHeld::Refuse };
    stage.ask("web", Requester::Host(host(by)), operation).await;
}

/// How often the store was asked to acquire.
fn counted() -> (Stage, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (acquires, looks) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, look) = (Arc::clone(&acquires), Arc::clone(&looks));
    let stage = Stage::between(
        move |ask| {
            match ask.operation {
                Operation::Acquire { .. } => count.fetch_add(1, Ordering::SeqCst),
                Operation::Show => look.fetch_add(1, Ordering::SeqCst),
                _ => 0,
            };
            Meanwhile::Nothing
        },
        routes,
    );
    (stage, acquires, looks)
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_answered_as_soon_as_there_is_a_slot() {
    let stage = Stage::new(routes);
    stage.acquire("web", "a").await;
    let b = waits(&stage, "b", 60);
    sleep(Duration::from_secs(10)).await;
    release(&stage, "a").await;
    let (reply, after) = b.await.unwrap();
    assert_eq!((reply.outcome().as_str(), &reply.json()["token"]), ("200", &serde_json::json!(2)));
    assert!(after < Duration::from_secs(10) + MOMENT, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_is_refused_in_time_and_truly() {
    let stage = Stage::new(routes);
    stage.acquire("web", "a").await;
    for (wait, after) in [(0, 0), (7, 7), (600, 60)] {
        let (reply, took) = waits(&stage, "b", wait).await.unwrap();
        assert_eq!((reply.outcome().as_str(), reply.header("retry-after")), ("412", "60"));
        assert_eq!(took.as_secs(), after);
    }
}

#[tokio::test(start_paused = true)]
async fn who_can_never_have_it_does_not_wait() {
    let stage = Stage::new(routes);
    let change = crate::access::HostChange { may_acquire: Some(false), ..Default::default() };
    crate::store::Store::put_host(&*stage.store, &host("b"), change).await.unwrap();
    let (reply, took) = waits(&stage, "b", 60).await.unwrap();
    assert_eq!(reply.json()["code"], "not-permitted");
    assert_eq!((took.as_secs(), reply.json()["retry_after"].is_null()), (0, true));
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_given_in_a_fair_order() {
    let stage = Stage::new(routes);
    stage.acquire("web", "holder").await;
    let queue = Queue { order: Order::Fair, poll: Seconds(60) };
    stage.policy("web", Policy { queue, ..Policy::default() }).await;
    // They got their tickets in this order, and come back in another one.
    for name in ["a", "b", "c"] {
        stage.acquire("web", name).await;
    }
    let mut waiting: Vec<_> = ["c", "b", "a"].map(|name| (name, waits(&stage, name, 60))).into();
    sleep(Duration::from_secs(1)).await;
    for (by, next) in [("holder", "a"), ("a", "b"), ("b", "c")] {
        release(&stage, by).await;
        sleep(MOMENT).await;
        let done: Vec<&str> =
            waiting.iter().filter(|(_, task)| task.is_finished()).map(|(name, _)| *name).collect();
        assert_eq!(done, [next], "after {by}");
        waiting.retain(|(name, _)| *name != next);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_comes_free_is_asked_for_by_one() {
    let (stage, acquires, looks) = counted();
    stage.acquire("web", "holder").await;
    let waiting: Vec<_> = (0..200).map(|n| waits(&stage, &format!("h{n}"), 60)).collect();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(acquires.swap(0, Ordering::SeqCst), 200, "each was refused once");
    let before = looks.load(Ordering::SeqCst);
    release(&stage, "holder").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(waiting.iter().filter(|task| task.is_finished()).count(), 1);
    assert_eq!(acquires.load(Ordering::SeqCst), 1, "one slot, one request");
    let looked = looks.load(Ordering::SeqCst) - before;
    assert!(looked <= 5, "{looked} looks at one lock");
    stage.policy("web", Policy { slots: Slots::Number(50), ..Policy::default() }).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(waiting.iter().filter(|task| task.is_finished()).count(), 50);
    assert_eq!(acquires.load(Ordering::SeqCst), 50, "as many as there are slots");
    waiting.iter().for_each(JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn nobody_looks_while_nothing_happens_and_seldom_at_others_changes() {
    let (stage, _, looks) = counted();
    stage.acquire("web", "holder").await;
    let task = waits(&stage, "b", 60);
    sleep(Duration::from_secs(2)).await;
    let before = looks.load(Ordering::SeqCst);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(looks.load(Ordering::SeqCst), before, "quiet");
    for n in 0..2000 {
        stage.acquire("other", &format!("h{n}")).await;
        sleep(Duration::from_millis(5)).await;
    }
    let looked = looks.load(Ordering::SeqCst) - before;
    assert!(looked <= 60, "{looked} looks in ten seconds");
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_has_nothing_and_the_next_one_is_called() {
    let stage = Stage::new(routes);
    stage.acquire("web", "holder").await;
    let (b, c) = (waits(&stage, "b", 60), waits(&stage, "c", 60));
    sleep(Duration::from_secs(1)).await;
    b.abort();
    sleep(MOMENT).await;
    release(&stage, "holder").await;
    let (reply, _) = timeout(MOMENT, c).await.unwrap().unwrap();
    assert_eq!(reply.json()["lock"]["holders"][0]["host"], "c");
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_after_it_was_called_leaves_the_slot_to_the_next_one() {
    let stage = Stage::new(routes);
    let rooms = Rooms::new(stage.app.store.clone());
    stage.acquire("web", "holder").await;
    let first = rooms.enter(&name("web"), &host("b")).unwrap();
    let second = rooms.enter(&name("web"), &host("c")).unwrap();
    release(&stage, "holder").await;
    timeout(MOMENT, first.called()).await.unwrap();
    assert!(timeout(Duration::from_secs(3), second.called()).await.is_err(), "the slot is the first one's");
    drop(first);
    timeout(MOMENT, second.called()).await.unwrap();
    drop(second);
    assert_eq!(rooms.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_was_called_and_refused_is_not_called_again_at_once() {
    let stage = Stage::new(routes);
    let rooms = Rooms::new(stage.app.store.clone());
    stage.acquire("web", "holder").await;
    let seat = rooms.enter(&name("web"), &host("b")).unwrap();
    release(&stage, "holder").await;
    timeout(MOMENT, seat.called()).await.unwrap();
    seat.refused();
    assert!(timeout(Duration::from_millis(900), seat.called()).await.is_err());
    timeout(Duration::from_millis(200), seat.called()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_waits_comes_when_a_grant_ends_by_itself() {
    let stage = Stage::new(routes);
    stage.acquire("web", "gone").await;
    stage.policy("web", Policy { expires_after: Some(Seconds(30)), ..Policy::default() }).await;
    let b = waits(&stage, "b", 60);
    sleep(Duration::from_secs(29)).await;
    assert!(!b.is_finished());
    stage.later(30);
    let (reply, after) = b.await.unwrap();
    assert_eq!((reply.outcome().as_str(), after.as_secs()), ("200", 30));
}

#[tokio::test(start_paused = true)]
async fn a_ticket_is_kept_while_its_host_waits() {
    let stage = Stage::new(routes);
    stage.acquire("web", "holder").await;
    let queue = Queue { order: Order::Fair, poll: Seconds(2) };
    stage.policy("web", Policy { queue, ..Policy::default() }).await;
    let b = waits(&stage, "b", 60);
    for second in 1..=30 {
        sleep(Duration::from_secs(1)).await;
        stage.later(second);
    }
    // Who comes now is behind.
    let told = stage.acquire("web", "late").await;
    let tickets: Vec<String> =
        told.after.unwrap().tickets.iter().map(|ticket| ticket.host.to_string()).collect();
    assert_eq!(tickets, ["b", "late"]);
    b.abort();
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_bounded() {
    let stage = Stage::new(routes);
    stage.acquire("web", "holder").await;
    let rooms = Rooms::new(stage.app.store.clone());
    let lock = name("web");
    let mine: Vec<_> = (0..MOST_OF_HOST).map(|_| rooms.enter(&lock, &host("b")).unwrap()).collect();
    assert!(rooms.enter(&lock, &host("b")).is_none());
    let mut all = mine;
    for n in 0..MOST_WAITING - MOST_OF_HOST {
        all.push(rooms.enter(&lock, &host(&format!("h{n}"))).unwrap());
    }
    assert!(rooms.enter(&lock, &host("c")).is_none());
    all.pop();
    let last = rooms.enter(&lock, &host("c"));
    assert!(last.is_some());
    drop((all, last));
    assert_eq!(rooms.waiting(), 0);
    // Who finds no seat is answered like who does not wait.
    let stage = Stage::new(routes);
    stage.acquire("web", "holder").await;
    let waiting: Vec<_> = (0..MOST_OF_HOST).map(|_| waits(&stage, "b", 60)).collect();
    sleep(MOMENT).await;
    let (reply, took) = waits(&stage, "b", 60).await.unwrap();
    assert_eq!((reply.outcome().as_str(), took.as_secs()), ("412", 0));
    waiting.iter().for_each(JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn events_come_as_soon_as_there_are_some() {
    let stage = Stage::new(routes);
    stage.acquire("web", "a").await;
    let waiting = |path: &'static str| {
        let stage = stage.clone();
        tokio::spawn(async move {
            let begin = Instant::now();
            (stage.get(&admin(), path).await.json(), begin.elapsed())
        })
    };
    let of_web = waiting("/disco/v1/locks/web/events?after=2&wait=30");
    let of_all = waiting("/disco/v1/events?after=2&wait=30");
    sleep(Duration::from_secs(5)).await;
    stage.acquire("db", "a").await;
    let (json, after) = of_all.await.unwrap();
    assert_eq!((json["events"][0]["lock"].as_str(), json["next"].as_u64()), (Some("db"), Some(4)));
    assert!(after < Duration::from_secs(5) + MOMENT, "{after:?}");
    sleep(Duration::from_secs(5)).await;
    assert!(!of_web.is_finished());
    release(&stage, "a").await;
    let (json, after) = of_web.await.unwrap();
    assert_eq!((json["events"][0]["kind"].as_str(), json["next"].as_u64()), (Some("release"), Some(5)));
    assert!(after < Duration::from_secs(10) + MOMENT, "{after:?}");
    let (json, after) = waiting("/disco/v1/events?after=5&wait=3").await.unwrap();
    assert_eq!((json["events"].as_array().unwrap().len(), after.as_secs()), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_events_are_bounded() {
    let stage = Stage::new(routes);
    let path = "/disco/v1/events?after=0&wait=60";
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let stage = stage.clone();
            tokio::spawn(async move { stage.get(&admin(), path).await })
        })
        .collect();
    sleep(MOMENT).await;
    let reply = stage.get(&admin(), path).await;
    assert_eq!((reply.outcome().as_str(), reply.header("retry-after")), ("429 too-many", "5"));
    waiting.iter().for_each(JoinHandle::abort);
    sleep(MOMENT).await;
    stage.acquire("web", "a").await;
    assert_eq!(stage.get(&admin(), path).await.outcome(), "200");
}
