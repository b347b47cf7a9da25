//! What is this store's alone: its file, its clock, others who use the file, check-ins, and what is said of damage.

#![allow(clippy::disallowed_methods, reason = "tests look at the file from outside")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use disco_dlm::model::LockName;
use disco_dlm::rules::Answer;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

fn acquire(lock: &str, by: &str) -> Ask {
    let which = Which::Named(LockName::new(lock).unwrap());
    Ask { which, requester: Requester::Host(host(by)), operation: Operation::Acquire { note: String::new() } }
}

fn by_user(lock: &str, operation: Operation) -> Ask {
    let which = Which::Named(LockName::new(lock).unwrap());
    Ask { which, requester: Requester::User(UserName::new("admin").unwrap()), operation }
}

fn token(told: &Told) -> Option<u64> {
    match told.answer {
        Answer::Granted { token, .. } => Some(token.0),
        _ => None,
    }
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dlm/locks.db");
    (folder, path)
}

fn said(path: &Path) -> String {
    let error = SqliteStore::open(path).err().map(|error| (format!("{error:?}"), error.to_string()));
    let (form, text) = error.unwrap();
    format!("{}: {text}", form.split(' ').next().unwrap())
}

#[tokio::test]
async fn the_file_and_its_folder_are_their_owners_alone() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    store.ask(acquire("web", "a")).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for end in ["", "-wal", "-shm"] {
        assert_eq!(mode(Path::new(&format!("{}{end}", path.display()))), 0o600, "{end}");
    }
    let sync: i64 =
        file::writing(&path).unwrap().pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
    assert_eq!(sync, 2, "FULL");
}

#[test]
fn damaged_newer_and_other_files_are_told_with_their_path() {
    let (_folder, path) = folder();
    drop(SqliteStore::open(&path).unwrap());
    let set = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    set("PRAGMA user_version = 7");
    let text = said(&path);
    assert_eq!(
        text,
        format!("Newer: the store {} has form 7, and this server reads up to 1", path.display())
    );
    set("PRAGMA user_version = 1; PRAGMA application_id = 5");
    assert_eq!(said(&path), format!("Damaged: the file in the store {} is damaged", path.display()));
    fs::write(
        &path,
        "name = \"this is text, and long enough to be taken for the head of a database ".repeat(20),
    )
    .unwrap();
    assert_eq!(said(&path), format!("Damaged: the file in the store {} is damaged", path.display()));
    let below_a_file = path.join("locks.db");
    assert!(said(&below_a_file).starts_with("Unavailable: "), "{}", said(&below_a_file));
}

#[tokio::test]
async fn one_damaged_lock_keeps_none_of_the_others_from_being_asked() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    store.ask(acquire("web", "a")).await.unwrap();
    Connection::open(&path).unwrap().execute("UPDATE lock SET body = '{' WHERE name = 'web'", []).unwrap();
    let (bad, good) = tokio::join!(store.ask(acquire("web", "a")), store.ask(acquire("db", "a")));
    let bad = bad.unwrap_err();
    assert!(matches!(&bad, StoreError::Damaged { .. }), "{bad:?}");
    assert_eq!(bad.to_string(), format!("lock 1 in the store {} is damaged", path.display()));
    assert_eq!(token(&good.unwrap()), Some(2));
}

#[tokio::test]
async fn a_clock_that_steps_back_takes_nothing_back() {
    let (_folder, path) = folder();
    let hand = Arc::new(AtomicI64::new(5000));
    let open = || {
        let hand = hand.clone();
        SqliteStore::with(&path, Clock::over(move || Time::new(hand.load(Ordering::SeqCst), 0))).unwrap()
    };
    let store = open();
    assert_eq!(store.ask(acquire("web", "a")).await.unwrap().at.seconds(), 5000);
    hand.store(100, Ordering::SeqCst);
    assert_eq!(store.ask(acquire("web", "a")).await.unwrap().at.seconds(), 5000);
    drop(store);
    // Another server, or the same after a restart, whose clock never was further.
    let store = open();
    let told = store.ask(acquire("web", "a")).await.unwrap();
    assert_eq!((told.at.seconds(), told.after.unwrap().holders[0].renewed.seconds()), (5000, 5000));
}

#[tokio::test]
async fn numbers_and_tokens_are_given_once_also_after_all_is_deleted_and_opened_again() {
    let (_folder, path) = folder();
    let (mut locks, mut tokens, mut hosts, mut events) = (vec![], vec![], vec![], vec![]);
    for _ in 0..3 {
        let store = SqliteStore::open(&path).unwrap();
        let told = store.ask(acquire("web", "a")).await.unwrap();
        tokens.push(token(&told).unwrap());
        locks.push(told.after.unwrap().id.0);
        store.ask(by_user("web", Operation::Delete)).await.unwrap();
        hosts.push(store.put_host(&host("a"), HostChange::default()).await.unwrap().id.0);
        let logged = store.events(None, EventQuery::After(0, 9)).await.unwrap().items;
        events.extend(logged.iter().map(|logged| logged.id));
        assert!(store.remove_host(&host("a"), &Requester::Server).await.unwrap());
        store.sweep(Time::new(i64::MAX, 0)).await.unwrap();
        assert_eq!(store.events(None, EventQuery::After(0, 9)).await.unwrap().total, 0);
    }
    assert_eq!((locks, tokens, hosts), (vec![1, 2, 3], vec![1, 2, 3], vec![1, 2, 3]));
    assert!(events.len() >= 9 && events.windows(2).all(|pair| pair[0] < pair[1]), "{events:?}");
}

