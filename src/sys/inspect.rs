//! What /proc says of another process: by its number as this process counts. Nothing here opens a file of that process's: it
//! may lie on a file system that this very process serves.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::model::action::ProcessId;
use crate::sys::spawn;

/// Its short name; empty where it has gone.
pub fn name(pid: i32) -> String {
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    String::from_utf8_lossy(&name).trim_end().to_owned()
}

/// Whether there is one of that number.
pub fn exists(pid: i32) -> bool {
    pid > 0 && fs::symlink_metadata(format!("/proc/{pid}")).is_ok()
}

/// Its command line, in words; empty where it has gone or has none.
pub fn command_line(pid: i32) -> Vec<String> {
    let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = text.strip_suffix(b"\0").unwrap_or(&text);
    match words.is_empty() {
        true => Vec::new(),
        false => {
            words.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
        }
    }
}

/// The user that it acts as.
pub fn user(pid: i32) -> io::Result<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    // The real one first, then the one that counts.
    let user = users.and_then(|users| users.split_ascii_whitespace().nth(1)?.parse().ok());
    user.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The program that it runs, as a path of its own root.
pub fn program(pid: i32) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe"))
}

/// The folder that it is in, as a path of its own root.
pub fn folder(pid: i32) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd"))
}

/// What one of its descriptors is: a path of its own root, or words of the kernel's such as `socket:[812]`.
pub fn descriptor(pid: i32, number: i32) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/{pid}/fd/{number}"))
}

/// How far one of its descriptors was read or written, in bytes.
pub fn position(pid: i32, number: i32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}"))?;
    let position = text.lines().find_map(|line| line.strip_prefix("pos:"));
    position
        .and_then(|position| position.trim().parse().ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Its parent; `None` where it has gone, or has none within sight.
pub fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may hold anything.
    let rest = stat.rsplit_once(')')?.1;
    rest.split_ascii_whitespace().nth(1)?.parse().ok().filter(|parent| *parent > 0)
}

/// Whether `number` is a process of the pid namespace that `beside` is in, as that counts. It reads all of /proc: for kernels
/// where numbers say nothing.
pub fn is_numbered_beside(beside: i32, number: i32) -> bool {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let Some(ours) = namespace(&beside.to_string()) else { return false };
    let Ok(entries) = fs::read_dir("/proc") else { return false };
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).any(|pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        numbers.and_then(|numbers| numbers.split_ascii_whitespace().next_back()) == Some(&*number.to_string())
            && namespace(&pid).as_ref() == Some(&ours)
    })
}

/// Those of a command's words that are numbers of processes, and which those are now.
pub fn processes_in(words: &[String]) -> Vec<ProcessId> {
    let numbers = words.iter().filter_map(|word| word.parse::<i32>().ok()).map(i32::saturating_abs);
    numbers.filter_map(|pid| Some(ProcessId { pid, started: started(pid)? })).collect()
}

/// When it started, in clock ticks after the machine did; `None` where it is gone.
pub fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // What follows the name begins with field 3.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

/// A table of its network namespace, such as `tcp` or `unix`.
pub fn network_table(pid: i32, name: &str) -> io::Result<String> {
    let bytes = fs::read(format!("/proc/{pid}/net/{name}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The kind of one of its sockets: `SOCK_STREAM` and the like.
pub fn socket_kind(pid: i32, number: i32) -> io::Result<rustix::net::SocketType> {
    let process = pidfd_open(Pid::from_raw(pid).ok_or(io::ErrorKind::NotFound)?, PidfdFlags::empty())?;
    Ok(rustix::net::sockopt::socket_type(&spawn::descriptor_of(&process, number)?)?)
}

/// Bytes of another process as a path.
pub fn path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes))
}

/// Text of another process for a report: on one line, bytes that are not UTF-8 replaced.
pub fn words(path: &std::path::Path) -> String {
    String::from_utf8_lossy(path.as_os_str().as_bytes())
        .escape_debug()
        .collect::<String>()
        .replace("\\'", "'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn this_process_is_seen_as_it_is() {
        let me = std::process::id().cast_signed();
        assert_eq!(user(me).unwrap(), rustix::process::geteuid().as_raw());
        assert!(exists(me) && !exists(0) && !exists(-1) && !name(me).is_empty());
        assert_eq!(command_line(me), std::env::args().collect::<Vec<_>>());
        assert_eq!(folder(me).unwrap(), std::env::current_dir().unwrap());
        assert_eq!(program(me).unwrap(), std::env::current_exe().unwrap());
        assert_eq!(parent(me), i32::try_from(std::os::unix::process::parent_id()).ok());
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(socket_kind(me, one.as_raw_fd()).unwrap(), rustix::net::SocketType::STREAM);
        assert!(descriptor(me, one.as_raw_fd()).unwrap().to_string_lossy().starts_with("socket:["));
        assert!(socket_kind(me, 9999).is_err());
        let argv = ["kill", "-TERM", "--", &format!("-{me}"), "4194303"].map(str::to_owned);
        assert_eq!(processes_in(&argv), [ProcessId { pid: me, started: started(me).unwrap() }]);
        assert!(is_numbered_beside(me, me) && !is_numbered_beside(me, 0));
        assert_eq!(words(std::path::Path::new("/a b\n'")), "/a b\\n'");
    }
}
