//! The lock of live runs on a root.

use std::path::Path;
use std::time::Instant;

use crate::model::names::RunId;
use crate::model::run::Wait;
use crate::sys::clock;
use crate::sys::interrupt::Interrupt;
use crate::sys::lock::{Lock, LockError};

use super::{DanceError, DanceEvent, interrupted};

/// Takes the lock of live runs, or says who has it; with `wait` it waits for whoever has it. Says also what it has waited for.
pub(super) fn take(
    path: &Path,
    wait: bool,
    id: &RunId,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<(Lock, Option<Wait>), DanceError> {
    let holder = format!("run {id}, pid {}, since {}", std::process::id(), clock::now());
    let mut waited: Option<(Instant, String)> = None;
    let mut on_wait = |holder: &str| {
        waited = Some((Instant::now(), holder.to_owned()));
        on_event(DanceEvent::Waiting { holder });
    };
    let wait = wait.then(|| interrupt.flag());
    let taken = Lock::take(path, &holder, wait, &mut on_wait).map_err(|error| match error {
        LockError::Busy { .. } => DanceError::Busy(error),
        LockError::Io { .. } => DanceError::Prepare(error),
        LockError::Interrupted { .. } => interrupted(interrupt, DanceError::Prepare(error)),
    })?;
    let wait = waited.map(|(since, holder)| Wait {
        lock: path.display().to_string(),
        holder: Some(holder).filter(|holder| !holder.is_empty()),
        seconds: since.elapsed().as_secs_f64(),
    });
    Ok((taken, wait))
}
