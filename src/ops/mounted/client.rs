//! Whoever comes to the mounted sandbox: finds it or has it mounted, asks what it is, ends it.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::model::names::RunId;
use crate::secrets::known;
use crate::settings::Settings;
use crate::sys::channel::Channel;
use crate::sys::daemon::Starting;
use crate::sys::door::{self, Found};
use crate::sys::lock::Lock;
use crate::sys::{clock, files, scratch};

use super::{Ask, Dropped, MountedError, Reply, SOCKET, SoFar, Start, Status, cannot, folder};

/// How long whoever mounts waits for another who is just at it.
const LONGEST: Duration = Duration::from_secs(20);

const REACH: &str = "reach the process that holds the mounted sandbox";

/// What was found where a mounted sandbox would be.
#[derive(Debug)]
pub enum Reached {
    /// One.
    Mounted(Mounted),
    /// None.
    NotMounted,
    /// What is left of one whose holder was killed.
    Gone,
}

/// The way to the holder, for one question.
#[derive(Debug)]
pub struct Mounted {
    pub(super) channel: Channel,
}

/// How a mount went.
#[derive(Debug)]
pub enum Mount {
    /// There is one now, and was none before.
    New {
        /// Its run.
        run: RunId,
        /// What killed runs had left, and was removed.
        swept: Vec<PathBuf>,
    },
    /// There was one already.
    Already(Box<Status>),
}

/// Looks for the mounted sandbox of that home.
pub fn reach(settings: &Settings) -> Result<Reached, MountedError> {
    match door::knock(&folder(&settings.home.value), SOCKET) {
        Ok(Found::Peer(peer)) => {
            // Differences of a large scratchpad take their time.
            cannot(REACH, peer.channel.be_patient())?;
            Ok(Reached::Mounted(Mounted { channel: peer.channel }))
        }
        Ok(Found::Nobody) => Ok(Reached::NotMounted),
        Ok(Found::Left) => Ok(Reached::Gone),
        Err(source) => Err(MountedError::Cannot { action: REACH, source }),
    }
}

/// Mounts a sandbox, unless one is mounted. It is ready when this returns.
pub fn mount(settings: &Settings) -> Result<Mount, MountedError> {
    let started = Instant::now();
    loop {
        if let Reached::Mounted(mounted) = reach(settings)? {
            match mounted.status() {
                Ok(status) => return Ok(Mount::Already(Box::new(status))),
                // It ended, or failed to start, while it was asked: so there is none.
                Err(MountedError::Lost) => {}
                Err(error) => return Err(error),
            }
        }
        match start(settings) {
            // Another is between having the lock and answering, or between answering no more and giving the lock up.
            Err(MountedError::Silent(_)) => {
                if started.elapsed() > LONGEST {
                    return Err(MountedError::Silent(folder(&settings.home.value)));
                }
                clock::pause();
            }
            Err(error) => return Err(error),
            Ok((run, swept)) => return Ok(Mount::New { run, swept }),
        }
    }
}

/// Starts a holder, and waits until it is ready.
fn start(settings: &Settings) -> Result<(RunId, Vec<PathBuf>), MountedError> {
    let action = "start the process that holds the sandbox";
    let (channel, theirs) = cannot(action, Channel::pair())?;
    let holder = cannot(action, Starting::start("__hold", theirs.into()))?;
    cannot(action, channel.send(&Start { settings: settings.clone() }, &[]))?;
    let answer = match answer(&channel) {
        Ok((Reply::Ready { run, swept }, _)) => return Ok((run, swept)),
        Ok((Reply::Taken, _)) => Err(MountedError::Silent(folder(&settings.home.value))),
        Ok(_) => Err(MountedError::Unexpected),
        Err(error) => Err(error),
    };
    // It ends by itself now; once it has, nothing of it is left.
    drop(channel);
    cannot(action, holder.wait())?;
    answer
}

/// Forgets what a killed holder has left, and returns what of its files was removed. Not while one is alive.
pub fn forget(settings: &Settings) -> Result<Vec<PathBuf>, MountedError> {
    let folder = folder(&settings.home.value);
    let lock = Lock::take_if_left(&folder.join("lock")).map_err(std::io::Error::other);
    let action = "remove what is left of the mounted sandbox";
    let Some(_lock) = cannot(action, lock)? else { return Err(MountedError::Silent(folder)) };
    cannot(action, door::clear(&folder, SOCKET))?;
    let storage = match files::look(&settings.storage.value)? {
        Some(_) => files::canonical(&settings.storage.value)?,
        None => return Ok(Vec::new()),
    };
    cannot(action, scratch::sweep(&storage).map_err(std::io::Error::other))
}

impl Mounted {
    /// How it is.
    pub fn status(self) -> Result<Status, MountedError> {
        self.ask(&Ask::Status)?;
        match answer(&self.channel)? {
            (Reply::Status(status), _) => Ok(*status),
            _ => Err(MountedError::Unexpected),
        }
    }

    /// What differs in it so far, with secrets where this process shows them.
    pub fn differences(self) -> Result<SoFar, MountedError> {
        self.ask(&Ask::Differences { secrets: known::are_shown() })?;
        match answer(&self.channel)? {
            (Reply::Differences, fds) => read(fds),
            _ => Err(MountedError::Unexpected),
        }
    }

    /// Ends it with everything that runs in it, and drops what differs.
    pub fn unmount(self) -> Result<Dropped, MountedError> {
        self.ask(&Ask::Unmount)?;
        match answer(&self.channel)? {
            (Reply::Unmounted(dropped), _) => Ok(dropped),
            _ => Err(MountedError::Unexpected),
        }
    }

    pub(super) fn ask(&self, ask: &Ask) -> Result<(), MountedError> {
        match self.channel.send(ask, &[]) {
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                Err(MountedError::Lost)
            }
            other => cannot(REACH, other),
        }
    }
}

/// The next thing that the holder says, and does not refuse.
pub(super) fn answer(channel: &Channel) -> Result<(Reply, Vec<OwnedFd>), MountedError> {
    match cannot(REACH, channel.receive())? {
        Some((Reply::Refused(refusal), _)) => Err(MountedError::Refused(refusal)),
        Some((Reply::Busy(guest), _)) => Err(MountedError::Busy(guest)),
        Some(answer) => Ok(answer),
        None => Err(MountedError::Lost),
    }
}

/// What is in the one descriptor that came.
pub(super) fn read<T: DeserializeOwned>(fds: Vec<OwnedFd>) -> Result<T, MountedError> {
    let page = fds.into_iter().next().ok_or(MountedError::Unexpected)?;
    cannot(REACH, serde_json::from_reader(std::io::BufReader::new(File::from(page))).map_err(Into::into))
}
