//! The one place that clones this process: into a new pid and mount namespace, for a step of the sandbox.
//!
//! Only for a process with a single thread: the child goes on with a copy of its memory, locks included.
#![allow(unsafe_code)] // clone(2) with namespaces and a pidfd, pidfd_getfd(2), and _exit(2) have no safe form

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, sigprocmask};

/// Starts a child in pid and mount namespaces of its own, where it is pid 1. Returns a pidfd and its pid as seen here.
///
/// The child runs `body` and ends with its value as exit status; it never returns from this call.
pub fn clone_as_init(body: impl FnOnce() -> i32) -> io::Result<(OwnedFd, i32)> {
    let mut pidfd: libc::c_int = -1;
    let flags = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: without CLONE_VM and with no stack this is fork(2) with namespaces; this process has one thread (the
    // module's rule), so no lock is held by another. CLONE_PIDFD writes one descriptor through the third argument.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut pidfd, 0, 0) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let status = body();
            // SAFETY: ends the child at once; destructors and atexit handlers of the parent's copy must not run here.
            unsafe { libc::_exit(status) }
        }
        pid => {
            let pid = i32::try_from(pid).map_err(io::Error::other)?;
            // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
            Ok((unsafe { OwnedFd::from_raw_fd(pidfd) }, pid))
        }
    }
}

/// Forks; the child runs `body` and ends with its value as exit status. Returns the child's pid.
pub fn fork(body: impl FnOnce() -> i32) -> io::Result<i32> {
    // SAFETY: as above: one thread, and the child leaves by _exit.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Parent { child } => Ok(child.as_raw()),
        nix::unistd::ForkResult::Child => {
            let status = body();
            // SAFETY: as above.
            unsafe { libc::_exit(status) }
        }
    }
}

/// Closes every descriptor of this process but its standard streams and `kept`: what a fork brought along would keep the
/// ends of channels open that others wait for.
pub fn close_all_but(kept: [BorrowedFd<'_>; 2]) -> io::Result<()> {
    let mut kept = kept.map(|fd| fd.as_raw_fd().unsigned_abs());
    kept.sort_unstable();
    let [one, other] = kept;
    for (first, last) in
        [(3, one.saturating_sub(1)), (one + 1, other.saturating_sub(1)), (other + 1, u32::MAX)]
    {
        if first.max(3) > last {
            continue;
        }
        // SAFETY: it takes numbers alone. What owns these descriptors is a copy of the parent's, and never dropped: the
        // child leaves by _exit.
        if unsafe { libc::syscall(libc::SYS_close_range, first.max(3), last, 0) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// A copy of a descriptor that another process has, by its number there.
pub fn descriptor_of(process: &OwnedFd, number: i32) -> io::Result<OwnedFd> {
    // SAFETY: it takes numbers alone.
    let copy = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) };
    match i32::try_from(copy) {
        // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
        Ok(copy) if copy >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(copy) }),
        _ => {
            let error = io::Error::last_os_error();
            let named = format!("cannot copy a descriptor of another process (pidfd_getfd): {error}");
            Err(io::Error::new(error.kind(), named))
        }
    }
}

/// Gives every signal its default action and an empty mask, as a program expects at its start (Rust ignores SIGPIPE).
pub fn default_signals() -> io::Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in Signal::iterator().filter(|s| !matches!(s, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: the default action runs no code of ours.
        unsafe { sigaction(signal, &default) }?;
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fork_gives_the_status_of_the_body() {
        let pid = fork(|| 7).unwrap();
        let status = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap();
        assert!(matches!(status, nix::sys::wait::WaitStatus::Exited(_, 7)), "{status:?}");
    }
}
