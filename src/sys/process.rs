//! A child process: described, run and accounted for in one place. Not for steps: those start inside a sandbox.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use thiserror::Error;

use crate::model::step::{Cost, Outcome};
use crate::sys::tail::Tail;
use crate::sys::wait;

/// How often a running child's owner looks whether it shall stop.
const TICK: Duration = Duration::from_millis(50);

/// A child that could not be run to its end.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("cannot start {program:?}")]
    Start {
        /// The program.
        program: OsString,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It was started, and then could not be followed; it has been killed.
    #[error("cannot follow {program:?}")]
    Follow {
        /// The program.
        program: OsString,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// We were told to stop; it has been killed.
    #[error("interrupted")]
    Interrupted,
}

/// Which variables a child sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Environment {
    /// Ours, with these set.
    InheritedWith(BTreeMap<OsString, OsString>),
    /// These alone.
    Only(BTreeMap<OsString, OsString>),
}

/// A child process, described. Its standard input is empty; its outputs are captured; it has no terminal, and dies with us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The program: a path, or a name looked up in our PATH.
    pub program: OsString,
    /// Its arguments, without its own name.
    pub args: Vec<OsString>,
    /// Its environment.
    pub environment: Environment,
    /// Its working folder; ours where none is given.
    pub folder: Option<PathBuf>,
    /// How long it may run.
    pub limit: Option<Duration>,
    /// How many bytes of the end of each output are kept.
    pub keep: usize,
}

/// A child process that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// What it cost.
    pub cost: Cost,
    /// The end of its standard output.
    pub stdout: Vec<u8>,
    /// The end of its standard error.
    pub stderr: Vec<u8>,
}

impl Process {
    /// That program with our environment, no time limit, and 64 KiB kept of each output.
    pub fn new(program: impl Into<OsString>) -> Process {
        Process {
            program: program.into(),
            args: Vec::new(),
            environment: Environment::InheritedWith(BTreeMap::new()),
            folder: None,
            limit: None,
            keep: 64 * 1024,
        }
    }

    /// Runs it to its end. A failing child is a value; `stop` is looked at all the time, and when it is set, the child and
    /// its process group are killed.
    pub fn run(&self, stop: &AtomicBool) -> Result<Ended, ProcessError> {
        if stop.load(Ordering::Relaxed) {
            return Err(ProcessError::Interrupted);
        }
        let started = Instant::now();
        let mut child = self
            .command()
            .spawn()
            .map_err(|source| ProcessError::Start { program: self.program.clone(), source })?;
        let pid = child.id() as i32;
        let followed = self.follow(&mut child, started, stop);
        if !matches!(followed, Ok(Followed { end: End::Itself, .. })) {
            kill_group(pid);
        }
        let (outcome, cost) = wait::wait_for(pid, started).map_err(|source| self.lost(source))?;
        let Followed { end, stdout, stderr } = followed.map_err(|source| self.lost(source))?;
        let outcome = match end {
            End::Itself => outcome,
            End::TooLong(limit) => Outcome::TimedOut { seconds: limit.as_secs() },
            End::Stopped => return Err(ProcessError::Interrupted),
        };
        Ok(Ended { outcome, cost, stdout: stdout.finish().0, stderr: stderr.finish().0 })
    }

    fn lost(&self, source: io::Error) -> ProcessError {
        ProcessError::Follow { program: self.program.clone(), source }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        match &self.environment {
            Environment::InheritedWith(variables) => command.envs(variables),
            Environment::Only(variables) => command.env_clear().envs(variables),
        };
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        wait::bind_to_us(&mut command);
        command
    }

    /// Reads both outputs until the child ends, its time is up, or we are told to stop.
    fn follow(&self, child: &mut Child, started: Instant, stop: &AtomicBool) -> io::Result<Followed> {
        let handle = child_handle(child)?;
        let mut stdout = Output::new(child.stdout.take(), self.keep)?;
        let mut stderr = Output::new(child.stderr.take(), self.keep)?;
        let end = loop {
            let left = self.limit.map(|limit| limit.saturating_sub(started.elapsed()));
            if let (Some(limit), Some(Duration::ZERO)) = (self.limit, left) {
                break End::TooLong(limit);
            }
            if stop.load(Ordering::Relaxed) {
                break End::Stopped;
            }
            let pause = left.unwrap_or(TICK).min(TICK).max(Duration::from_millis(1));
            let mut fds = vec![PollFd::new(handle.as_fd(), PollFlags::POLLIN)];
            let outputs = [stdout.stream.as_ref().map(AsFd::as_fd), stderr.stream.as_ref().map(AsFd::as_fd)];
            fds.extend(outputs.into_iter().flatten().map(|output| PollFd::new(output, PollFlags::POLLIN)));
            match poll(&mut fds, PollTimeout::try_from(pause).unwrap_or(PollTimeout::ZERO)) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            let ended = fds[0].any().unwrap_or(false);
            // Whatever it printed is in the pipes before its end shows, so reading after the look misses nothing.
            stdout.drain()?;
            stderr.drain()?;
            if ended {
                break End::Itself;
            }
        };
        Ok(Followed { end, stdout: stdout.tail, stderr: stderr.tail })
    }
}

