//! The agent's two processes where no systemd looks after them: started, stopped, looked at. Each holds the lock on its file in the folder
//! of what runs for as long as it lives, and that file has its number.

use std::path::{Path, PathBuf};
use std::time::Duration;

use disco_agent::runs::{Client, RunState};
use thiserror::Error;

use crate::sys::alive::Alive;
use crate::sys::files::{self, FileError};
use crate::sys::lock::{Lock, LockError};
use crate::sys::{clock, daemon, listening, visitors};

/// How long a daemon may take to be there, and to end.
const START: Duration = Duration::from_secs(10);
const END: Duration = Duration::from_secs(30);

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The one that has root.
    Helper,
    /// The one that listens.
    Listener,
}

impl Part {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Part::Helper => "helper",
            Part::Listener => "listener",
        }
    }
}

/// Where they are.
#[derive(Debug, Clone)]
pub struct Places {
    /// The folder of what runs.
    pub run: PathBuf,
    /// The helper's socket.
    pub socket: PathBuf,
    /// What they say goes there.
    pub log: PathBuf,
    /// The listener's configuration: without it only the helper is started.
    pub config: PathBuf,
    /// The listener's user.
    pub user: String,
}

/// A daemon that is not there as it should be.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// There is no such user.
    #[error("there is no user {0} for the agent's listener")]
    NoUser(String),
    /// It cannot be looked up.
    #[error("cannot look for the user {user}")]
    Account {
        /// Its name.
        user: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It could not be started, or ended.
    #[error("cannot {action} the agent's {}", part.name())]
    Process {
        /// What.
        action: &'static str,
        /// Which.
        part: Part,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It was started, and ended, or does not answer.
    #[error("the agent's {} does not come up: {} says why", part.name(), log.display())]
    Down {
        /// Which.
        part: Part,
        /// Its log.
        log: PathBuf,
    },
    /// It was asked to end, and does not.
    #[error("the agent's {} (pid {pid}) does not end", part.name())]
    Stays {
        /// Which.
        part: Part,
        /// Its number.
        pid: i32,
    },
    /// A file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A lock could not be used.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// How a daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lives {
    /// Its number.
    pub pid: i32,
    /// Since when, RFC 3339.
    pub since: String,
    /// Where it listens.
    pub at: Vec<String>,
}

/// How both are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The helper, where it lives.
    pub helper: Option<Lives>,
    /// The listener, where it lives.
    pub listener: Option<Lives>,
    /// Whether there is a configuration for the listener.
    pub is_configured: bool,
    /// The newest run that was asked for.
    pub last: Option<RunState>,
}

fn file(places: &Places, part: Part) -> PathBuf {
    places.run.join(format!("agent-{}.pid", part.name()))
}

/// The process that holds that file's lock; `None` where none does.
fn lives(places: &Places, part: Part) -> Option<Lives> {
    let path = file(places, part);
    if !Lock::is_held(&path).unwrap_or(false) {
        return None;
    }
    let text = files::read_if_there(&path).ok().flatten()?;
    // Whoever is just being started has no number yet.
    let pid = text.trim().parse().unwrap_or(0);
    let since = files::look(&path).ok().flatten().map(|found| files::number_and_time(&found).1);
    let since = since.map(|(seconds, _)| clock::told((seconds, 0))).unwrap_or_default();
    let at = match part {
        Part::Helper => vec![places.socket.display().to_string()],
        Part::Listener => listening::of(pid).iter().map(ToString::to_string).collect(),
    };
    Some(Lives { pid, since, at })
}

/// How both are.
pub fn look(places: &Places) -> Look {
    Look {
        helper: lives(places, Part::Helper),
        listener: lives(places, Part::Listener),
        is_configured: is_configured(&places.config),
        last: last(&places.socket),
    }
}

/// The newest run that was asked for; `None` where there is none, or nobody says.
pub fn last(socket: &Path) -> Option<RunState> {
    Client::new(socket).list().ok()?.into_iter().next()
}

fn is_configured(config: &Path) -> bool {
    files::look_through(config).is_ok_and(|found| found.is_some())
}

/// Starts what does not live of both, and waits until it is there. Returns what was started, and its number.
pub fn start(places: &Places, flags: &[String]) -> Result<Vec<(Part, i32)>, DaemonError> {
    files::create_dirs(&places.run, 0o755)?;
    let account = visitors::account(&places.user);
    let account = account.map_err(|source| DaemonError::Account { user: places.user.clone(), source })?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let helper = ["agent", "helper", "--socket", &text(&places.socket), "--user", &places.user];
    let helper: Vec<String> = helper.into_iter().map(str::to_owned).chain(flags.iter().cloned()).collect();
    let answers = || Client::new(&places.socket).list().is_ok();
    let mut started = Vec::new();
    started.extend(start_part(places, Part::Helper, &helper, None, &answers)?);
    if is_configured(&places.config) {
        let account = account.ok_or_else(|| DaemonError::NoUser(places.user.clone()))?;
        let listener = ["agent", "serve", "--config", &text(&places.config)].map(str::to_owned);
        let listens = || lives(places, Part::Listener).is_some_and(|lives| !lives.at.is_empty());
        started.extend(start_part(places, Part::Listener, &listener, Some(account), &listens)?);
    }
    Ok(started)
}

fn start_part(
    places: &Places,
    part: Part,
    words: &[String],
    account: Option<(u32, u32)>,
    is_there: &dyn Fn() -> bool,
) -> Result<Option<(Part, i32)>, DaemonError> {
    let path = file(places, part);
    let lock = match Lock::take(&path, "", None, &mut |_| {}) {
        Err(LockError::Busy { .. }) => return Ok(None),
        other => other?,
    };
    let log = files::open_to_append(&places.log, 0o640)?;
    let failed = |source| DaemonError::Process { action: "start", part, source };
    let pid = daemon::start_holding(lock, words, &log, account).map_err(failed)?;
    let until = std::time::Instant::now() + START;
    while !is_there() {
        let lives = Lock::is_held(&path).unwrap_or(false);
        if !lives || std::time::Instant::now() > until {
            return Err(DaemonError::Down { part, log: places.log.clone() });
        }
        clock::pause();
    }
    Ok(Some((part, pid)))
}

/// Ends what lives of both, the listener first, and waits for it. Runs go on. Returns what has ended.
pub fn stop(places: &Places) -> Result<Vec<(Part, i32)>, DaemonError> {
    let mut ended = Vec::new();
    for part in [Part::Listener, Part::Helper] {
        let Some(Lives { pid, .. }) = lives(places, part) else { continue };
        // It has the lock, so its number is still its own.
        if let Some(process) = Alive::of(pid) {
            let failed = |source| DaemonError::Process { action: "end", part, source };
            process.ask_to_end().map_err(failed)?;
            let until = std::time::Instant::now() + END;
            while process.is() {
                if std::time::Instant::now() > until {
                    return Err(DaemonError::Stays { part, pid });
                }
                clock::pause();
            }
        }
        files::remove_file(&file(places, part))?;
        ended.push((part, pid));
    }
    Ok(ended)
}
