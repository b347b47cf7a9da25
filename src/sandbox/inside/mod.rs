//! The inside of a sandbox: a small process with one thread that raises the walls, then starts each task in a pid
//! namespace of its own. It is the hidden subcommand `disco __enter`; its standard input is the channel to the supervisor.
//!
//! It ends with the supervisor, and everything that it started ends with it. The mount namespace goes with the last of
//! them, and the overlay with that.

mod init;
mod walls;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, pidfd_send_signal};
use thiserror::Error;

use crate::model::step::{Cost, Outcome};
use crate::model::told::in_full;
use crate::sandbox::protocol::{FromInside, Task, TaskEnd, ToInside};
use crate::sys::channel::Channel;
use crate::sys::{namespace, spawn, wait};

/// Why the inside gave up.
#[derive(Debug, Error)]
pub enum InsideError {
    /// The channel broke, or carried what it should not.
    #[error("cannot talk to the supervisor")]
    Channel(#[source] io::Error),
    /// What came first was not the set-up.
    #[error("this command is disco's own and not for use by hand")]
    NotOurs,
}

/// The body of `disco __enter`: set up, then tasks until the supervisor is gone.
pub fn main() -> Result<(), InsideError> {
    namespace::close_inherited().map_err(|error| InsideError::Channel(io::Error::other(error)))?;
    let channel = Channel::from(io::stdin().as_fd().try_clone_to_owned().map_err(InsideError::Channel)?);
    let Ok(Some((ToInside::Setup(setup), mut fds))) = channel.receive() else {
        return Err(InsideError::NotOurs);
    };
    let Some(fuse) = fds.pop() else { return Err(InsideError::NotOurs) };
    let say = |message: &FromInside, fds: &[OwnedFd]| {
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        channel.send(message, &fds).map_err(InsideError::Channel)
    };
    let raised = walls::mount_overlay(&setup, fuse).map_err(chain).and_then(|()| {
        say(&FromInside::Mounted, &[]).map_err(chain)?;
        walls::raise(&setup).map_err(chain)
    });
    match raised {
        Ok(listener) => say(&FromInside::Ready, &[listener])?,
        Err(reason) => return say(&FromInside::Failed(reason), &[]),
    }
    while let Some((message, fds)) = channel.receive::<ToInside>().map_err(InsideError::Channel)? {
        match message {
            ToInside::Run(task) => {
                let answer = run(&channel, &task, fds, setup.processes)
                    .unwrap_or_else(|error| FromInside::Failed(chain(error)));
                say(&answer, &[])?;
            }
            ToInside::OpenTerminal => match nix::pty::openpty(None, None) {
                Ok(pair) => say(&FromInside::Terminal, &[pair.master, pair.slave])?,
                Err(errno) => say(&FromInside::Failed(format!("cannot open a terminal: {errno}")), &[])?,
            },
            ToInside::Kill => {} // it came when the task had ended already
            ToInside::Setup(_) => return Err(InsideError::NotOurs),
        }
    }
    Ok(())
}

/// An error in words, for `map_err`.
fn chain(error: impl std::error::Error) -> String {
    in_full(&error)
}

/// Runs one task to its end; a `Kill` or the end of the supervisor ends it at once.
fn run(channel: &Channel, task: &Task, fds: Vec<OwnedFd>, processes: u32) -> io::Result<FromInside> {
    let (report, reporter) = Channel::pair()?;
    let started = Instant::now();
    let (pidfd, pid) = spawn::clone_as_init(|| init::main(task, fds, processes, reporter))?;
    loop {
        let mut watched = [PollFd::new(&pidfd, PollFlags::IN), PollFd::new(channel, PollFlags::IN)];
        match poll(&mut watched, None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        if !watched[0].revents().is_empty() {
            break;
        }
        match channel.receive::<ToInside>() {
            Ok(Some((ToInside::Kill, _))) => pidfd_send_signal(&pidfd, Signal::KILL)?,
            Ok(Some(_)) => return Err(io::Error::other("one task at a time")),
            // The supervisor is gone: so is the task, and the loop above ends with the channel.
            Ok(None) | Err(_) => {
                pidfd_send_signal(&pidfd, Signal::KILL)?;
                break;
            }
        }
    }
    let Some(init) = wait::wait(pid)? else {
        return Err(io::Error::other("the task's first process is lost"));
    };
    // The report is there unless init was killed; then its own figures, which include whom it had waited for, must do.
    let reported = match init.outcome {
        Outcome::Signaled { .. } => None,
        _ => report.receive::<Result<TaskEnd, String>>().ok().flatten(),
    };
    let mut end = match reported {
        Some((Ok(end), _)) => end,
        Some((Err(reason), _)) => return Ok(FromInside::Failed(reason)),
        None => TaskEnd { outcome: init.outcome, cost: init.cost },
    };
    end.cost = Cost { time_real: started.elapsed().as_secs_f64(), ..end.cost };
    Ok(FromInside::Ended(end))
}
