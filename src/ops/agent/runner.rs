//! The runner of one run: starts its dance, passes on who wants it no more, and writes how it ended. It is started by the helper, and does not
//! end with it. Where it is killed the dance is asked to end.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use disco_agent::runs::queue::Kept;
use disco_agent::runs::{State, TriggerId};

use crate::runs::Runs;
use crate::sys::alive::Alive;
use crate::sys::attend::{self, Ended};
use crate::sys::clock;
use crate::sys::interrupt::Interrupt;

use super::chores::TIMER;
use super::store::Store;
use super::{AgentError, is_of, process};

/// How often it looks whether somebody wants it no more.
const LOOK: Duration = Duration::from_millis(50);
/// What ends a process that was asked to end, as exit code and as signal: SIGTERM, or SIGINT's number, which a command has that was
/// interrupted while it waited for a program.
const ASKED: ([u8; 2], i32) = ([130, 143], libc::SIGTERM);

/// What a runner is started with.
#[derive(Debug, Clone)]
pub struct Runner {
    /// disco's home.
    pub home: PathBuf,
    /// The run.
    pub id: TriggerId,
    /// Flags for each disco that it starts.
    pub flags: Vec<String>,
}

/// Runs it to its end, and writes how that was.
pub fn run(runner: &Runner) -> Result<(), AgentError> {
    let store = Store::open(&runner.home)?;
    // Held until this process ends, however it does.
    let held = process("take over the lock of the run", attend::settle(&store.lock(&runner.id)));
    let _lock = held?.ok_or(AgentError::NotOurs)?;
    let interrupt = process("watch for signals", Interrupt::watch())?;
    let kept = store.load(&runner.id)?.filter(|kept| kept.run.state == State::Queued);
    let mut kept = kept.ok_or(AgentError::NotOurs)?;
    kept.run.began = Some(now());
    kept.run.state = State::Running;
    store.save(&kept)?;
    kept.run.state = match store.aborted_by(&runner.id)? {
        Some(by) => State::Aborted { by },
        None => danced(runner, &store, &mut kept, &interrupt)?,
    };
    kept.run.ended = Some(now());
    Ok(store.save(&kept)?)
}

/// Runs the dance to its end.
fn danced(
    runner: &Runner,
    store: &Store,
    kept: &mut Kept,
    interrupt: &Interrupt,
) -> Result<State, AgentError> {
    let log = store.log_to_write(&runner.id)?;
    let since = clock::stamp();
    let mut dance = process("start the dance", attend::start(&words(runner, kept), &log))?;
    let pid = dance.pid();
    // From here on nothing may end this but the dance's end, for there would be one that nobody attends.
    let noted = Alive::of(pid).map_or(Ok(()), |alive| store.note_dance(&runner.id, &alive));
    let mut aborted = None;
    let mut asked = noted.is_err();
    if asked {
        // Whoever looks for it later would not find it.
        process("end the dance", dance.ask_to_end())?;
    }
    let runs = Runs::new(&runner.home);
    let ended = loop {
        if let Some(ended) = process("wait for the dance", dance.wait_within(LOOK))? {
            break ended;
        }
        if !asked {
            // What cannot be read yet may be readable at the next look.
            aborted = store.aborted_by(&runner.id).unwrap_or_default();
            if aborted.is_some() || interrupt.signal().is_some() {
                process("end the dance", dance.ask_to_end())?;
                asked = true;
            }
        }
        look_for_run(store, &runs, kept, (&since, pid));
    };
    look_for_run(store, &runs, kept, (&since, pid));
    noted?;
    let state = state(ended, aborted.as_deref());
    if let (State::Done { .. }, Some(by)) = (&state, aborted) {
        // Where this cannot be written, how it ended is told all the same.
        let _ = writeln!(&log, "info: {by} wanted to abort it, too late: it went on to its end");
    }
    Ok(state)
}

fn words(runner: &Runner, kept: &Kept) -> Vec<String> {
    let mut words = vec!["dance".to_owned(), "--detailed-exitcodes".to_owned()];
    // A live run waits for one that somebody has begun by hand: it was promised.
    words.push(if kept.run.noop { "--noop" } else { "--wait" }.to_owned());
    // It took its turn when it was asked for.
    words.extend((kept.run.by == [TIMER]).then(|| "--limited".to_owned()));
    words.extend(kept.run.modules.iter().flat_map(|name| ["--only".to_owned(), name.clone()]));
    words.extend(runner.flags.iter().cloned());
    words
}

/// Notes disco's own id of the run, as soon as it has one: it ends in the number of its process. What cannot be noted now is noted at
/// the next look, or with the end.
fn look_for_run(store: &Store, runs: &Runs, kept: &mut Kept, (since, pid): (&str, i32)) {
    if kept.run.run.is_some() {
        return;
    }
    let all = runs.list().unwrap_or_default();
    // An older one of that number was another process's.
    let mut newer = all.iter().rev().take_while(|run| run.as_str() >= since);
    if let Some(own) = newer.find(|run| is_of(run, pid)) {
        kept.run.run = Some(own.to_string());
        let _ = store.save(kept);
    }
}

/// How it ended: as aborted where that is what ended it.
fn state(ended: Ended, aborted: Option<&str>) -> State {
    match (ended, aborted) {
        (Ended::Exited(exit), Some(by)) if ASKED.0.contains(&exit) => State::Aborted { by: by.to_owned() },
        (Ended::Signaled(signal), Some(by)) if signal == ASKED.1 => State::Aborted { by: by.to_owned() },
        (Ended::Exited(exit), _) => State::Done { exit },
        (Ended::Signaled(signal), _) => State::Killed { signal },
    }
}

/// Now, in seconds since 1970.
pub(super) fn now() -> i64 {
    i64::try_from(clock::since_epoch().as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aborted_is_what_an_abort_has_ended() {
        let by = || Some("bob");
        let aborted = State::Aborted { by: "bob".to_owned() };
        for (ended, who, wanted) in [
            (Ended::Signaled(15), by(), aborted.clone()),
            (Ended::Exited(130), by(), aborted),
            (Ended::Exited(2), by(), State::Done { exit: 2 }),
            (Ended::Signaled(9), by(), State::Killed { signal: 9 }),
            (Ended::Signaled(15), None, State::Killed { signal: 15 }),
            (Ended::Exited(130), None, State::Done { exit: 130 }),
        ] {
            assert_eq!(state(ended, who), wanted, "{ended:?}");
        }
    }
}
