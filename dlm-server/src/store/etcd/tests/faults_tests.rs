//! Members that die, hang, or answer into nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use disco_dlm::check::{Call, Return, Saw, State, Verdict, linearize, overlap, token_fault};
use disco_dlm::model::Requester;
use disco_dlm::rules::{Answer, Grant, NotHeld, Operation, Outcome, Request};
use tokio::task::JoinSet;

use super::cluster_tests::Cluster;
use super::{acquire, admin, host, lock, patient, slots};
use crate::store::etcd::{Address, EtcdStore, Options, chance};
use crate::store::{Ask, Store, StoreError, Told, Which};

const LOCKS: [(&str, u32); 3] = [("one", 1), ("two", 2), ("three", 1)];

fn saw(told: &Told, many: bool) -> Return {
    let token = match &told.answer {
        Answer::Granted { token, grant } => (!many || *grant == Grant::New).then_some(*token),
        _ => None,
    };
    let saw = match &told.answer {
        Answer::Granted { .. } => Saw::Granted,
        Answer::Released { .. } => Saw::Released,
        Answer::Refused(_)
        | Answer::NameTaken
        | Answer::BadPolicy(_)
        | Answer::HostsOnly
        | Answer::UsersOnly => Saw::Refused,
        Answer::Missing => Saw::Missing,
        Answer::Created | Answer::Updated | Answer::Deleted => Saw::Done,
        Answer::Shown => {
            let lock = told.after.as_ref().unwrap();
            let holders = lock.holders.iter().map(|holder| holder.host.clone()).collect();
            Saw::Shown { enabled: lock.enabled, holders }
        }
    };
    Return { at: 0, saw, token }
}

/// What a client does next.
fn any_ask(client: &str, name: &str) -> Ask {
    let release = Operation::Release { outcome: Outcome::Ok, token: None, not_held: NotHeld::Refuse };
    let (requester, operation) = match chance::below(20) {
        0..9 => (Requester::Host(host(client)), Operation::Acquire { note: String::new() }),
        9..17 => (Requester::Host(host(client)), release),
        17 => (admin(), Operation::ForceRelease { host: None, reason: "test".into() }),
        _ => (admin(), Operation::Show),
    };
    Ask { which: Which::Named(lock(name)), requester, operation }
}

/// All that clients saw, of all locks.
#[derive(Clone)]
struct Histories {
    from: Instant,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Histories {
    fn new() -> Histories {
        Histories { from: Instant::now(), calls: Arc::default() }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.from.elapsed().as_nanos()).unwrap()
    }

    /// Asks, and notes it.
    async fn ask(&self, store: &EtcdStore, name: &str, ask: Ask) -> bool {
        let request =
            Request { requester: ask.requester.clone(), name: lock(name), operation: ask.operation.clone() };
        let invoked = self.now();
        let told = store.ask(ask).await;
        let at = self.now();
        if let Err(error) = &told {
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        }
        let many = LOCKS.iter().any(|(with, slots)| *with == name && *slots > 1);
        let returned = told.as_ref().ok().map(|told| Return { at, ..saw(told, many) });
        self.calls.lock().unwrap().push(Call { request, invoked, returned });
        told.is_ok()
    }

