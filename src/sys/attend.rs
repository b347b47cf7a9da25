//! Processes of disco's own that a run of the agent is made of: the runner, which holds a lock as its standard input and stays when its
//! starter ends, and the dance, which it attends.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{fstat, stat};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::sys::lock::Lock;
use crate::sys::{files, wait};

/// A child. Dropping this leaves it alone.
#[derive(Debug)]
pub struct Attended(Child);

/// How a child has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Exited(u8),
    /// By that signal.
    Signaled(i32),
}

/// This same program, also where its file has been replaced meanwhile.
fn this() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("disco").current_dir("/");
    command
}

/// Starts `disco WORDS` with a lock as its standard input: it is held until that process has ended too. What it says goes into the log.
pub fn start_holding(lock: Lock, words: &[String], log: &File) -> io::Result<Attended> {
    let child = this()
        .args(words)
        .stdin(Stdio::from(lock.into_file()))
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .spawn()?;
    Ok(Attended(child))
}

/// Starts `disco WORDS`, which is asked to end (SIGTERM) when the thread that calls this does.
pub fn start(words: &[String], log: &File) -> io::Result<Attended> {
    let mut command = this();
    command.args(words).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
    wait::bind_gently(&mut command);
    command.spawn().map(Attended)
}

/// In a process that was started with a lock on that file as its standard input, first of all: a session of its own, and /dev/null as its
/// input. Returns the lock; `None` where there is no such lock.
pub fn settle(path: &Path) -> io::Result<Option<File>> {
    let given = io::stdin().as_fd().try_clone_to_owned()?;
    let (one, other) = (fstat(&given)?, stat(path)?);
    if (one.st_dev, one.st_ino) != (other.st_dev, other.st_ino) {
        return Ok(None);
    }
    // It fails where it is the head of one already.
    let _ = nix::unistd::setsid();
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    rustix::stdio::dup2_stdin(files::open_system("/dev/null", false)?)?;
    Ok(Some(File::from(given)))
}

impl Attended {
    /// Its number.
    pub fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    /// Waits for its end; `None` where it has not ended within that time.
    pub fn wait_within(&mut self, time: Duration) -> io::Result<Option<Ended>> {
        let handle = pidfd_open(Pid::from_child(&self.0), PidfdFlags::empty())?;
        let time = Timespec::try_from(time).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(self.0.try_wait()?.map(ended))
    }

    /// Waits for its end.
    pub fn wait(mut self) -> io::Result<Ended> {
        self.0.wait().map(ended)
    }

    /// Asks it to end. It has not been waited for, so its number is still its own.
    pub fn ask_to_end(&self) -> io::Result<()> {
        match nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), Signal::SIGTERM) {
            Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        // An exit status is what fits 8 bits, by definition.
        (Some(code), _) => Ended::Exited((code & 0xff) as u8),
        (None, signal) => Ended::Signaled(signal.unwrap_or_default()),
    }
}
