//! A terminal of its own for somebody inside a sandbox, wired to the user's: what is typed goes in, what is printed comes
//! out, and the caller's own terminal is never within reach.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;

use nix::sys::termios::{OutputFlags, SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{isatty, tcgetwinsize, tcsetwinsize};

/// Whether standard input and output are a terminal.
pub fn is_terminal() -> bool {
    isatty(io::stdin()) && isatty(io::stdout())
}

/// How many columns standard output has; none where it is no terminal. A terminal that does not know has 80.
pub fn columns() -> Option<usize> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    Some(if size.ws_col == 0 { 80 } else { size.ws_col.into() })
}

/// An open terminal pair. Dropping it gives the user's terminal its settings back.
#[derive(Debug)]
pub struct OwnTerminal {
    inner: OwnedFd,
    before: Termios,
    stop: UnixStream,
    relay: Option<JoinHandle<io::Result<()>>>,
}

impl OwnTerminal {
    /// Wires a terminal pair to the user's terminal, which must be one: see [`is_terminal`].
    pub fn wire(outer: OwnedFd, inner: OwnedFd) -> io::Result<OwnTerminal> {
        let before = tcgetattr(io::stdin())?;
        tcsetattr(&inner, SetArg::TCSANOW, &before)?;
        tcsetwinsize(&outer, tcgetwinsize(io::stdin())?)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        // Lines of disco's own go to the user's terminal too, and end as lines do.
        raw.output_flags |= OutputFlags::OPOST | OutputFlags::ONLCR;
        let (stop, stopped) = UnixStream::pair()?;
        let (resized, resizer) = UnixStream::pair()?;
        signal_hook::low_level::pipe::register(signal_hook::consts::SIGWINCH, resizer)?;
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw)?;
        let relay = std::thread::spawn(move || relay(&outer, &stopped, resized));
        Ok(OwnTerminal { inner, before, stop, relay: Some(relay) })
    }

    /// The side that goes into the sandbox.
    pub fn inner(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl Drop for OwnTerminal {
    fn drop(&mut self) {
        // The relay prints what is still there and ends; nothing can be done about a terminal that has gone meanwhile.
        let _ = self.stop.shutdown(std::net::Shutdown::Both);
        if let Some(relay) = self.relay.take() {
            let _ = relay.join();
        }
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.before);
    }
}

/// Carries bytes both ways until it is stopped, and then what is left to print.
fn relay(master: &OwnedFd, stopped: &UnixStream, mut resized: UnixStream) -> io::Result<()> {
    rustix::io::ioctl_fionbio(master, true)?;
    let mut typing = true;
    loop {
        let mut fds = vec![
            PollFd::new(master, PollFlags::IN),
            PollFd::new(stopped, PollFlags::IN),
            PollFd::new(&resized, PollFlags::IN),
        ];
        let stdin = io::stdin();
        if typing {
            fds.push(PollFd::new(&stdin, PollFlags::IN));
        }
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        if ready[2] {
            // One byte a signal; what several have left is read in later turns.
            resized.read_exact(&mut [0])?;
            tcsetwinsize(master, tcgetwinsize(&stdin)?)?;
        }
        if ready.get(3) == Some(&true) {
            typing = carry(stdin.as_fd(), master)?;
        }
        if ready[0] || ready[1] {
            print(master)?;
        }
        if ready[1] {
            return Ok(());
        }
    }
}

/// One read of what was typed; `false` when no more will come.
fn carry(from: BorrowedFd<'_>, to: &OwnedFd) -> io::Result<bool> {
    let mut bytes = [0; 4096];
    let got = rustix::io::read(from, &mut bytes)?;
    let mut left = &bytes[..got];
    while !left.is_empty() {
        match rustix::io::write(to, left) {
            Ok(put) => left = &left[put..],
            Err(rustix::io::Errno::AGAIN) => {
                poll(&mut [PollFd::new(to, PollFlags::OUT)], None)?;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(got > 0)
}

/// Prints whatever there is now. EIO says that nobody inside has the terminal open.
fn print(master: &OwnedFd) -> io::Result<()> {
    let mut bytes = [0; 16 << 10];
    loop {
        match rustix::io::read(master, &mut bytes) {
            Ok(0) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::IO) => return Ok(()),
            Ok(got) => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(&bytes[..got])?;
                stdout.flush()?;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
