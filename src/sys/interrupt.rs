//! SIGINT, SIGTERM and SIGHUP, remembered: whoever waits can watch a descriptor, whoever works can ask. Or the same request
//! for one piece of work, made by hand.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The request to stop, once it has come.
#[derive(Debug)]
pub struct Interrupt {
    flag: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
    woken: UnixStream,
    waker: UnixStream,
}

/// Whoever holds this may ask one piece of work to stop.
#[derive(Debug)]
pub struct Stopper {
    flag: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
    waker: UnixStream,
}

impl Stopper {
    /// Asks, as if that signal had come. Only the first request counts.
    pub fn stop(&self, signal: i32) {
        let signal = signal.unsigned_abs() as usize;
        // A request that was made already stays what it was.
        let _ = self.signal.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
        self.flag.store(true, Ordering::SeqCst);
        // It fails only when the work has ended.
        let _ = self.waker.shutdown(std::net::Shutdown::Write);
    }
}

impl Interrupt {
    /// From now on the signals are remembered instead of ending this process.
    pub fn watch() -> io::Result<Interrupt> {
        let (woken, waker) = UnixStream::pair()?;
        let (flag, signal) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register_usize(number, signal.clone(), number.unsigned_abs() as usize)?;
            signal_hook::flag::register(number, flag.clone())?;
            signal_hook::low_level::pipe::register(number, waker.try_clone()?)?;
        }
        Ok(Interrupt { flag, signal, woken, waker })
    }

    /// A request that no signal makes, but whoever holds the stopper.
    pub fn by_hand() -> io::Result<(Interrupt, Stopper)> {
        let (woken, waker) = UnixStream::pair()?;
        let (flag, signal) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let interrupt = Interrupt { flag, signal, woken, waker };
        let stopper = interrupt.stopper()?;
        Ok((interrupt, stopper))
    }

    /// Whoever holds it may make the request too.
    fn stopper(&self) -> io::Result<Stopper> {
        Ok(Stopper { flag: self.flag.clone(), signal: self.signal.clone(), waker: self.waker.try_clone()? })
    }

    /// After that time the request is made by itself, as if that signal had come; unless another one has come before.
    pub fn after(&self, time: Duration, signal: i32) -> io::Result<()> {
        let stopper = self.stopper()?;
        let wait = move || {
            std::thread::sleep(time);
            stopper.stop(signal);
        };
        // It ends with the process.
        std::thread::Builder::new().name("time limit".to_owned()).spawn(wait).map(drop)
    }

    /// The signal that came, if one did.
    pub fn signal(&self) -> Option<i32> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            number => i32::try_from(number).ok(),
        }
    }

    /// The same flag, for somebody who outlives us.
    pub fn shared_flag(&self) -> Arc<AtomicBool> {
        self.flag.clone()
    }

    /// Becomes true when a signal comes.
    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }
}

impl AsFd for Interrupt {
    /// Readable once a signal has come; never read from.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }
}

/// Ends this process by that signal, as whoever sent it expects to see.
pub fn end_by(signal: i32) -> io::Result<()> {
    signal_hook::low_level::emulate_default_handler(signal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    #[test]
    fn the_first_request_by_hand_counts_and_wakes() {
        let (interrupt, stopper) = Interrupt::by_hand().unwrap();
        let woken = || {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            poll(&mut [PollFd::new(&interrupt, PollFlags::IN)], Some(&now)).unwrap() == 1
        };
        assert!(!woken() && interrupt.signal().is_none());
        stopper.stop(SIGTERM);
        stopper.stop(SIGHUP);
        assert!(woken() && interrupt.flag().load(Ordering::SeqCst));
        assert_eq!(interrupt.signal(), Some(SIGTERM));
    }

    #[test]
    fn a_request_makes_itself_when_the_time_is_up() {
        let (interrupt, _stopper) = Interrupt::by_hand().unwrap();
        interrupt.after(Duration::from_millis(20), 14).unwrap();
        assert_eq!(interrupt.signal(), None);
        poll(&mut [PollFd::new(&interrupt, PollFlags::IN)], None).unwrap();
        assert_eq!(interrupt.signal(), Some(14));
    }
}
