//! What was asked for and goes on, or waits, whether a helper is at work or not: by the files that runs leave.

use std::path::Path;

use disco_agent::runs::{RunState, State};

use super::AgentError;
use super::store::Store;

/// All runs, the newest first, those apart that nobody is at and that have no end: how they ended the next helper finds out.
pub fn runs(home: &Path) -> Result<Vec<RunState>, AgentError> {
    if !Store::is_there(home)? {
        return Ok(vec![]);
    }
    let store = Store::open(home)?;
    let mut runs = vec![];
    // What is damaged is the helper's to tell.
    for mut run in store.all()?.0.into_iter().map(|kept| kept.run) {
        // One that has begun has no file that says so yet.
        let lives = !run.state.is_end()
            && (store.has_runner(&run.id) || store.dance(&run.id)?.is_some_and(|dance| dance.is()));
        match (&run.state, lives) {
            (State::Queued, true) => run.state = State::Running,
            (State::Running, false) => continue,
            (State::Queued, false) | (State::Running, true) => {}
            (State::Done { .. } | State::Killed { .. } | State::Aborted { .. } | State::Lost, _) => {}
        }
        runs.push(run);
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use disco_agent::runs::TriggerId;
    use disco_agent::runs::queue::{Kept, SCHEMA};

    #[test]
    fn one_that_somebody_is_at_runs_whatever_its_file_says() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(runs(home.path()).unwrap(), []);
        let store = Store::open(home.path()).unwrap();
        let id = |number| TriggerId::of([number; 16]);
        let states = [State::Queued, State::Queued, State::Running, State::Running, State::Lost];
        for (number, state) in (1..).zip(states) {
            let (asked, by) = (i64::from(number), vec!["ci".to_owned()]);
            let (noop, modules) = (true, vec![]);
            let run = RunState {
                id: id(number),
                noop,
                modules,
                by,
                state,
                asked,
                began: None,
                ended: None,
                run: None,
            };
            store.save(&Kept { schema: SCHEMA, run, keys: vec![] }).unwrap();
        }
        let _begun = [2, 4].map(|number| store.take_lock(&id(number)).unwrap());
        let found: Vec<_> =
            runs(home.path()).unwrap().into_iter().map(|run| (run.asked, run.state)).collect();
        let wanted = [(5, State::Lost), (4, State::Running), (2, State::Running), (1, State::Queued)];
        assert_eq!(found, wanted);
    }
}
