//! Asks for a lock until it is had, or the time is up, or somebody asks to stop.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use disco_dlm::native::ask::Release;
use disco_dlm::native::say::RefusalSaid;

use crate::lock::{Acquired, Held, Server, ServerError, Wire};
use crate::sys::clock;
use crate::sys::http::Trouble;
use crate::sys::interrupt::Interrupt;

/// How long one question may wait on the server, in seconds.
const POLL: u64 = 25;
/// The longest pause between two questions.
const PAUSE: u64 = 60;
/// How often a question whose outcome is not known is put again by somebody who does not wait.
const AGAIN: u32 = 2;

/// How long somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// So long; not at all with zero.
    For(Duration),
    /// Until it is had.
    Forever,
}

impl Patience {
    /// What is left of it.
    pub(super) fn rest(self, since: Instant) -> Patience {
        match self {
            Patience::For(time) => Patience::For(time.saturating_sub(since.elapsed())),
            Patience::Forever => Patience::Forever,
        }
    }

    /// What is left of it, in whole seconds.
    pub(super) fn left(self, since: Instant) -> u64 {
        match self {
            Patience::For(time) => time.saturating_sub(since.elapsed()).as_secs_f64().ceil() as u64,
            Patience::Forever => u64::MAX,
        }
    }
}

/// What somebody who waits is told, again and again.
#[derive(Debug)]
pub enum Waiting<'a> {
    /// It was refused, and is asked for again.
    Refused(&'a RefusalSaid),
    /// The server did not answer, and is asked again.
    Absent(&'a ServerError),
    /// Another process of this node works under it.
    Here(&'a Held),
}

/// Acquires the lock. A refusal is what the server said last. On a signal the wait is given up, and what may have been granted
/// meanwhile is given back.
pub fn acquire(
    server: &Server,
    name: &str,
    note: &str,
    patience: Patience,
    interrupt: &Interrupt,
    on_wait: &mut dyn FnMut(Waiting<'_>),
) -> Result<Acquired, ServerError> {
    let began = Instant::now();
    let mut failures = 0;
    loop {
        if let Some(signal) = interrupt.signal() {
            return Err(left(server, name, signal));
        }
        let left_over = patience.left(began);
        let wait = left_over.min(POLL);
        let asked = Instant::now();
        let pause = match server.acquire(name, note, wait, Some(interrupt.flag())) {
            Ok(Acquired::Granted(grant)) => return Ok(Acquired::Granted(grant)),
            Ok(Acquired::Refused(refusal)) => {
                failures = 0;
                let Some(after) = refusal.retry_after.filter(|_| left_over > 0) else {
                    return Ok(Acquired::Refused(refusal));
                };
                on_wait(Waiting::Refused(&refusal));
                // It has waited itself, or cannot.
                let waited = asked.elapsed() >= Duration::from_secs(wait.saturating_sub(1).max(1));
                if waited && server.wire()? == Wire::Native { 0 } else { after.clamp(1, PAUSE) }
            }
            Err(ServerError::Trouble { source, .. }) if matches!(*source, Trouble::Stopped) => continue,
            Err(error) if error.passes() => {
                failures += 1;
                let again = match patience {
                    Patience::For(Duration::ZERO) => failures <= AGAIN && may_have_reached(&error),
                    Patience::For(_) => left_over > 0,
                    Patience::Forever => true,
                };
                if !again {
                    return Err(error);
                }
                on_wait(Waiting::Absent(&error));
                if patience == Patience::For(Duration::ZERO) { 1 } else { (1 << failures.min(4)).min(15) }
            }
            Err(error) => return Err(error),
        };
        let left_over = if patience == Patience::For(Duration::ZERO) { pause } else { patience.left(began) };
        // Not all of those who wait at the same moment.
        let jitter = fastrand::u64(0..=pause * 100);
        rest(Duration::from_millis((pause * 1000 + jitter).min(left_over.saturating_mul(1000))), interrupt);
    }
}

/// Whether the server may have done what it was asked, although it did not say so.
pub fn may_have_reached(error: &ServerError) -> bool {
    match error {
        ServerError::Unavailable { .. } => true,
        ServerError::Trouble { source, .. } => matches!(**source, Trouble::Lost(_) | Trouble::Timeout),
        _ => false,
    }
}

/// Waits so long, or until somebody asks to stop.
pub fn rest(time: Duration, interrupt: &Interrupt) {
    let until = Instant::now() + time;
    while Instant::now() < until && !interrupt.flag().load(Ordering::SeqCst) {
        clock::pause();
    }
}

/// Gives back what may have been granted while we stopped to wait.
fn left(server: &Server, name: &str, signal: i32) -> ServerError {
    // Whoever does not hold it is told so, and that is just as well; and who cannot be asked cannot have granted it since.
    let _ = server.release(name, &Release::default());
    ServerError::Interrupted(signal)
}
