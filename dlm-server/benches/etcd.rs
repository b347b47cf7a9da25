//! What the store in etcd does a second, with three real members on this machine, and how long a leader's end is felt:
//!
//!     cargo bench -p disco-dlm-server --bench etcd [SECONDS]
//!
//! Each client is a host of its own that acquires and releases again and again; the locks have slots for all, so that nobody is refused.
#![allow(clippy::disallowed_methods, reason = "it starts etcd, and reads the clock")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use disco_dlm::model::{HostName, LockName, Policy, Requester, Slots, UserName};
use disco_dlm::rules::{Answer, NotHeld, Operation, Outcome};
use disco_dlm_server::store::etcd::{Address, EtcdStore, Options};
use disco_dlm_server::store::{Ask, Store, Which};
use tokio::task::JoinSet;

/// Whatever goes wrong.
type Failure = Box<dyn Error + Send + Sync>;

/// A cluster, until this is dropped.
struct Cluster {
    folder: PathBuf,
    address: Address,
}

impl Cluster {
    fn start() -> Result<Cluster, Failure> {
        let folder = std::env::temp_dir().join(format!("disco-bench-etcd-{}", std::process::id()));
        let address = script(&["start", &folder.display().to_string()])?.parse()?;
        Ok(Cluster { folder, address })
    }

    fn kill_leader(&self) -> Result<(), Failure> {
        let folder = self.folder.display().to_string();
        let leader = script(&["leader", &folder])?;
        script(&["kill", &folder, &leader]).map(|_| ())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = script(&["stop", &self.folder.display().to_string()]) {
            eprintln!("the cluster in {} is still there: {error}", self.folder.display());
        }
    }
}

/// What the script says.
fn script(arguments: &[&str]) -> Result<String, Failure> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/etcd-cluster");
    let output = Command::new(script).args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn ask(lock: &str, requester: Requester, operation: Operation) -> Result<Ask, Failure> {
    Ok(Ask { which: Which::Named(LockName::new(lock)?), requester, operation })
}

fn acquire(lock: &str, host: &str) -> Result<Ask, Failure> {
    ask(lock, Requester::Host(HostName::new(host)?), Operation::Acquire { note: String::new() })
}

fn release(lock: &str, host: &str) -> Result<Ask, Failure> {
    let operation = Operation::Release { outcome: Outcome::Ok, token: None, not_held: NotHeld::Refuse };
    ask(lock, Requester::Host(HostName::new(host)?), operation)
}

/// Pairs of acquire and release until a moment, and what each took.
async fn client(store: Arc<EtcdStore>, host: String, locks: Vec<String>, until: Instant) -> Vec<Duration> {
    let mut took = vec![];
    for lock in locks.iter().cycle() {
        let from = Instant::now();
        if from >= until {
            break;
        }
        for ask in [acquire(lock, &host), release(lock, &host)] {
            let told = store.ask(ask.expect("a good name")).await.expect("all members are there");
            assert!(
                matches!(told.answer, Answer::Granted { .. } | Answer::Released { held: true }),
                "{told:?}"
            );
        }
        took.push(from.elapsed());
    }
    took
}

async fn load(
    cluster: &Cluster,
    servers: usize,
    locks: usize,
    clients: usize,
    span: Duration,
) -> Result<(), Failure> {
    let mut stores = vec![];
    for _ in 0..servers {
        stores.push(Arc::new(EtcdStore::connect(&cluster.address, &Options::default()).await?));
    }
    let names: Vec<String> = (0..locks).map(|number| format!("lock-{number}")).collect();
    let policy = Policy { slots: Slots::Number(1000), ..Policy::default() };
    for name in &names {
        stores[0].ask(acquire(name, "first")?).await?;
        stores[0].ask(release(name, "first")?).await?;
        let user = Requester::User(UserName::new("admin")?);
        stores[0].ask(ask(name, user, Operation::SetPolicy(policy.clone()))?).await?;
    }
    let until = Instant::now() + span;
    let mut running = JoinSet::new();
    for number in 0..clients {
        let mut own = names.clone();
        own.rotate_left(number * locks / clients);
        running.spawn(client(stores[number % servers].clone(), format!("host-{number}"), own, until));
    }
    let mut took: Vec<Duration> = running.join_all().await.into_iter().flatten().collect();
    took.sort_unstable();
    let at = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    let pairs = took.len() as f64 / span.as_secs_f64();
    println!("| {servers} | {locks} | {clients} | {pairs:.0} | {:.1} | {:.1} |", at(50), at(99));
    Ok(())
}

/// How long nothing is written when the leader dies.
async fn outage(cluster: &Cluster) -> Result<Duration, Failure> {
    let store = EtcdStore::connect(&cluster.address, &Options::default()).await?;
    store.ask(acquire("outage", "host")?).await?;
    let from = Instant::now();
    cluster.kill_leader()?;
    let looked = from.elapsed();
    store.ask(acquire("outage", "host")?).await?;
    println!("\nThe script took {looked:?} to find and kill the leader; ");
    Ok(from.elapsed() - looked)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let said = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok());
    let span = Duration::from_secs(said.unwrap_or(3));
    let cluster = Cluster::start()?;
    println!(
        "| servers | locks | clients | pairs/s | ms, half of them | ms, 99 % |\n|---|---|---|---|---|---|"
    );
    for (servers, locks, clients) in [(1, 1, 1), (1, 1, 8), (3, 1, 9), (1, 100, 32), (3, 100, 33)] {
        load(&cluster, servers, locks, clients, span).await?;
    }
    println!("after SIGKILL of the leader a write is done in {:?}", outage(&cluster).await?);
    Ok(())
}
