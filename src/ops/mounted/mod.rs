//! The mounted sandbox: a NOOP sandbox that stays, held by a process of its own (`holder`), until it is unmounted. Shells
//! join it one at a time; a dance never does. What the holder and whoever comes to it say to each other is here.

mod client;
mod holder;
mod join;
mod serve;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::action::Action;
use crate::model::change::ChangeSet;
use crate::model::names::RunId;
use crate::model::step::StepRecord;
use crate::ops::dance::DanceError;
use crate::sandbox::protocol::Command;
use crate::settings::{Network, Settings};
use crate::sys::files::FileError;

pub use client::{Mount, Mounted, Reached, forget, mount, reach};
pub use holder::{Describe, hold};
pub use join::join;

/// The name of the holder's socket, in its folder below disco's home.
const SOCKET: &str = "socket";
/// The folder of the holder's socket and lock, below disco's home.
fn folder(home: &Path) -> PathBuf {
    home.join("mount")
}

/// What somebody asks the holder; one question a connection, but for the two of a shell.
#[derive(Debug, Serialize, Deserialize)]
enum Ask {
    /// How is it?
    Status,
    /// What has changed so far? With secrets, for who may see them.
    Differences { secrets: bool },
    /// Is there room for a shell? With a terminal of the sandbox's own, if it is to have one; with that network, if it says so.
    Join { own_terminal: bool, network: Option<Network> },
    /// Run this, with its three streams.
    Attend { command: Command, own_terminal: bool },
    /// End what this connection runs.
    Leave,
    /// End it all.
    Unmount,
}

/// What the holder answers.
#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    /// It is ready; to whoever started it, once.
    Ready { run: RunId, swept: Vec<PathBuf> },
    /// To [`Ask::Status`].
    Status(Box<Status>),
    /// To [`Ask::Differences`]: [`SoFar`] is in the descriptor that comes with it.
    Differences,
    /// To [`Ask::Join`]: come in. With both sides of the terminal, if one was asked for.
    Joined,
    /// To [`Ask::Join`]: somebody else is there.
    Busy(Guest),
    /// The shell asked for an effect on the running system.
    Asked(Action),
    /// The shell has ended; [`Attended`] is in the descriptor that comes with it.
    Ended,
    /// To [`Ask::Unmount`]: it is gone.
    Unmounted(Dropped),
    /// To whoever started it: another holder is there.
    Taken,
    /// It could not be done.
    Refused(Refusal),
}

/// Why the holder could not do what it was asked for, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Error)]
#[error("{message}")]
pub struct Refusal {
    /// Its kind, as whoever shows it numbers kinds.
    pub kind: u8,
    /// The error with its causes.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How the mounted sandbox is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The version of disco that holds it.
    pub version: String,
    /// Its run.
    pub run: RunId,
    /// The pid of its holder.
    pub pid: u32,
    /// Since when it is mounted, RFC 3339.
    pub since: String,
    /// What of the network is seen in it.
    pub network: Network,
    /// How many objects differ.
    pub changes: usize,
    /// How many effects on the running system were asked for.
    pub actions: usize,
    /// How many bytes its scratchpad takes.
    pub scratchpad: u64,
    /// How many shells have joined it so far.
    pub shells: usize,
    /// Who has a shell in it now.
    pub joined: Option<Guest>,
}

/// Somebody with a shell in the mounted sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// The pid of their disco.
    pub pid: i32,
    /// Since when, RFC 3339.
    pub since: String,
}

/// What differs in the mounted sandbox, and what it asked of the running system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SoFar {
    /// The differences, sorted by path.
    pub changes: ChangeSet,
    /// The recorded actions, in order.
    pub actions: Vec<Action>,
}

/// What was dropped with a mounted sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Its run, which has a record.
    pub run: RunId,
    /// How many objects differed.
    pub changes: usize,
    /// How many actions were recorded.
    pub actions: usize,
}

/// What a shell did in the mounted sandbox.
#[derive(Debug, Serialize, Deserialize)]
struct Attended {
    step: StepRecord,
    changes: ChangeSet,
}

/// A mounted sandbox that could not be had or used.
#[derive(Debug, Error)]
pub enum MountedError {
    /// There is none.
    #[error("no sandbox is mounted")]
    NotMounted,
    /// It ended while it was used.
    #[error("the sandbox was unmounted meanwhile")]
    Unmounted,
    /// Its holder has ended without an answer.
    #[error("the mounted sandbox is gone: the process that held it has ended meanwhile")]
    Lost,
    /// There was one.
    #[error("the mounted sandbox is gone: the process that held it was killed, and what it held is lost")]
    Gone,
    /// Its socket was removed, so nobody can come to it any more.
    #[error("the socket of the mounted sandbox was removed")]
    Unreachable,
    /// Somebody else has a shell in it.
    #[error("pid {} has a shell in the mounted sandbox since {}", .0.pid, .0.since)]
    Busy(Guest),
    /// What is listed is gone before it can be read, again and again.
    #[error("the shell in the mounted sandbox changes it faster than it can be looked at")]
    Restless(#[source] Box<DanceError>),
    /// It has another network than was asked for.
    #[error("the mounted sandbox has the network {0}")]
    Network(Network),
    /// It is just being mounted or unmounted by somebody else, and that takes long.
    #[error("{} is held by a process that does not answer", .0.display())]
    Silent(PathBuf),
    /// Its holder says something else than what it was asked for.
    #[error("the process that holds the mounted sandbox gives an answer to another question")]
    Unexpected,
    /// Its holder could not do it.
    #[error(transparent)]
    Refused(Refusal),
    /// Its holder, or its place, could not be reached.
    #[error("cannot {action}")]
    Cannot {
        /// What could not be done.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The holder was not started by disco.
    #[error("this command is disco's own and not for use by hand")]
    NotOurs,
    /// A file of it could not be used.
    #[error(transparent)]
    File(#[from] FileError),
}

fn cannot<T>(action: &'static str, result: io::Result<T>) -> Result<T, MountedError> {
    result.map_err(|source| MountedError::Cannot { action, source })
}

/// What the holder is started with.
#[derive(Debug, Serialize, Deserialize)]
struct Start {
    settings: Settings,
}