struct Followed {
    end: End,
    stdout: Tail,
    stderr: Tail,
}

enum End {
    Itself,
    TooLong(Duration),
    Stopped,
}

/// One output of the child: what is left to read, and the end of what was read.
struct Output<R> {
    stream: Option<R>,
    tail: Tail,
}

impl<R: Read + AsFd> Output<R> {
    fn new(stream: Option<R>, keep: usize) -> io::Result<Output<R>> {
        if let Some(stream) = &stream {
            fcntl(stream, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok(Output { stream, tail: Tail::new(keep) })
    }

    /// Reads what is there without waiting; no more than 4 MiB (more than a pipe holds), so that a flood cannot keep us.
    fn drain(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..256 {
            let Some(stream) = &mut self.stream else { break };
            match stream.read(&mut buffer) {
                Ok(0) => self.stream = None,
                Ok(read) => self.tail.push(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A handle that becomes readable when the child ends.
fn child_handle(child: &Child) -> io::Result<OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    Ok(pidfd_open(Pid::from_child(child), PidfdFlags::empty())?)
}

/// Kills the child and its process group. It is not yet waited for, so the number is still its own.
fn kill_group(pid: i32) {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    // Both may fail with "no such process" when it has just ended, which is what is wanted.
    let _ = kill(Pid::from_raw(-pid), Signal::SIGKILL);
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        Process { args: vec!["-c".into(), script.into()], ..Process::new("sh") }
    }

    static GO_ON: AtomicBool = AtomicBool::new(false);

    #[test]
    fn a_child_is_run_to_its_end() {
        let ended = shell("echo out; echo err >&2; exit 7").run(&GO_ON).unwrap();
        assert_eq!(ended.outcome, Outcome::Exited { status: 7 });
        assert_eq!((&ended.stdout[..], &ended.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
        let ended = shell("cat; test ! -t 0; echo $DISCO_X; echo ${HOME-none}");
        let variables = [("DISCO_X".into(), "y".into()), ("PATH".into(), std::env::var_os("PATH").unwrap())];
        let ended =
            Process { environment: Environment::Only(variables.into()), ..ended }.run(&GO_ON).unwrap();
        assert_eq!(String::from_utf8(ended.stdout).unwrap(), "y\nnone\n");
    }

    #[test]
    fn much_output_is_read_and_its_end_kept() {
        let process = Process { keep: 100, ..shell("seq 1 200000; seq 1 200000 >&2") };
        let ended = process.run(&GO_ON).unwrap();
        assert!(ended.stdout.ends_with(b"199999\n200000\n") && ended.stderr.ends_with(b"200000\n"));
        assert_eq!((ended.stdout.len(), ended.stderr.len()), (100, 100));
    }

    #[test]
    fn a_child_that_takes_too_long_is_killed_with_its_group() {
        let started = Instant::now();
        let process =
            Process { limit: Some(Duration::from_millis(200)), ..shell("sleep 60 & echo $!; wait") };
        let ended = process.run(&GO_ON).unwrap();
        assert_eq!(ended.outcome, Outcome::TimedOut { seconds: 0 });
        assert!(started.elapsed() < Duration::from_secs(10));
        let status = format!("/proc/{}/status", String::from_utf8(ended.stdout).unwrap().trim());
        let lives = || std::fs::read_to_string(&status).is_ok_and(|text| !text.contains("State:\tZ"));
        while lives() {
            assert!(started.elapsed() < Duration::from_secs(10), "what it started lives on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_left_over_that_holds_the_pipes_does_not_hold_us() {
        let started = Instant::now();
        let ended = shell("sleep 5 & echo done").run(&GO_ON).unwrap();
        assert_eq!((ended.outcome, &ended.stdout[..]), (Outcome::Done, &b"done\n"[..]));
        assert!(started.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn telling_it_to_stop_stops_it() {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(100));
                stop.store(true, Ordering::Relaxed);
            });
            assert!(matches!(shell("sleep 60").run(&stop), Err(ProcessError::Interrupted)));
        });
        assert!(matches!(shell("true").run(&stop), Err(ProcessError::Interrupted)));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = Process::new("no-such-program-here").run(&GO_ON).unwrap_err();
        assert_eq!(error.to_string(), "cannot start \"no-such-program-here\"");
    }
}
