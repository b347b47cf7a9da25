//! The agent as systemd looks after it: its units, where they are installed and systemd runs.

use std::sync::atomic::AtomicBool;

use thiserror::Error;

use crate::model::step::Outcome;
use crate::sys::files;
use crate::sys::process::{Ended, Process, ProcessError};

/// The sockets, behind which the services start by themselves.
const SOCKETS: [&str; 2] = ["disco-agent-helper.socket", "disco-agent.socket"];
/// The services, the first to be stopped first.
const SERVICES: [&str; 2] = ["disco-agent.service", "disco-agent-helper.service"];

/// systemd does not do it.
#[derive(Debug, Error)]
pub enum UnitError {
    /// systemctl cannot be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It says no.
    #[error("systemctl {action}: {said}")]
    Refused {
        /// What was asked for.
        action: String,
        /// Its words.
        said: String,
    },
}

/// How a unit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// `active`, `inactive`, `failed` and so on.
    pub state: String,
    /// Its first process, where it has one.
    pub pid: Option<i32>,
    /// Since when it is so, in systemd's words.
    pub since: String,
    /// Where it listens, in systemd's words.
    pub listens: String,
}

/// Whether systemd runs here and has the agent's units.
pub fn are_there() -> bool {
    let runs = files::look(std::path::Path::new("/run/systemd/system")).is_ok_and(|found| found.is_some());
    runs && systemctl(&["cat", "--quiet", SOCKETS[0]]).is_ok()
}

fn systemctl(words: &[&str]) -> Result<String, UnitError> {
    let args = words.iter().map(Into::into).collect();
    let Ended { outcome, stdout, stderr, .. } =
        Process { args, ..Process::new("systemctl") }.run(&AtomicBool::new(false))?;
    match outcome {
        Outcome::Done => Ok(String::from_utf8_lossy(&stdout).into_owned()),
        _ => {
            let said = String::from_utf8_lossy(&stderr).trim().replace('\n', "; ");
            Err(UnitError::Refused { action: words.join(" "), said })
        }
    }
}

/// Starts the sockets, and the helper, for runs may wait from before; the listener starts when somebody comes. What is not to be there yet,
/// for want of a configuration, is none. The helper is not waited for: it comes after multi-user.target, and whoever calls this may be what
/// that target waits for.
pub fn start() -> Result<(), UnitError> {
    systemctl(&[&["start"], &SOCKETS[..]].concat())?;
    systemctl(&[&["start", "--no-block"], &SERVICES[1..]].concat()).map(drop)
}

/// Stops all of it; runs go on.
pub fn stop() -> Result<(), UnitError> {
    systemctl(&[&["stop"], &SOCKETS[..], &SERVICES[..]].concat()).map(drop)
}

/// How each is.
pub fn look() -> Result<Vec<Unit>, UnitError> {
    let wanted = "--property=Id,ActiveState,MainPID,StateChangeTimestamp,Listen";
    let text = systemctl(&[&["show", wanted], &SOCKETS[..], &SERVICES[..]].concat())?;
    Ok(text.split("\n\n").map(unit).collect())
}

fn unit(text: &str) -> Unit {
    let all = |name: &str| {
        let values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        values.map(str::to_owned).collect::<Vec<String>>().join(" ")
    };
    Unit {
        name: all("Id"),
        state: all("ActiveState"),
        pid: all("MainPID").parse().ok().filter(|pid| *pid != 0),
        since: all("StateChangeTimestamp"),
        listens: all("Listen"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_shows_is_read() {
        let text = "Listen=127.0.0.1:8453 (Stream)\nListen=[::1]:8453 (Stream)\nId=disco-agent.socket\nActiveState=active\n\
                    StateChangeTimestamp=Sun 2026-11-22 10:00:00 UTC\nMainPID=0";
        let read = unit(text);
        assert_eq!(
            (read.name.as_str(), read.state.as_str(), read.pid),
            ("disco-agent.socket", "active", None)
        );
        assert_eq!(read.listens, "127.0.0.1:8453 (Stream) [::1]:8453 (Stream)");
        assert_eq!(unit("MainPID=77").pid, Some(77));
        assert_eq!(unit("").since, "");
    }
}
