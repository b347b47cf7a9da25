//! The agent's two processes where no systemd looks after them: started, stopped, looked at. Each holds the lock on its file in the folder
//! of what runs for as long as it lives, and that file has its number. The one that listens cannot write it.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::sys::alive::Alive;
use crate::sys::daemon::Came;
use crate::sys::files::{self, FileError};
use crate::sys::pid_file::{Holder, PidFile, PidFileError};
use crate::sys::rights::Account;
use crate::sys::trusted::{self, TrustError};
use crate::sys::{clock, daemon, execute, listening};

use super::readable;

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
    /// The file with the keys.
    pub keys: PathBuf,
    /// The listener's user.
    pub user: String,
}

/// A daemon that is not there as it should be.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// There is no such user.
    #[error("there is no user {0} for the agent's listener")]
    NoUser(String),
    /// That user is root.
    #[error("the user {0} is root, and the agent's listener needs none of its rights")]
    Root(String),
    /// It cannot be looked up.
    #[error("cannot look for the user {user}")]
    Account {
        /// Its name.
        user: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The listener's user cannot read what it has to, and that is not disco's to change.
    #[error("the agent's listener, the user {user}, cannot read {}", path.display())]
    Unreadable {
        /// Its user.
        user: String,
        /// The file.
        path: PathBuf,
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
    /// It was started, and ended, or is not ready.
    #[error("the agent's {} does not come up: {said} (in {})", part.name(), log.display())]
    Down {
        /// Which.
        part: Part,
        /// The last that it has said.
        said: String,
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
    /// Somebody starts it just now, and that does not end.
    #[error("the agent's {} is being started by somebody else", part.name())]
    Starting {
        /// Which.
        part: Part,
    },
    /// A file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A log, or a folder, that is not safe to use.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The file of a daemon could not be used.
    #[error(transparent)]
    PidFile(#[from] PidFileError),
}

/// How a daemon is that lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lives {
    /// Which process it is; `None` while it is being started.
    pub process: Option<Alive>,
    /// Since when, RFC 3339.
    pub since: String,
    /// Where it listens, as far as that can be seen.
    pub at: Vec<String>,
}

/// What was started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Started {
    /// Which, with its number.
    pub parts: Vec<(Part, i32)>,
    /// Which files were given to the listener's group.
    pub given: Vec<PathBuf>,
}

fn file(places: &Places, part: Part) -> PidFile {
    PidFile::new(&places.run, &format!("agent-{}", part.name()))
}

/// How it is; `None` where it does not live.
pub fn lives(places: &Places, part: Part) -> Result<Option<Lives>, DaemonError> {
    let (process, since) = match file(places, part).holder()? {
        Holder::Nobody => return Ok(None),
        Holder::Starting => (None, String::new()),
        Holder::Process(process, since) => (Some(process), clock::told((since, 0))),
    };
    let at = match (part, &process) {
        (Part::Helper, _) => vec![places.socket.display().to_string()],
        (Part::Listener, Some(process)) => {
            listening::of(process.pid).iter().map(ToString::to_string).collect()
        }
        (Part::Listener, None) => vec![],
    };
    Ok(Some(Lives { process, since, at }))
}

/// Whether there is a configuration for the listener.
pub fn is_configured(places: &Places) -> bool {
    files::look_through(&places.config).is_ok_and(|found| found.is_some())
}

/// The listener's user.
pub fn account(places: &Places) -> Result<Option<Account>, DaemonError> {
    account_of(&places.user)
}

/// The user of that name, who is not root by any name.
pub fn account_of(user: &str) -> Result<Option<Account>, DaemonError> {
    let found =
        Account::find(user).map_err(|source| DaemonError::Account { user: user.to_owned(), source })?;
    match found {
        Some(account) if account.user == 0 => Err(DaemonError::Root(account.name)),
        found => Ok(found),
    }
}

/// Starts what does not live of both, and waits until it is ready.
pub fn start(places: &Places, flags: &[String]) -> Result<Started, DaemonError> {
    let mut started = Started::default();
    let account = match is_configured(places) {
        true => Some(account(places)?.ok_or_else(|| DaemonError::NoUser(places.user.clone()))?),
        false => None,
    };
    if let Some(account) = &account {
        // Before there was that user they were root's alone.
        started.given = readable::give(&[&places.config, &places.keys], account)?;
    }
    files::create_dirs(&places.run, 0o755)?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let socket = text(&places.socket);
    let helper = ["agent", "helper", "--daemon", "--socket", &socket, "--user", &places.user];
    let helper: Vec<String> = helper.into_iter().map(str::to_owned).chain(flags.iter().cloned()).collect();
    let root = execute::ENVIRONMENT.map(|(name, value)| (name, value.to_owned()));
    started.parts.extend(start_part(places, Part::Helper, &helper, &root)?);
    if let Some(account) = &account {
        let config = text(&places.config);
        let listener =
            ["agent", "serve", "--daemon", "--user", &places.user, "--socket", &socket, "--config", &config];
        let listener = listener.map(str::to_owned);
        started.parts.extend(start_part(places, Part::Listener, &listener, &account.environment())?);
    }
    Ok(started)
}

fn start_part(
    places: &Places,
    part: Part,
    words: &[String],
    environment: &[(&'static str, String)],
) -> Result<Option<(Part, i32)>, DaemonError> {
    let file = file(places, part);
    let Some(held) = file.take()? else { return Ok(None) };
    let mut log = trusted::open_log(&places.log, 0o640)?;
    let failed = |source| DaemonError::Process { action: "start", part, source };
    let from = log.seek(SeekFrom::End(0)).map_err(failed)?;
    let begun = daemon::start_holding(&held, words, &log, environment).map_err(failed)?;
    let pid = begun.pid;
    let said = match begun.wait(START).map_err(failed)? {
        Came::Ready => return Ok(Some((part, pid))),
        Came::Ended => {
            // Its last words come after it has let go of its file.
            if let Some(process) = Alive::of(pid) {
                has_ended(&process, START);
            }
            last_line(&places.log, from)
        }
        Came::Late => {
            // It is not to be there later, when nobody knows of it.
            if let Some(process) = Alive::of(pid) {
                end(part, &process)?;
            }
            format!("it was not ready after {} s", START.as_secs())
        }
    };
    drop(held);
    file.remove()?;
    Err(DaemonError::Down { part, said, log: places.log.clone() })
}

/// The last line of a log that is no hint, of those that came after `from`.
fn last_line(log: &Path, from: u64) -> String {
    let mut text = Vec::new();
    let read = files::open(log).and_then(|mut log| {
        let read = log.seek(SeekFrom::Start(from)).and_then(|_| log.take(64 << 10).read_to_end(&mut text));
        read.map_err(FileError::at("read", "the log"))
    });
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().rev().find(|line| !line.starts_with("hint: ") && !line.trim().is_empty());
    match (read, line) {
        (Ok(_), Some(line)) => line.strip_prefix("error: ").unwrap_or(line).to_owned(),
        (Ok(_), None) | (Err(_), _) => "it has said nothing".to_owned(),
    }
}

/// Ends what lives of both, the listener first, and waits for it. Runs go on. Returns what has ended.
pub fn stop(places: &Places) -> Result<Vec<(Part, i32)>, DaemonError> {
    let mut ended = Vec::new();
    for part in [Part::Listener, Part::Helper] {
        let Some(process) = when_started(places, part)? else { continue };
        end(part, &process)?;
        file(places, part).remove()?;
        ended.push((part, process.pid));
    }
    Ok(ended)
}

/// Asks it to end, and waits for that.
fn end(part: Part, process: &Alive) -> Result<(), DaemonError> {
    process.ask_to_end().map_err(|source| DaemonError::Process { action: "end", part, source })?;
    match has_ended(process, END) {
        true => Ok(()),
        false => Err(DaemonError::Stays { part, pid: process.pid }),
    }
}

/// Whether it has ended, after that time at the latest.
fn has_ended(process: &Alive, within: Duration) -> bool {
    let until = Instant::now() + within;
    while process.is() {
        if Instant::now() > until {
            return false;
        }
        clock::pause();
    }
    true
}

/// The process of it, waited for while it is being started.
fn when_started(places: &Places, part: Part) -> Result<Option<Alive>, DaemonError> {
    let until = Instant::now() + START;
    loop {
        match file(places, part).holder()? {
            Holder::Nobody => return Ok(None),
            Holder::Process(process, _) => return Ok(Some(process)),
            Holder::Starting if Instant::now() > until => return Err(DaemonError::Starting { part }),
            Holder::Starting => clock::pause(),
        }
    }
}
