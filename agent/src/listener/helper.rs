//! The way to the helper, async: one connection a question, within limits of size, time and number. The blocking one is
//! [`crate::runs::client`]; hundreds who wait for the end of a run must not be hundreds of threads.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::runs::line::LONGEST;
use crate::runs::{Answer, Ask, RunState, TriggerId};

/// How long the helper has for an answer, beyond the time that it is asked to wait.
const PATIENCE: Duration = Duration::from_secs(15);
/// So long somebody waits for a turn.
const TURN: Duration = Duration::from_secs(5);
/// Questions at once: short ones, those that wait for an end, logs that are followed. The helper has 64 connections for all.
const SHORT: usize = 12;
const WAITING: usize = 24;
const LOGS: usize = 16;

/// A helper that has not answered.
#[derive(Debug, Error)]
pub enum HelperError {
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
        /// Why, where that is known.
        #[source]
        source: io::Error,
    },
    /// What came back is no answer, or one to another question.
    #[error("the agent's helper at {} gives an answer to another question", path.display())]
    Unexpected {
        /// Its socket.
        path: PathBuf,
    },
    /// Too many ask at once.
    #[error("too many questions to the agent's helper are open")]
    Crowded,
}

/// The way to the helper.
pub struct Helper {
    path: PathBuf,
    short: Semaphore,
    waiting: Semaphore,
    logs: Semaphore,
}

/// What a run prints, as it comes; with its place among those that are followed.
pub struct Log<'a> {
    reader: BufReader<UnixStream>,
    _place: SemaphorePermit<'a>,
}

impl Helper {
    /// To the helper that listens there.
    pub fn new(path: PathBuf) -> Helper {
        let of = Semaphore::new;
        Helper { path, short: of(SHORT), waiting: of(WAITING), logs: of(LOGS) }
    }

    /// Its socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Any question but [`Ask::Log`], and its answer.
    pub async fn ask(&self, ask: &Ask) -> Result<Answer, HelperError> {
        let (places, wait) = match ask {
            Ask::Status { wait, .. } if *wait > 0 => (&self.waiting, Duration::from_secs(*wait)),
            _ => (&self.short, Duration::ZERO),
        };
        let _place = self.place(places).await?;
        self.call(ask, PATIENCE + wait).await.map(|(answer, _)| answer)
    }

    /// A run and what it prints, from a byte on, until it ends; or why there is none.
    pub async fn log(
        &self,
        id: &TriggerId,
        from: u64,
    ) -> Result<Result<(RunState, Log<'_>), Answer>, HelperError> {
        let place = self.place(&self.logs).await?;
        let (answer, reader) = self.call(&Ask::Log { id: id.clone(), from }, PATIENCE).await?;
        Ok(match answer {
            Answer::Run(state) => Ok((state, Log { reader, _place: place })),
            other => Err(other),
        })
    }

    async fn place<'a>(&'a self, places: &'a Semaphore) -> Result<SemaphorePermit<'a>, HelperError> {
        match timeout(TURN, places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            // It is never closed; too late is crowded.
            Ok(Err(_)) | Err(_) => Err(HelperError::Crowded),
        }
    }

    async fn call(
        &self,
        ask: &Ask,
        within: Duration,
    ) -> Result<(Answer, BufReader<UnixStream>), HelperError> {
        let silent = |source| HelperError::Silent { path: self.path.clone(), source };
        let late = |_| silent(io::Error::from(io::ErrorKind::TimedOut));
        let stream = timeout(PATIENCE, UnixStream::connect(&self.path)).await.map_err(late)?;
        let stream = stream.map_err(|source| HelperError::Unreachable { path: self.path.clone(), source })?;
        let mut reader = BufReader::new(stream);
        let spoken = async {
            // Plain data with names for keys: it has a form in JSON.
            let mut text = serde_json::to_vec(ask).map_err(io::Error::other)?;
            text.push(b'\n');
            reader.get_mut().write_all(&text).await?;
            let mut line = vec![];
            (&mut reader).take(LONGEST as u64).read_until(b'\n', &mut line).await?;
            if line.pop() == Some(b'\n') {
                Ok(line)
            } else {
                Err(io::Error::from(io::ErrorKind::UnexpectedEof))
            }
        };
        let line = timeout(within, spoken).await.map_err(late)?.map_err(silent)?;
        let answer =
            serde_json::from_slice(&line).map_err(|_| HelperError::Unexpected { path: self.path.clone() })?;
        Ok((answer, reader))
    }
}

impl Log<'_> {
    /// The next bytes; none at the end.
    pub async fn next(&mut self) -> io::Result<Vec<u8>> {
        let bytes = self.reader.fill_buf().await?.to_vec();
        self.reader.consume(bytes.len());
        Ok(bytes)
    }
}
