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
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// A file in memory with all that can be read from there, to be read from its start.
pub fn spool(mut from: impl io::Read) -> io::Result<OwnedFd> {
    let mut page = File::from(rustix::fs::memfd_create("input", MemfdFlags::CLOEXEC)?);
    io::copy(&mut from, &mut page)?;
    page.rewind()?;
    Ok(page.into())
}

/// The text of a file in memory that somebody else has made; an error where that is none, or has more than `most` bytes.
pub fn text_of(page: OwnedFd, most: usize) -> io::Result<String> {
    // Only a file in memory has seals: from nothing else could a read have to wait.
    rustix::fs::fcntl_get_seals(&page)?;
    let mut text = String::new();
    let page = File::from(page);
    let read =
        io::Read::read_to_string(&mut io::Read::take(FromStart(&page, 0), most as u64 + 1), &mut text)?;
    if read > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

/// Reads at places of its own: the descriptor's is shared with whoever made it.
struct FromStart<'a>(&'a File, u64);

impl io::Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = std::os::unix::fs::FileExt::read_at(self.0, buffer, self.1)?;
        self.1 += read as u64;
        Ok(read)
    }
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
    fn what_was_given_is_read_once_more_within_a_limit() {
        let spooled = || spool(&b"rules\n"[..]).unwrap();
        assert_eq!(text_of(spooled(), 6).unwrap(), "rules\n");
        assert_eq!(text_of(spooled(), 5).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(text_of(spool(&b"\xff"[..]).unwrap(), 5).is_err());
        let (pipe, _writer) = std::io::pipe().unwrap();
        assert!(text_of(pipe.into(), 5).is_err(), "a pipe would have been waited on");
    }

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
