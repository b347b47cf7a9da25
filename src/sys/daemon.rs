//! A process of disco's own that stays when its starter has ended: this same program with a hidden subcommand. Its
//! standard input is a channel to the starter until it is ready. One that ends with its starter is [`crate::sys::helper`].

use std::io;
use std::os::fd::{AsFd, OwnedFd};
#[cfg(feature = "server")]
use std::os::unix::process::CommandExt as _;
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

/// Starts `disco WORDS` in the same way, with a lock as its standard input, which is held until that process ends, and with its number in the
/// lock's file. What it says goes into the log. With an account it has that user's rights and no others. Returns its number.
#[cfg(feature = "server")]
pub fn start_holding(
    lock: super::lock::Lock,
    words: &[String],
    log: &std::fs::File,
    account: Option<(u32, u32)>,
) -> io::Result<i32> {
    // It becomes the program, as the head of a session.
    let mut command = Command::new("/usr/bin/setsid");
    let command = quiet(command.arg(program()?).args(words));
    if let Some((user, group)) = account {
        // Root's other groups go with that.
        command.uid(user).gid(group);
    }
    let file = lock.duplicate()?;
    let child = command.stdin(Stdio::from(file)).stdout(log.try_clone()?).stderr(log.try_clone()?).spawn()?;
    let pid = child.id().cast_signed();
    lock.tell(&pid.to_string())?;
    Ok(pid)
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
