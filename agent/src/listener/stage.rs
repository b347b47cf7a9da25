//! For tests: a real listener on loopback, with a stand-in for the helper on a Unix socket, and a client that says what it is told to,
//! to the byte.
#![allow(clippy::disallowed_methods, reason = "tests write their files")]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use disco_listen::{Log, LogLevel};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::config::{Config, parse};
use super::keys::Keys;
use super::serve::{Agent, start};
use crate::runs::{Answer, Ask, Found, Refusal, RunState, Standing, State, TriggerId};

/// A helper that starts nothing: a run ends when a test says so.
pub struct StandIn {
    pub asks: Mutex<Vec<Ask>>,
    runs: Mutex<Vec<RunState>>,
    changed: Condvar,
    /// What a run has printed; it goes on until its end.
    pub log: Mutex<Vec<u8>>,
    /// Answers to say in place of its own, the next one first: as they are.
    pub next: Mutex<VecDeque<String>>,
    pub standing: Mutex<Standing>,
    /// How many connections follow a log.
    following: AtomicUsize,
}

fn refused(why: Refusal, message: &str) -> Answer {
    Answer::Refused { why, message: message.to_owned() }
}

impl StandIn {
    pub fn new() -> StandIn {
        let standing = Standing {
            node: "web1".to_owned(),
            version: "1.2.3".to_owned(),
            running: None,
            disabled: None,
            trouble: None,
            lock_url: None,
            lock: Found::NotLooked,
            facts: Found::Works,
            last: None,
        };
        StandIn {
            asks: Mutex::default(),
            runs: Mutex::default(),
            changed: Condvar::new(),
            log: Mutex::default(),
            next: Mutex::default(),
            standing: Mutex::new(standing),
            following: AtomicUsize::new(0),
        }
    }

