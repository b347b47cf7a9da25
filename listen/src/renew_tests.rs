//! A server that goes on otherwise: whoever is being answered is answered, and nothing of before stays for longer than that.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};

use crate::connection::Order;
use crate::rest_tests::{DATA, END_HEADERS, END_STREAM, GO_AWAY, HEADERS, connected, next, send, wait_for};
use crate::{Limits, ListenConfig, Log, LogLevel, Running, start};

/// So long a grace is that has to be over before an answer comes.
const GRACE: Duration = Duration::from_millis(50);

/// A server whose answers wait until they are let go, and whoever is waited for.
struct Stage {
    runtime: Runtime,
    running: Option<Running>,
    listen: ListenConfig,
    go: Arc<Notify>,
    begun: Arc<AtomicUsize>,
    /// What the routes from before have.
    old: Weak<()>,
}

impl Stage {
    fn new(limits: Limits) -> Stage {
        let runtime = Runtime::new().unwrap();
        let addresses = vec!["127.0.0.1:0".parse().unwrap()];
        let listen = ListenConfig { addresses, limits, ..ListenConfig::default() };
        let (go, begun, kept) = (Arc::<Notify>::default(), Arc::<AtomicUsize>::default(), Arc::new(()));
        let old = Arc::downgrade(&kept);
        let routes = routes(Arc::clone(&go), Arc::clone(&begun), kept);
        let running = {
            let _inside = runtime.enter();
            start(&listen, routes, Log::to(LogLevel::Error, std::io::sink())).unwrap()
        };
        Stage { runtime, running: Some(running), listen, go, begun, old }
    }

    fn address(&self) -> SocketAddr {
        self.running.as_ref().unwrap().addresses[0]
    }

    /// Somebody who asks, and is not answered yet.
    fn waits(&self) -> TcpStream {
        let before = self.begun.load(Ordering::SeqCst);
        let mut tcp = TcpStream::connect(self.address()).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        tcp.write_all(b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        until("it is asked", || self.begun.load(Ordering::SeqCst) > before);
        tcp
    }

    /// From now on others are served by nothing.
    fn renew(&mut self, limits: Limits) {
        let listen = ListenConfig { limits, ..self.listen.clone() };
        let running = self.running.as_mut().unwrap();
        let ready = running.ready(&listen).unwrap();
        running.renew(ready, Router::new());
    }
}

fn routes(go: Arc<Notify>, begun: Arc<AtomicUsize>, kept: Arc<()>) -> Router {
    let late = async move || {
        let _kept = kept;
        begun.fetch_add(1, Ordering::SeqCst);
        go.notified().await;
        "late"
    };
    Router::new().route("/late", get(late))
}

fn until(what: &str, is: impl Fn() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// All that comes until the connection ends.
fn rest(mut tcp: TcpStream) -> String {
    let mut text = String::new();
    // Whoever is cut off has heard what it has heard.
    if let Err(error) = tcp.read_to_string(&mut text) {
        assert_ne!(error.kind(), ErrorKind::WouldBlock, "it does not end: {text:?}");
    }
    text
}

#[test]
fn who_waits_is_answered_after_the_grace_and_then_nothing_of_before_is_left() {
    let limits = Limits { grace: GRACE, ..Limits::default() };
    let mut stage = Stage::new(limits);
    let waiting = stage.waits();
    let idle = TcpStream::connect(stage.address()).unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let connected = |stage: &Stage| stage.running.as_ref().unwrap().connected();
    until("both are let in", || connected(&stage) == 2);
    stage.renew(limits);
    until("who asks nothing has to connect again at once", || connected(&stage) < 2);
    assert_eq!(rest(idle), "");
    let over = Instant::now() + 10 * GRACE;
    while Instant::now() < over {
        assert_eq!(connected(&stage), 1, "who waits is cut off");
        std::thread::sleep(GRACE / 10);
    }
    assert!(stage.old.upgrade().is_some());
    stage.go.notify_one();
    let text = rest(waiting);
    assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("late"), "{text}");
    assert!(text.to_lowercase().contains("connection: close\r\n"), "{text}");
    until("what it was answered by is gone", || stage.old.upgrade().is_none());
}

#[test]
fn who_waits_longer_than_a_connection_lasts_keeps_nothing_either() {
    let limits = Limits { grace: GRACE, age: Duration::from_millis(500), ..Limits::default() };
    let mut stage = Stage::new(limits);
    let waiting = stage.waits();
    for _ in 0..3 {
        // Those who come after it last longer; this one does not.
        stage.renew(Limits { age: Duration::from_secs(3600), ..limits });
    }
    assert_eq!(rest(waiting), "");
    until("what it was answered by is gone", || stage.old.upgrade().is_none());
}

#[test]
fn the_end_has_its_grace_after_a_change_too() {
    let mut stage = Stage::new(Limits { grace: Duration::from_secs(60), ..Limits::default() });
    let waiting = stage.waits();
    stage.renew(Limits { grace: GRACE, ..Limits::default() });
    let running = stage.running.take().unwrap();
    let start = Instant::now();
    stage.runtime.block_on(running.stop());
    // A second more is when the server goes though somebody has not ended.
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(rest(waiting), "");
    until("what it was answered by is gone", || stage.old.upgrade().is_none());
}

/// By its own word alone a client of HTTP/2 knows that it has to connect again: it has to say that it has heard (PING), before its server
/// takes no more.
#[tokio::test]
async fn who_does_not_hear_that_he_has_to_connect_again_is_answered_no_more() {
    let limits = Limits { grace: Duration::ZERO, ..Limits::default() };
    let (go, begun) = (Arc::<Notify>::default(), Arc::<AtomicUsize>::default());
    let routes = routes(Arc::clone(&go), Arc::clone(&begun), Arc::new(()));
    let orders = watch::Sender::new(Order::GoOn);
    let mut client = connected(routes, limits, orders.subscribe()).await;
    // GET, https, /late, and x as the authority.
    let late = b"\x82\x87\x04\x05/late\x41\x01x";
    send(&mut client, HEADERS, END_HEADERS | END_STREAM, 1, late).await;
    while begun.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    orders.send_replace(Order::Renew);
    wait_for(&mut client, |kind, _| kind == GO_AWAY).await;
    send(&mut client, HEADERS, END_HEADERS | END_STREAM, 3, late).await;
    let mut bodies = vec![];
    while bodies.len() < 2 {
        let (kind, _, payload) = next(&mut client).await;
        if kind == DATA && !payload.is_empty() {
            bodies.push(String::from_utf8(payload).unwrap());
            go.notify_one();
        }
    }
    assert!(bodies[0].contains("\"code\":\"misdirected-request\""), "{bodies:?}");
    assert_eq!(bodies[1], "late", "what was asked before is answered");
    assert_eq!(begun.load(Ordering::SeqCst), 1);
}
