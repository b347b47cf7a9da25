//! Looks at the running system for somebody inside a sandbox: read-only commands, bounded in time and output.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, ResolveFlags};

/// The most that one look may print on each stream, so that the answer fits the channel.
const MOST_OUTPUT: u64 = 30 << 10;

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

/// Runs a read-only command on the host, without terminal and pager.
pub fn run(program: &Path, arguments: &[String], limit: Duration) -> io::Result<Seen> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(super::execute::ENVIRONMENT)
        .envs([("SYSTEMD_PAGER", ""), ("SYSTEMD_COLORS", "0")])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let reader = |stream: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(mut stream) = stream {
                stream.by_ref().take(MOST_OUTPUT).read_to_end(&mut text)?;
                io::copy(&mut stream, &mut io::sink())?;
            }
            io::Result::Ok(String::from_utf8_lossy(&text).into_owned())
        })
    };
    let stdout = reader(child.stdout.take().map(|s| Box::new(s) as _));
    let stderr = reader(child.stderr.take().map(|s| Box::new(s) as _));
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status.code().unwrap_or(1),
            None if Instant::now() >= deadline => {
                child.kill()?;
                child.wait()?;
                break 124;
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let text = |thread: std::thread::JoinHandle<io::Result<String>>| {
        thread.join().unwrap_or_else(|_| Err(io::Error::other("a reader of its output has failed")))
    };
    Ok(Seen { stdout: text(stdout)?, stderr: text(stderr)?, status })
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

    #[test]
    fn a_look_is_bounded() {
        let script = |text: &str| ["-c".to_owned(), text.to_owned()];
        let seen =
            run(Path::new("/bin/sh"), &script("echo a; echo b >&2; exit 3"), Duration::from_secs(5)).unwrap();
        assert_eq!((seen.stdout.as_str(), seen.stderr.as_str(), seen.status), ("a\n", "b\n", 3));
        let started = Instant::now();
        let seen = run(Path::new("/bin/sh"), &script("exec sleep 20"), Duration::from_millis(50)).unwrap();
        assert_eq!(seen.status, 124);
        assert!(started.elapsed() < Duration::from_secs(10));
        let seen =
            run(Path::new("/bin/sh"), &script("yes | head -c 1000000"), Duration::from_secs(5)).unwrap();
        assert_eq!(seen.stdout.len() as u64, MOST_OUTPUT);
    }
}
