//! What clients may take: who is idle, slow or many keeps nobody from being answered.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::stage::Stage;

#[test]
fn those_who_say_nothing_make_room_for_who_asks() {
    let stage = Stage::with("[limits]\nconnections = 20\nconnections_per_address = 20", |_, _| {});
    let idle: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(stage.address(0)).unwrap()).collect();
    let start = Instant::now();
    assert_eq!(stage.ask("POST", "/v1/runs", "{}").status, 202);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(stage.agent.as_ref().unwrap().running[0].connected() <= 20);
    drop(idle);
}

#[test]
fn who_may_not_ask_is_not_read() {
    let stage = Stage::new();
    let mut tcp = TcpStream::connect(stage.address(0)).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // The body never comes: an answer says that nobody waits for it.
    let head = "POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\nContent-Type: application/json\r\n\r\n";
    tcp.write_all(head.as_bytes()).unwrap();
    let mut piece = [0; 64];
    let start = Instant::now();
    let read = tcp.read(&mut piece).unwrap();
    assert!(piece[..read].starts_with(b"HTTP/1.1 401 "), "{:?}", String::from_utf8_lossy(&piece[..read]));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn the_end_does_not_wait_for_those_who_wait() {
    let mut stage = Stage::with("[limits]\ngrace_seconds = 1", |_, _| {});
    let agent = stage.agent.take().unwrap();
    let address = agent.running[0].addresses[0];
    let mut tcp = TcpStream::connect(address).unwrap();
    let text = format!(
        "POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{{\"wait\":300}}",
        stage.key
    );
    tcp.write_all(text.as_bytes()).unwrap();
    stage.helper.wait_for(2);
    let start = Instant::now();
    stage.runtime.block_on(agent.stop());
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert!(TcpStream::connect(address).is_err(), "nobody new");
}
