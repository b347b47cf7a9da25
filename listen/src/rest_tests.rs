//! Answers over HTTP/2 that do not wait for the body: frame by frame, for a client of hyper's takes any end for one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::connection::{Order, Protocol, Served, speak};
use crate::connections::{Connections, Share};
use crate::{Limits, Log, LogLevel, Over, Peer};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
pub const GO_AWAY: u8 = 7;
pub const END_STREAM: u8 = 1;
const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// A connection of HTTP/2 to these routes, after the client's first words.
pub async fn connected(routes: Router, limits: Limits, orders: watch::Receiver<Order>) -> DuplexStream {
    let (mut client, server) = duplex(1 << 20);
    tokio::spawn(async move {
        let address = "192.0.2.1:1000".parse().unwrap();
        let log = Log::to(LogLevel::Error, std::io::sink());
        let served = Served { routes, limits, log };
        let all = Arc::new(Connections::new(1, 1));
        let place = all.admit("192.0.2.1".parse().unwrap(), Share::Limited, Instant::now()).unwrap();
        let peer = Peer { address, over: Over::Plain };
        // How it ends is not what is looked at.
        let _ = speak(served, TokioIo::new(server), peer, Protocol::Http2, &place.entry, orders).await;
    });
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    send(&mut client, SETTINGS, 0, 0, b"").await;
    client
}

/// The same to routes that refuse everybody, with a request; its orders come from what is given, too.
async fn refused() -> (DuplexStream, watch::Sender<Order>) {
    let orders = watch::Sender::new(Order::GoOn);
    let routes = Router::new().fallback(async || StatusCode::UNAUTHORIZED);
    let mut client = connected(routes, Limits::default(), orders.subscribe()).await;
    // POST, https, /, and x as the authority; a body is to come.
    send(&mut client, HEADERS, END_HEADERS, 1, b"\x83\x87\x84\x41\x01x").await;
    (client, orders)
}

pub async fn send(to: &mut DuplexStream, kind: u8, flags: u8, stream: u8, payload: &[u8]) {
    let length = u8::try_from(payload.len()).unwrap();
    to.write_all(&[0, 0, length, kind, flags, 0, 0, 0, stream]).await.unwrap();
    to.write_all(payload).await.unwrap();
}

/// The next frame's kind, flags and payload.
pub async fn next(from: &mut DuplexStream) -> (u8, u8, Vec<u8>) {
    let mut head = [0; 9];
    let read = async {
        from.read_exact(&mut head).await.unwrap();
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        from.read_exact(&mut payload).await.unwrap();
        payload
    };
    let payload = timeout(Duration::from_secs(10), read).await.expect("a frame comes");
    (head[3], head[4], payload)
}

pub async fn wait_for(from: &mut DuplexStream, is: impl Fn(u8, u8) -> bool) {
    loop {
        let (kind, flags, payload) = next(from).await;
        assert!(kind != RESET || is(kind, flags), "the stream is reset: {payload:?}");
        if is(kind, flags) {
            return;
        }
    }
}

fn is_whole_answer(kind: u8, flags: u8) -> bool {
    matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0
}

#[tokio::test]
async fn who_is_refused_early_ends_his_body_and_hears_of_no_reset() {
    let (mut client, _orders) = refused().await;
    wait_for(&mut client, is_whole_answer).await;
    send(&mut client, DATA, 0, 1, b"{\"noop\":").await;
    send(&mut client, DATA, END_STREAM, 1, b"true}").await;
    send(&mut client, PING, 0, 0, b"12345678").await;
    wait_for(&mut client, |kind, flags| kind == PING && flags & ACK != 0).await;
}

#[tokio::test]
async fn who_does_not_end_is_let_go_after_a_moment() {
    let (mut client, _orders) = refused().await;
    wait_for(&mut client, is_whole_answer).await;
    let start = Instant::now();
    wait_for(&mut client, |kind, _| kind == RESET).await;
    assert!(start.elapsed() > Duration::from_millis(500), "{:?}", start.elapsed());
}
