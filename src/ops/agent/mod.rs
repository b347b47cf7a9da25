//! Runs that others ask for: the helper, which has root and knows a fixed set of verbs (`disco agent helper`), and the runner of each run
//! (`disco agent __run`). What they say to each other is in files below `agent/runs` of disco's home, so that each of them, and the dance,
//! may be killed at any moment. docs/agent.md has the whole of it.

pub mod check;
mod chores;
pub mod daemons;
mod desk;
mod end;
mod helper;
pub mod left;
pub mod look;
mod readable;
mod runner;
mod settle;
mod standing;
mod store;
mod tending;
pub mod units;
mod unwritten;

use std::io;
use std::path::PathBuf;

use disco_agent::runs::TriggerId;
use thiserror::Error;

use crate::model::names::RunId;
use crate::model::run::RunRecord;
use crate::sys::files::FileError;
use crate::sys::lock::LockError;

pub use end::end_all;
pub use helper::{Said, Serving, serve};
pub use runner::{Runner, run};
pub use store::Store;

/// The exit code of a run that has left this record, as `disco dance --detailed-exitcodes` has it, or the signal that ended it.
pub type Exit = fn(&RunRecord) -> i32;

/// Something that keeps the agent from its part.
#[derive(Debug, Error)]
pub enum AgentError {
    /// Another helper serves that home.
    #[error("another helper of the agent is at work")]
    Taken(#[source] LockError),
    /// A lock could not be used.
    #[error(transparent)]
    Lock(LockError),
    /// A file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// What is kept of a run is none of this disco's.
    #[error("what is kept of run {id} cannot be read")]
    Damaged {
        /// Which.
        id: TriggerId,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The socket cannot be listened at.
    #[error("cannot listen at {}", path.display())]
    Listen {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The user cannot be looked up.
    #[error("cannot look for the user {user}")]
    Account {
        /// Its name.
        user: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A process of disco's own could not be started or followed.
    #[error("cannot {action}")]
    Process {
        /// What could not be done.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was not started by disco.
    #[error("this command is disco's own and not for use by hand")]
    NotOurs,
}

fn process<T>(action: &'static str, result: io::Result<T>) -> Result<T, AgentError> {
    result.map_err(|source| AgentError::Process { action, source })
}

/// The number of the process that a run has been made by: its id ends in it.
fn is_of(run: &RunId, pid: i32) -> bool {
    run.as_str().rsplit_once('-').is_some_and(|(_, number)| number.parse() == Ok(pid))
}