    /// Clients of these stores that ask on until they are told to stop.
    fn load(&self, stores: &[Arc<EtcdStore>], stop: &Arc<AtomicBool>, pause: Duration) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        for (at, client) in ["a", "b", "c", "d", "e", "f"].into_iter().enumerate() {
            let (store, stop, histories) = (stores[at % stores.len()].clone(), stop.clone(), self.clone());
            clients.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let (name, _) = LOCKS[usize::try_from(chance::below(LOCKS.len() as u64)).unwrap()];
                    histories.ask(&store, name, any_ask(client, name)).await;
                    tokio::time::sleep(chance::part(pause)).await;
                }
            });
        }
        clients
    }

    /// Whether each lock's history can have come from the rules; and how many calls there were, and how many of unknown outcome.
    fn check(&self) -> (usize, usize) {
        let all = self.calls.lock().unwrap().clone();
        for (name, slots) in LOCKS {
            let calls: Vec<Call> =
                all.iter().filter(|call| call.request.name == lock(name)).cloned().collect();
            let verdict = linearize(&State::free(slots), &calls, 3_000_000);
            assert!(matches!(verdict, Verdict::Linearizable(_)), "{name}: {verdict:?} of {calls:#?}");
            assert_eq!(overlap(&calls, slots as usize), None);
            // With two slots a renewal rightly says a smaller token than the other holder's: there this is for new grants alone.
            let fault =
                token_fault(&calls).map(|fault| (calls[fault.first].clone(), calls[fault.second].clone()));
            assert_eq!(fault, None, "{name}");
        }
        (all.len(), all.iter().filter(|call| call.returned.is_none()).count())
    }
}

