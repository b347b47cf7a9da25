//! The way from a sandbox to the hosts that it may reach, and to nobody else: relays on its own loopback.
//!
//! The sandbox's network namespace has no way out. Its loopback is given the addresses of the node's name servers, where this
//! process answers for the hosts that are allowed and no others; and, once somebody asks for such a host, that host's
//! addresses, where this process listens on the host's ports, and carries what it is told to the real ones. So every program
//! works as it is, and nothing but these connections ever leaves. Nothing here is a wall: without it less is reached.

mod dns;
mod front;
mod policy;
mod tried;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::model::attempt::Attempt;
use crate::sandbox::script_line::Scripts;
use crate::sys::netns::{self, NetworkNamespace};
use crate::sys::relay::Bell;

pub use policy::Policy;

/// What of the network a sandbox reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Nothing: it has a network of its own, in which nobody else is.
    Nothing,
    /// Those hosts, from a network of its own.
    Hosts(Policy),
    /// All that the host can: it has the host's network.
    Everything,
}

const DNS: u16 = 53;
/// The most addresses that a loopback is given for one name.
const MOST_ADDRESSES: usize = 8;
/// The most places at which a sandbox's relays listen.
const MOST_LISTENERS: usize = 512;

/// The relays of a sandbox. They end with this.
#[derive(Debug)]
pub struct Network {
    shared: Arc<Shared>,
    front: Option<JoinHandle<()>>,
}

/// What the relays' threads share.
#[derive(Debug)]
struct Shared {
    namespace: NetworkNamespace,
    policy: Policy,
    /// Where name servers are asked, and answered.
    servers: Vec<UdpSocket>,
    /// Where it listens, or will once the front thread knows.
    open: Mutex<BTreeSet<SocketAddr>>,
    /// What the front thread does not know yet.
    new: Mutex<Vec<TcpListener>>,
    /// What the host has answered lately.
    answers: Mutex<BTreeMap<String, Answer>>,
    tried: Mutex<tried::Tried>,
    /// The text of scripts.
    scripts: Scripts,
    /// Something is new, or has ended.
    news: Bell,
    stop: Bell,
}

/// What the host has answered to a name, and when.
#[derive(Debug)]
struct Answer {
    at: Instant,
    /// None where there is no such name.
    addresses: Option<Vec<IpAddr>>,
}

/// What is behind a lock. Nothing panics while it has one, and if it did, half of a list would be no harm.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Network {
    /// Opens the way from that namespace to the hosts of the policy. The lines that are told are those of `scripts`.
    pub(super) fn open(namespace: NetworkNamespace, policy: Policy, scripts: Scripts) -> io::Result<Network> {
        let known = policy.known();
        let asked = policy.resolver.servers.clone();
        let (servers, listeners, resolvers) = namespace.within(|| Ok(open_inside(&asked, &known)))?;
        let open = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let shared = Arc::new(Shared {
            namespace,
            policy,
            servers,
            open: Mutex::new(open),
            new: Mutex::default(),
            answers: Mutex::default(),
            tried: Mutex::default(),
            scripts,
            news: Bell::new()?,
            stop: Bell::new()?,
        });
        let theirs = shared.clone();
        let front = std::thread::Builder::new().name("relays".to_owned());
        let front = front.spawn(move || front::attend(&theirs, listeners, resolvers))?;
        Ok(Network { shared, front: Some(front) })
    }

    /// The names of other hosts that were asked for since the last time.
    pub fn take_tried(&self) -> Vec<Attempt> {
        locked(&self.shared.tried).take()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shared.stop.ring();
        if let Some(front) = self.front.take() {
            // It panicked: then it has ended too.
            let _ = front.join();
        }
    }
}

/// In the namespace: answers at the name servers' addresses and listens at those that are known. An address that the kernel
/// does not take (IPv6 switched off) is left out: nobody in the sandbox can reach it either.
fn open_inside(
    servers: &[IpAddr],
    known: &BTreeSet<SocketAddr>,
) -> (Vec<UdpSocket>, Vec<TcpListener>, Vec<TcpListener>) {
    if servers.iter().any(|server| !server.is_loopback()) {
        // A program that wants only kinds of address that the machine has (AI_ADDRCONFIG) looks at these of the loopback too.
        // With one of each it takes what it is given. (RFC 3849: an address of nobody.)
        let _ = netns::add_to_loopback(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into());
    }
    let (mut asked, mut resolvers) = (Vec::new(), Vec::new());
    for server in servers {
        if netns::add_to_loopback(*server).is_err() {
            continue;
        }
        asked.extend(UdpSocket::bind((*server, DNS)).and_then(|it| it.set_nonblocking(true).map(|()| it)));
        resolvers.extend(listen(SocketAddr::new(*server, DNS)));
    }
    let listeners = known.iter().take(MOST_LISTENERS).filter_map(|to| listen(*to).ok()).collect();
    (asked, listeners, resolvers)
}

/// Listens at an address that the loopback is given for it; in the namespace.
fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    netns::add_to_loopback(at.ip())?;
    let listener = TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Shared {
    /// Listens for a host at these of its addresses, and returns those at which it does.
    fn admit(&self, addresses: &[IpAddr], ports: &BTreeSet<u16>) -> io::Result<Vec<IpAddr>> {
        let mut open = locked(&self.open);
        let mut missing = Vec::new();
        for address in addresses.iter().take(MOST_ADDRESSES) {
            let wanted = ports.iter().map(|port| SocketAddr::new(*address, *port));
            missing.extend(wanted.filter(|wanted| !open.contains(wanted)));
        }
        missing.truncate(MOST_LISTENERS.saturating_sub(open.len()));
        if !missing.is_empty() {
            let opened = self.namespace.within(|| {
                Ok(missing.iter().filter_map(|at| Some((*at, listen(*at).ok()?))).collect::<Vec<_>>())
            })?;
            let mut new = locked(&self.new);
            for (at, listener) in opened {
                open.insert(at);
                new.push(listener);
            }
            self.news.ring();
        }
        let is_open = |address: &&IpAddr| open.iter().any(|open| open.ip() == **address);
        Ok(addresses.iter().filter(is_open).copied().collect())
    }
}
