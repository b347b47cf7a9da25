//! How the agent is: its processes where they are plain daemons, its runs, and what keeps it from its part.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use disco_agent::guarded::{self, GuardedError};
use disco_agent::listener::keys::Keys;
use disco_agent::runs::{Client, RunState, State};

use crate::model::disabled::Disabled;
use crate::model::told::in_full;
use crate::ops::disable;
use crate::sys::files;
use crate::sys::host;
use crate::sys::rights::Account;

use super::daemons::{self, DaemonError, Lives, Part, Places};
use super::readable::{can_read, may};
use super::{AgentError, left};

/// How both processes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The helper, where it lives.
    pub helper: Option<Lives>,
    /// The listener, where it lives.
    pub listener: Option<Lives>,
    /// Whether there is a configuration for the listener.
    pub is_configured: bool,
}

/// How runs are, as far as they were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Why live runs are off, where they are.
    pub disabled: Option<Disabled>,
    /// The one that is under way.
    pub running: Option<RunState>,
    /// Those that wait, the next one first.
    pub queued: Vec<RunState>,
    /// The one that has ended last.
    pub last: Option<RunState>,
    /// Why nothing is known of them.
    pub trouble: Option<String>,
}

/// How both processes are.
pub fn look(places: &Places) -> Result<Look, DaemonError> {
    Ok(Look {
        helper: daemons::lives(places, Part::Helper)?,
        listener: daemons::lives(places, Part::Listener)?,
        is_configured: daemons::is_configured(places),
    })
}

/// How runs are: by the helper, or where that does not answer by their files, for runs go on without it.
pub fn asked(socket: &Path, home: &Path) -> Asked {
    // Who may not look there is not told; a file that cannot be read disables them all the same.
    let disabled = match disable::look(home) {
        Err(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => None,
        Err(error) => Some(Disabled::new(&in_full(&error), String::new(), String::new())),
        Ok(disabled) => disabled,
    };
    // That nobody answers is said of the helper itself.
    match Client::new(socket).list().or_else(|_| left::runs(home)) {
        Ok(runs) => Asked { disabled, ..sorted(runs) },
        Err(AgentError::File(error))
            if error.source.kind() == std::io::ErrorKind::PermissionDenied && !host::is_root() =>
        {
            Asked { disabled, ..Asked::default() }
        }
        Err(error) => Asked { disabled, trouble: Some(in_full(&error)), ..Asked::default() },
    }
}

/// The newest come first.
fn sorted(runs: Vec<RunState>) -> Asked {
    let mut asked = Asked::default();
    for run in runs {
        match run.state {
            State::Queued => asked.queued.insert(0, run),
            State::Running => asked.running = Some(run),
            State::Done { .. } | State::Killed { .. } | State::Aborted { .. } | State::Lost => {
                let ended = |run: &RunState| run.ended;
                if asked.last.as_ref().is_none_or(|last| ended(last) < ended(&run)) {
                    asked.last = Some(run);
                }
            }
        }
    }
    asked
}

/// What keeps the listener from its part, as far as its files say.
pub fn troubles(places: &Places) -> Vec<String> {
    if !daemons::is_configured(places) {
        return vec![];
    }
    let account = match daemons::account(places) {
        Err(error) => return vec![in_full(&error)],
        Ok(None) => return vec![in_full(&DaemonError::NoUser(places.user.clone()))],
        Ok(Some(account)) => account,
    };
    let of_config = of_file(&places.config, &account, |_| None);
    let of_keys =
        of_file(&places.keys, &account, |text| Keys::parse(text).err().map(|error| in_full(&error)));
    let of_keys = of_keys.map(|why| format!("no key is good: {why}"));
    of_config.into_iter().chain(of_keys).chain(of_socket(&places.socket, &account)).collect()
}

/// What keeps that user from reading that file.
pub fn unreadable(path: &Path, account: &Account) -> Option<String> {
    of_file(path, account, |_| None)
}

fn of_file(path: &Path, account: &Account, bad: impl Fn(&str) -> Option<String>) -> Option<String> {
    let said = |why: String| Some(format!("{}: {why}", path.display()));
    match guarded::read(path) {
        Err(GuardedError::Read(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
        // Who may not read it himself cannot say what others can.
        Err(GuardedError::Read(error))
            if error.kind() == std::io::ErrorKind::PermissionDenied && !host::is_root() =>
        {
            None
        }
        Err(error) => said(in_full(&error)),
        Ok(text) => match can_read(path, account) {
            Ok(true) => bad(&text).and_then(said),
            Ok(false) => said(format!("the user {} cannot read it", account.name)),
            Err(error) => said(in_full(&error)),
        },
    }
}

fn of_socket(socket: &Path, account: &Account) -> Option<String> {
    // Where there is none the helper does not run, which is said by itself.
    let found = files::look(socket).ok().flatten()?;
    let may = may(found.mode(), (found.uid(), found.gid()), account, 0o6);
    (!may).then(|| {
        format!(
            "{}: the user {} cannot reach the helper there: disco agent restart",
            socket.display(),
            account.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use disco_agent::runs::TriggerId;

    #[test]
    fn what_runs_what_waits_and_what_was_the_last() {
        let run = |number: u8, state: State, ended: Option<i64>| RunState {
            id: TriggerId::of([number; 16]),
            noop: false,
            modules: vec![],
            by: vec!["ci".to_owned()],
            state,
            asked: number.into(),
            began: None,
            ended,
            run: None,
        };
        let newest_first = vec![
            run(6, State::Queued, None),
            run(5, State::Queued, None),
            run(4, State::Running, None),
            run(3, State::Aborted { by: "bob".to_owned() }, Some(7)),
            run(2, State::Done { exit: 0 }, Some(9)),
            run(1, State::Done { exit: 2 }, Some(8)),
        ];
        let asked = sorted(newest_first);
        let number = |run: &RunState| run.asked;
        assert_eq!(asked.queued.iter().map(number).collect::<Vec<_>>(), [5, 6]);
        assert_eq!((asked.running.as_ref().map(number), asked.last.as_ref().map(number)), (Some(4), Some(2)));
        assert_eq!(sorted(vec![]), Asked::default());
    }
}
