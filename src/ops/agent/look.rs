//! How the agent is: its processes where they are plain daemons, its runs, and what keeps it from its part.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use disco_agent::guarded::{self, GuardedError};
use disco_agent::listener::config::{Auth, Config, parse};
use disco_agent::listener::keys::Keys;
use disco_agent::runs::{Client, RunState, State};

use crate::model::disabled::Disabled;
use crate::model::told::in_full;
use crate::ops::disable;
use crate::settings::Flags;
use crate::sys::files;
use crate::sys::host;
use crate::sys::rights::Account;

use super::daemons::{self, DaemonError, Lives, Part, Places};
use super::readable::{can_read, may};
use super::runner::now;
use super::{AgentError, check, left, standing};

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

/// What keeps the agent from its part, as far as its files say; each is one line.
pub fn troubles(places: &Places, home: &Path, flags: &Flags) -> Vec<String> {
    let mut all = of_listener(places);
    // Who may not read all of disco's home cannot say what its runs lack.
    if host::is_root() {
        all.extend(standing::trouble(home, flags));
    }
    all.iter().map(|trouble| trouble.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn of_listener(places: &Places) -> Vec<String> {
    if !daemons::is_configured(places) {
        return vec![];
    }
    let no_user = || DaemonError::NoUser(places.user.clone());
    let (account, mut all) = match daemons::account(places).and_then(|found| found.ok_or_else(no_user)) {
        Ok(account) => (Some(account), vec![]),
        Err(error) => (None, vec![in_full(&error)]),
    };
    let account = account.as_ref();
    match (of_file(&places.config, account, parse), account) {
        (Found::Bad(why), _) => return [all, vec![why]].concat(),
        (Found::Good(config), account) => {
            all.extend(of_keys(&config, account));
            // Who is not root cannot become its user, to see what that one sees.
            let account = account.filter(|_| host::is_root());
            all.extend(
                account.and_then(|account| check::listener(places, account).err()).map(|no| in_full(&no)),
            );
        }
        (Found::Absent | Found::NotTold, _) => {}
    }
    all.extend(account.and_then(|account| of_socket(&places.socket, account)));
    all
}

/// Why no key is good, where that is not how it should be.
fn of_keys(config: &Config, account: Option<&Account>) -> Option<String> {
    let lives = |keys: &Keys| keys.all.iter().any(|key| key.expires.is_none_or(|end| now() < end));
    match of_file(&config.keys, account, Keys::parse) {
        Found::Bad(why) => return Some(format!("no key is good: {why}")),
        Found::Good(keys) if lives(&keys) => return None,
        Found::NotTold => return None,
        Found::Good(_) | Found::Absent => {}
    }
    let lets_nobody_in = matches!(&config.auth, Auth::Needed(names) if names.is_empty());
    let none = "no key is good, and nothing else lets anybody in: disco agent key add NAME";
    (lets_nobody_in && !config.twitch.enabled).then(|| format!("{}: {none}", config.keys.display()))
}

/// What keeps that user from reading that file.
pub fn unreadable(path: &Path, account: &Account) -> Option<String> {
    match of_file(path, Some(account), |_| Ok::<(), DaemonError>(())) {
        Found::Bad(why) => Some(why),
        Found::Absent | Found::NotTold | Found::Good(()) => None,
    }
}

/// What is in a file.
enum Found<T> {
    /// Something that cannot be gone by, and why.
    Bad(String),
    /// Nothing: there is none.
    Absent,
    /// Who may not read it himself cannot say what others can.
    NotTold,
    /// This.
    Good(T),
}

fn of_file<T, E: std::error::Error>(
    path: &Path,
    account: Option<&Account>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Found<T> {
    let bad = |why: String| Found::Bad(format!("{}: {why}", path.display()));
    let text = match guarded::read(path) {
        Err(GuardedError::Read(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Found::Absent;
        }
        Err(GuardedError::Read(error))
            if error.kind() == std::io::ErrorKind::PermissionDenied && !host::is_root() =>
        {
            return Found::NotTold;
        }
        Err(error) => return bad(in_full(&error)),
        Ok(text) => text,
    };
    match account.map_or(Ok(true), |account| can_read(path, account)) {
        Err(error) => bad(in_full(&error)),
        Ok(false) => bad(format!("the user {} cannot read it", account.map_or("", |account| &account.name))),
        Ok(true) => parse(&text).map_or_else(|error| bad(in_full(&error)), Found::Good),
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
