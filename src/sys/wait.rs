//! A child's end and its own cost, by wait4(2), and the tie between its life and ours. Not the running of it: [`crate::sys::process`].
//!
//! The totals of getrusage(2) for all children cannot say what one child cost (their largest resident set never goes
//! down), and nix has no wait4: so this file asks for `unsafe`.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};

use crate::model::step::{Cost, Outcome};

/// A child that has ended.
#[derive(Debug)]
pub struct Waited {
    /// Which.
    pub pid: i32,
    /// How it ended.
    pub outcome: Outcome,
    /// What it and the children that it waited for cost; no wall time.
    pub cost: Cost,
}

/// Waits for that child (any child with -1) and takes it from the process table; `None` where there is none such.
///
/// `ru_maxrss` counts the moment between fork and exec, when the child still holds our pages: small children show our size.
pub fn wait(pid: i32) -> io::Result<Option<Waited>> {
    let mut status = 0;
    // SAFETY: `rusage` is a struct of integers, for which all zeros is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to locals that outlive the call; the kernel writes within them.
        let waited = unsafe { libc::wait4(pid, &mut status, libc::__WALL, &mut usage) };
        if waited > 0 {
            let (outcome, cost) = (outcome_from(status), cost_from(&usage, Duration::ZERO));
            return Ok(Some(Waited { pid: waited, outcome, cost }));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::ECHILD) => return Ok(None),
            _ => return Err(error),
        }
    }
}

/// What a wait with an end has seen.
#[derive(Debug)]
pub enum Seen {
    /// A child has ended.
    Ended(Waited),
    /// The time is up.
    Nothing,
    /// There is no child.
    NoChild,
}

/// Keeps the signal of a child's end for [`wait_within`] to take; to be called before the first child is made.
pub fn keep_ends() -> io::Result<()> {
    let mut ends = SigSet::empty();
    ends.add(Signal::SIGCHLD);
    Ok(ends.thread_block()?)
}

/// Waits for any child, but not longer than that.
pub fn wait_within(time: Duration) -> io::Result<Seen> {
    let mut waited = false;
    loop {
        let mut status = 0;
        // SAFETY: `rusage` is a struct of integers, for which all zeros is a value.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are to locals that outlive the call; the kernel writes within them.
        let pid = unsafe { libc::wait4(-1, &mut status, libc::__WALL | libc::WNOHANG, &mut usage) };
        match pid {
            0 if waited => return Ok(Seen::Nothing),
            0 => waited = await_end(time)?,
            -1 => {
                let error = io::Error::last_os_error();
                match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    Some(libc::ECHILD) => return Ok(Seen::NoChild),
                    _ => return Err(error),
                }
            }
            pid => {
                let cost = cost_from(&usage, Duration::ZERO);
                return Ok(Seen::Ended(Waited { pid, outcome: outcome_from(status), cost }));
            }
        }
    }
}

/// Waits for the signal of a child's end; whether the time is up.
fn await_end(time: Duration) -> io::Result<bool> {
    let mut ends = SigSet::empty();
    ends.add(Signal::SIGCHLD);
    let time = libc::timespec { tv_sec: time.as_secs() as libc::time_t, tv_nsec: time.subsec_nanos().into() };
    // SAFETY: both pointers are to locals that outlive the call, and no information is asked for.
    match unsafe { libc::sigtimedwait(ends.as_ref(), std::ptr::null_mut(), &time) } {
        -1 => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::EAGAIN) => Ok(true),
            error if error.raw_os_error() == Some(libc::EINTR) => Ok(false),
            error => Err(error),
        },
        _ => Ok(false),
    }
}

/// Waits for that child: how it ended, and what it cost since it was `started`.
pub fn wait_for(pid: i32, started: Instant) -> io::Result<(Outcome, Cost)> {
    match wait(pid)? {
        Some(Waited { outcome, cost, .. }) => {
            Ok((outcome, Cost { time_real: started.elapsed().as_secs_f64(), ..cost }))
        }
        None => Err(io::Error::from_raw_os_error(libc::ECHILD)),
    }
}

