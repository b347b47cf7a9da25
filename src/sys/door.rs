//! A socket of root's own in a folder of root's own, at which one process of disco waits for others. Not the shims'
//! socket, which is inside a sandbox and everybody's: that is [`crate::sys::channel::listen`].

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::sockopt::PeerCredentials;
use rustix::fs::{Mode, OFlags, inotify};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::sys::channel::Channel;

/// How long whoever connects may be silent.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause after a connection that could not be taken, so that what is left of it is not asked for at once again.
const PAUSE: Duration = Duration::from_millis(100);

/// An open door. Dropping it closes it, and removes its socket.
#[derive(Debug)]
pub struct Door {
    socket: OwnedFd,
    path: PathBuf,
    /// The device and number of the socket's file.
    file: (u64, u64),
    /// Readable when something is removed beside it.
    removed: OwnedFd,
}

/// Somebody at the door, or behind it.
#[derive(Debug)]
pub struct Peer {
    /// The way to them.
    pub channel: Channel,
    /// Their pid; 0 where it is in a pid namespace that this process does not see.
    pub pid: i32,
}

/// What was found at a door.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    Nobody,
    /// A socket of somebody who was killed.
    Left,
    /// Somebody.
    Peer(Peer),
}

impl Door {
    /// Opens the door `folder/name`. Whatever is there is from somebody who was killed, and is replaced: the caller holds
    /// the lock that says so.
    pub fn open(folder: &Path, name: &str) -> io::Result<Door> {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let socket = socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        // The socket's own mode is the one that its file gets: there is no moment at which others may connect.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        short(folder, name, |address| rustix::net::bind(&socket, address))?;
        rustix::net::listen(&socket, 64)?;
        let removed = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        inotify::add_watch(&removed, folder, inotify::WatchFlags::DELETE | inotify::WatchFlags::MOVED_FROM)?;
        let metadata = fs::symlink_metadata(&path)?;
        Ok(Door { socket, path, file: (metadata.dev(), metadata.ino()), removed })
    }

    /// What is readable when the door may have been removed: see [`Door::is_there`].
    pub fn removed(&self) -> BorrowedFd<'_> {
        self.removed.as_fd()
    }

    /// Whether it can still be found. Somebody may have removed it, with disco's whole home.
    pub fn is_there(&self) -> bool {
        // The events only say when to look; those of other files are forgotten.
        let _ = rustix::io::read(&self.removed, &mut [0; 4096]);
        fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file)
    }

    /// The next one who has come, if they are root; `None` where nobody has, or somebody else.
    pub fn accept(&self) -> Option<Peer> {
        match rustix::net::accept_with(&self.socket, SocketFlags::CLOEXEC) {
            Ok(socket) => peer(socket).ok(), // whoever is not root, or has gone, is nobody
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => None,
            Err(_) => {
                std::thread::sleep(PAUSE);
                None
            }
        }
    }
}

impl AsFd for Door {
    /// Readable when somebody has come.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if self.is_there() {
            // Whoever finds it closed sees that nobody is behind it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Knocks at the door `folder/name`. Somebody who is not root is an error.
pub fn knock(folder: &Path, name: &str) -> io::Result<Found> {
    let socket = socket(SocketFlags::CLOEXEC)?;
    match short(folder, name, |address| rustix::net::connect(&socket, address)) {
        Ok(()) => Ok(Found::Peer(peer(socket)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nobody),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(Found::Left),
        Err(error) => Err(error),
    }
}

/// Removes the socket that somebody who was killed has left.
pub fn clear(folder: &Path, name: &str) -> io::Result<()> {
    match fs::remove_file(folder.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn socket(flags: SocketFlags) -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

/// Uses the address of `folder/name` by way of the folder's descriptor: an address has room for 108 bytes, a path for more.
fn short(
    folder: &Path,
    name: &str,
    call: impl FnOnce(&SocketAddrUnix) -> rustix::io::Result<()>,
) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    let path = format!("/proc/self/fd/{}/{name}", folder.as_raw_fd());
    Ok(call(&SocketAddrUnix::new(path)?)?)
}

fn peer(socket: OwnedFd) -> io::Result<Peer> {
    let credentials = nix::sys::socket::getsockopt(&socket, PeerCredentials)?;
    if credentials.uid() != 0 {
        let message = format!("its other end is user {}, and not root", credentials.uid());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    for way in [Timeout::Recv, Timeout::Send] {
        set_socket_timeout(&socket, way, Some(PATIENCE))?;
    }
    Ok(Peer { channel: Channel::from(socket), pid: credentials.pid() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_door_is_found_open_left_or_not_at_all_below_a_long_path_too() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("x".repeat(100)).join("y".repeat(100));
        assert!(matches!(knock(&folder, "socket").unwrap(), Found::Nobody));
        fs::create_dir_all(&folder).unwrap();
        assert!(matches!(knock(&folder, "socket").unwrap(), Found::Nobody));
        let door = Door::open(&folder, "socket").unwrap();
        assert_eq!(fs::metadata(folder.join("socket")).unwrap().permissions().mode() & 0o7777, 0o600);
        assert!(door.accept().is_none());
        if rustix::process::geteuid().is_root() {
            let Found::Peer(there) = knock(&folder, "socket").unwrap() else { panic!("nobody") };
            let here = door.accept().unwrap();
            assert_eq!((here.pid, there.pid), (std::process::id() as i32, std::process::id() as i32));
            there.channel.send(&"hello", &[]).unwrap();
            assert_eq!(here.channel.receive::<String>().unwrap().unwrap().0, "hello");
        }
        // As a killed process leaves it: nobody listens any more, and the file is there.
        let kept = door.path.with_extension("kept");
        fs::hard_link(&door.path, &kept).unwrap();
        assert!(door.is_there());
        fs::remove_file(&door.path).unwrap();
        assert!(!door.is_there());
        drop(door);
        fs::rename(&kept, folder.join("socket")).unwrap();
        assert!(matches!(knock(&folder, "socket").unwrap(), Found::Left));
        drop(Door::open(&folder, "socket").unwrap());
        assert!(matches!(knock(&folder, "socket").unwrap(), Found::Nobody));
    }
}
