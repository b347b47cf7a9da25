//! Sockets that are given, where plain HTTP is heard, and answers that go on: on real sockets.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::runtime::Runtime;

use crate::layers::Streams;
use crate::{ListenConfig, ListenError, Log, LogLevel, Over, Peer, Plain, start, start_on};

fn log() -> Log {
    Log::to(LogLevel::Error, std::io::sink())
}

fn loopback() -> ListenConfig {
    ListenConfig { addresses: vec!["127.0.0.1:0".parse().unwrap()], ..ListenConfig::default() }
}

fn asked(address: SocketAddr, path: &str) -> String {
    let mut tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    tcp.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut text = String::new();
    // Whoever is cut off has heard what it has heard.
    let _ = tcp.read_to_string(&mut text);
    text
}

#[test]
fn a_socket_that_is_given_is_listened_on_and_the_peer_is_told() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let who = async |Extension(peer): Extension<Peer>| {
        assert_eq!(peer.over, Over::Plain);
        peer.address.ip().to_string()
    };
    let routes = Router::new().route("/who", get(who));
    let running = start_on(vec![socket], &ListenConfig::default(), routes, log()).unwrap();
    assert_eq!(running.addresses, [address]);
    assert!(asked(address, "/who").ends_with("\r\n\r\n127.0.0.1"));
    runtime.block_on(running.stop());
    assert!(TcpStream::connect(address).is_err(), "nobody new");
}

#[test]
fn plain_http_is_for_loopback_unless_it_is_asked_for() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let open = || vec![TcpListener::bind("0.0.0.0:0").unwrap()];
    let on = |listen: &ListenConfig, sockets| start_on(sockets, listen, Router::new(), log()).map(|_| ());
    assert!(matches!(on(&loopback(), open()), Err(ListenError::Plain(_))), "given ones, too");
    assert!(matches!(on(&loopback(), vec![]), Err(ListenError::NoAddress)));
    assert!(on(&ListenConfig { plain: Plain::Anywhere, ..loopback() }, open()).is_ok());
}

#[test]
fn an_answer_that_goes_on_is_not_idle() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let ticks = |stream: bool| {
        async move || -> Response {
            let (tell, told) = tokio::sync::mpsc::channel::<Result<String, Infallible>>(1);
            tokio::spawn(async move {
                for _ in 0..8 {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    if tell.send(Ok("tick\n".to_owned())).await.is_err() {
                        break;
                    }
                }
            });
            let mut response = Body::from_stream(Told(told)).into_response();
            if stream {
                response.extensions_mut().insert(Streams);
            }
            response
        }
    };
    let routes = Router::new().route("/goes-on", get(ticks(true))).route("/idle", get(ticks(false)));
    let mut listen = loopback();
    listen.limits.idle = Duration::from_millis(300);
    let running = start(&listen, routes, log()).unwrap();
    let address = running.addresses[0];
    assert_eq!(asked(address, "/goes-on").matches("tick").count(), 8);
    assert!(asked(address, "/idle").matches("tick").count() < 8, "without the mark it is cut off");
    let start = Instant::now();
    runtime.block_on(running.stop());
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// What is told, as a stream.
struct Told(tokio::sync::mpsc::Receiver<Result<String, Infallible>>);

impl futures_core::Stream for Told {
    type Item = Result<String, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
