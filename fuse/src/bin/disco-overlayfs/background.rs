//! Into the background: a child that serves, and a parent that waits until it does, and tells how that went.
#![allow(unsafe_code)]

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

/// Where the child says how it went; in the foreground there is nobody to tell.
#[derive(Debug)]
pub(crate) struct Waiting(Option<File>);

/// Which of the two this process is.
#[derive(Debug)]
pub(crate) enum Side {
    /// The one to serve.
    Server(Waiting),
    /// The one that has waited: `Ok` if the mount is served, otherwise what the other has said.
    Caller(Result<(), String>),
}

/// What the child sends when it serves; everything else is an error's text.
const SERVED: &[u8] = b"\0";

/// Stays in the foreground.
pub(crate) fn foreground() -> Side {
    Side::Server(Waiting(None))
}

/// Makes the process that serves, in a session of its own. To be called before there are threads.
pub(crate) fn background() -> io::Result<Side> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    // SAFETY: this process has one thread: the child finds no lock that somebody holds.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(read);
            setsid()?;
            close_others(&write)?;
            Ok(Side::Server(Waiting(Some(File::from(write)))))
        }
        ForkResult::Parent { child } => {
            drop(write);
            let mut said = Vec::new();
            File::from(read).read_to_end(&mut said)?;
            if said == SERVED {
                return Ok(Side::Caller(Ok(())));
            }
            let ended = waitpid(child, None)?;
            let said = String::from_utf8_lossy(&said).into_owned();
            let silent = || format!("error: the process that was to serve it has ended: {ended:?}\n");
            Ok(Side::Caller(Err(if said.is_empty() { silent() } else { said })))
        }
    }
}

/// Closes what the caller of this program had open beside the three streams: it may wait for the end of it.
fn close_others(kept: &OwnedFd) -> io::Result<()> {
    let kept = kept.as_raw_fd().unsigned_abs();
    for (first, last) in [(3, kept - 1), (kept + 1, u32::MAX)] {
        if first <= last {
            // SAFETY: this process has opened nothing yet besides `kept`, so nobody relies on these numbers.
            let done = unsafe { libc::close_range(first, last, 0) };
            if done != 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

impl Waiting {
    /// Tells the caller that the mount is served, and lets go of its streams and directory.
    pub(crate) fn served(&mut self) -> io::Result<()> {
        let Some(mut caller) = self.0.take() else { return Ok(()) };
        let null = File::options().read(true).write(true).open("/dev/null")?;
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        dup2_stderr(&null)?;
        std::env::set_current_dir("/")?;
        caller.write_all(SERVED)
    }

    /// Tells why it is not served.
    pub(crate) fn failed(self, text: &str) -> io::Result<()> {
        match self.0 {
            Some(mut caller) => caller.write_all(text.as_bytes()),
            None => io::stderr().write_all(text.as_bytes()),
        }
    }
}
