//! The inside of a sandbox: a small process with one thread that raises the walls, then starts each task in a pid
//! namespace of its own. It is the hidden subcommand `disco __enter`; its standard input is the channel to the supervisor.
//!
//! It ends with the supervisor, and everything that it started ends with it. The mount namespace goes with the last of
//! them, and the overlay with that.

mod init;
mod payload;
mod rendered;
mod task;
mod walls;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use thiserror::Error;

use crate::model::told::in_full;
use crate::sandbox::inside::init::Bounds;
use crate::sandbox::inside::task::Ready;
use crate::sandbox::protocol::{FromInside, Task, ToInside};
use crate::sys::channel::Channel;
use crate::sys::{mount, namespace, wait};

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
    let Ok(Some((ToInside::Setup(setup), fds))) = channel.receive() else {
        return Err(InsideError::NotOurs);
    };
    #[cfg(debug_assertions)]
    if setup.no_filter {
        crate::sys::seccomp::door::open();
    }
    let mut fds = fds.into_iter();
    let Some(fuse) = fds.next() else { return Err(InsideError::NotOurs) };
    let say = |message: &FromInside, fds: &[OwnedFd]| {
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        channel.send(message, &fds).map_err(InsideError::Channel)
    };
    namespace::outlive_others();
    let raised = walls::mount_overlay(&setup, fuse).map_err(chain).and_then(|network| {
        let network: Vec<OwnedFd> = network.into_iter().map(Into::into).collect();
        let knobs = walls::mount_knobs(&setup, fds.next()).map_err(chain);
        let with_knobs = knobs.is_ok() && setup.knobs.is_some();
        say(&FromInside::Mounted { knobs }, &network).map_err(chain)?;
        walls::raise(&setup, with_knobs).map_err(chain)
    });
    match raised {
        Ok(listener) => say(&FromInside::Ready, &[listener])?,
        Err(reason) => return say(&FromInside::Failed(reason), &[]),
    }
    let bounds = Bounds { most: setup.counted, pids_above: setup.pids_above };
    let mut tasks = Tasks { bounds, next: None, ending: Vec::new() };
    while let Some((message, fds)) = channel.receive::<ToInside>().map_err(InsideError::Channel)? {
        match message {
            ToInside::Run { task, own } => {
                let mut fds = fds;
                let doors = fds.split_off(own.min(fds.len()));
                let answer = tasks.run(&channel, &task, fds, doors);
                let answer = answer.unwrap_or_else(|error| FromInside::Failed(chain(error)));
                say(&answer, &[])?;
            }
            // A first process that cannot be started is tried again, and told, when there is a task.
            ToInside::Begin => tasks.next = Ready::start(bounds, fds).ok(),
            ToInside::OpenTerminal => match nix::pty::openpty(None, None) {
                Ok(pair) => say(&FromInside::Terminal, &[pair.master, pair.slave])?,
                Err(errno) => say(&FromInside::Failed(format!("cannot open a terminal: {errno}")), &[])?,
            },
            ToInside::Kill => {} // it came when the task had ended already
            ToInside::Setup(_) => return Err(InsideError::NotOurs),
        }
    }
    tasks.finish().map_err(InsideError::Channel)
}

/// An error in words, for `map_err`.
fn chain(error: impl std::error::Error) -> String {
    in_full(&error)
}

/// The tasks, one after another, with the next one's first process made ready while one runs.
struct Tasks {
    bounds: Bounds,
    next: Option<Ready>,
    /// First processes that have reported, and end by themselves.
    ending: Vec<i32>,
}

impl Tasks {
    /// Does a task; the next one's first process goes through these doors.
    fn run(
        &mut self,
        supervisor: &Channel,
        task: &Task,
        fds: Vec<OwnedFd>,
        doors: Vec<OwnedFd>,
    ) -> io::Result<FromInside> {
        if matches!(task, Task::Attend { .. }) {
            // The sandbox may have been there for days: whoever attends sees the node as it is now.
            mount::forget("/".as_ref()).map_err(io::Error::other)?;
        }
        let ready = self.next.take().map_or_else(|| Ready::start(self.bounds, Vec::new()), Ok)?;
        let running = ready.give(task, &fds, supervisor)?;
        drop(fds);
        self.collect()?;
        // This task is under way: one that cannot be started now is tried again with the next.
        self.next = Ready::start(self.bounds, doors).ok();
        let (answer, ending) = running.finish(supervisor)?;
        // The supervisor looks at the scratchpad next. Who closed its files has waited for this; others map them, or are gone.
        mount::settle("/".as_ref()).map_err(io::Error::other)?;
        self.ending.extend(ending);
        Ok(answer)
    }

    /// Takes those that have ended from the process table.
    fn collect(&mut self) -> io::Result<()> {
        for pid in self.ending.drain(..) {
            wait::wait(pid)?;
        }
        Ok(())
    }

    /// Leaves nothing running.
    fn finish(mut self) -> io::Result<()> {
        if let Some(ready) = self.next.take() {
            ready.dismiss()?;
        }
        self.collect()
    }
}
