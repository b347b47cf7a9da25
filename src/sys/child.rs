//! A command that runs in our place: it has our streams and our terminal, and the signals that come to us go on to it.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long it has to end after it was asked to, before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status, as a shell shows it: 128 and more for a signal.
    pub status: i32,
    /// Whether SIGTERM or SIGHUP came to us meanwhile, as when the machine is shut down.
    pub asked: bool,
    /// Whether it was ended because somebody wanted that.
    pub stopped: bool,
}

/// Runs it with more in its environment, to its end, or until `stop` says so.
pub fn run(argv: &[String], added: &[(&str, String)], stop: &mut dyn FnMut() -> bool) -> io::Result<Ended> {
    // Before it starts, so that none is lost.
    let mut signals = SignalsInfo::<WithOrigin>::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2])?;
    let (program, rest) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let added = added.iter().map(|(name, value)| (name, value));
    let mut child = Command::new(program).args(rest).envs(added).spawn()?;
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let (mut asked, mut stopped) = (false, None);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ended { status: shown(status), asked, stopped: stopped.is_some() });
        }
        for origin in signals.pending() {
            asked |= matches!(origin.signal, SIGTERM | SIGHUP);
            // What the terminal sends, it sends to all processes there.
            if origin.cause != Cause::Kernel
                && let Ok(signal) = Signal::try_from(origin.signal)
            {
                send(pid, signal)?;
            }
        }
        match stopped {
            None if stop() => {
                send(pid, Signal::SIGTERM)?;
                stopped = Some(Instant::now());
            }
            Some(since) if since.elapsed() > GRACE => send(pid, Signal::SIGKILL)?,
            None | Some(_) => {}
        }
        std::thread::sleep(LOOK);
    }
}

/// It has not been waited for, so its number is still its own.
fn send(pid: Pid, signal: Signal) -> io::Result<()> {
    match kill(pid, signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn shown(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        ["sh", "-c", line].map(str::to_owned).to_vec()
    }

    #[test]
    fn its_status_is_told_and_it_is_ended_on_demand() {
        let mut never = || false;
        for (line, status) in [("exit 7", 7), ("kill -9 $$", 137), ("test \"$X\" = y", 0)] {
            let ended = run(&words(line), &[("X", "y".to_owned())], &mut never).unwrap();
            assert_eq!(ended, Ended { status, asked: false, stopped: false }, "{line}");
        }
        let ended = run(&words("exec sleep 60"), &[], &mut || true).unwrap();
        assert_eq!(ended, Ended { status: 143, asked: false, stopped: true });
        assert!(run(&["/no/such/program".to_owned()], &[], &mut never).is_err());
    }
}
