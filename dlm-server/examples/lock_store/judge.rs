//! Whether a store holds all that its users were told, whatever happened to whoever told them.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use disco_dlm::rules::{Answer, Grant};
use disco_dlm_server::search::{Filter, Order};
use disco_dlm_server::store::sqlite::SqliteStore;
use disco_dlm_server::store::{EventQuery, Paging, Store, Told};

use crate::measure::{acquire, ask};

/// What may be of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
enum May {
    /// Held so; and free or gone, if it is being released or deleted.
    Held {
        host: String,
        token: u64,
        unless: &'static str,
    },
    Free,
    Gone,
}

/// What the answers say of each lock, and the largest token.
fn expected(answers: &str) -> (BTreeMap<String, May>, Vec<String>, u64) {
    let (mut locks, mut hosts, mut largest) = (BTreeMap::new(), vec![], 0);
    // A last line without its end was never said whole.
    let whole = answers.rfind('\n').map_or("", |end| &answers[..end]);
    for line in whole.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["granted", lock, host, token] => {
                let token = token.parse().unwrap();
                largest = largest.max(token);
                locks.insert(lock.to_owned(), May::Held { host: host.to_owned(), token, unless: "" });
            }
            ["releasing" | "deleting", lock] => {
                if let Some(May::Held { unless, .. }) = locks.get_mut(lock) {
                    *unless = if line.starts_with('r') { "free" } else { "gone" };
                }
            }
            ["released", lock] => drop(locks.insert(lock.to_owned(), May::Free)),
            ["deleted", lock] => drop(locks.insert(lock.to_owned(), May::Gone)),
            ["host", name] => hosts.push(name.to_owned()),
            _ => {}
        }
    }
    (locks, hosts, largest)
}

/// Exits with 0 if all is well; else says what is not.
pub async fn judge(file: &Path) -> ExitCode {
    let mut answers = String::new();
    std::io::stdin().read_to_string(&mut answers).unwrap();
    let wrong = wrong(file, &answers).await;
    for line in &wrong {
        println!("{line}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn wrong(file: &Path, answers: &str) -> Vec<String> {
    let mut wrong = vec![];
    let store = match SqliteStore::open(file) {
        Ok(store) => store,
        Err(error) => {
            return vec![format!("it does not open: {error}: {:?}", std::error::Error::source(&error))];
        }
    };
    let check = rusqlite::Connection::open(file).unwrap();
    let integrity: String = check.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    if integrity != "ok" {
        wrong.push(format!("integrity: {integrity}"));
    }
    drop(check);
    let (expected, hosts, largest) = expected(answers);
    let all = Paging { page: 1, per_page: None };
    let there = store.locks(&Filter::All, Order::default(), all).await.unwrap().items;
    for (lock, may) in &expected {
        let found = there.iter().find(|found| found.name.as_str() == lock);
        let state = match found {
            None => May::Gone,
            Some(found) => match found.holders.first() {
                None => May::Free,
                Some(holder) => {
                    May::Held { host: holder.host.to_string(), token: holder.token.0, unless: "" }
                }
            },
        };
        let fits = match (may, &state) {
            (May::Held { host, token, .. }, May::Held { host: by, token: with, .. }) => {
                (host, token) == (by, with)
            }
            (May::Held { unless, .. }, May::Free) => *unless == "free",
            (May::Held { unless, .. }, May::Gone) => *unless == "gone",
            (May::Free | May::Gone, _) => *may == state,
        };
        if !fits {
            wrong.push(format!("{lock} was answered as {may:?}, and is {state:?}"));
        }
    }
    let known = store.hosts(all).await.unwrap().items;
    for host in hosts.iter().filter(|host| known.iter().all(|known| known.name.as_str() != host.as_str())) {
        wrong.push(format!("{host} was added, and is not there"));
    }
    // What is held, in the lock and in the table of holders, and what was logged of it, came together or not at all.
    let events = store.events(None, EventQuery::Newest(all)).await.unwrap().items;
    for lock in &there {
        for holder in &lock.holders {
            let logged = events.iter().any(|logged| {
                logged.event.lock == lock.id && logged.event.host.as_ref() == Some(&holder.host)
            });
            if !logged {
                wrong.push(format!("{} is held by {}, and no event says so", lock.name, holder.host));
            }
        }
    }
    let told = store.ask(ask("afterwards", "judge", acquire())).await;
    match told {
        Ok(Told { answer: Answer::Granted { token, grant: Grant::New }, .. }) if token.0 > largest => {}
        other => wrong.push(format!("after {largest} the next token is not larger: {other:?}")),
    }
    wrong
}
