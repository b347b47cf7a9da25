//! For tests: a cluster of real etcd members below a temporary folder, on free ports. Its processes end with the test, however that ends:
//! each is killed when the thread that started it ends.
#![allow(clippy::disallowed_methods, reason = "tests start processes")]

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::patient;
use crate::store::etcd::clock::Clock;
use crate::store::etcd::wire::{Operation, Transaction};
use crate::store::etcd::{Address, EtcdStore};

/// How many MiB of memory some clusters side by side want: a member takes 64 of them for its log at once.
const ROOM: u64 = 2000;

/// A cluster.
pub struct Cluster {
    folder: TempDir,
    etcd: PathBuf,
    members: Vec<Member>,
    arguments: Vec<String>,
    scheme: &'static str,
}

struct Member {
    client: u16,
    peer: u16,
    process: Option<Child>,
}

/// A member that is stopped, until this is dropped.
pub struct Paused(u32);

impl Drop for Paused {
    fn drop(&mut self) {
        signal(self.0, "CONT");
    }
}

impl Cluster {
    /// So many members, up and with a majority.
    pub async fn start(members: usize) -> Cluster {
        Cluster::start_with(members, &[], "etcd").await
    }

    /// Members with more arguments, of an address with this scheme.
    pub async fn start_with(members: usize, arguments: &[&str], scheme: &'static str) -> Cluster {
        // Held together until all are chosen, so that no port comes twice.
        let ports: Vec<TcpListener> =
            (0..2 * members).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let port = |at: usize| ports[at].local_addr().unwrap().port();
        let members = (0..members)
            .map(|n| Member { client: port(2 * n), peer: port(2 * n + 1), process: None })
            .collect();
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut cluster = Cluster { folder: folder(), etcd: find_etcd(), members, arguments, scheme };
        drop(ports);
        for member in 0..cluster.members.len() {
            cluster.run(member);
        }
        // With TLS it is for the test to see whether it answers.
        if scheme == "etcd" {
            cluster.wait_until_ready().await;
        }
        cluster
    }

    /// The address of all members.
    pub fn address(&self) -> Address {
        let members: Vec<String> =
            self.members.iter().map(|member| format!("127.0.0.1:{}", member.client)).collect();
        format!("{}://{}", self.scheme, members.join(",")).parse().unwrap()
    }

    /// A new server's store.
    pub async fn store(&self) -> EtcdStore {
        EtcdStore::connect(&self.address(), &patient()).await.unwrap()
    }

    /// The store of a new server with this clock.
    pub async fn store_at(&self, clock: Arc<dyn Clock>) -> EtcdStore {
        EtcdStore::connect_at(&self.address(), &patient(), clock).await.unwrap()
    }

    /// The member that leads.
    pub async fn leader(&self) -> usize {
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            for (number, member) in self.members.iter().enumerate() {
                let said = ask(member.client, "/v3/maintenance/status", "{}").await;
                if let Some(said) = said
                    && said["leader"].is_string()
                    && said["leader"] == said["header"]["member_id"]
                {
                    return number;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no member leads");
    }

    /// What the first member says to this, without anything of what is tested.
    pub async fn raw(&self, path: &str, body: serde_json::Value) -> serde_json::Value {
        ask(self.members[0].client, path, &body.to_string()).await.unwrap()
    }

    /// SIGKILL to a member.
    pub fn kill(&mut self, member: usize) {
        let mut process = self.members[member].process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// SIGSTOP to a member.
    pub fn pause(&self, member: usize) -> Paused {
        let id = self.members[member].process.as_ref().unwrap().id();
        signal(id, "STOP");
        Paused(id)
    }

    /// Starts a member that was killed.
    pub fn run(&mut self, member: usize) {
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let own = |port: u16| format!("{}://127.0.0.1:{port}", self.scheme.replace("etcd", "http"));
        let all: Vec<String> =
            self.members.iter().enumerate().map(|(n, one)| format!("m{n}={}", url(one.peer))).collect();
        let Member { client, peer, .. } = self.members[member];
        let folder = self.folder.path().join(member.to_string());
        let log = File::options().create(true).append(true).open(folder.with_extension("log")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.etcd);
        command.arg(format!("--name=m{member}")).arg("--data-dir").arg(&folder);
        command.arg(format!("--listen-client-urls={}", own(client)));
        command.arg(format!("--advertise-client-urls={}", own(client)));
        command.arg(format!("--listen-peer-urls={0}", url(peer)));
        command.arg(format!("--initial-advertise-peer-urls={}", url(peer)));
        command.arg(format!("--initial-cluster={}", all.join(",")));
        command.args(["--logger=zap", "--log-outputs=stderr"]).args(&self.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.members[member].process = Some(command.spawn().unwrap());
    }

    /// Waits until a member writes.
    pub async fn wait_until_ready(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        let put =
            Transaction { then: vec![Operation::Put("/ready".into(), vec![1])], ..Transaction::default() };
        let put = put.json().to_string();
        while Instant::now() < until {
            for member in &self.members {
                if ask(member.client, "/v3/kv/txn", &put).await.is_some_and(|said| said["succeeded"] == true)
                {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("etcd does not start; its logs: {}", self.logs());
    }

    fn logs(&self) -> String {
        let log = |n: usize| std::fs::read_to_string(self.folder.path().join(format!("{n}.log")));
        (0..self.members.len()).filter_map(|n| log(n).ok()).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in self.members.iter_mut().filter_map(|member| member.process.as_mut()) {
            // A process that has ended by itself needs no signal.
            let _ended = process.kill();
            let _ended = process.wait();
        }
    }
}

/// What a member says, without anything of what is tested; nothing where it does not say it soon.
async fn ask(port: u16, path: &str, body: &str) -> Option<serde_json::Value> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let talk = async {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let request = format!(
            "POST {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut said = String::new();
        stream.read_to_string(&mut said).await.ok()?;
        serde_json::from_str(said.split_once("\r\n\r\n")?.1).ok()
    };
    tokio::time::timeout(Duration::from_millis(500), talk).await.ok()?
}

fn signal(id: u32, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &id.to_string()]).status().unwrap().success());
}

/// In memory where there is room for it: no test cuts the power, and a member that syncs to a busy disk waits for seconds.
fn folder() -> TempDir {
    let free = Command::new("df").args(["--output=avail", "--block-size=1M", "/dev/shm"]).output();
    let free = free.ok().and_then(|said| String::from_utf8(said.stdout).ok());
    let free = free.and_then(|said| said.lines().last()?.trim().parse().ok()).unwrap_or(0_u64);
    if free > ROOM { TempDir::new_in("/dev/shm").unwrap() } else { TempDir::new().unwrap() }
}

fn find_etcd() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/etcd-cluster");
    let said = Command::new(script).arg("fetch").output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    Path::new(String::from_utf8_lossy(&said.stdout).trim()).join("etcd")
}
