//! How a run ended where its runner has not written it: it was killed, or found no room.

use std::path::Path;

use disco_agent::runs::queue::Kept;
use disco_agent::runs::{RunState, State, TriggerId};

use crate::model::names::RunId;
use crate::model::run::RunOutcome;
use crate::runs::Runs;
use crate::sys::attend::Attended;
use crate::sys::lock::Lock;

use super::runner::now;
use super::store::Store;
use super::{AgentError, Exit, process};

/// Waits until a run's runner and its dance have ended. Returns how the run ended, which is to be kept; `None` where its runner has
/// written that.
pub(super) fn settle(
    home: &Path,
    exit: Exit,
    store: &Store,
    id: &TriggerId,
    runner: Option<Attended>,
) -> Result<Option<Kept>, AgentError> {
    Lock::wait_until_free(&store.lock(id)).map_err(AgentError::Lock)?;
    if let Some(runner) = runner {
        // It has given up its lock by ending.
        process("wait for the runner of the run", runner.wait())?;
    }
    let has_ended = |kept: &Kept| kept.run.state.is_end();
    if store.load(id)?.is_some_and(|kept| has_ended(&kept)) {
        return Ok(None);
    }
    if let Some(dance) = store.dance(id)? {
        process("wait for the dance", dance.wait())?;
    }
    let Some(mut kept) = store.load(id)?.filter(|kept| !has_ended(kept)) else { return Ok(None) };
    kept.run.state = told_by_record(home, exit, &kept.run).unwrap_or(State::Lost);
    kept.run.ended = Some(now());
    Ok(Some(kept))
}

/// How a run ended by the record that it has left; `None` where that does not say.
fn told_by_record(home: &Path, exit: Exit, run: &RunState) -> Option<State> {
    let id = RunId::new(run.run.clone()?).ok()?;
    let record = Runs::new(home).load(&id).ok()?;
    match record.outcome {
        RunOutcome::Unfinished => None,
        RunOutcome::Interrupted { signal } => Some(State::Killed { signal }),
        _ => u8::try_from(exit(&record)).ok().map(|exit| State::Done { exit }),
    }
}
