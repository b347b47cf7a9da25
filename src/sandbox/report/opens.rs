//! What a step opens to write that is no plain file: the kernel's own files, device nodes, FIFOs of the host.

use std::path::{Component, Path, PathBuf};

use crate::model::attempt::Answer;
use crate::model::attributes::FileKind;
use crate::model::path::RootedPath;
use crate::sandbox::report::judge::{Caller, Judge, Judged};
use crate::sys::inspect;
use crate::sys::notify::Reply;

/// What the sandbox's own /dev has, and what is in it.
const DEVICES: [&str; 16] = [
    "null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue", "fd", "stdin",
    "stdout", "stderr", "disco", "log",
];

/// What kind of place a path is, by its words alone.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// A device that the sandbox does not have.
    Device,
    /// A file of the kernel's that acts on all of the system.
    Kernel,
    /// The sandbox's own.
    Own,
    /// Somewhere in the root.
    Root,
}

fn place(path: &Path) -> Place {
    let mut parts = path.components().skip(1).map(|part| part.as_os_str().to_string_lossy());
    match (parts.next().as_deref(), parts.next().as_deref()) {
        (Some("dev"), Some(name)) if DEVICES.contains(&name) => Place::Own,
        (Some("dev"), Some(_)) => Place::Device,
        (Some("sys"), Some(_)) => Place::Kernel,
        (Some("proc"), Some(name))
            if name.ends_with("self") || name.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            Place::Own
        }
        (Some("proc"), Some(_)) => Place::Kernel,
        _ => Place::Root,
    }
}

/// The path without `.` and `..`, by its words alone.
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir | Component::Prefix(_) => {}
            Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

impl Judge {
    /// A file is opened to write: `at` is the folder's descriptor, `name` where the path is, `flags` those of open(2).
    pub(super) fn open(&self, caller: &Caller<'_>, at: Option<u64>, name: u64, flags: u64) -> Judged {
        let Some(path) = caller.path(name) else { return Judged::pass() };
        let path = caller.absolute(at, &path);
        let shown = plain(&path);
        match place(&shown) {
            Place::Own => Judged::pass(),
            // It is a file of the sandbox's /dev then, and goes with it.
            Place::Device if flags & libc::O_CREAT as u64 != 0 => {
                Judged::told(Reply::Continue, inspect::words(&shown), Answer::Pretended)
            }
            Place::Device => Judged::fails(inspect::words(&shown)),
            Place::Kernel if self.pretends_knobs => Judged::pass(),
            Place::Kernel => Judged::fails(inspect::words(&shown)),
            Place::Root => match self.hosts_special(&path) {
                // Nobody reads it here, and to open it would wait for that for ever.
                Some(FileKind::Fifo) => Judged::refuse(libc::ENXIO, inspect::words(&shown)),
                Some(FileKind::CharacterDevice | FileKind::BlockDevice) => {
                    Judged::fails(inspect::words(&shown))
                }
                _ => Judged::pass(),
            },
        }
    }

    /// What the host has at a path, where that is a special file that nobody has touched here.
    pub(super) fn hosts_special(&self, path: &Path) -> Option<FileKind> {
        // Where it cannot be looked at there is nothing to tell: the call goes its way.
        let kind = self.lower.kind_behind(path).ok().flatten()?;
        match kind {
            FileKind::Regular | FileKind::Directory | FileKind::Symlink => return None,
            FileKind::Fifo | FileKind::Socket | FileKind::CharacterDevice | FileKind::BlockDevice => {}
        }
        let real: RootedPath = self.lower.leads_to(path).ok().flatten()?;
        let touched = self.uppers.iter().any(|upper| matches!(upper.lookup(&real), Ok(Some(_))));
        (!touched).then_some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_known_by_their_words() {
        for (path, expected) in [
            ("/dev/null", Place::Own),
            ("/dev/pts/3", Place::Own),
            ("/dev/sda", Place::Device),
            ("/dev/../dev/./kmsg", Place::Device),
            ("/proc/sys/kernel/x", Place::Kernel),
            ("/proc/self/oom_score_adj", Place::Own),
            ("/proc/thread-self/attr/x", Place::Own),
            ("/proc/33000/oom_score_adj", Place::Own),
            ("/proc/sysrq-trigger", Place::Kernel),
            ("/sys/power/state", Place::Kernel),
            ("/etc/../../sys/power/state", Place::Kernel),
            ("/etc/passwd", Place::Root),
            ("/devices/x", Place::Root),
            ("/", Place::Root),
        ] {
            assert_eq!(place(&plain(Path::new(path))), expected, "{path}");
        }
    }
}
