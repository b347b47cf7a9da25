//! Whether a process that waits for an answer is in execve(2): /proc says in which call a process sleeps.

use std::fs;

/// execve and execveat.
#[cfg(target_arch = "x86_64")]
const CALLS: [&str; 2] = ["59", "322"];
#[cfg(target_arch = "aarch64")]
const CALLS: [&str; 2] = ["221", "281"];

/// How often it is looked at while it is not yet asleep.
const TRIES: usize = 1000;

/// Whether it is. Where that cannot be found out it is taken to be.
pub(super) fn executes(pid: u32) -> bool {
    for _ in 0..TRIES {
        match fs::read_to_string(format!("/proc/{pid}/syscall")) {
            // It has sent its question and is about to sleep.
            Ok(text) if text.starts_with("running") => std::thread::yield_now(),
            Ok(text) => return text.split(' ').next().is_some_and(|call| CALLS.contains(&call)),
            Err(_) => return true,
        }
    }
    true
}
