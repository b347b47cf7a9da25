//! The lock of live runs on a root.

use std::path::Path;

use crate::model::names::RunId;
use crate::sys::clock;
use crate::sys::interrupt::Interrupt;
use crate::sys::lock::{Lock, LockError};

use super::{DanceError, DanceEvent, interrupted};

/// Takes the lock of live runs, or says who has it; with `wait` it waits for whoever has it.
pub(super) fn take(
    path: &Path,
    wait: bool,
    id: &RunId,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<Lock, DanceError> {
    let holder = format!("run {id}, pid {}, since {}", std::process::id(), clock::now());
    let mut on_wait = |holder: &str| on_event(DanceEvent::Waiting { holder });
    let wait = wait.then(|| interrupt.flag());
    Lock::take(path, &holder, wait, &mut on_wait).map_err(|error| match error {
        LockError::Busy { .. } => DanceError::Busy(error),
        LockError::Io { .. } => DanceError::Prepare(error),
        LockError::Interrupted { .. } => interrupted(interrupt, DanceError::Prepare(error)),
    })
}
