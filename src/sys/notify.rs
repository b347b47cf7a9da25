//! Hears of the system calls that a filter asks about, and answers them: seccomp_unotify(2). And reads what such a call's
//! arguments point to.
#![allow(unsafe_code)] // the ioctls and process_vm_readv(2) have no safe form

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A call that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// By this it is answered.
    pub id: u64,
    /// The thread that calls, as this process numbers it; 0 where it is out of sight.
    pub pid: i32,
    /// The call's number.
    pub number: i64,
    /// Whether it is a call of another architecture or of x32, whose numbers mean something else.
    pub foreign: bool,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// What a call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The kernel does it, or not, as if nobody had been asked.
    Continue,
    /// It is not done, and returns this.
    Value(i64),
    /// It is not done, and fails with this error.
    Error(i32),
}

/// Where notices come from: one for each filter, until all processes under that have ended.
#[derive(Debug)]
pub struct Listener(OwnedFd);

/// `_IOWR('!', 0, struct seccomp_notif)` and its like (linux/seccomp.h).
const RECEIVE: libc::c_ulong = request(3, 0, size_of::<libc::seccomp_notif>());
const SEND: libc::c_ulong = request(3, 1, size_of::<libc::seccomp_notif_resp>());
const IS_VALID: libc::c_ulong = request(1, 2, size_of::<u64>());
const SET_FLAGS: libc::c_ulong = request(1, 4, size_of::<u64>());
/// Wake whoever is asked on the CPU of whoever asks: a wake across CPUs takes several times as long (Linux 6.6).
const SYNC_WAKE_UP: u64 = 1;

const fn request(direction: u64, number: u64, size: usize) -> libc::c_ulong {
    direction << 30 | (size as u64) << 16 | (b'!' as u64) << 8 | number
}

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;
const X32: i32 = 0x4000_0000;

impl Listener {
    /// Wraps the descriptor that seccomp(2) gave.
    pub fn new(fd: OwnedFd) -> Listener {
        let listener = Listener(fd);
        // SAFETY: the flags go by value. An older kernel has none, and takes longer.
        unsafe { libc::ioctl(listener.0.as_raw_fd(), SET_FLAGS, SYNC_WAKE_UP) };
        listener
    }

    /// The next notice; `None` where whoever called has gone. Waits where there is none.
    pub fn receive(&self) -> io::Result<Option<Notice>> {
        // SAFETY: a struct of integers, for which all zeros is a value, and which must be zeros.
        let mut raw: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to a local of the size that the request names.
        if unsafe { libc::ioctl(self.0.as_raw_fd(), RECEIVE, &raw mut raw) } == -1 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                // The last says, since Linux 6.11, that nobody is left who could call.
                Some(libc::ENOENT | libc::EINTR | libc::ENOTCONN) => Ok(None),
                _ => Err(error),
            };
        }
        Ok(Some(Notice {
            id: raw.id,
            pid: raw.pid.cast_signed(),
            number: raw.data.nr.into(),
            foreign: raw.data.arch != ARCH || raw.data.nr >= X32,
            arguments: raw.data.args,
        }))
    }

    /// Whether whoever called still waits. What was read of its memory before is its own only then: numbers of processes are
    /// used again.
    pub fn is_valid(&self, notice: &Notice) -> bool {
        // SAFETY: the pointer is to an integer of the size that the request names.
        unsafe { libc::ioctl(self.0.as_raw_fd(), IS_VALID, &raw const notice.id) == 0 }
    }

    /// Answers it. Whoever has gone meanwhile needs no answer.
    pub fn answer(&self, notice: &Notice, reply: Reply) -> io::Result<()> {
        let (value, error, flags) = match reply {
            Reply::Continue => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
            Reply::Value(value) => (value, 0, 0),
            Reply::Error(errno) => (0, -errno, 0),
        };
        let mut raw = libc::seccomp_notif_resp { id: notice.id, val: value, error, flags };
        // SAFETY: the pointer is to a local of the size that the request names.
        match unsafe { libc::ioctl(self.0.as_raw_fd(), SEND, &raw mut raw) } {
            -1 => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
                error => Err(error),
            },
            _ => Ok(()),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Up to `most` bytes of a process's memory from `address` on; fewer where the rest is not there.
pub fn memory(pid: i32, address: u64, most: usize) -> io::Result<Vec<u8>> {
    /// What is mapped is mapped in pages, of at least this size.
    const PAGE: u64 = 4096;
    let mut bytes = vec![0u8; most];
    // A piece ends with its page, for what follows may not be there. One read fills all pieces before the first that is missing.
    let mut pieces = Vec::new();
    let mut at = address;
    let end = address.saturating_add(most as u64);
    while at < end {
        let next = (at / PAGE + 1).saturating_mul(PAGE).min(end);
        pieces.push(libc::iovec { iov_base: at as *mut libc::c_void, iov_len: (next - at) as usize });
        at = next;
    }
    let to = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: the kernel writes within `bytes`, which lives longer; the other side's addresses it checks itself.
    let got = unsafe { libc::process_vm_readv(pid, &to, 1, pieces.as_ptr(), pieces.len() as u64, 0) };
    let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
    bytes.truncate(got);
    Ok(bytes)
}

/// The text of a process's memory from `address` to its first zero; at most as long as a path may be.
pub fn text(pid: i32, address: u64) -> io::Result<Vec<u8>> {
    // Most are short, and a page more costs.
    for most in [256, libc::PATH_MAX as usize] {
        let mut bytes = memory(pid, address, most)?;
        if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
            bytes.truncate(end);
            return Ok(bytes);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// Waits until one of these says something, but not longer than that; whether the first ones do, in their order.
///
/// By poll(2) and not by epoll(7): that keeps to itself on which CPU its waiter is to be woken ([`SYNC_WAKE_UP`]).
pub fn wait_for(sources: &[BorrowedFd<'_>], most: Option<Duration>) -> io::Result<Vec<Said>> {
    let mut fds: Vec<_> = sources.iter().map(|source| PollFd::new(source, PollFlags::IN)).collect();
    let most =
        most.map(|most| Timespec { tv_sec: most.as_secs() as i64, tv_nsec: most.subsec_nanos().into() });
    match poll(&mut fds, most.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let said = |fd: &PollFd<'_>| match fd.revents() {
        events if events.contains(PollFlags::IN) => Said::Something,
        events if events.is_empty() => Said::Nothing,
        _ => Said::Goodbye,
    };
    Ok(fds.iter().map(said).collect())
}

/// What a source has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Something is there to be taken.
    Something,
    /// Nothing, so far.
    Nothing,
    /// Nothing any more: its processes have ended.
    Goodbye,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_to_its_end_and_not_beyond_what_is_there() {
        let me = std::process::id().cast_signed();
        let long = vec![b'x'; 300];
        let mut held = long.clone();
        held.push(0);
        assert_eq!(text(me, held.as_ptr() as u64).unwrap(), long);
        assert_eq!(text(me, c"/etc/hosts".as_ptr() as u64).unwrap(), b"/etc/hosts");
        let endless = vec![b'x'; libc::PATH_MAX as usize + 1];
        assert!(text(me, endless.as_ptr() as u64).is_err());
        assert!(text(me, 16).is_err());
        assert_eq!(memory(me, held.as_ptr() as u64, 3).unwrap(), b"xxx");
    }
}
