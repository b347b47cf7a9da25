//! Which process it is: its number may be another's later, but with the moment of its start, in this start of the machine, it is its own.

use std::fs;
use std::io;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::sys::clock;

/// A process that was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alive {
    /// Its number.
    pub pid: i32,
    /// When it started, in the kernel's ticks since the machine did.
    since: u64,
    /// Which start of the machine that is.
    boot: String,
}

impl Alive {
    /// That process; `None` where there is none.
    pub fn of(pid: i32) -> Option<Alive> {
        Some(Alive { pid, since: since(pid)?, boot: clock::boot() })
    }

    /// Whether it is still there. One that has ended, and that nobody has waited for, is not.
    pub fn is(&self) -> bool {
        self.boot == clock::boot() && since(self.pid) == Some(self.since)
    }

    /// Asks it to end (SIGTERM), where it is still there.
    pub fn ask_to_end(&self) -> io::Result<()> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(()) };
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Err(rustix::io::Errno::SRCH) => return Ok(()),
            other => other?,
        };
        // Looked at behind the handle: now it is this one's.
        if !self.is() {
            return Ok(());
        }
        match pidfd_send_signal(&handle, Signal::TERM) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Waits for its end.
    pub fn wait(&self) -> io::Result<()> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(()) };
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Err(rustix::io::Errno::SRCH) => return Ok(()),
            other => other?,
        };
        // Looked at behind the handle: now it is this one's, or there is nothing to wait for.
        while self.is() {
            match poll(&mut [PollFd::new(&handle, PollFlags::IN)], None) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

/// When a process started; `None` where it is none, or has ended.
fn since(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name is in brackets, and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X");
    fields.nth(18).filter(|_| !ended)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_known_until_it_ends_and_no_other_is_it() {
        let own = Alive::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(own.is());
        assert!(!Alive { since: own.since + 1, ..own.clone() }.is(), "another one of that number");
        let earlier = Alive { boot: "another".to_owned(), ..own };
        assert!(!earlier.is());
        earlier.wait().unwrap();
        let mut child = Command::new("sleep").arg("0.2").spawn().unwrap();
        let sleeper = Alive::of(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(sleeper.is());
        sleeper.wait().unwrap();
        assert!(!sleeper.is(), "it has ended, whether or not anybody waits for it");
        child.wait().unwrap();
        sleeper.wait().unwrap();
        sleeper.ask_to_end().unwrap();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let sleeper = Alive::of(i32::try_from(child.id()).unwrap()).unwrap();
        Alive { since: sleeper.since + 1, ..sleeper.clone() }.ask_to_end().unwrap();
        assert!(sleeper.is(), "another one of that number is left alone");
        sleeper.ask_to_end().unwrap();
        sleeper.wait().unwrap();
        child.wait().unwrap();
        assert_eq!(Alive::of(0), None);
    }
}
