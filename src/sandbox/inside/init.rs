//! The first process of a task's pid namespace: raises the walls that each task has of its own, starts the payload,
//! waits for everything, and reports what it all cost. What the payload leaves running ends with it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::model::step::{Cost, Outcome};
use crate::sandbox::inside::{chain, rendered, walls};
use crate::sandbox::protocol::{Command, Task, TaskEnd};
use crate::sys::channel::Channel;
use crate::sys::clock::Meter;
use crate::sys::wait::Seen;
use crate::sys::{crowd, execute, files, lay, namespace, seccomp, spawn, wait};

/// Status of a payload that could not execute its program, as shells have it.
const CANNOT_EXECUTE: i32 = 127;

/// How often a payload's processes are counted.
const TICK: Duration = Duration::from_millis(200);

/// What the first process says of its task: how it ended, or why it could not be started.
pub type Report = Result<TaskEnd, String>;

/// The body of the first process; its exit status only says whether the report was sent. Walls first: the task may be
/// long in coming. Without a task it ends. `most` is how many processes the task may have at once.
pub fn main(channel: Channel, most: u32) -> i32 {
    // First, so that the end of the process that started this one is noticed, should it come before the walls.
    let walls = spawn::close_all_but(channel.as_fd()).and_then(|()| raise(most)).map_err(chain);
    let report = match channel.receive::<Task>() {
        Ok(Some((task, fds))) => walls.and_then(|()| begin(&task, fds, most).map_err(chain)),
        Ok(None) => return 0,
        Err(error) => Err(chain(error)),
    };
    i32::from(channel.send(&report, &[]).is_err())
}

/// Raises the walls that each task has of its own.
fn raise(most: u32) -> io::Result<()> {
    namespace::die_with_parent().map_err(io::Error::other)?;
    wait::keep_ends()?;
    nix::unistd::setsid()?;
    // So far it is the channel to the supervisor.
    rustix::stdio::dup2_stdin(files::open_system("/dev/null", false)?)?;
    walls::raise_for_task(most).map_err(io::Error::other)?;
    namespace::forbid_core_dumps().map_err(io::Error::other)?;
    seccomp::restrict()?;
    namespace::drop_capabilities().map_err(io::Error::other)?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    Ok(())
}

/// Makes the task's streams this process's own, and does its work.
fn begin(task: &Task, fds: Vec<OwnedFd>, most: u32) -> io::Result<TaskEnd> {
    let mut fds = fds.into_iter();
    let (Some(stdout), Some(stderr)) = (fds.next(), fds.next()) else {
        return Err(io::Error::other("a task comes with its streams"));
    };
    rustix::stdio::dup2_stdout(stdout)?;
    rustix::stdio::dup2_stderr(stderr)?;
    let mut next = || fds.next().map(File::from).ok_or_else(|| io::Error::other("this task comes with more"));
    match task {
        Task::Execute(command) => payload(most, || execute(command)),
        Task::Attend { command, own_terminal } => {
            let stdin = next()?;
            payload(most, || match attend(stdin, *own_terminal) {
                Ok(()) => execute(command),
                Err(error) => told(Err(error)),
            })
        }
        Task::Lay { source } => payload(most, || told(lay::tree(source, "/".as_ref()))),
        Task::Render { module, folder, templates } => {
            let (mut values, mut ends) = (next()?, next()?);
            payload(most, || rendered::all(module, folder, templates, &mut values, &mut ends))
        }
        Task::Fill { command, target, mode } => {
            let mut spool = next()?;
            let filled = payload(most, || match rustix::stdio::dup2_stdout(&spool) {
                Ok(()) => execute(command),
                Err(error) => told(Err(error)),
            })?;
            if !filled.outcome.is_done() {
                return Ok(filled);
            }
            // Nothing but this process is left here, so that it can write without a child.
            let meter = Meter::start();
            let outcome = exited(told(lay::file(&mut spool, target, *mode)));
            Ok(TaskEnd { outcome, cost: filled.cost.with(meter.stop()) })
        }
    }
}

/// Runs `body` in a child, waits for it, ends everything else in this namespace, and adds up what all of them cost. With
/// more than `most` processes at once it has failed, and is ended too.
fn payload(most: u32, body: impl FnOnce() -> i32) -> io::Result<TaskEnd> {
    let child = spawn::fork(|| match spawn::default_signals() {
        Ok(()) => body(),
        Err(error) => told(Err(error)),
    })?;
    let mut cost = Cost::default();
    let mut counted = Instant::now();
    let outcome = loop {
        match wait::wait_within(TICK)? {
            Seen::Ended(ended) => {
                cost = cost.with(ended.cost);
                if ended.pid == child {
                    break ended.outcome;
                }
            }
            Seen::Nothing => {}
            Seen::NoChild => return Err(io::Error::other("the payload is lost")),
        }
        if counted.elapsed() >= TICK {
            // Where there is no /proc to count in, time is its only limit.
            if crowd::count().is_ok_and(|count| count > most as usize) {
                let reason =
                    format!("more than {most} processes at once (setting client/step_processes), ended");
                break Outcome::Failed { reason };
            }
            counted = Instant::now();
        }
    };
    // -1 is everything in this pid namespace but this process; ESRCH says that nothing is left.
    match kill(Pid::from_raw(-1), Signal::SIGKILL) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
        Err(errno) => return Err(errno.into()),
    }
    while let Some(ended) = wait::wait(-1)? {
        cost = cost.with(ended.cost);
    }
    Ok(TaskEnd { outcome, cost })
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
    let error = execute::program(program, arguments, &command.environment, &command.directory);
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

/// An exit status as an outcome.
pub(super) fn exited(status: i32) -> Outcome {
    match status {
        0 => Outcome::Done,
        status => Outcome::Exited { status },
    }
}
