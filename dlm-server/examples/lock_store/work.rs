//! Work on a store that can end at any moment: locks are acquired, some released, some deleted. Each answer is printed when it
//! has come, and not before; so whoever reads the lines knows what must be there, wherever this was stopped.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disco_dlm::model::{HostName, Requester, UserName};
use disco_dlm::rules::{Answer, NotHeld, Operation, Outcome};
use disco_dlm_server::access::HostChange;
use disco_dlm_server::store::sqlite::SqliteStore;
use disco_dlm_server::store::{Ask, Store, StoreError, Told};

use crate::measure::{acquire, ask};

/// How many ask at once: they share a transaction.
const AT_ONCE: u64 = 3;

/// How the work ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The file is closed. In the middle of the work the log is written back into the file, so that it begins anew.
    Close,
    /// Nothing is closed, and the log keeps all that was ever written.
    Abort,
}

/// Where the answers go.
struct Work {
    store: SqliteStore,
    log: PathBuf,
    end: End,
}

impl Work {
    /// One write for each line, so that none is printed in part.
    fn say(&self, line: &str) {
        let line = match (self.end, std::fs::metadata(&self.log)) {
            (End::Abort, Ok(log)) => format!("{line} log {}\n", log.len()),
            (End::Abort | End::Close, _) => format!("{line}\n"),
        };
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }

    fn granted(&self, lock: &str, host: &str, told: Result<Told, StoreError>) -> bool {
        match told {
            Ok(Told { answer: Answer::Granted { token, .. }, .. }) => {
                self.say(&format!("granted {lock} {host} {}", token.0));
                true
            }
            Ok(told) => panic!("{lock}: {:?}", told.answer),
            Err(error) => {
                let why = std::error::Error::source(&error).map(|source| format!("{source:?}"));
                self.say(&format!("unknown {lock} {error} {}", why.unwrap_or_default()));
                false
            }
        }
    }

    async fn one(&self, lock: &str, at: u64) {
        let host = format!("host{at}");
        let held = self.granted(lock, &host, self.store.ask(ask(lock, &host, acquire())).await);
        match at {
            1 if held => self.release(lock, &host).await,
            2 if held => self.delete(lock).await,
            _ => {}
        }
    }

    async fn release(&self, lock: &str, host: &str) {
        let release = Operation::Release { outcome: Outcome::Ok, token: None, not_held: NotHeld::Refuse };
        self.say(&format!("releasing {lock}"));
        if let Ok(told) = self.store.ask(ask(lock, host, release)).await {
            assert_eq!(told.answer, Answer::Released { held: true }, "{lock}");
            self.say(&format!("released {lock}"));
        }
    }

    async fn delete(&self, lock: &str) {
        let requester = Requester::User(UserName::new("admin").unwrap());
        let ask = Ask { requester, ..ask(lock, "host", Operation::Delete) };
        self.say(&format!("deleting {lock}"));
        if let Ok(told) = self.store.ask(ask).await {
            assert_eq!(told.answer, Answer::Deleted, "{lock}");
            self.say(&format!("deleted {lock}"));
        }
    }
}

/// So many rounds.
pub async fn work(file: &Path, rounds: u64, end: End) {
    let store = match SqliteStore::open(file) {
        Ok(store) => store,
        Err(error) => return println!("unopened {error}"),
    };
    let log = PathBuf::from(format!("{}-wal", file.display()));
    let work = Arc::new(Work { store, log, end });
    for round in 0..rounds {
        if round == rounds / 2 && end == End::Close {
            write_back(file);
        }
        let each = (0..AT_ONCE).map(|at| {
            let (work, lock) = (work.clone(), format!("lock{round}-{at}"));
            tokio::spawn(async move { work.one(&lock, at).await })
        });
        for one in each.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        let name = HostName::new(format!("host{round}")).unwrap();
        if work.store.put_host(&name, HostChange::default()).await.is_ok() {
            work.say(&format!("host {name}"));
        }
        work.store.check_in(&name).await.unwrap();
    }
    if end == End::Abort {
        std::process::abort();
    }
    drop(work);
    println!("closed");
}

/// Where it fails the log goes on as it is.
fn write_back(file: &Path) {
    if let Ok(other) = rusqlite::Connection::open(file) {
        let _ = other.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
}
