//! A large store, and how long its answers take.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use disco_dlm::model::{HostName, LockId, LockName, Requester, Time};
use disco_dlm::rules::Operation;
use disco_dlm_server::access::HostChange;
use disco_dlm_server::search::{Comparison, Field, Filter, Order, OrderField};
use disco_dlm_server::store::sqlite::SqliteStore;
use disco_dlm_server::store::{Ask, EventQuery, Paging, Store, Which};

/// How many hosts a filled store has.
const HOSTS: u64 = 10_000;
/// How many ask at once.
const AT_ONCE: u64 = 200;

pub fn ask(lock: &str, host: &str, operation: Operation) -> Ask {
    let which = Which::Named(LockName::new(lock).unwrap());
    Ask { which, requester: Requester::Host(HostName::new(host).unwrap()), operation }
}

pub fn acquire() -> Operation {
    Operation::Acquire { note: String::new() }
}

/// Adds hosts, locks, each held by one of them, and refusals until there are so many events.
pub async fn fill(file: &Path, locks: u64, events: u64) {
    let store = Arc::new(SqliteStore::open(file).unwrap());
    let start = Instant::now();
    for first in (0..HOSTS).step_by(AT_ONCE as usize) {
        let each = (first..first + AT_ONCE).map(|host| {
            let store = store.clone();
            tokio::spawn(async move {
                let name = HostName::new(format!("host{host}.example.com")).unwrap();
                store.put_host(&name, HostChange::default()).await.unwrap();
            })
        });
        for one in each.collect::<Vec<_>>() {
            one.await.unwrap();
        }
    }
    println!("{HOSTS} hosts: {:.1} s", start.elapsed().as_secs_f64());
    // A lock that is made has two events, a refusal one.
    let refusals = events.saturating_sub(2 * locks);
    many(&store, locks, |at| {
        ask(&format!("lock {at}"), &format!("host{}.example.com", at % HOSTS), acquire())
    })
    .await;
    println!("{locks} locks: {:.1} s", start.elapsed().as_secs_f64());
    // Half of the refusals are of one lock, as of one that a whole fleet wants.
    many(&store, refusals, |at| {
        let lock = if at % 2 == 0 { 0 } else { at % locks };
        ask(&format!("lock {lock}"), &format!("host{}.example.com", (at + 1) % 50 + 5000), acquire())
    })
    .await;
    println!("{events} events: {:.1} s", start.elapsed().as_secs_f64());
}

async fn many(store: &Arc<SqliteStore>, count: u64, ask: impl Fn(u64) -> Ask) {
    for first in (0..count).step_by(AT_ONCE as usize) {
        let each = (first..count.min(first + AT_ONCE)).map(|at| {
            let (store, ask) = (store.clone(), ask(at));
            tokio::spawn(async move { store.ask(ask).await.map(drop) })
        });
        for one in each.collect::<Vec<_>>() {
            one.await.unwrap().unwrap();
        }
    }
}

/// The best and the median of some calls, in milliseconds.
async fn timed<F: Future<Output = ()>>(what: &str, call: impl Fn(u64) -> F) {
    let mut times = vec![];
    for at in 0..15 {
        let start = Instant::now();
        call(at).await;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    println!("{what:44} {:8.2} ms  (best {:.2})", times[times.len() / 2], times[0]);
}

/// Prints how long lists, logs and decisions take, how many there are in a second, and the memory.
pub async fn measure(file: &Path) {
    let store = Arc::new(SqliteStore::open(file).unwrap());
    let page = |page| Paging { page, per_page: Some(20) };
    let compare = |field, how, value: &str| Filter::Compare(field, how, value.to_owned());
    let by = |by| Order { by, descending: true };
    let filters = [
        ("locks, first page", Filter::All, Order::default(), page(1)),
        ("locks, last page of 100,000", Filter::All, Order::default(), page(5000)),
        ("locks, by time, newest first", Filter::All, by(OrderField::Updated), page(1)),
        ("locks, by holder", Filter::All, by(OrderField::Host), page(1)),
        ("locks, name = x", compare(Field::Name, Comparison::Equal, "lock 77"), Order::default(), page(1)),
        ("locks, name ~ 777", compare(Field::Name, Comparison::Like, "777"), Order::default(), page(1)),
        (
            "locks, host = x",
            compare(Field::Host, Comparison::Equal, "host7.example.com"),
            Order::default(),
            page(1),
        ),
        (
            "locks, enabled = false",
            compare(Field::Enabled, Comparison::Equal, "false"),
            Order::default(),
            page(1),
        ),
    ];
    for (what, filter, order, paging) in &filters {
        timed(what, |_| async { drop(store.locks(filter, *order, *paging).await.unwrap()) }).await;
    }
    let events = [
        ("events, newest", None, EventQuery::Newest(page(1))),
        ("events, page 10,000", None, EventQuery::Newest(page(10_000))),
        ("events of a lock with few", Some(LockId(77)), EventQuery::Newest(page(1))),
        ("events of a lock with half of all", Some(LockId(1)), EventQuery::Newest(page(1))),
        ("events after the last", None, EventQuery::After(u64::MAX >> 1, 100)),
    ];
    for (what, of, query) in &events {
        timed(what, |_| async { drop(store.events(*of, query.clone()).await.unwrap()) }).await;
    }
    timed("hosts, first page", |_| async { drop(store.hosts(page(1)).await.unwrap()) }).await;
    let renew = || ask("lock 7", "host7.example.com", acquire());
    timed("acquire: renewed", |_| async { drop(store.ask(renew()).await.unwrap()) }).await;
    timed("acquire: refused", |_| async {
        drop(store.ask(ask("lock 0", "host9.example.com", acquire())).await.unwrap());
    })
    .await;
    timed("look", |_| async {
        drop(store.ask(ask("lock 7", "host7.example.com", Operation::Show)).await.unwrap())
    })
    .await;
    timed("sweep, nothing to do", |_| async { assert_eq!(store.sweep(Time::default()).await.unwrap(), 0) })
        .await;
    for clients in [1, 10, 100, 1000] {
        let (start, each) = (Instant::now(), (10_000 / clients).clamp(10, 1000));
        let workers = (0..clients).map(|client| {
            let store = store.clone();
            tokio::spawn(async move {
                let (lock, host) = (format!("lock {client}"), format!("host{client}.example.com"));
                for _ in 0..each {
                    store.ask(ask(&lock, &host, acquire())).await.unwrap();
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
        let rate = (clients * each) as f64 / start.elapsed().as_secs_f64();
        println!("{clients:5} clients at once: {rate:8.0} acquires a second, each of them on the disk");
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status
        .lines()
        .filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"))
        .for_each(|line| println!("{line}"));
}
