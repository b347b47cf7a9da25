//! FUSE: an overlay served to the kernel. The only module that knows `fuser`; it decides nothing about files.
//!
//! `requests` turns what the kernel asks into calls of [`Overlay`](crate::Overlay), `replies` their results
//! into what it understands.

mod executes;
mod front;
pub(crate) mod replies;
mod requests;

use crate::Overlay;
use crate::overlay::Listener;
use fuser::{BackgroundSession, Config, Session, SessionACL};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// How what programs write reaches the overlay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writes {
    /// Each write at once, as it is: a program hears at once that there is no space, and closing a file costs nothing.
    #[default]
    Through,
    /// In large pieces out of the kernel's cache, at the latest when the file is closed. Many small writes to one file cost about
    /// half; but the kernel asks for the attributes again after each close, tells the times after each change of a name, and
    /// scripts, which open much and write little, need two to four times as many requests. Not for a view with shims.
    Gathered,
}

/// Serves an overlay on an already mounted `/dev/fuse` descriptor, in threads of its own.
pub fn serve(overlay: Arc<Overlay>, fuse: OwnedFd, writes: Writes) -> io::Result<Server> {
    let threads = std::thread::available_parallelism()?.get().max(2);
    let mut config = Config::default();
    config.n_threads = Some(threads);
    config.acl = SessionACL::All;
    let front = front::Front::new(overlay.clone(), writes);
    let session = Session::from_fd(front, fuse, SessionACL::All, config)?;
    let notifier = session.notifier();
    let forget = move |directory| {
        // The kernel knows nothing of the directory any more, or of the mount: then it has nothing to forget.
        let _ = notifier.inval_inode(fuser::INodeNo(directory), 0, 0);
    };
    // An overlay is served once.
    let _ = overlay.listener.set(Listener(Box::new(forget)));
    Ok(Server(session.spawn()?))
}

/// A file system that is being served. Dropping it waits for nothing: the threads end with the mount.
#[derive(Debug)]
pub struct Server(pub(crate) BackgroundSession);

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
