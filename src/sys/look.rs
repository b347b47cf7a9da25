//! Looks at the running system for somebody inside a sandbox: read-only commands, bounded in time and output.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, ResolveFlags};

use crate::sys::process::{Environment, Process, ProcessError};

/// The end of what a look prints on each stream that is kept, so that the answer fits the channel.
const MOST_OUTPUT: usize = 30 << 10;

/// What a look saw.
#[derive(Debug)]
pub struct Seen {
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// Its exit status; 124 where it was ended for its time.
    pub status: i32,
}

/// Runs a read-only command on the host, without terminal and pager; `stop` ends it.
pub fn run(
    program: &Path,
    arguments: &[String],
    limit: Duration,
    stop: &AtomicBool,
) -> Result<Seen, ProcessError> {
    let variables =
        super::execute::ENVIRONMENT.into_iter().chain([("SYSTEMD_PAGER", ""), ("SYSTEMD_COLORS", "0")]);
    let look = Process {
        args: arguments.iter().map(OsString::from).collect(),
        environment: Environment::Only(variables.map(|(name, value)| (name.into(), value.into())).collect()),
        folder: Some("/".into()),
        limit: Some(limit),
        keep: MOST_OUTPUT,
        ..Process::new(program)
    };
    let ended = look.run(stop)?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Seen { stdout: text(ended.stdout), stderr: text(ended.stderr), status: ended.outcome.exit_status() })
}

/// Opens a program below `root` for reading and executing, links followed within `root`; regular files only.
pub fn open_program(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let found = rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), within)?;
    let stat = rustix::fs::fstat(&found)?;
    if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::RegularFile {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let open = format!("/proc/self/fd/{}", found.as_raw_fd());
    Ok(std::fs::File::open(open)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_look_is_bounded() {
        let look = |text: &str, limit| {
            run(Path::new("/bin/sh"), &["-c".to_owned(), text.to_owned()], limit, &AtomicBool::new(false))
                .unwrap()
        };
        let seen = look("echo a; echo b >&2; exit 3", Duration::from_secs(5));
        assert_eq!((seen.stdout.as_str(), seen.stderr.as_str(), seen.status), ("a\n", "b\n", 3));
        let started = Instant::now();
        assert_eq!(look("exec sleep 20", Duration::from_millis(50)).status, 124);
        assert!(started.elapsed() < Duration::from_secs(10));
        assert_eq!(look("yes | head -c 1000000", Duration::from_secs(5)).stdout.len(), MOST_OUTPUT);
    }
}
