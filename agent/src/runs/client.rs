//! Asks the helper; blocking. One connection a question.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use thiserror::Error;

use crate::runs::ask::{Answer, Ask, Refusal};
use crate::runs::line::{self, LineError};
use crate::runs::state::{RunState, Standing, TriggerId};

/// Where the helper listens.
pub const SOCKET: &str = "/run/disco/agent.sock";
/// How long the helper has for an answer, beyond the time that it is asked to wait.
const PATIENCE: Duration = Duration::from_secs(15);

/// A helper that has not answered, or has said no.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody listens there, or this user may not ask.
    #[error("cannot reach the agent's helper at {}", path.display())]
    Unreachable {
        /// Its socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was reached, and no whole answer came.
    #[error("the agent's helper at {} gives no answer", path.display())]
    Silent {
        /// Its socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: LineError,
    },
    /// What came back is no answer, or one to another question.
    #[error("the agent's helper at {} gives an answer to another question", path.display())]
    Unexpected {
        /// Its socket.
        path: PathBuf,
    },
    /// It was not done.
    #[error("{message}")]
    Refused {
        /// What kind of refusal.
        why: Refusal,
        /// The helper's words.
        message: String,
    },
}

/// The way to the helper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    path: PathBuf,
}

impl Client {
    /// To the helper that listens there; [`SOCKET`] is where it mostly does.
    pub fn new(path: impl Into<PathBuf>) -> Client {
        Client { path: path.into() }
    }

    /// The helper's socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// One run: for [`Ask::Run`], [`Ask::Status`] and [`Ask::Abort`].
    pub fn run(&self, ask: &Ask) -> Result<RunState, ClientError> {
        match self.ask(ask)? {
            Answer::Run(state) => Ok(state),
            other => Err(self.other(other)),
        }
    }

    /// The newest runs, newest first.
    pub fn list(&self) -> Result<Vec<RunState>, ClientError> {
        match self.ask(&Ask::List {})? {
            Answer::Runs { runs } => Ok(runs),
            other => Err(self.other(other)),
        }
    }

    /// How this node stands.
    pub fn standing(&self) -> Result<Standing, ClientError> {
        match self.ask(&Ask::Standing {})? {
            Answer::Standing(standing) => Ok(standing),
            other => Err(self.other(other)),
        }
    }

    /// A run and what it prints, from a byte on, until it ends.
    pub fn log(&self, id: &TriggerId, from: u64) -> Result<(RunState, Log), ClientError> {
        let (stream, answer, rest) = self.call(&Ask::Log { id: id.clone(), from })?;
        let Answer::Run(state) = answer else { return Err(self.other(answer)) };
        // A run may print nothing for as long as it likes.
        stream.set_read_timeout(None).map_err(|error| self.silent(LineError::Broken(error)))?;
        Ok((state, Log { rest: io::Cursor::new(rest), stream }))
    }

    /// Any question but [`Ask::Log`], and its answer; a refusal is an answer here.
    pub fn ask(&self, ask: &Ask) -> Result<Answer, ClientError> {
        self.call(ask).map(|(_, answer, _)| answer)
    }

    fn call(&self, ask: &Ask) -> Result<(UnixStream, Answer, Vec<u8>), ClientError> {
        let stream = connect(&self.path)
            .map_err(|source| ClientError::Unreachable { path: self.path.clone(), source })?;
        // Plain data with names for keys: it has a form in JSON.
        let mut text = serde_json::to_string(ask).expect("a question is JSON");
        text.push('\n');
        line::send(&stream, text.as_bytes(), PATIENCE).map_err(|error| self.silent(error))?;
        let within = match ask {
            Ask::Status { wait, .. } => PATIENCE.saturating_add(Duration::from_secs(*wait)),
            Ask::Run { .. } | Ask::Log { .. } | Ask::Abort { .. } | Ask::List {} | Ask::Standing {} => {
                PATIENCE
            }
        };
        let (text, rest) = line::receive(&stream, within).map_err(|error| self.silent(error))?;
        let answer =
            serde_json::from_str(&text).map_err(|_| ClientError::Unexpected { path: self.path.clone() })?;
        Ok((stream, answer, rest))
    }

    fn silent(&self, source: LineError) -> ClientError {
        ClientError::Silent { path: self.path.clone(), source }
    }

    /// An answer that is not the one that was asked for.
    fn other(&self, answer: Answer) -> ClientError {
        match answer {
            Answer::Refused { why, message } => ClientError::Refused { why, message },
            Answer::Run(_) | Answer::Runs { .. } | Answer::Standing(_) => {
                ClientError::Unexpected { path: self.path.clone() }
            }
        }
    }
}

/// What a run prints, as it comes. Its end is the run's, or the helper's: [`Client::run`] says which.
#[derive(Debug)]
pub struct Log {
    rest: io::Cursor<Vec<u8>>,
    stream: UnixStream,
}

impl Log {
    /// Whoever holds this can end the reading, from another thread.
    pub fn stopper(&self) -> io::Result<LogStopper> {
        self.stream.try_clone().map(LogStopper)
    }
}

impl Read for Log {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.rest.read(buffer)? {
            0 => self.stream.read(buffer),
            read => Ok(read),
        }
    }
}

/// Ends the reading of a log: the next read finds its end.
#[derive(Debug)]
pub struct LogStopper(UnixStream);

impl LogStopper {
    /// Ends it.
    pub fn stop(&self) {
        // It fails where the other end has gone, which ends it too.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// A connection. Where all of the helper's places are taken it waits, within its time.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // On Linux this is the limit of connect(2) too.
    set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(UnixStream::from(socket))
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
