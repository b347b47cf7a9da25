//! Carries bytes between two connections until both ways have ended, or somebody asks to stop. It looks at none of them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// The bytes that are under way in one direction.
const BUFFER: usize = 64 * 1024;

/// A bell: rung, it can be polled for reading until it is hushed.
#[derive(Debug)]
pub struct Bell(OwnedFd);

impl Bell {
    /// One that is silent.
    pub fn new() -> io::Result<Bell> {
        Ok(Bell(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Rings it.
    pub fn ring(&self) {
        // It fails only where it has been rung 2^64 times.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Hushes it.
    pub fn hush(&self) {
        // EAGAIN: it was silent.
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The addresses that this host's resolver has for a name, in its order; `None` where there is no such name, an error where
/// that could not be found out.
pub fn addresses_of(name: &str) -> io::Result<Option<Vec<IpAddr>>> {
    match (name, 0).to_socket_addrs() {
        Ok(found) => {
            let mut addresses: Vec<IpAddr> = Vec::new();
            for address in found.map(|address| address.ip()) {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            Ok(Some(addresses))
        }
        // The standard library keeps the C library's words and not its number: EAI_AGAIN of glibc and musl.
        Err(error) if ["Temporary failure", "Try again"].iter().any(|it| error.to_string().contains(it)) => {
            Err(error)
        }
        Err(_) => Ok(None),
    }
}

/// Whether this host has a way to an address at all; no packet is sent.
pub fn has_route(to: IpAddr) -> bool {
    let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    UdpSocket::bind(any).and_then(|socket| socket.connect((to, 53))).is_ok()
}

/// A connection to `to` from this thread's network namespace.
pub fn connect(to: SocketAddr, patience: Duration, stop: &Bell) -> io::Result<TcpStream> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &to) {
        Ok(()) => return Ok(socket.into()),
        Err(rustix::io::Errno::INPROGRESS) => {}
        Err(errno) => return Err(errno.into()),
    }
    let end = Instant::now() + patience;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        let wait = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        let mut fds = [PollFd::new(&socket, PollFlags::OUT), PollFd::new(stop, PollFlags::IN)];
        match poll(&mut fds, Some(&wait)) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        if !fds[1].revents().is_empty() {
            return Err(ErrorKind::Interrupted.into());
        }
        if !fds[0].revents().is_empty() {
            rustix::net::sockopt::socket_error(&socket)??;
            return Ok(socket.into());
        }
    }
}

/// Makes the other end of a connection hear of a reset when this is dropped, instead of a calm end.
pub fn reset_at_end(stream: &TcpStream) {
    // Where that cannot be had, a calm end must do.
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

/// Takes that back: what was said is heard to its end.
pub fn calm_end(stream: &TcpStream) {
    // Where that cannot be had, the other end has mostly read all of it by now.
    let _ = rustix::net::sockopt::set_socket_linger(stream, None);
}

/// One way of a connection.
struct Way {
    buffer: Vec<u8>,
    /// What of the buffer is not written yet.
    left: std::ops::Range<usize>,
    /// Nothing comes any more.
    over: bool,
    /// The other side has been told.
    told: bool,
}

impl Way {
    fn new() -> Way {
        Way { buffer: vec![0; BUFFER], left: 0..0, over: false, told: false }
    }

    /// Moves what can be moved without waiting.
    fn go_on(&mut self, mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
        loop {
            if self.left.is_empty() && !self.over {
                match from.read(&mut self.buffer) {
                    Ok(0) => self.over = true,
                    Ok(count) => self.left = 0..count,
                    Err(error) if may_be_tried_again(&error) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
            if self.left.is_empty() {
                if self.over && !self.told {
                    self.told = true;
                    // The other side may have gone meanwhile.
                    let _ = to.shutdown(Shutdown::Write);
                }
                return Ok(());
            }
            match to.write(&self.buffer[self.left.clone()]) {
                Ok(count) => self.left.start += count,
                Err(error) if may_be_tried_again(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// What to wait for at the end that is read, and at the one that is written.
    fn waits(&self) -> (PollFlags, PollFlags) {
        match (self.left.is_empty(), self.over) {
            (false, _) => (PollFlags::empty(), PollFlags::OUT),
            (true, false) => (PollFlags::IN, PollFlags::empty()),
            (true, true) => (PollFlags::empty(), PollFlags::empty()),
        }
    }
}

fn may_be_tried_again(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Carries bytes both ways until both have ended, one end fails, or `stop` rings.
pub fn between(one: &TcpStream, other: &TcpStream, stop: &Bell) -> io::Result<()> {
    for stream in [one, other] {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
    }
    let (mut there, mut back) = (Way::new(), Way::new());
    loop {
        there.go_on(one, other)?;
        back.go_on(other, one)?;
        if there.told && back.told {
            return Ok(());
        }
        let ((one_in, other_out), (other_in, one_out)) = (there.waits(), back.waits());
        let mut fds = [
            PollFd::new(one, one_in | one_out),
            PollFd::new(other, other_in | other_out),
            PollFd::new(stop, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if !fds[2].revents().is_empty() {
            return Err(ErrorKind::Interrupted.into());
        }
        // A connection that is broken says so at once and for ever, and must not be polled in vain.
        if fds[..2].iter().any(|fd| fd.revents().contains(PollFlags::ERR)) {
            return Err(ErrorKind::ConnectionReset.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::sync::Arc;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let near = connect(to, Duration::from_secs(5), &Bell::new().unwrap()).unwrap();
        near.set_nonblocking(false).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[test]
    fn what_is_said_arrives_whole_both_ways_and_each_way_ends_by_itself() {
        let ((mut client, one), (other, mut server)) = (pair(), pair());
        let carrier = std::thread::spawn(move || between(&one, &other, &Bell::new().unwrap()));
        let large: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
        let echo = std::thread::spawn(move || {
            let mut all = Vec::new();
            // Answers only when the other way has ended.
            server.read_to_end(&mut all).unwrap();
            server.write_all(&all).unwrap();
        });
        client.write_all(&large).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut back = Vec::new();
        client.read_to_end(&mut back).unwrap();
        assert!(back == large);
        echo.join().unwrap();
        carrier.join().unwrap().unwrap();
    }

    #[test]
    fn a_reset_and_a_bell_end_it() {
        let ((client, one), (other, server)) = (pair(), pair());
        let bell = Arc::new(Bell::new().unwrap());
        let stop = bell.clone();
        let carrier = std::thread::spawn(move || between(&one, &other, &stop));
        bell.ring();
        assert_eq!(carrier.join().unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
        drop((client, server));

        let ((client, one), (other, server)) = (pair(), pair());
        let carrier = std::thread::spawn(move || between(&one, &other, &Bell::new().unwrap()));
        reset_at_end(&server);
        drop(server);
        assert_eq!(carrier.join().unwrap().unwrap_err().kind(), ErrorKind::ConnectionReset);
        drop(client);
    }

    #[test]
    fn what_has_no_way_is_known() {
        assert!(has_route("127.0.0.1".parse().unwrap()));
        assert!(!has_route("255.255.255.255".parse().unwrap()));
        assert_eq!(addresses_of("127.0.0.9").unwrap(), Some(vec!["127.0.0.9".parse().unwrap()]));
    }
}
