//! Experiments on this machine: whether the kernel, and whoever guards it, lets disco have what a sandbox is made of. Each
//! really tries, in a child process with namespaces of its own, so that nothing of it stays. What the outcome means is not
//! decided here.

pub mod cgroup;
pub mod filter;
pub mod home;
pub mod machine;
pub mod walls;

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};

use crate::model::told::in_full;
use crate::sys::{host, namespace, spawn, user_namespace};

/// What was found, on one line; or why it cannot be had.
pub type Found = io::Result<String>;

/// No experiment takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// What a child says: what it found, or the number of the error and its text.
#[derive(Serialize, Deserialize)]
enum Said {
    Found(String),
    Refused(Option<i32>, String),
}

/// Does it in a child process, which ends then. Only for a process with one thread, as all that forks.
pub fn trying(what: impl FnOnce() -> Found) -> Found {
    let (ours, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let (mut ours, mut theirs) = (std::fs::File::from(ours), std::fs::File::from(theirs));
    let child = Pid::from_raw(spawn::fork(|| {
        let said = match namespace::die_with_parent().map_err(io::Error::other).and_then(|()| what()) {
            Ok(found) => Said::Found(found),
            Err(error) => Said::Refused(error.raw_os_error(), in_full(&error)),
        };
        let bytes = serde_json::to_vec(&said).unwrap_or_default();
        i32::from(theirs.write_all(&bytes).is_err())
    })?);
    drop(theirs);
    let bytes = read_within(&mut ours, LIMIT);
    // It has ended, or is late.
    let _ = kill(child, Signal::SIGKILL);
    let status = loop {
        match waitpid(child, None) {
            Err(nix::errno::Errno::EINTR) => {}
            other => break other?,
        }
    };
    match serde_json::from_slice(&bytes?) {
        Ok(Said::Found(found)) => Ok(found),
        Ok(Said::Refused(Some(errno), _)) => Err(io::Error::from_raw_os_error(errno)),
        Ok(Said::Refused(None, text)) => Err(io::Error::other(text)),
        Err(_) => Err(io::Error::other(match status {
            WaitStatus::Signaled(_, signal, _) => format!("the attempt was ended by {signal}"),
            _ => "the attempt said nothing".to_owned(),
        })),
    }
}

/// All that is written there until the last writer ends.
fn read_within(from: &mut std::fs::File, limit: Duration) -> io::Result<Vec<u8>> {
    let start = Instant::now();
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let left = limit.checked_sub(start.elapsed()).ok_or(io::ErrorKind::TimedOut)?;
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let fd = from.as_fd();
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        }
        match from.read(&mut piece)? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

/// Makes this child what opens sandboxes: root as it is, or root of a user namespace of its own.
pub fn become_opener() -> io::Result<()> {
    if host::is_root() { Ok(()) } else { user_namespace::enter_as_root() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_says_what_it_found_or_why_not() {
        assert_eq!(trying(|| Ok("x".into())).unwrap(), "x");
        let refused = trying(|| Err(io::Error::from_raw_os_error(libc::EBUSY))).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EBUSY));
        let ended = trying(|| {
            kill(nix::unistd::getpid(), Signal::SIGKILL)?;
            Ok(String::new())
        });
        assert_eq!(ended.unwrap_err().to_string(), "the attempt was ended by SIGKILL");
    }
}
