//! A socket of streams at which the agent's helper answers: for root and for one group. Not a [`crate::sys::door`], which is root's own
//! and has messages.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::sockopt::PeerCredentials;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::sys::trusted;

/// How many may wait to be let in.
const WAITING: i32 = 128;
/// The pause after a connection that could not be taken, so that what is left of it is not asked for at once again.
const PAUSE: Duration = Duration::from_millis(100);

/// An open socket. Dropping it removes its file, unless whoever started this process has made it.
#[derive(Debug)]
pub struct Visitors {
    listener: UnixListener,
    /// Its file, with its device and number.
    own: Option<(PathBuf, (u64, u64))>,
}

/// Somebody who has come.
#[derive(Debug)]
pub struct Visitor {
    /// The way to them.
    pub stream: UnixStream,
    /// Their pid; 0 where this process does not see it.
    pub pid: i32,
    /// The user that they are.
    pub uid: u32,
}

/// Why a wait at the socket was over.
#[derive(Debug)]
pub enum Came {
    /// Somebody has come.
    Visitor(Visitor),
    /// Nobody, in that time.
    Nobody,
    /// What else was watched.
    Other,
}

impl Visitors {
    /// The socket that systemd has opened for this process; `None` where it has not. To be asked before there are threads: it changes
    /// the environment.
    pub fn given() -> io::Result<Option<Visitors>> {
        let mut given = listenfd::ListenFd::from_env();
        let taken = if given.len() == 0 { None } else { given.take_unix_listener(0)? };
        taken.map(|listener| Visitors::of(listener, None)).transpose()
    }

    /// Opens one at that path, for root and for that group; for a group only in a folder that nobody else can change. A socket at which nobody listens is from somebody who was killed, and is
    /// replaced; whatever else is there stays, and is an error.
    pub fn open(path: &Path, group: Option<u32>) -> io::Result<Visitors> {
        if group.is_some() {
            // Who could put another thing in its place would have that given to the group.
            trusted::folder(path.parent().unwrap_or(Path::new("/")))?;
        }
        remove_left(path)?;
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // The socket's own mode is the one that its file gets: at no moment may others connect.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
        if let Some(group) = group {
            trusted::give_to_group(path, group, 0o660)?;
        }
        rustix::net::listen(&socket, WAITING)?;
        let found = fs::symlink_metadata(path)?;
        Visitors::of(UnixListener::from(socket), Some((path.to_owned(), (found.dev(), found.ino()))))
    }

    fn of(listener: UnixListener, own: Option<(PathBuf, (u64, u64))>) -> io::Result<Visitors> {
        listener.set_nonblocking(true)?;
        Ok(Visitors { listener, own })
    }

    /// Whether systemd has made it, and starts this process again when somebody comes.
    pub fn is_given(&self) -> bool {
        self.own.is_none()
    }

    /// The next who comes, or whatever else is to be watched.
    pub fn next(&self, other: impl AsFd, within: Duration) -> io::Result<Came> {
        let within = Timespec::try_from(within).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(&self.listener, PollFlags::IN), PollFd::new(&other, PollFlags::IN)];
        match poll(&mut fds, Some(&within)) {
            Ok(_) if !fds[1].revents().is_empty() => return Ok(Came::Other),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Came::Nobody),
            Err(errno) => return Err(errno.into()),
        }
        match self.listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                let credentials = nix::sys::socket::getsockopt(&stream, PeerCredentials)?;
                let (pid, uid) = (credentials.pid(), credentials.uid());
                Ok(Came::Visitor(Visitor { stream, pid, uid }))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Came::Nobody),
            Err(_) => {
                std::thread::sleep(PAUSE);
                Ok(Came::Nobody)
            }
        }
    }
}

impl Drop for Visitors {
    fn drop(&mut self) {
        let Some((path, file)) = &self.own else { return };
        if fs::symlink_metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == *file) {
            // Whoever finds it closed sees that nobody is behind it.
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes a socket at which nobody listens any more.
fn remove_left(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            let other = "something else than a socket is there, and stays";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, other));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // Whoever is too busy to answer, or has other words, listens too.
        Ok(_) | Err(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "somebody listens there already")),
    }
}

/// Whether the other end has gone.
pub fn has_gone(stream: &UnixStream) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::new(stream, PollFlags::RDHUP)];
    // An interrupted look has seen nothing.
    poll(&mut fds, Some(&now)).is_ok()
        && fds[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_roots_alone_says_who_comes_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let (watched, waker) = UnixStream::pair().unwrap();
        let soon = Duration::from_millis(10);
        assert!(rustix::process::geteuid().is_root(), "what is root's alone can be made by root alone");
        // Of somebody who was killed.
        drop(UnixListener::bind(&path).unwrap());
        let visitors = Visitors::open(&path, None).unwrap();
        assert!(!visitors.is_given());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert!(matches!(visitors.next(&watched, soon).unwrap(), Came::Nobody));
        let other = UnixStream::connect(&path).unwrap();
        let Came::Visitor(one) = visitors.next(&watched, Duration::from_secs(10)).unwrap() else {
            panic!("nobody")
        };
        assert_eq!((one.pid, one.uid), (std::process::id() as i32, 0));
        assert!(!has_gone(&one.stream));
        drop(other);
        assert!(has_gone(&one.stream));
        drop(waker);
        assert!(matches!(visitors.next(&watched, soon).unwrap(), Came::Other));
        drop(visitors);
        assert!(!path.exists());
        let grouped = Visitors::open(&path, Some(65534)).unwrap();
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.mode() & 0o7777, found.gid()), (0o660, 65534));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another's").unwrap();
        drop(grouped);
        assert!(path.exists(), "what another has put there stays");
    }

    #[test]
    fn what_is_no_socket_that_was_left_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link, socket) =
            (folder.path().join("file"), folder.path().join("link"), folder.path().join("socket"));
        fs::write(&file, "precious").unwrap();
        std::os::unix::fs::symlink("/nowhere", &link).unwrap();
        let _listens = UnixListener::bind(&socket).unwrap();
        for path in [&file, &link, &socket] {
            let error = Visitors::open(path, None).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{path:?}: {error}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        UnixStream::connect(&socket).unwrap();
    }
}
