//! The first process of a task's pid namespace: raises the walls that each task has of its own, starts the payload,
//! waits for everything, and reports what it all cost. What the payload leaves running ends with it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::model::step::{Cost, Outcome};
use crate::sandbox::inside::{chain, walls};
use crate::sandbox::protocol::{Command, Task, TaskEnd};
use crate::sys::channel::Channel;
use crate::sys::wait::Seen;
use crate::sys::{crowd, execute, files, lay, namespace, seccomp, spawn, wait};

/// Status of a payload that could not execute its program, as shells have it.
const CANNOT_EXECUTE: i32 = 127;

/// How often a payload's processes are counted.
const TICK: Duration = Duration::from_millis(200);

/// The body of the first process; its exit status only says whether the report was sent.
pub fn main(task: &Task, fds: Vec<OwnedFd>, most: u32, reporter: Channel) -> i32 {
    let report = prepare(fds, most).map_err(chain).and_then(|spool| work(task, spool, most).map_err(chain));
    i32::from(reporter.send(&report, &[]).is_err())
}

/// Raises this task's walls, and makes its streams this process's own. Returns the descriptors beyond them.
fn prepare(fds: Vec<OwnedFd>, most: u32) -> io::Result<Option<File>> {
    namespace::die_with_parent().map_err(io::Error::other)?;
    wait::keep_ends()?;
    nix::unistd::setsid()?;
    walls::raise_for_task(most).map_err(io::Error::other)?;
    let mut fds = fds.into_iter();
    let (Some(stdout), Some(stderr)) = (fds.next(), fds.next()) else {
        return Err(io::Error::other("a task comes with its streams"));
    };
    rustix::stdio::dup2_stdin(files::open_system("/dev/null", false)?)?;
    rustix::stdio::dup2_stdout(stdout)?;
    rustix::stdio::dup2_stderr(stderr)?;
    namespace::forbid_core_dumps().map_err(io::Error::other)?;
    seccomp::restrict()?;
    namespace::drop_capabilities().map_err(io::Error::other)?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    Ok(fds.next().map(File::from))
}

/// Does the work of the task.
fn work(task: &Task, spool: Option<File>, most: u32) -> io::Result<TaskEnd> {
    let needs_spool = || io::Error::other("this task comes with a third descriptor");
    match task {
        Task::Execute(command) => payload(most, || execute(command)),
        Task::Attend { command, own_terminal } => {
            let stdin = spool.ok_or_else(needs_spool)?;
            payload(most, || match attend(stdin, *own_terminal) {
                Ok(()) => execute(command),
                Err(error) => told(Err(error)),
            })
        }
        Task::Lay { source } => payload(most, || told(lay::tree(source, "/".as_ref()))),
        Task::Write { target, mode } => {
            let mut spool = spool.ok_or_else(needs_spool)?;
            payload(most, || told(lay::file(&mut spool, target, *mode)))
        }
        Task::Fill { command, target, mode } => {
            let mut spool = spool.ok_or_else(needs_spool)?;
            let filled = payload(most, || match rustix::stdio::dup2_stdout(&spool) {
                Ok(()) => execute(command),
                Err(error) => told(Err(error)),
            })?;
            if !filled.outcome.is_done() {
                return Ok(filled);
            }
            let written = payload(most, || told(lay::file(&mut spool, target, *mode)))?;
            Ok(TaskEnd { outcome: written.outcome, cost: filled.cost.with(written.cost) })
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
fn told<E: std::error::Error>(result: Result<(), E>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("disco: {}", chain(error));
            1
        }
    }
}
