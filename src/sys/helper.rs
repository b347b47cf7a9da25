//! A process of disco's own: this same program with a hidden subcommand, its standard input a channel.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A running helper. It ends when its channel does; dropping this kills it and waits.
#[derive(Debug)]
pub struct Helper(Option<Child>);

impl Helper {
    /// Starts `disco SUBCOMMAND` in a session and process group of its own (a Ctrl-C on the terminal is not for it),
    /// with an empty environment, its standard error ours.
    pub fn start(subcommand: &str, input: OwnedFd) -> io::Result<Helper> {
        let child = Command::new("/proc/self/exe")
            .arg(subcommand)
            .env_clear()
            .process_group(0)
            .stdin(Stdio::from(input))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        Ok(Helper(Some(child)))
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        // It is there until it is waited for, and that takes it.
        self.0.as_ref().map_or(0, Child::id)
    }

    /// Waits for its end; one that ended with a failure is an error.
    pub fn finish(mut self) -> io::Result<()> {
        match self.0.take().map(|mut child| child.wait()).transpose()? {
            Some(status) if !status.success() => Err(io::Error::other(format!("it ended with {status}"))),
            Some(_) | None => Ok(()),
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended by itself; either way wait() below collects it.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
