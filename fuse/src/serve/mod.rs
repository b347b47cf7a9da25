//! FUSE: an overlay served to the kernel. The only module that knows `fuser`; it decides nothing about files.
//!
//! `requests` turns what the kernel asks into calls of [`Overlay`](crate::Overlay), `replies` their results
//! into what it understands.

mod replies;
mod requests;

use crate::Overlay;
use fuser::{BackgroundSession, Config, Session, SessionACL};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Serves an overlay on an already mounted `/dev/fuse` descriptor, in threads of its own.
pub fn serve(overlay: Arc<Overlay>, fuse: OwnedFd) -> io::Result<Server> {
    let threads = std::thread::available_parallelism()?.get().max(2);
    let mut config = Config::default();
    config.n_threads = Some(threads);
    config.acl = SessionACL::All;
    let session = Session::from_fd(requests::Front(overlay), fuse, SessionACL::All, config)?;
    Ok(Server(session.spawn()?))
}

/// An overlay that is being served. Dropping it waits for nothing: the threads end with the mount.
#[derive(Debug)]
pub struct Server(BackgroundSession);

impl Server {
    /// Returns when the mount is gone.
    pub fn join(self) -> io::Result<()> {
        match self.0.join() {
            // How a thread hears that the mount is gone which has just taken a request of somebody who was killed; the others
            // hear ENODEV, and `fuser` takes that for the end that it is.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => Ok(()),
            other => other,
        }
    }
}