/// The cost that `usage` and the wall time state.
pub fn cost_from(usage: &libc::rusage, wall: Duration) -> Cost {
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let count = |number: libc::c_long| u64::try_from(number).unwrap_or(0);
    Cost {
        time_real: wall.as_secs_f64(),
        time_user: seconds(usage.ru_utime),
        time_sys: seconds(usage.ru_stime),
        mem_max: count(usage.ru_maxrss),
        mem_faults_major: count(usage.ru_majflt),
        mem_faults_minor: count(usage.ru_minflt),
        io_fsin: count(usage.ru_inblock),
        io_fsout: count(usage.ru_oublock),
        switches_voluntary: count(usage.ru_nvcsw),
        switches_involuntary: count(usage.ru_nivcsw),
    }
}

/// The outcome that a wait status states.
pub fn outcome_from(status: i32) -> Outcome {
    if libc::WIFSIGNALED(status) {
        return Outcome::Signaled { signal: libc::WTERMSIG(status) };
    }
    match libc::WEXITSTATUS(status) {
        0 => Outcome::Done,
        status => Outcome::Exited { status },
    }
}

/// Makes the child the head of a session of its own (no terminal, so that nothing in it can stop to ask), killed when the
/// thread that started it ends.
pub fn bind_to_us(command: &mut Command) {
    bind(command, libc::SIGKILL);
}

/// The same, and it is asked to end (SIGTERM) instead of being killed.
pub fn bind_gently(command: &mut Command) {
    bind(command, libc::SIGTERM);
}

fn bind(command: &mut Command, signal: i32) {
    let parent = std::process::id();
    let in_child = move || {
        // SAFETY: setsid, prctl, getppid and raise are async-signal-safe, touch no memory of ours and take plain numbers.
        unsafe {
            if libc::setsid() == -1 || libc::prctl(libc::PR_SET_PDEATHSIG, signal) == -1 {
                return Err(io::Error::last_os_error());
            }
            // Had we ended before the prctl, no signal would come any more.
            if libc::getppid() as u32 != parent {
                libc::raise(signal);
            }
        }
        Ok(())
    };
    // SAFETY: `in_child` only makes the calls above: no allocation, no lock.
    unsafe { command.pre_exec(in_child) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_figure_goes_down_again() {
        let figure = |megabytes: usize| {
            let script = format!("x = b'x' * ({megabytes} << 20)");
            #[allow(clippy::zombie_processes, reason = "wait4 is what is tested")]
            let child = Command::new("python3").args(["-c", &script]).spawn().unwrap();
            wait(child.id() as i32).unwrap().unwrap().cost.mem_max
        };
        let (large, small) = (figure(200), figure(1));
        assert!(large > 200 << 10, "{large} KiB");
        assert!(small < 100 << 10, "{small} KiB, after a child of {large} KiB");
    }

    #[test]
    fn the_cost_is_that_of_the_child_alone() {
        let run = |script: &str| {
            let started = Instant::now();
            #[allow(clippy::zombie_processes, reason = "wait4 is what is tested")]
            let child = Command::new("sh").args(["-c", script]).spawn().unwrap();
            wait_for(child.id() as i32, started).unwrap()
        };
        let (outcome, busy) = run("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 3");
        assert_eq!(outcome, Outcome::Exited { status: 3 });
        assert!(
            busy.time_user > 0.0 && busy.time_real >= busy.time_user / 2.0 && busy.mem_max > 0,
            "{busy:?}"
        );
        let (outcome, idle) = run("kill -TERM $$");
        assert_eq!(outcome, Outcome::Signaled { signal: libc::SIGTERM });
        assert!(idle.time_user < busy.time_user, "{idle:?} {busy:?}");
        assert!(wait_for(1, Instant::now()).is_err(), "not a child of ours");
    }
}
