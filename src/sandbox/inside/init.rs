//! The first process of a task's pid namespace: raises the walls that each task has of its own, starts the payload's
//! process, waits for everything, and reports what it all cost. What the payload leaves running ends with it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::model::step::{Cost, Outcome};
use crate::sandbox::inside::payload::{self, Streams, told};
use crate::sandbox::inside::{chain, walls};
use crate::sandbox::limits;
use crate::sandbox::protocol::{Counted, Task, TaskEnd};
use crate::sys::channel::Channel;
use crate::sys::clock::Meter;
use crate::sys::seccomp::Reporter;
use crate::sys::wait::Seen;
use crate::sys::{cgroup, crowd, files, lay, namespace, seccomp, spawn, wait};

/// How often a payload's processes are counted.
const TICK: Duration = Duration::from_millis(200);

/// What the first process says of its task: how it ended, or why it could not be started.
pub type Report = Result<TaskEnd, String>;

/// What it says first: that its walls are up, or why they are not.
pub type Raised = Result<Walled, String>;

/// A first process whose walls are up.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Walled {
    /// Its descriptor of the listener of its system calls, where it could have one. It is fetched: to send it would be such a
    /// call.
    pub listener: Option<i32>,
    /// Whether it is in control groups of its task's own.
    pub grouped: bool,
}

/// What every task of a sandbox is held to.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// What it may have at once.
    pub most: Counted,
    /// The number above which its processes are, where one could be chosen.
    pub pids_above: Option<u32>,
}

/// The body of the first process; its exit status only says whether the report was sent. Walls and the payload's process
/// first: the task may be long in coming, on `channel` to this process and on `worker` to the payload's. Without a task it
/// ends.
pub fn main(channel: Channel, worker: Channel, bounds: Bounds, doors: Vec<OwnedFd>) -> i32 {
    // Before anything is closed, the doors too. In other groups its task would be as well, but nobody could tell them apart.
    let grouped = !doors.is_empty() && cgroup::of_step::enter(&doors).is_ok();
    drop(doors);
    // Before all else, so that the end of the process that started this one is noticed, should it come before the walls.
    let closed = spawn::close_all_but([channel.as_fd(), worker.as_fd()]);
    let reporter = closed.and_then(|()| raise(bounds)).map_err(chain);
    let raised: Raised = reporter.as_ref().map_err(String::clone).map(|reporter| match reporter {
        Reporter::Listener(listener) => Walled { listener: Some(listener.as_raw_fd()), grouped },
        Reporter::Nobody => Walled { listener: None, grouped },
    });
    if channel.send(&raised, &[]).is_err() || raised.is_err() {
        return 1;
    }
    let payload = spawn::fork(|| payload::main(&worker));
    let task = channel.receive::<Task>();
    // With the task it was fetched. From here on nobody here can answer for whoever should.
    drop(reporter);
    let report = match task {
        Ok(Some((task, fds))) => {
            payload.and_then(|child| see_to(&task, fds, child, bounds.most)).map_err(chain)
        }
        Ok(None) => return 0,
        Err(error) => Err(chain(error)),
    };
    i32::from(channel.send(&report, &[]).is_err())
}

/// Raises the walls that each task has of its own.
fn raise(bounds: Bounds) -> io::Result<Reporter> {
    namespace::die_with_parent().map_err(io::Error::other)?;
    wait::keep_ends()?;
    nix::unistd::setsid()?;
    // So far it is the channel to the supervisor.
    rustix::stdio::dup2_stdin(files::open_system("/dev/null", false)?)?;
    walls::raise_for_task(bounds.pids_above).map_err(io::Error::other)?;
    namespace::outlive_nobody();
    namespace::forbid_core_dumps().map_err(io::Error::other)?;
    let reporter = seccomp::restrict()?;
    namespace::drop_capabilities().map_err(io::Error::other)?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    Ok(reporter)
}

/// Waits for the payload, and does what is left to do after it.
fn see_to(task: &Task, fds: Vec<OwnedFd>, child: i32, most: Counted) -> io::Result<TaskEnd> {
    let end = wait_for(child, most)?;
    let Task::Fill { target, mode, .. } = task else { return Ok(end) };
    if !end.outcome.is_done() {
        return Ok(end);
    }
    // Nothing but this process is left here, so that it can write without a child.
    let meter = Meter::start();
    let mut streams = Streams::take(fds)?;
    let outcome = exited(told(lay::file(&mut streams.next()?, target, *mode)));
    Ok(TaskEnd { outcome, cost: end.cost.with(meter.stop()) })
}

/// Waits for the payload, ends everything else in this namespace, and adds up what all of them cost. With more than `most`
/// at once it has failed, and is ended too.
fn wait_for(child: i32, most: Counted) -> io::Result<TaskEnd> {
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
            if let Some(reason) = beyond(most) {
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

/// Which limit the processes here are beyond, as a reason. Where there is no /proc to count in, time is the only one.
fn beyond(most: Counted) -> Option<String> {
    let Counted { processes, memory } = most;
    if crowd::count().is_ok_and(|count| count > processes as usize) {
        return Some(format!(
            "more than {processes} processes at once (setting client/step_processes), ended"
        ));
    }
    memory.filter(|most| crowd::has_more_memory(*most)).map(limits::out_of_memory)
}

/// An exit status as an outcome.
pub(super) fn exited(status: i32) -> Outcome {
    match status {
        0 => Outcome::Done,
        status => Outcome::Exited { status },
    }
}
