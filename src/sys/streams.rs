//! The caller's standard streams, for somebody inside a sandbox: pipes, and relays behind them. A descriptor of the host's own
//! would lead out, whatever it was opened for: to the file by opening it again, from a folder to all that is around it, to a
//! device's mode. Not for a terminal that the sandbox has of its own: that is `pty`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::SeekFrom;
use rustix::pipe::{PipeFlags, pipe_with};

/// The kernel's own file system of pipes that have no name: such a pipe leads nowhere but to its other end.
const PIPES: i64 = 0x5049_5045;
const CHUNK: usize = 64 << 10;

/// Standard input, output and error, as a sandbox gets them.
#[derive(Debug)]
pub struct Streams {
    inner: [OwnedFd; 3],
    stop: UnixStream,
    input: Option<JoinHandle<io::Result<usize>>>,
    outputs: Vec<JoinHandle<io::Result<()>>>,
}

impl Streams {
    /// Puts pipes before those of the caller's that are none.
    pub fn wire() -> io::Result<Streams> {
        let (stop, stopped) = UnixStream::pair()?;
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let mut outputs = Vec::new();
        let (input, relay) = match is_pipe(stdin.as_fd())? {
            true => (stdin.as_fd().try_clone_to_owned()?, None),
            false => {
                let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
                rustix::io::ioctl_fionbio(&theirs, true)?;
                let (from, stopped) = (stdin.as_fd().try_clone_to_owned()?, stopped.try_clone()?);
                (ours, Some(std::thread::spawn(move || bring(&from, theirs, &stopped))))
            }
        };
        let mut wire = |to: BorrowedFd<'_>| -> io::Result<OwnedFd> {
            if is_pipe(to)? {
                return to.try_clone_to_owned();
            }
            let (from, ours) = pipe_with(PipeFlags::CLOEXEC)?;
            rustix::io::ioctl_fionbio(&from, true)?;
            let (to, stopped) = (to.try_clone_to_owned()?, stopped.try_clone()?);
            outputs.push(std::thread::spawn(move || take(from, &to, &stopped)));
            Ok(ours)
        };
        let output = wire(stdout.as_fd())?;
        // Through one pipe their lines stay in order.
        let error = match is_same(stdout.as_fd(), stderr.as_fd())? {
            true => output.try_clone()?,
            false => wire(stderr.as_fd())?,
        };
        Ok(Streams { inner: [input, output, error], stop, input: relay, outputs })
    }

    /// What goes into the sandbox.
    pub fn inner(&self) -> [BorrowedFd<'_>; 3] {
        self.inner.each_ref().map(AsFd::as_fd)
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        // The relays carry what is still there, and end. Whoever does not take it any more has his reasons.
        let _ = self.stop.shutdown(std::net::Shutdown::Both);
        for relay in self.outputs.drain(..) {
            let _ = relay.join();
        }
        if let Some(Ok(Ok(kept))) = self.input.take().map(JoinHandle::join) {
            // Whoever reads on from the same file begins where the command has ended. What cannot be wound back was typed or sent.
            let unread = rustix::io::ioctl_fionread(&self.inner[0]).unwrap_or(0) + kept as u64;
            let _ = rustix::fs::seek(io::stdin(), SeekFrom::Current(-(unread as i64)));
        }
    }
}

fn is_pipe(stream: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(rustix::fs::fstatfs(stream)?.f_type as i64 == PIPES)
}

fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> io::Result<bool> {
    let (one, other) = (rustix::fs::fstat(one)?, rustix::fs::fstat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

/// Carries in what is read, until it ends, nobody takes it, or it is stopped; returns how much was read and not carried.
fn bring(from: &OwnedFd, to: OwnedFd, stopped: &UnixStream) -> io::Result<usize> {
    let mut bytes = vec![0; CHUNK];
    let mut left = 0..0;
    loop {
        let mut fds = match left.is_empty() {
            true => [PollFd::new(from, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)],
            false => [PollFd::new(&to, PollFlags::OUT), PollFd::new(stopped, PollFlags::IN)],
        };
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if !fds[1].revents().is_empty() {
            return Ok(left.len());
        }
        if left.is_empty() {
            match rustix::io::read(from, &mut bytes) {
                // A folder, for one, is nothing to read: there is no more then.
                Ok(0) => return Ok(0),
                Ok(got) => left = 0..got,
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(errno) => return Err(errno.into()),
            }
            continue;
        }
        match rustix::io::write(&to, &bytes[left.clone()]) {
            Ok(put) => left.start += put,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) => return Ok(left.len()),
        }
    }
}

/// Carries out what is written, until nobody writes any more or it is stopped, and then what is left.
fn take(from: OwnedFd, to: &OwnedFd, stopped: &UnixStream) -> io::Result<()> {
    let mut bytes = vec![0; CHUNK];
    loop {
        let mut fds = [PollFd::new(&from, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let over = !fds[1].revents().is_empty();
        loop {
            match rustix::io::read(&from, &mut bytes) {
                Ok(0) => return Ok(()),
                Ok(got) => put(to, &bytes[..got])?,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(errno) => return Err(errno.into()),
            }
        }
        if over {
            return Ok(());
        }
    }
}

fn put(to: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(put) => bytes = &bytes[put..],
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => {
                poll(&mut [PollFd::new(to, PollFlags::OUT)], None)?;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
