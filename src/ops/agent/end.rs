//! The end of all that others have asked for, where the agent is to go: for when no helper is at work. docs/agent.md has what an abort is.

use std::path::Path;

use disco_agent::runs::{RunState, State, TriggerId};

use super::runner::now;
use super::settle::settle;
use super::store::Store;
use super::{AgentError, Exit};

/// Aborts what is under way, and what waits, and waits until all of it has ended: what has begun to merge goes on to its end. Returns how
/// each has ended.
pub fn end_all(
    home: &Path,
    exit: Exit,
    by: &str,
    on_wait: &mut dyn FnMut(&TriggerId),
) -> Result<Vec<RunState>, AgentError> {
    if !Store::is_there(home)? {
        return Ok(vec![]);
    }
    let store = Store::open(home)?;
    // Whoever is at work would begin what waits.
    let _lock = store.take_helper_lock()?;
    let mut ended = Vec::new();
    // What cannot be read is not known to be under way; the next helper says that it is damaged.
    for mut kept in store.all()?.0.into_iter().filter(|kept| !kept.run.state.is_end()) {
        let id = kept.run.id.clone();
        if kept.run.state == State::Queued && !store.has_runner(&id) {
            kept.run.state = State::Aborted { by: by.to_owned() };
            kept.run.ended = Some(now());
            store.save(&kept)?;
        } else {
            store.abort(&id, by)?;
            on_wait(&id);
            // Where the runner was killed it has not written the end.
            if let Some(end) = settle(home, exit, &store, &id, None)? {
                store.save(&end)?;
            }
        }
        ended.extend(store.load(&id)?.map(|kept| kept.run));
    }
    Ok(ended)
}
