//! What serving a view costs: the requests that were answered, and the CPU time and the disk of the threads that answered
//! them. Of all that this process does, nothing but these threads counts here.

use crate::Overlay;
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use parking_lot::Mutex;
use std::cell::Cell;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What has been done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Requests that were answered. What the kernel only tells, that it forgets a file, is none.
    pub requests: u64,
    /// The CPU time of the threads that served.
    pub cpu: Duration,
    /// The bytes that they had read from devices; `None` where the kernel does not count that.
    pub read: Option<u64>,
    /// The bytes that they had written, or were going to have written, to devices.
    pub written: Option<u64>,
}

/// The counter, and the threads that serve.
#[derive(Debug, Default)]
pub(crate) struct Served {
    requests: AtomicU64,
    threads: Mutex<Vec<i32>>,
}

thread_local! {
    /// Whether this thread is among those that serve; it serves one view as long as it lives.
    static KNOWN: Cell<bool> = const { Cell::new(false) };
}

impl Served {
    /// A request has come, to this thread.
    pub(crate) fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if !KNOWN.replace(true) {
            self.threads.lock().push(rustix::thread::gettid().as_raw_nonzero().get());
        }
    }
}

impl Overlay {
    /// What serving it has cost so far.
    pub fn work(&self) -> Work {
        let requests = self.served.requests.load(Ordering::Relaxed);
        let mut work = Work { requests, read: Some(0), written: Some(0), ..Work::default() };
        for thread in self.served.threads.lock().iter() {
            work.cpu += cpu(*thread).unwrap_or_default();
            let (read, written) = disk(*thread).unzip();
            work.read = work.read.zip(read).map(|(sum, more)| sum + more);
            work.written = work.written.zip(written).map(|(sum, more)| sum + more);
        }
        work
    }
}

/// The CPU time of a thread of this process; none of one that has ended.
fn cpu(thread: i32) -> Option<Duration> {
    // How the kernel names the clock of a thread (clock_getcpuclockid(3) does it for processes): its number negated, and the
    // kind of clock in the last three bits, a thread's and the scheduler's.
    let clock = ClockId::from_raw((!thread << 3) | 0b110);
    let time = clock_gettime(clock).ok()?;
    u64::try_from(time.num_nanoseconds()).ok().map(Duration::from_nanos)
}

/// The bytes that a thread of this process had read from devices, and written to them.
fn disk(thread: i32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/self/task/{thread}/io")).ok()?;
    let count = |key| text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
    Some((count("read_bytes:")?, count("write_bytes:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_another_thread_is_its_own() {
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let busy = std::thread::spawn(move || {
            let mut number = 0u64;
            while cpu(rustix::thread::gettid().as_raw_nonzero().get()).unwrap() < Duration::from_millis(50) {
                number = std::hint::black_box(number.wrapping_add(1));
            }
            tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
            stopped.recv().unwrap_err();
        });
        let idle = cpu(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
        let thread = told.recv().unwrap();
        assert!(cpu(thread).unwrap() >= Duration::from_millis(50));
        let after = cpu(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
        assert!(after - idle < Duration::from_millis(50), "it has waited");
        drop(stop);
        busy.join().unwrap();
        assert_eq!((cpu(i32::MAX >> 4), disk(i32::MAX >> 4)), (None, None), "no such thread");
    }
}