    fn serve(self: &Arc<Self>, socket: &Path) {
        let listener = UnixListener::bind(socket).unwrap();
        let me = Arc::clone(self);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (me, stream) = (Arc::clone(&me), stream.unwrap());
                std::thread::spawn(move || me.answer(stream));
            }
        });
    }

    fn answer(&self, mut stream: UnixStream) {
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        let ask: Ask = serde_json::from_str(&line).unwrap();
        if ask != (Ask::Standing {}) {
            self.asks.lock().unwrap().push(ask.clone());
        }
        // A listener asks how the node stands by itself, too.
        let next = if ask == (Ask::Standing {}) { None } else { self.next.lock().unwrap().pop_front() };
        if let Some(said) = next {
            return drop(stream.write_all(said.as_bytes()));
        }
        let answer = match &ask {
            Ask::Run { noop, modules, by, alone, .. } => self.begin(*noop, modules, by, *alone),
            Ask::Status { id, wait } => self.status(id, *wait),
            Ask::Log { id, .. } => self.status(id, 0),
            Ask::Abort { id, by } => {
                self.end_of(id, State::Aborted { by: by.clone() });
                self.status(id, 0)
            }
            Ask::List {} => Answer::Runs { runs: self.runs.lock().unwrap().clone() },
            Ask::Standing {} => Answer::Standing(self.standing.lock().unwrap().clone()),
        };
        let said = format!("{}\n", serde_json::to_string(&answer).unwrap());
        // Who asks may have gone.
        if stream.write_all(said.as_bytes()).is_err() {
            return;
        }
        if let (Ask::Log { id, from }, Answer::Run(_)) = (ask, answer) {
            self.following.fetch_add(1, Ordering::SeqCst);
            self.follow(stream, &id, usize::try_from(from).unwrap());
            self.following.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn begin(&self, noop: bool, modules: &[String], by: &str, alone: bool) -> Answer {
        let mut runs = self.runs.lock().unwrap();
        if alone && runs.iter().any(|run| !run.state.is_end()) {
            return refused(Refusal::Busy, "another run is under way");
        }
        let state = RunState {
            id: TriggerId::of((runs.len() as u128).to_be_bytes()),
            noop,
            modules: modules.to_vec(),
            by: vec![by.to_owned()],
            state: State::Running,
            asked: 1,
            began: Some(2),
            ended: None,
            run: None,
        };
        runs.push(state.clone());
        Answer::Run(state)
    }

    fn status(&self, id: &TriggerId, wait: u64) -> Answer {
        let runs = self.runs.lock().unwrap();
        let going = |runs: &mut Vec<RunState>| runs.iter().any(|run| run.id == *id && !run.state.is_end());
        let (runs, _) = self.changed.wait_timeout_while(runs, Duration::from_secs(wait), going).unwrap();
        let found = runs.iter().find(|run| run.id == *id).cloned();
        found.map_or_else(|| refused(Refusal::Unknown, "there is no such run"), Answer::Run)
    }

    fn follow(&self, mut stream: UnixStream, id: &TriggerId, mut from: usize) {
        loop {
            let ended = matches!(self.status(id, 0), Answer::Run(run) if run.state.is_end());
            let more = self.log.lock().unwrap()[from..].to_vec();
            from += more.len();
            if stream.write_all(&more).is_err() || (more.is_empty() && (ended || has_gone(&stream))) {
                return;
            }
            if more.is_empty() {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    fn end_of(&self, id: &TriggerId, state: State) {
        for run in self.runs.lock().unwrap().iter_mut().filter(|run| run.id == *id) {
            (run.state, run.ended) = (state.clone(), Some(3));
        }
        self.changed.notify_all();
    }

    /// Ends all runs like this.
    pub fn end(&self, state: State) {
        let ids: Vec<TriggerId> = self.runs.lock().unwrap().iter().map(|run| run.id.clone()).collect();
        for id in ids {
            self.end_of(&id, state.clone());
        }
    }

    /// Waits until so many questions were asked.
    pub fn wait_for(&self, questions: usize) {
        let start = std::time::Instant::now();
        while self.asks.lock().unwrap().len() < questions {
            assert!(start.elapsed() < Duration::from_secs(10), "{:?}", self.asks.lock().unwrap());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until so many connections follow a log.
    pub fn wait_until_followed_by(&self, many: usize) {
        let start = std::time::Instant::now();
        while self.following.load(Ordering::SeqCst) != many {
            assert!(start.elapsed() < Duration::from_secs(10), "{:?}", self.following);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The next answer is this, to the byte.
    pub fn says(&self, said: &str) {
        self.next.lock().unwrap().push_back(said.to_owned());
    }
}

/// Whether the other end has closed; it says nothing behind its question.
fn has_gone(stream: &UnixStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let read = (&*stream).read(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    matches!(read, Ok(0))
}

/// Where the log goes.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// A listener that runs, and all that belongs to it.
pub struct Stage {
    pub runtime: Runtime,
    pub agent: Option<Agent>,
    pub helper: Arc<StandIn>,
    pub dir: TempDir,
    pub log: Lines,
    /// A key that is right.
    pub key: String,
}

impl Stage {
    /// A listener with a key, and puppet-twitch's paths.
    pub fn new() -> Stage {
        Stage::with("", |_, _| {})
    }

    /// The same with more in its configuration; `prepare` fills its folder first.
    pub fn with(set: &str, prepare: impl FnOnce(&Path, &mut Config)) -> Stage {
        let (dir, log, helper) = (tempfile::tempdir().unwrap(), Lines::default(), Arc::new(StandIn::new()));
        helper.serve(&dir.path().join("helper"));
        let mut keys = Keys::default();
        let key = keys.add("ci".parse().unwrap(), disco_listen::clock::now(), None).unwrap();
        std::fs::write(dir.path().join("keys"), keys.text()).unwrap();
        let mut config = parse(set).unwrap();
        config.helper = dir.path().join("helper");
        config.keys = dir.path().join("keys");
        config.proxy = dir.path().join("proxy");
        for address in &mut config.listen.addresses {
            address.set_port(0);
        }
        config.twitch.enabled = true;
        config.twitch.bind = [127, 0, 0, 1].into();
        config.twitch.port = 0;
        prepare(dir.path(), &mut config);
        let runtime = Runtime::new().unwrap();
        let started = {
            let _inside = runtime.enter();
            start(&config, None, Log::to(LogLevel::Debug, log.clone()))
        };
        Stage { runtime, agent: Some(started.unwrap()), helper, dir, log, key }
    }

    /// Where its own interface is; 1 is where puppet-twitch's paths are.
    pub fn address(&self, number: usize) -> SocketAddr {
        self.agent.as_ref().unwrap().running[number].addresses[0]
    }

    /// From now on nobody can reach the helper.
    pub fn lose_helper(&self) {
        std::fs::remove_file(self.dir.path().join("helper")).unwrap();
    }

    /// A request with the key.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Said {
        let key = format!("Authorization: Bearer {}\r\n", self.key);
        self.send(0, method, path, &format!("{key}Content-Type: application/json\r\n"), body)
    }

    /// A request with these headers (lines).
    pub fn send(&self, number: usize, method: &str, path: &str, headers: &str, body: &str) -> Said {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}{length}\r\n{body}"
        );
        said(&raw(self.address(number), text.as_bytes()))
    }

    /// What puppet-twitch's users send, and get: status and body.
    pub fn twitch(&self, method: &str, path: &str) -> String {
        let said = self.send(1, method, path, "", "");
        format!("{} {}", said.status, said.body)
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Said {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

impl Said {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let of = |line: &&str| line.split(':').next().is_some_and(|found| found.eq_ignore_ascii_case(name));
        self.headers.lines().find(of).and_then(|line| line.split_once(": ")).map(|(_, value)| value)
    }
}

/// Sends these bytes, and gives all that comes.
pub fn raw(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // Who is turned away early is told before it has said all.
    let _ = tcp.write_all(bytes);
    let mut all = vec![];
    let _ = tcp.read_to_end(&mut all);
    all
}

/// The first answer in these bytes; chunks are left as they are.
pub fn said(bytes: &[u8]) -> Said {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let (first, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    Said { status, headers: headers.to_owned(), body: body.to_owned() }
}
