//! The payload of a task: its process, made before there is a task for it, so that no step waits for a fork.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::sandbox::inside::{chain, rendered};
use crate::sandbox::protocol::{Command, Task};
use crate::sys::channel::Channel;
use crate::sys::{execute, lay, spawn};

/// Status of a payload that could not execute its program, as shells have it.
const CANNOT_EXECUTE: i32 = 127;

/// The devices below /sys are the host's, but the file system that shows them is no sysfs: libudev is told not to look at that
/// (systemd's docs/ENVIRONMENT.md).
const LIBUDEV: (&str, &str) = ("SYSTEMD_DEVICE_VERIFY_SYSFS", "0");

/// The body of the payload's process: waits for the task, and does it. Its exit status is the task's.
pub(super) fn main(worker: &Channel) -> i32 {
    let alone =
        spawn::close_all_but([worker.as_fd(), worker.as_fd()]).and_then(|()| spawn::default_signals());
    let received = alone.and_then(|()| worker.receive::<Task>());
    match received {
        Ok(Some((task, fds))) => perform(&task, fds).unwrap_or_else(|error| told(Err(error))),
        Ok(None) => 0,
        Err(error) => told(Err(error)),
    }
}

/// The descriptors of a task, this process's standard streams apart.
pub(super) struct Streams(std::vec::IntoIter<OwnedFd>);

impl Streams {
    /// Makes the first two this process's standard output and standard error.
    pub(super) fn take(fds: Vec<OwnedFd>) -> io::Result<Streams> {
        let mut fds = fds.into_iter();
        let (Some(stdout), Some(stderr)) = (fds.next(), fds.next()) else {
            return Err(io::Error::other("a task comes with its streams"));
        };
        rustix::stdio::dup2_stdout(stdout)?;
        rustix::stdio::dup2_stderr(stderr)?;
        Ok(Streams(fds))
    }

    /// The next one that the task names.
    pub(super) fn next(&mut self) -> io::Result<File> {
        self.0.next().map(File::from).ok_or_else(|| io::Error::other("this task comes with more"))
    }
}

fn perform(task: &Task, fds: Vec<OwnedFd>) -> io::Result<i32> {
    let mut streams = Streams::take(fds)?;
    Ok(match task {
        Task::Execute(command) => execute(command),
        Task::Attend { command, own_terminal } => {
            attend(streams.next()?, *own_terminal)?;
            execute(command)
        }
        Task::Lay { source } => told(lay::tree(source, "/".as_ref())),
        Task::Render { module, folder, templates } => {
            rendered::all(module, folder, templates, &mut streams.next()?, &mut streams.next()?)
        }
        Task::Fill { command, .. } => {
            rustix::stdio::dup2_stdout(streams.next()?)?;
            execute(command)
        }
    })
}

/// Makes `stdin` this process's, and, where it is a terminal of its own, the one that controls its session.
fn attend(stdin: File, own_terminal: bool) -> io::Result<()> {
    rustix::stdio::dup2_stdin(&stdin)?;
    if own_terminal {
        nix::unistd::setsid()?;
        rustix::process::ioctl_tiocsctty(io::stdin())?;
    }
    Ok(())
}

fn execute(command: &Command) -> i32 {
    let Some((program, arguments)) = command.argv.split_first() else { return CANNOT_EXECUTE };
    let mut environment = command.environment.clone();
    environment.entry(LIBUDEV.0.to_owned()).or_insert_with(|| LIBUDEV.1.to_owned());
    let error = execute::program(program, arguments, &environment, &command.directory);
    told(Err(io::Error::new(error.kind(), format!("cannot execute {program}: {error}")))) | CANNOT_EXECUTE
}

/// The exit status of work done here; a failure is told on the step's own standard error.
pub(super) fn told<E: std::error::Error>(result: Result<(), E>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("disco: {}", chain(error));
            1
        }
    }
}
