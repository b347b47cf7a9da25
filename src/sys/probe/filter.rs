//! Filters of system calls and their listeners, tried in a child: seccomp(2), seccomp_unotify(2).
#![allow(unsafe_code)] // seccomp(2) and its ioctls have no safe form

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::sys::host;
use crate::sys::probe::{Found, trying};

/// `_IOW('!', 3, struct seccomp_notif_addfd)` and `_IOW('!', 4, __u64)` (linux/seccomp.h).
const ADD_FD: libc::c_ulong = 1 << 30 | 24 << 16 | (b'!' as libc::c_ulong) << 8 | 3;
const SET_FLAGS: libc::c_ulong = 1 << 30 | 8 << 16 | (b'!' as libc::c_ulong) << 8 | 4;
/// A flag of seccomp(2), since Linux 5.19: who asks is not woken by signals that do not end it.
const WAIT_KILLABLE: libc::c_ulong = 1 << 5;
const SYNC_WAKE_UP: u64 = 1;

/// A filter that lets everything through.
pub fn filter() -> Found {
    trying(|| {
        install(0)?;
        Ok("a filter can be installed".to_owned())
    })
}

/// A filter with a listener. EBUSY says that this process is under another one's.
pub fn listener() -> Found {
    let found = trying(|| {
        install(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
        Ok("a filter can have a listener".to_owned())
    });
    found.map_err(busy)
}

/// What newer kernels add to a listener.
pub fn features() -> Found {
    let found = trying(|| {
        // The descriptor is closed with the child.
        let killable = install(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE);
        let has_killable = killable.is_ok();
        let listener = killable.or_else(|_| install(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER))?;
        let listener = listener.ok_or_else(|| io::Error::other("no listener came"))?;
        // struct seccomp_notif_addfd: id, flags and srcfd, newfd and newfd_flags. Nobody waits under that id: ENOENT.
        let none: [u64; 3] = [u64::MAX, 1 << 32, 0];
        // SAFETY: the pointer is to a local of the size that the request names.
        let added = unsafe { libc::ioctl(listener.as_raw_fd(), ADD_FD, &raw const none) };
        let has_add = added == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::ENOENT);
        // SAFETY: the flags go by value.
        let has_wake = unsafe { libc::ioctl(listener.as_raw_fd(), SET_FLAGS, SYNC_WAKE_UP) } == 0;
        let all = [
            (has_add, "descriptors (5.9)"),
            (has_killable, "killable waits (5.19)"),
            (has_wake, "wake-ups on the same CPU (6.6)"),
        ];
        let lacking: Vec<&str> = all.iter().filter(|(has, _)| !has).map(|(_, name)| *name).collect();
        match lacking[..] {
            [] => Ok("a listener has descriptors, killable waits and wake-ups on the same CPU".to_owned()),
            _ => Err(io::Error::other(format!("the kernel lacks {}", lacking.join(", ")))),
        }
    });
    found.map_err(busy)
}

fn busy(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::ResourceBusy => io::Error::other(
            "this process is under another listener: that of a container's runtime, or of a sandbox",
        ),
        _ => error,
    }
}

/// Installs a filter that allows everything; what it returns is the listener, if one was asked for.
fn install(flags: libc::c_ulong) -> io::Result<Option<OwnedFd>> {
    if !host::is_root() {
        // Who is not root may filter only himself and what can never become somebody else.
        rustix::thread::set_no_new_privs(true)?;
    }
    let mut all = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
    let program = libc::sock_fprog { len: 1, filter: &raw mut all };
    // SAFETY: the program and what it points to outlive the call; the kernel copies both.
    let done =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    match i32::try_from(done).map_err(io::Error::other)? {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
        fd if flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 => {
            Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }))
        }
        _ => Ok(None),
    }
}
