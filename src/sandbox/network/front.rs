//! The relays at work: one thread waits for all that may come; each connection has a thread of its own while it lasts, and so
//! has each question that the host must answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::dns::{self, Kind, Question, Reply};
use super::policy::{self, Verdict};
use super::tried::Asker;
use super::{Answer, Shared, locked};
use crate::sys::{inspect, netns, relay};

/// The most connections at once; who comes then waits.
const MOST_CONNECTIONS: usize = 64;
/// The most questions at once that the host is looking up, those over TCP included; who asks then is not answered, and asks
/// again.
const MOST_QUESTIONS: usize = 16;
/// How long a host may take to accept a connection. Longer than programs are patient.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long an answer of the host's is good.
const GOOD: Duration = Duration::from_secs(60);
/// The largest question, in bytes.
const LARGEST: usize = 4096;

/// Attends to all of it until the end. What `resolvers` accept are questions over TCP.
pub(super) fn attend(shared: &Arc<Shared>, mut listeners: Vec<TcpListener>, resolvers: Vec<TcpListener>) {
    let (mut connections, mut questions) = (Threads::default(), Threads::default());
    loop {
        let room = connections.count() < MOST_CONNECTIONS;
        let mut fds =
            vec![PollFd::new(&shared.stop, PollFlags::IN), PollFd::new(&shared.news, PollFlags::IN)];
        fds.extend(shared.servers.iter().map(|server| PollFd::new(server, PollFlags::IN)));
        if room {
            let tcp = listeners.iter().chain(&resolvers);
            fds.extend(tcp.map(|listener| PollFd::new(listener, PollFlags::IN)));
        }
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // Without a wait there is nothing to do; the sandbox goes on without a network.
            Err(_) => break,
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        if ready[0] {
            break;
        }
        shared.news.hush();
        for (server, _) in shared.servers.iter().zip(&ready[2..]).filter(|(_, ready)| **ready) {
            heard(shared, server, &mut questions);
        }
        let tcp = ready.get(2 + shared.servers.len()..).unwrap_or_default();
        for (at, _) in tcp.iter().enumerate().filter(|(_, ready)| **ready) {
            let listener = listeners.get(at).or_else(|| resolvers.get(at - listeners.len()));
            let Some(Ok((stream, _))) = listener.map(TcpListener::accept) else { continue };
            let shared = shared.clone();
            // An end that fails is an end.
            if at < listeners.len() {
                connections.start(move || {
                    let _ = carry(&shared, &stream);
                    shared.news.ring();
                });
            } else if questions.count() < MOST_QUESTIONS {
                questions.start(move || {
                    let _ = converse(&shared, stream);
                });
            }
        }
        listeners.append(&mut locked(&shared.new));
    }
    // Those ask the host's resolver, who cannot be stopped; they find out that nobody waits for an answer.
    drop(questions);
    connections.wait();
}

/// Threads that end by themselves.
#[derive(Default)]
struct Threads(Vec<JoinHandle<()>>);

impl Threads {
    fn count(&mut self) -> usize {
        self.0.retain(|thread| !thread.is_finished());
        self.0.len()
    }

    /// Starts one; where there can be none, what it would have had is dropped: a connection is closed.
    fn start(&mut self, work: impl FnOnce() + Send + 'static) {
        self.0.extend(std::thread::Builder::new().spawn(work));
    }

    fn wait(self) {
        for thread in self.0 {
            // One that panicked has ended.
            let _ = thread.join();
        }
    }
}

/// Carries a connection to where it was meant to go: the address that was asked for is the one that the host will call.
fn carry(shared: &Shared, inside: &TcpStream) -> io::Result<()> {
    // Whatever goes wrong, it is not told as the calm end of what was said.
    relay::reset_at_end(inside);
    let outside = relay::connect(inside.local_addr()?, PATIENCE, &shared.stop)?;
    let carried = relay::between(inside, &outside, &shared.stop);
    match &carried {
        Ok(()) => relay::calm_end(inside),
        Err(_) => relay::reset_at_end(&outside),
    }
    carried
}

