//! The log of the node's system: the journal of systemd by its own socket, and syslog by /dev/log. Nobody is waited for
//! longer than a second: a log that does not take a message keeps no run from ending.

use std::io::{self, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::Duration;

/// Where the journal listens.
pub const JOURNAL: &str = "/run/systemd/journal/socket";
/// Where syslog listens.
pub const SYSLOG: &str = "/dev/log";

/// The longest that a message may wait to be taken.
const LONGEST: Option<Duration> = Some(Duration::from_secs(1));

/// Sends a datagram to whoever listens there.
pub fn send(path: &str, message: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(LONGEST)?;
    match socket.send_to(message, Path::new(path)) {
        // Some syslog daemons listen for connections.
        Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => stream(path, message),
        other => other.map(drop),
    }
}

fn stream(path: &str, message: &[u8]) -> io::Result<()> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_write_timeout(LONGEST)?;
    stream.write_all(message)?;
    stream.write_all(b"\0")
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn both_kinds_of_sockets_are_spoken_to_and_none_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let datagrams = UnixDatagram::bind(path("datagrams")).unwrap();
        send(&path("datagrams"), b"one").unwrap();
        let mut got = [0; 16];
        let size = datagrams.recv(&mut got).unwrap();
        assert_eq!(&got[..size], b"one");
        let listener = UnixListener::bind(path("stream")).unwrap();
        send(&path("stream"), b"two").unwrap();
        let mut text = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut text).unwrap();
        assert_eq!(text, b"two\0");
        assert_eq!(send(&path("none"), b"x").unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::write(path("stale"), "").unwrap();
        assert_eq!(send(&path("stale"), b"x").unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