/// Stores of their own on one file, as servers of their own have them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_that_share_the_file_grant_a_slot_once() {
    let (_folder, path) = folder();
    let stores: Vec<Arc<SqliteStore>> = (0..3).map(|_| Arc::new(SqliteStore::open(&path).unwrap())).collect();
    for round in 0..20 {
        let lock = format!("lock {round}");
        let racers = (0..12).map(|racer| {
            let (store, ask) = (stores[racer % 3].clone(), acquire(&lock, &format!("host {racer}")));
            tokio::spawn(async move { token(&store.ask(ask).await.unwrap()).is_some() })
        });
        let mut granted = 0;
        for racer in racers.collect::<Vec<_>>() {
            granted += usize::from(racer.await.unwrap());
        }
        assert_eq!(granted, 1, "{lock}");
        for store in &stores {
            let all = store
                .locks(&Filter::All, Order::default(), Paging { page: 1, per_page: None })
                .await
                .unwrap();
            assert_eq!(all.total, round + 1, "what was answered is seen by all at once");
        }
    }
}

#[tokio::test]
async fn changes_are_heard_by_this_server_and_by_others_and_nothing_else_is() {
    let (_folder, path) = folder();
    let (one, two) = (SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap());
    one.put_host(&host("a"), HostChange::default()).await.unwrap();
    let (mut here, mut there) = (one.changes(), two.changes());
    one.ask(acquire("web", "a")).await.unwrap();
    let long = Duration::from_secs(5);
    tokio::time::timeout(long, here.changed()).await.unwrap().unwrap();
    tokio::time::timeout(long, there.changed()).await.unwrap().unwrap();
    there.mark_unchanged();
    // A look that changes nothing, and a check-in that is written, are no changes.
    one.ask(by_user("web", Operation::Show)).await.unwrap();
    one.check_in(&host("a")).await.unwrap();
    here.mark_unchanged();
    let quiet = Duration::from_millis(2600);
    let heard = tokio::time::timeout(quiet, async {
        tokio::select! { _ = here.changed() => {}, _ = there.changed() => {} }
    });
    assert!(heard.await.is_err(), "nothing was changed");
    assert!(two.host(&host("a")).await.unwrap().unwrap().last_checkin.is_some(), "it was written meanwhile");
}

#[tokio::test]
async fn check_ins_are_shown_at_once_and_written_at_the_end() {
    let (_folder, path) = folder();
    let (one, two) = (SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap());
    one.put_host(&host("a"), HostChange::default()).await.unwrap();
    one.check_in(&host("a")).await.unwrap();
    one.check_in(&host("nobody")).await.unwrap();
    let shown = one.host(&host("a")).await.unwrap().unwrap();
    assert!(shown.last_checkin.is_some());
    assert_eq!(two.host(&host("a")).await.unwrap().unwrap().last_checkin, None, "not yet");
    drop(one);
    assert_eq!(two.host(&host("a")).await.unwrap().unwrap(), shown);
    assert_eq!(two.host(&host("nobody")).await.unwrap(), None);
}

#[tokio::test]
async fn many_requests_share_one_sync_and_those_that_nobody_waits_for_are_left_out() {
    let (_folder, path) = folder();
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    let blocker = Connection::open(&path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ask = |racer: usize| {
        let (store, ask) = (store.clone(), acquire(&format!("lock {racer}"), "a"));
        tokio::spawn(async move { store.ask(ask).await.unwrap().at })
    };
    let first = ask(0);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (rest, left) = ((1..200).map(ask).collect::<Vec<_>>(), ask(999));
    tokio::time::sleep(Duration::from_millis(50)).await;
    left.abort();
    tokio::time::sleep(Duration::from_millis(20)).await;
    blocker.execute_batch("COMMIT").unwrap();
    first.await.unwrap();
    let mut times = vec![];
    for one in rest {
        times.push(one.await.unwrap());
    }
    times.dedup();
    assert_eq!(times.len(), 1, "one transaction decided them all");
    let page = Paging { page: 1, per_page: Some(1) };
    assert_eq!(store.locks(&Filter::All, Order::default(), page).await.unwrap().total, 200);
}

#[tokio::test]
async fn who_keeps_the_file_too_long_makes_it_unavailable_and_not_for_ever() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let blocker = Connection::open(&path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let start = Instant::now();
    let error = store.ask(acquire("web", "a")).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(start.elapsed() > Duration::from_secs(4) && start.elapsed() < Duration::from_secs(20));
    blocker.execute_batch("ROLLBACK").unwrap();
    assert_eq!(token(&store.ask(acquire("web", "a")).await.unwrap()), Some(1));
}
