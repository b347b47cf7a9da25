//! Looks at the running system for somebody inside a sandbox: read-only commands, bounded in time and output.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::fs::{MemfdFlags, Mode, OFlags, ResolveFlags};

use crate::sys::process::{Environment, Process, ProcessError};

/// The end of what a look prints on each stream that is kept.
const MOST_OUTPUT: usize = 4 << 20;

/// What a look saw.
#[derive(Debug)]
pub struct Seen {
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
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
    Ok(Seen { stdout: ended.stdout, stderr: ended.stderr, status: ended.outcome.exit_status() })
}

/// A file in memory with this content, to be read from its start.
pub fn page(content: &[u8]) -> io::Result<OwnedFd> {
    let mut page = File::from(rustix::fs::memfd_create("look", MemfdFlags::CLOEXEC)?);
    page.write_all(content)?;
    page.rewind()?;
    Ok(page.into())
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
    Ok(File::open(open)?.into())
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
        assert_eq!((&seen.stdout[..], &seen.stderr[..], seen.status), (&b"a\n"[..], &b"b\n"[..], 3));
        let started = Instant::now();
        assert_eq!(look("exec sleep 20", Duration::from_millis(50)).status, 124);
        assert!(started.elapsed() < Duration::from_secs(10));
        assert_eq!(look("yes | head -c 5000000", Duration::from_secs(5)).stdout.len(), MOST_OUTPUT);
    }
}
