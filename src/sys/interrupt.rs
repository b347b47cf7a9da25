//! SIGINT, SIGTERM and SIGHUP, remembered: whoever waits can watch a descriptor, whoever works can ask.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The request to stop, once it has come.
#[derive(Debug)]
pub struct Interrupt {
    flag: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
    woken: UnixStream,
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
        Ok(Interrupt { flag, signal, woken })
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
