//! How programs start: the environment of scripts and actions, and a program that is known by its descriptor alone.
#![allow(unsafe_code)] // execveat(2) by descriptor and fcntl(2) have no safe form for our arguments

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment that scripts and actions start from: what a login as root has on every node, whoever started disco.
pub const ENVIRONMENT: [(&str, &str); 6] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("USER", "root"),
    ("LOGNAME", "root"),
    ("SHELL", "/bin/bash"),
    ("LC_ALL", "C.UTF-8"),
];

/// The type of the user's terminal, where there is one.
pub fn terminal_type() -> Option<String> {
    std::env::var("TERM").ok()
}

/// The folder that this process is in; `/` where that is gone, or where its name is no text: it goes into records.
pub fn current_folder() -> PathBuf {
    let folder = std::env::current_dir().ok().filter(|folder| folder.to_str().is_some());
    folder.unwrap_or_else(|| PathBuf::from("/"))
}

/// Becomes a program with that environment, in that folder; returns only when it cannot.
pub fn program(
    program: &str,
    argv: &[String],
    environment: &BTreeMap<String, String>,
    folder: &Path,
) -> io::Error {
    Command::new(program).args(argv).env_clear().envs(environment).current_dir(folder).exec()
}

/// Replaces this process by the program behind `program`, with this environment and the added variables. Returns only
/// an error. The descriptor stays open in the new program, because the interpreter of a script reads it.
pub fn descriptor(program: &OwnedFd, argv: &[String], added: &[(&str, &str)]) -> io::Error {
    let run = || -> io::Result<std::convert::Infallible> {
        let argv = argv.iter().map(|word| CString::new(word.as_str())).collect::<Result<Vec<_>, _>>()?;
        let environment = std::env::vars_os()
            .filter(|(name, _)| !added.iter().any(|(replaced, _)| name == replaced))
            .map(|(name, value)| [name.into_vec(), value.into_vec()].join(&b'='))
            .chain(added.iter().map(|(name, value)| format!("{name}={value}").into_bytes()))
            .map(CString::new)
            .collect::<Result<Vec<_>, _>>()?;
        rustix::io::fcntl_setfd(program, rustix::io::FdFlags::empty())?;
        let pointers = |words: &[CString]| -> Vec<*const libc::c_char> {
            words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let (argv, environment) = (pointers(&argv), pointers(&environment));
        // SAFETY: both arrays end with a null and point to strings that live until the call ends.
        unsafe { libc::fexecve(program.as_raw_fd(), argv.as_ptr(), environment.as_ptr()) };
        Err(io::Error::last_os_error())
    };
    match run() {
        Err(error) => error,
        Ok(never) => match never {},
    }
}

/// Runs the program behind `program` to its end, for a process with a single thread: with its own streams, or with none of
/// them. Returns its exit status.
pub fn try_descriptor(
    program: &OwnedFd,
    argv: &[String],
    added: &[(&str, &str)],
    silent: bool,
) -> io::Result<i32> {
    let child = super::spawn::fork(|| {
        if silent && mute().is_err() {
            return CANNOT_EXECUTE;
        }
        descriptor(program, argv, added);
        CANNOT_EXECUTE
    })?;
    let ended = super::wait::wait(child)?;
    Ok(ended.map_or(CANNOT_EXECUTE, |ended| ended.outcome.exit_status()))
}

/// Status of a program that could not be executed, as shells have it.
const CANNOT_EXECUTE: i32 = 127;

fn mute() -> io::Result<()> {
    let nothing = super::files::open_system("/dev/null", true)?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    Ok(rustix::stdio::dup2_stderr(&nothing)?)
}
