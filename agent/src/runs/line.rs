//! One line over a socket, within a size and within a time for the whole of it: who sends a byte now and then gains nothing.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use thiserror::Error;

/// The longest line, in bytes, with its end.
pub const LONGEST: usize = 64 << 10;

/// A line that did not come, or did not go.
#[derive(Debug, Error)]
pub enum LineError {
    /// It was over before its end.
    #[error("the connection ended within a line")]
    Short,
    /// It has no end within [`LONGEST`].
    #[error("a line has more than {LONGEST} bytes")]
    Long,
    /// It took too long.
    #[error("the other end was silent for too long")]
    Late,
    /// It is no UTF-8.
    #[error("a line is no text")]
    NoText,
    /// The socket cannot be used.
    #[error("the connection is broken")]
    Broken(#[source] io::Error),
}

impl LineError {
    fn of(error: io::Error) -> LineError {
        match error.kind() {
            // The first is what a socket with a time limit says.
            ErrorKind::WouldBlock | ErrorKind::TimedOut => LineError::Late,
            _ => LineError::Broken(error),
        }
    }
}

/// The next line, without its end, and what came behind it. All of it must have come in this time.
pub fn receive(stream: &UnixStream, within: Duration) -> Result<(String, Vec<u8>), LineError> {
    let until = Instant::now() + within;
    let (mut stream, mut got, mut piece) = (stream, Vec::new(), [0; 4096]);
    loop {
        limit(until, |left| stream.set_read_timeout(left))?;
        let read = match stream.read(&mut piece) {
            Ok(0) => return Err(LineError::Short),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(LineError::of(error)),
        };
        let before = got.len();
        got.extend_from_slice(&piece[..read]);
        match got[before..].iter().position(|byte| *byte == b'\n') {
            Some(end) if before + end < LONGEST => {
                let rest = got.split_off(before + end + 1);
                got.pop();
                let line = String::from_utf8(got).map_err(|_| LineError::NoText)?;
                return Ok((line, rest));
            }
            None if got.len() < LONGEST => {}
            Some(_) | None => return Err(LineError::Long),
        }
    }
}

/// Sends these bytes, all of them in this time.
pub fn send(stream: &UnixStream, bytes: &[u8], within: Duration) -> Result<(), LineError> {
    let until = Instant::now() + within;
    let (mut stream, mut left) = (stream, bytes);
    while !left.is_empty() {
        limit(until, |left| stream.set_write_timeout(left))?;
        match stream.write(left) {
            Ok(0) => return Err(LineError::Short),
            Ok(sent) => left = &left[sent..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(LineError::of(error)),
        }
    }
    Ok(())
}

/// Gives a socket what is left of the time as its limit. None left is an end of its own: to a socket zero means no limit.
fn limit(until: Instant, set: impl FnOnce(Option<Duration>) -> io::Result<()>) -> Result<(), LineError> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(LineError::Late);
    }
    set(Some(left)).map_err(LineError::Broken)
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
