//! A task under way: its first process, started before there is work for it. Cloning and walls take as long as a small
//! script, so they are done for the next task while one runs.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, pidfd_send_signal};

use crate::model::step::Cost;
use crate::sandbox::inside::init::{self, Bounds};
use crate::sandbox::protocol::{FromInside, Task, TaskEnd, ToInside};
use crate::sys::channel::Channel;
use crate::sys::{spawn, wait};

/// The first process of a pid namespace, waiting for its task.
pub(super) struct Ready {
    pidfd: OwnedFd,
    pid: i32,
    channel: Channel,
    /// To the process of the payload.
    worker: Channel,
}

impl Ready {
    /// Starts one, in the groups with these doors. Its walls go up while this returns; one that does not is told when the task
    /// is given.
    pub(super) fn start(bounds: Bounds, doors: Vec<OwnedFd>) -> io::Result<Ready> {
        let ((channel, its), (worker, its_workers)) = (Channel::pair()?, Channel::pair()?);
        let (pidfd, pid) = spawn::clone_as_init(|| init::main(its, its_workers, bounds, doors))?;
        Ok(Ready { pidfd, pid, channel, worker })
    }

    /// Hands the task over, once the walls are up and the supervisor listens.
    pub(super) fn give(self, task: &Task, fds: &[OwnedFd], supervisor: &Channel) -> io::Result<Running> {
        let (listener, grouped) = match self.channel.receive::<init::Raised>()? {
            Some((Ok(init::Walled { listener, grouped }), _)) => {
                let copy = listener.map(|number| spawn::descriptor_of(&self.pidfd, number));
                (copy.transpose()?, grouped)
            }
            Some((Err(reason), _)) => return Err(io::Error::other(reason)),
            None => return Err(io::Error::other("the task's first process is lost")),
        };
        let listener: Vec<_> = listener.iter().map(AsFd::as_fd).collect();
        supervisor.send(&FromInside::Begun { grouped }, &listener)?;
        let started = Instant::now();
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        self.worker.send(task, &fds)?;
        self.channel.send(task, &fds)?;
        Ok(Running { process: self, started })
    }

    /// Ends one that gets no task.
    pub(super) fn dismiss(self) -> io::Result<()> {
        pidfd_send_signal(&self.pidfd, Signal::KILL)?;
        wait::wait(self.pid).map(|_| ())
    }
}

/// A task under way.
pub(super) struct Running {
    process: Ready,
    started: Instant,
}

impl Running {
    /// Follows it to its end; a `Kill` from the supervisor, or its end, ends it at once. Nothing of it runs any more when
    /// this returns; its first process may be about to end, and is returned to be waited for.
    pub(super) fn finish(self, supervisor: &Channel) -> io::Result<(FromInside, Option<i32>)> {
        let Ready { pidfd, pid, channel, worker: _ } = &self.process;
        loop {
            let mut watched = [PollFd::new(channel, PollFlags::IN), PollFd::new(supervisor, PollFlags::IN)];
            match poll(&mut watched, None) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            if !watched[0].revents().is_empty() {
                break;
            }
            match supervisor.receive::<ToInside>() {
                Ok(Some((ToInside::Kill, _))) => pidfd_send_signal(pidfd, Signal::KILL)?,
                Ok(Some(_)) => return Err(io::Error::other("one task at a time")),
                // The supervisor is gone: so is the task, and whoever called this ends with the channel.
                Ok(None) | Err(_) => {
                    pidfd_send_signal(pidfd, Signal::KILL)?;
                    break;
                }
            }
        }
        let time_real = self.started.elapsed().as_secs_f64();
        let ended = |end: TaskEnd| FromInside::Ended(TaskEnd { cost: Cost { time_real, ..end.cost }, ..end });
        match channel.receive::<init::Report>()? {
            Some((Ok(end), _)) => Ok((ended(end), Some(*pid))),
            Some((Err(reason), _)) => Ok((FromInside::Failed(reason), Some(*pid))),
            // It was killed: its own figures, which include whom it had waited for, must do.
            None => match wait::wait(*pid)? {
                Some(init) => Ok((ended(TaskEnd { outcome: init.outcome, cost: init.cost }), None)),
                None => Err(io::Error::other("the task's first process is lost")),
            },
        }
    }
}
