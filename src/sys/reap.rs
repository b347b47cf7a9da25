//! What became of children of this process, and what each cost: wait4(2), which neither std nor nix has.
#![allow(unsafe_code)] // one call of wait4(2)

use std::io;
use std::time::Duration;

use crate::model::step::{Cost, Outcome};

/// A child that has ended: its pid, how it ended, what it and the children that it waited for cost.
#[derive(Debug)]
pub struct Ended {
    /// Which child.
    pub pid: i32,
    /// How it ended.
    pub outcome: Outcome,
    /// What it cost, wall time apart (0).
    pub cost: Cost,
}

/// Waits for a child, any with -1. `None` when there is none left.
pub fn wait(pid: i32) -> io::Result<Option<Ended>> {
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are to locals of the right types that outlive the call.
        let got = unsafe { libc::wait4(pid, &raw mut status, libc::__WALL, usage.as_mut_ptr()) };
        if got >= 0 {
            // SAFETY: zeroed is a valid rusage, and the kernel has filled it.
            let usage = unsafe { usage.assume_init() };
            return Ok(Some(Ended { pid: got, outcome: outcome_of(status), cost: cost_of(&usage, Duration::ZERO) }));
        }
        match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::EINTR) => {}
            error if error.raw_os_error() == Some(libc::ECHILD) => return Ok(None),
            error => return Err(error),
        }
    }
}

/// The fields of getrusage(2) as a cost, with the wall time added.
pub fn cost_of(usage: &libc::rusage, wall: Duration) -> Cost {
    let seconds = |t: libc::timeval| Duration::new(t.tv_sec.unsigned_abs(), t.tv_usec as u32 * 1000).as_secs_f64();
    Cost {
        time_real: wall.as_secs_f64(),
        time_user: seconds(usage.ru_utime),
        time_sys: seconds(usage.ru_stime),
        mem_max: usage.ru_maxrss.unsigned_abs(),
        mem_faults_major: usage.ru_majflt.unsigned_abs(),
        mem_faults_minor: usage.ru_minflt.unsigned_abs(),
        io_fsin: usage.ru_inblock.unsigned_abs(),
        io_fsout: usage.ru_oublock.unsigned_abs(),
        switches_voluntary: usage.ru_nvcsw.unsigned_abs(),
        switches_involuntary: usage.ru_nivcsw.unsigned_abs(),
    }
}

fn outcome_of(status: i32) -> Outcome {
    if libc::WIFSIGNALED(status) {
        Outcome::Signaled { signal: libc::WTERMSIG(status) }
    } else {
        match libc::WEXITSTATUS(status) {
            0 => Outcome::Done,
            status => Outcome::Exited { status },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_memory_figure_is_that_of_this_child_alone() {
        let figure = |megabytes: usize| {
            let script = format!("x = b'x' * ({megabytes} << 20)");
            let child = Command::new("python3").args(["-c", &script]).spawn().unwrap();
            wait(child.id() as i32).unwrap().unwrap().cost.mem_max
        };
        let (large, small) = (figure(200), figure(1));
        assert!(large > 200 << 10, "{large} KiB");
        assert!(small < 100 << 10, "{small} KiB, after a child of {large} KiB");
    }

    #[test]
    fn an_ending_is_told_as_it_was() {
        for (script, expected) in [
            ("exit 0", Outcome::Done),
            ("exit 3", Outcome::Exited { status: 3 }),
            ("kill -9 $$", Outcome::Signaled { signal: 9 }),
        ] {
            let child = Command::new("bash").args(["-c", script]).spawn().unwrap();
            assert_eq!(wait(child.id() as i32).unwrap().unwrap().outcome, expected);
        }
    }
}
