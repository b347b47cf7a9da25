//! A secret, typed at a terminal that does not show it. The terminal is as before afterwards, however the typing ends: ^C too.

use std::io::{self, BufRead, Write};

use nix::sys::signal::{Signal, raise};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use rustix::termios::isatty;

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const BACKSPACE: u8 = 8;
const CTRL_U: u8 = 21;
const DELETE: u8 = 127;

/// What has been typed so far, and what a key made of it.
#[derive(Debug, PartialEq, Eq)]
enum Typed {
    More,
    Done,
    Broken,
}

/// Whether somebody can be asked: what he types comes in, and what he is asked is seen.
pub fn is_attended() -> bool {
    isatty(io::stdin()) && isatty(io::stderr())
}

/// Asks on standard error, and gives what is typed without its line's end. ^C ends this process, as everywhere; ^D is the end of the line.
pub fn secret(question: &str) -> io::Result<String> {
    let mut stderr = io::stderr();
    stderr.write_all(question.as_bytes())?;
    stderr.flush()?;
    let typed = {
        let _quiet = Quiet::begin()?;
        read(io::stdin().lock())
    };
    stderr.write_all(b"\n")?;
    match typed? {
        Some(bytes) => {
            String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        }
        None => {
            // The terminal is as it was: whoever waits for this process sees it end by the signal.
            raise(Signal::SIGINT)?;
            Err(io::ErrorKind::Interrupted.into())
        }
    }
}

/// A terminal that shows nothing and gives each key at once, so that ^C is one of them; until this is dropped.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> io::Result<Quiet> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        // What was typed before the question is no answer to it.
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &quiet)?;
        Ok(Quiet(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that has gone meanwhile.
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

/// A line from a terminal that edits nothing by itself; `None` where it was broken off.
fn read(keys: impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = vec![];
    for key in keys.bytes() {
        match take(&mut line, key?) {
            Typed::More => {}
            Typed::Done => break,
            Typed::Broken => return Ok(None),
        }
    }
    Ok(Some(line))
}

fn take(line: &mut Vec<u8>, key: u8) -> Typed {
    match key {
        b'\n' | b'\r' | CTRL_D => return Typed::Done,
        CTRL_C => return Typed::Broken,
        BACKSPACE | DELETE => {
            // A character of UTF-8 is its first byte and those that follow it.
            while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
        }
        CTRL_U => line.clear(),
        byte => line.push(byte),
    }
    Typed::More
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_make_a_line() {
        for (keys, expected) in [
            ("secret\r", Some("secret")),
            ("secret\nmore", Some("secret")),
            ("sec\x04", Some("sec")),
            ("", Some("")),
            ("wrong\x15right\r", Some("right")),
            ("a\u{e4}\u{20ac}\x7f\x7fb\x08c\r", Some("ac")),
            ("\x7f\x7fx\r", Some("x")),
            ("half\x03\r", None),
        ] {
            let line = read(keys.as_bytes()).unwrap().map(|line| String::from_utf8(line).unwrap());
            assert_eq!(line.as_deref(), expected, "{keys:?}");
        }
    }
}
