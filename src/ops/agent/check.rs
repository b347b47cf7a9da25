//! Whether a listener would come up with its files as they are: asked before one that works is stopped, and told by the agent's status.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use thiserror::Error;

use crate::model::step::Outcome;
use crate::sys::process::{Environment, Process, ProcessError};
use crate::sys::rights::Account;
use crate::sys::trusted;

use super::daemons::{self, DaemonError, Places};
use super::readable;

/// How long reading its files may take: names of a proxy's addresses may be looked up.
const LONGEST: Duration = Duration::from_secs(30);

/// A listener that would not come up.
#[derive(Debug, Error)]
pub enum CheckError {
    /// Its user, its log, or files that its user cannot read.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// It cannot be tried.
    #[error("cannot find out whether the agent's listener would come up")]
    Process(#[from] ProcessError),
    /// It says so.
    #[error("the agent's listener would not come up: {said}")]
    Down {
        /// Its words.
        said: String,
        /// With which exit status it would end; `None` where a signal, or our patience, has ended it.
        status: Option<i32>,
    },
}

/// Makes sure that plain daemons can be started here. Returns which files were given to the listener's group, as a start does.
pub fn before_a_start(places: &Places) -> Result<Vec<PathBuf>, CheckError> {
    // It is made where there is none, as a start does.
    drop(trusted::open_log(&places.log, 0o640).map_err(DaemonError::from)?);
    if !daemons::is_configured(places) {
        return Ok(vec![]);
    }
    let account = account(places)?;
    let given = readable::give(&[&places.config, &places.keys], &account)?;
    listener(places, &account)?;
    Ok(given)
}

/// The same of the listener that systemd starts, where it has a configuration.
pub fn of_unit(places: &Places) -> Result<(), CheckError> {
    if !daemons::is_configured(places) {
        return Ok(());
    }
    listener(places, &account(places)?)
}

fn account(places: &Places) -> Result<Account, DaemonError> {
    daemons::account(places)?.ok_or_else(|| DaemonError::NoUser(places.user.clone()))
}

/// Has a listener read its files as its user, and listen nowhere: what root can read says nothing of that.
pub(super) fn listener(places: &Places, account: &Account) -> Result<(), CheckError> {
    let [socket, config] = [&places.socket, &places.config].map(|path| path.as_os_str().to_owned());
    let words = ["agent", "serve", "--check", "--user", &account.name, "--socket"].map(Into::into);
    let environment = account.environment().map(|(name, value)| (name.into(), value.into()));
    let process = Process {
        args: words.into_iter().chain([socket, "--config".into(), config]).collect(),
        environment: Environment::Only(environment.into()),
        folder: Some(PathBuf::from("/")),
        limit: Some(LONGEST),
        ..Process::new("/proc/self/exe")
    };
    let ended = process.run(&AtomicBool::new(false))?;
    let status = match ended.outcome {
        Outcome::Done => return Ok(()),
        Outcome::Exited { status } => Some(status),
        Outcome::Signaled { .. } | Outcome::TimedOut { .. } | Outcome::Failed { .. } => None,
    };
    Err(CheckError::Down { said: error(&String::from_utf8_lossy(&ended.stderr)), status })
}

/// The error of what a command has written, without its hint.
fn error(text: &str) -> String {
    let text = text.split_once("error: ").map_or(text, |(_, error)| error);
    let text = text.split_once("\nhint: ").map_or(text, |(error, _)| error).trim();
    if text.is_empty() { "it says nothing".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_it_writes_the_error_is_told() {
        for (text, said) in [
            ("error: cannot read x: no\nhint: do\n", "cannot read x: no"),
            ("warning: w\nerror: two\n  lines\n", "two\n  lines"),
            ("panicked", "panicked"),
            ("", "it says nothing"),
        ] {
            assert_eq!(error(text), said);
        }
    }
}
