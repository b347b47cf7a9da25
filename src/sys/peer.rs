//! Who is at the other end of a socket, and what /proc says of the processes around it. Not here: what is made of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd;
use std::path::PathBuf;

/// The process that connected, as this one numbers it, and the user that it acted as.
pub fn of(socket: impl AsFd) -> Option<(i32, u32)> {
    // No more can be known of a peer that cannot be asked for.
    let credentials = rustix::net::sockopt::socket_peercred(socket).ok()?;
    Some((credentials.pid.as_raw_nonzero().get(), credentials.uid.as_raw()))
}

/// A process that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number here.
    pub pid: i32,
    /// Its number in the pid namespace that was asked about, where it is of that.
    pub inner: Option<i32>,
    /// The kernel's short name of it.
    pub name: String,
    /// What its command line names as its program, without folders.
    pub program: String,
}

/// The processes that are there now, with their numbers in the pid namespace of one of them.
pub fn processes(of: Option<i32>) -> Vec<Process> {
    // What ends meanwhile is not there; without /proc nothing is known to be.
    let inside = of.and_then(namespace);
    let pids = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let process = |pid: i32| {
        let inner =
            inside.as_ref().filter(|inside| namespace(pid).as_ref() == Some(inside)).and_then(|_| inner(pid));
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let first = line.split(|byte| *byte == 0).next().unwrap_or_default();
        let program = String::from_utf8_lossy(first).rsplit('/').next().unwrap_or_default().to_owned();
        Some(Process { pid, inner, name: name(pid)?, program })
    };
    pids.filter_map(process).collect()
}

/// Which of the processes here are in the pid namespace of one of them, with their numbers there.
pub fn inside(of: i32) -> BTreeMap<i32, i32> {
    let all = processes(Some(of)).into_iter();
    all.filter_map(|process| Some((process.pid, process.inner?))).collect()
}

/// The short name of a process.
pub fn name(pid: i32) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned())
}

fn namespace(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// A process's number in its own pid namespace.
fn inner(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("NSpid:")?.split_whitespace().last()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_there_and_knows_its_peer() {
        let (here, _there) = std::os::unix::net::UnixStream::pair().unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(of(&here), Some((own, rustix::process::geteuid().as_raw())));
        let all = processes(Some(own));
        let this = all.iter().find(|process| process.pid == own).unwrap();
        assert!(this.inner.is_some() && !this.program.is_empty() && name(own).unwrap() == this.name);
        assert_eq!(inside(own).get(&own), this.inner.as_ref());
        assert_eq!(name(i32::MAX), None);
    }
}