/// Takes the questions that have come to a name server.
fn heard(shared: &Arc<Shared>, server: &UdpSocket, questions: &mut Threads) {
    let mut message = [0; LARGEST];
    // Other sockets wait too; whoever goes on asking is heard again.
    while let Ok((length, from)) = server.recv_from(&mut message) {
        let Some(question) = dns::question(&message[..length]) else { continue };
        match shared.at_once(&question, Some(from)) {
            Some(answer) => {
                // Who has gone meanwhile needs no answer.
                let _ = server.send_to(&answer, from);
            }
            None if questions.count() < MOST_QUESTIONS => {
                let (shared, server) = (shared.clone(), server.try_clone());
                questions.start(move || {
                    let answer = shared.look_up(&question);
                    let _ = server.and_then(|server| server.send_to(&answer, from));
                });
            }
            None => {}
        }
    }
}

/// Answers questions over TCP: each has its length before it.
fn converse(shared: &Shared, mut stream: TcpStream) -> io::Result<()> {
    // Nobody may keep a thread that ends with the sandbox waiting for long.
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut message)?;
        let Some(question) = dns::question(&message) else { return Ok(()) };
        let answer = shared.at_once(&question, None).unwrap_or_else(|| shared.look_up(&question));
        stream.write_all(&(answer.len() as u16).to_be_bytes())?;
        stream.write_all(&answer)?;
    }
}

impl Shared {
    /// The answer to a question for which the host need not be asked. `from` is where it came from over UDP.
    fn at_once(&self, question: &Question, from: Option<SocketAddr>) -> Option<Vec<u8>> {
        match self.policy.judge(&question.name, question.kind != Kind::Other) {
            Verdict::Refuse => {
                self.refuse(&question.name, question.kind, from);
                Some(dns::answer(question, Reply::NoName))
            }
            Verdict::Silence => Some(dns::answer(question, Reply::Addresses(&[]))),
            Verdict::Open { name, .. } | Verdict::Answer { name } => {
                let answers = locked(&self.answers);
                let Answer { at, addresses } = answers.get(&name)?;
                (at.elapsed() < GOOD).then(|| match addresses {
                    Some(addresses) => dns::answer(question, Reply::Addresses(addresses)),
                    None => dns::answer(question, Reply::NoName),
                })
            }
        }
    }

    /// Remembers a name that may not be reached; not the same again with the search list behind it.
    fn refuse(&self, name: &str, kind: Kind, from: Option<SocketAddr>) {
        let name = policy::without_services(name);
        let mut tried = locked(&self.tried);
        if !self.policy.without_search(name).any(|bare| tried.has(bare)) {
            tried.add(if name.is_empty() { "." } else { name }, kind, || self.asker(from));
        }
    }

    /// Who asks from there: it waits for an answer.
    fn asker(&self, from: Option<SocketAddr>) -> Asker {
        let pid = from.and_then(|from| self.namespace.within(|| Ok(netns::who_asks(from))).ok().flatten());
        pid.map_or_else(Asker::default, |pid| {
            let program = inspect::name(pid);
            let line = self.scripts.line_of(pid, std::slice::from_ref(&program));
            (program, line)
        })
    }

    /// Has the host look up a name that may be, and opens the way to its addresses.
    fn look_up(&self, question: &Question) -> Vec<u8> {
        let (name, open) = match self.policy.judge(&question.name, true) {
            Verdict::Open { name, ports, public_only } => (name, Some((ports, public_only))),
            Verdict::Answer { name } => (name, None),
            Verdict::Silence | Verdict::Refuse => return dns::answer(question, Reply::NoName),
        };
        let found = relay::addresses_of(&name).and_then(|found| {
            let (Some(found), Some((ports, public_only))) = (found.as_ref(), open) else { return Ok(found) };
            let admitted: Vec<_> =
                found.iter().copied().filter(|address| self.policy.admits(*address, public_only)).collect();
            if admitted.is_empty() && !found.is_empty() {
                self.refuse(&name, question.kind, None);
                return Ok(None);
            }
            // A relay accepts at once, so that a program would not go on to the next address where this one has no way.
            let reached: Vec<_> = admitted.into_iter().filter(|address| relay::has_route(*address)).collect();
            self.admit(&reached, &ports).map(Some)
        });
        match found {
            Ok(found) => {
                let answer = match &found {
                    Some(addresses) => dns::answer(question, Reply::Addresses(addresses)),
                    None => dns::answer(question, Reply::NoName),
                };
                locked(&self.answers).insert(name, Answer { at: Instant::now(), addresses: found });
                answer
            }
            Err(_) => dns::answer(question, Reply::Failure),
        }
    }
}
