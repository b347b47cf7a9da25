//! A process of disco's own that stays when its starter has ended: this same program with a hidden subcommand. Its
//! standard input is a channel to the starter until it is ready. One that ends with its starter is [`crate::sys::helper`].

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use crate::sys::channel::Channel;
use crate::sys::{files, namespace};

/// A daemon that is starting. Dropping this leaves it alone.
#[derive(Debug)]
pub struct Starting(Child);

impl Starting {
    /// Starts `disco SUBCOMMAND` in the folder `/`, with an empty environment and no streams but the channel.
    pub fn start(subcommand: &str, input: OwnedFd) -> io::Result<Starting> {
        let child = Command::new("/proc/self/exe")
            .arg(subcommand)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(input))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Starting(child))
    }

    /// Waits for the end of one that has not become ready.
    pub fn wait(mut self) -> io::Result<()> {
        self.0.wait().map(|_| ())
    }
}

/// In the daemon, first of all: a session of its own, so without any terminal; no descriptors but the three streams. Returns
/// the channel to the starter, and has /dev/null in its place.
pub fn settle() -> io::Result<Channel> {
    nix::unistd::setsid()?;
    namespace::close_inherited().map_err(io::Error::other)?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let channel = Channel::from(io::stdin().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(files::open_system("/dev/null", false)?)?;
    Ok(channel)
}

/// Starts `disco WORDS` in a session of its own, in `/`, with an empty environment and no streams; nobody waits for it.
pub fn start_detached(words: &[&str]) -> io::Result<()> {
    // The one in between ends at once: what it has started is nobody's child.
    let mut command = Command::new("/usr/bin/setsid");
    let mut child = quiet(command.arg("--fork").arg(program()?).args(words)).spawn()?;
    ended(child.wait()?)
}

/// A daemon that was started.
#[cfg(feature = "server")]
#[derive(Debug)]
pub struct Begun {
    /// Its number.
    pub pid: i32,
    ready: std::io::PipeReader,
}

/// Starts `disco WORDS` in `/`, with an environment of its own; with the file of its pid as standard input, which it holds, and as standard
/// output the way to say that it is ready: [`Holding::begin`] is its first act. What it says goes into the log.
#[cfg(feature = "server")]
pub fn start_holding(
    held: &super::pid_file::Held<'_>,
    words: &[String],
    log: &std::fs::File,
    environment: &[(&'static str, String)],
) -> io::Result<Begun> {
    let (ready, tell) = io::pipe()?;
    let mut command = Command::new(program()?);
    let command = command.args(words).env_clear().current_dir("/");
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let child = command.stdin(Stdio::from(held.lend()?)).stdout(tell).stderr(log.try_clone()?).spawn()?;
    let pid = child.id().cast_signed();
    held.tell(pid)?;
    Ok(Begun { pid, ready })
}

/// What became of it.
#[cfg(feature = "server")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It is ready.
    Ready,
    /// It has ended.
    Ended,
    /// Neither, in that time.
    Late,
}

#[cfg(feature = "server")]
impl Begun {
    /// Waits until it is ready, or has ended, or that time is over.
    pub fn wait(mut self, within: std::time::Duration) -> io::Result<Came> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let until = std::time::Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(std::time::Instant::now());
            let left = Timespec::try_from(left).map_err(io::Error::other)?;
            match poll(&mut [PollFd::new(&self.ready, PollFlags::IN)], Some(&left)) {
                Ok(0) => return Ok(Came::Late),
                Ok(_) if io::Read::read(&mut self.ready, &mut [0])? > 0 => return Ok(Came::Ready),
                Ok(_) => return Ok(Came::Ended),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// What a daemon has of its starter: the lock on its file, as long as this lives, and the way to say that it is ready.
#[cfg(feature = "server")]
#[derive(Debug)]
pub struct Holding {
    _lock: OwnedFd,
    ready: std::cell::RefCell<Option<OwnedFd>>,
}

#[cfg(feature = "server")]
impl Holding {
    /// In the daemon, before anything else is opened: a session of its own, no descriptors but the three streams, and nothing to be read
    /// there. What it prints goes into its log.
    pub fn begin() -> io::Result<Holding> {
        nix::unistd::setsid()?;
        namespace::close_inherited().map_err(io::Error::other)?;
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
        let lock = io::stdin().as_fd().try_clone_to_owned()?;
        let ready = io::stdout().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdin(files::open_system("/dev/null", false)?)?;
        rustix::stdio::dup2_stdout(io::stderr())?;
        Ok(Holding { _lock: lock, ready: std::cell::RefCell::new(Some(ready)) })
    }

    /// Says that it is ready.
    pub fn ready(&self) {
        if let Some(ready) = self.ready.take() {
            // Whoever has started it may be gone.
            let _ = io::Write::write(&mut std::fs::File::from(ready), b"+");
        }
    }
}

/// The same as a unit of systemd's, which is gone when it ends.
pub fn start_as_unit(unit: &str, words: &[&str]) -> io::Result<()> {
    let mut command = Command::new("systemd-run");
    let command = command.args(["--quiet", "--collect", "--unit", unit]).arg(program()?).args(words);
    ended(quiet(command).spawn()?.wait()?)
}

fn ended(status: std::process::ExitStatus) -> io::Result<()> {
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("it ended with {status}"))) }
}

/// Where this program lies; another one of that name may have taken its place.
fn program() -> io::Result<std::path::PathBuf> {
    std::env::current_exe()
}

fn quiet(command: &mut Command) -> &mut Command {
    command
        .env_clear()
        .envs(super::execute::ENVIRONMENT)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}