/// Makes the locks.
async fn prepare(store: &EtcdStore) {
    for (name, number) in LOCKS {
        store.ask(super::create(name)).await.unwrap();
        store.ask(slots(name, number)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_dies_or_hangs_under_load_leaves_a_true_history() {
    let mut cluster = Cluster::start(3).await;
    let mut stores = vec![];
    for _ in 0..3 {
        stores.push(Arc::new(EtcdStore::connect(&cluster.address(), &Options::default()).await.unwrap()));
    }
    prepare(&stores[0]).await;
    let (histories, stop) = (Histories::new(), Arc::new(AtomicBool::new(false)));
    let clients = histories.load(&stores, &stop, Duration::from_millis(20));
    let wait = |milliseconds| tokio::time::sleep(Duration::from_millis(milliseconds));
    wait(500).await;
    let leader = cluster.leader().await;
    cluster.kill(leader);
    wait(2500).await;
    cluster.run(leader);
    wait(500).await;
    let paused = cluster.pause(cluster.leader().await);
    wait(3000).await;
    drop(paused);
    wait(1000).await;
    stop.store(true, Ordering::Relaxed);
    clients.join_all().await;
    let (calls, unknown) = histories.check();
    assert!(calls > 30 && unknown * 4 < calls, "{unknown} of {calls} calls without an answer");
}

/// A member that does what it is asked, and often says nothing of it: it forwards each connection's bytes, and cuts some of them off when
/// the answer comes.
async fn lossy(to: &Address) -> Address {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut address = to.clone();
    let member = std::mem::replace(&mut address.members, vec![listener.local_addr().unwrap().to_string()]);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let Ok(mut server) = tokio::net::TcpStream::connect(&member[0]).await else { continue };
            tokio::spawn(async move {
                let (mut asks, mut answers) = (vec![0; 65536], vec![0; 65536]);
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                loop {
                    tokio::select! {
                        read = client.read(&mut asks) => match read {
                            Ok(read) if read > 0 && server.write_all(&asks[..read]).await.is_ok() => {}
                            _ => return,
                        },
                        read = server.read(&mut answers) => match read {
                            Ok(read) if read > 0 && chance::below(4) > 0 => {
                                if client.write_all(&answers[..read]).await.is_err() {
                                    return;
                                }
                            }
                            _ => return,
                        },
                    }
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_lost_are_found_again() {
    let cluster = Cluster::start(1).await;
    let address = lossy(&cluster.address()).await;
    let mut stores = vec![];
    for _ in 0..3 {
        stores.push(Arc::new(EtcdStore::connect(&address, &patient()).await.unwrap()));
    }
    prepare(&stores[0]).await;
    let (histories, stop) = (Histories::new(), Arc::new(AtomicBool::new(false)));
    let clients = histories.load(&stores, &stop, Duration::from_millis(5));
    tokio::time::sleep(Duration::from_secs(4)).await;
    stop.store(true, Ordering::Relaxed);
    clients.join_all().await;
    let (calls, unknown) = histories.check();
    assert!(calls > 30, "{calls} calls");
    assert_eq!(unknown, 0, "each was asked again until its outcome was known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_nothing_is_granted_and_with_it_again_it_is() {
    let mut cluster = Cluster::start(3).await;
    let deadline = Duration::from_secs(1);
    let options = Options { deadline, ..Options::default() };
    let store = EtcdStore::connect(&cluster.address(), &options).await.unwrap();
    store.ask(acquire("web", "a")).await.unwrap();
    cluster.kill(0);
    cluster.kill(1);
    for ask in [acquire("web", "a"), acquire("free", "b"), super::ask("web", admin(), Operation::Show)] {
        let from = Instant::now();
        let error = store.ask(ask).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        assert!(from.elapsed() < deadline + Duration::from_secs(1), "{:?}", from.elapsed());
    }
    assert!(matches!(store.ready().await, Err(StoreError::Unavailable { .. })));
    cluster.run(1);
    let until = Instant::now() + Duration::from_secs(60);
    while store.ready().await.is_err() {
        assert!(Instant::now() < until);
    }
    drop(store);
    let store = cluster.store().await;
    let told = store.ask(acquire("web", "b")).await.unwrap();
    assert!(matches!(told.answer, Answer::Refused(_)), "{told:?}");
    let told = store.ask(acquire("free", "b")).await.unwrap();
    assert!(matches!(told.answer, Answer::Granted { .. }), "{told:?}");
}

/// A member that was stopped wakes up with what it knew, a leader too, and has a question before it has heard of anything new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_wakes_up_tells_nothing_old() {
    let cluster = Cluster::start(3).await;
    let follower = (cluster.leader().await + 1) % 3;
    let (mut own, mut others) = (cluster.address(), cluster.address());
    own.members = vec![others.members.remove(follower)];
    let options = Options { patience: Duration::from_secs(5), ..Options::default() };
    let sleeper = Arc::new(EtcdStore::connect(&own, &options).await.unwrap());
    let store = EtcdStore::connect(&others, &options).await.unwrap();
    store.ask(super::create("web")).await.unwrap();
    for round in 0..5 {
        let name = format!("host-{round}");
        sleeper.ask(super::ask("web", admin(), Operation::Show)).await.unwrap();
        let paused = cluster.pause(follower);
        store.ask(acquire("web", &name)).await.unwrap();
        let asking = sleeper.clone();
        let look = tokio::spawn(async move { asking.ask(super::ask("web", admin(), Operation::Show)).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(paused);
        let seen = look.await.unwrap().unwrap().after.unwrap();
        assert_eq!(
            seen.holders.first().map(|holder| holder.host.as_str()),
            Some(name.as_str()),
            "round {round}"
        );
        store.ask(super::release("web", &name)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_hangs_costs_its_patience_once() {
    let cluster = Cluster::start(3).await;
    let follower = (cluster.leader().await + 1) % 3;
    // The one that hangs is asked first.
    let mut address = cluster.address();
    address.members.swap(0, follower);
    let patience = Duration::from_secs(1);
    let options = Options { patience, ..Options::default() };
    let mut slow = 0;
    let _paused = cluster.pause(follower);
    for attempt in 0..4 {
        let from = Instant::now();
        let store = EtcdStore::connect(&address, &options).await.unwrap();
        store.ask(acquire("web", &format!("host-{attempt}"))).await.unwrap();
        assert!(from.elapsed() < patience + Duration::from_secs(1), "{:?}", from.elapsed());
        slow += usize::from(from.elapsed() >= patience);
        let from = Instant::now();
        store.ask(acquire("web", &format!("host-{attempt}"))).await.unwrap();
        assert!(from.elapsed() < patience, "{:?}", from.elapsed());
    }
    assert!(slow < 4, "where to begin is left to chance");
}
