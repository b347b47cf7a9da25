//! Shims: what the sandbox shows in the place of commands that act on the running system. The overlay serves disco's own
//! program under their names, at their own paths; called so, it asks the supervisor what to do.

pub(in crate::sandbox) mod answer;
pub mod client;
pub mod verdict;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sys::resolve;
use crate::sys::tree::Root;

/// The commands that are shimmed where the node has them.
pub const NAMES: [&str; 13] = [
    "service",
    "systemctl",
    "invoke-rc.d",
    "deb-systemd-invoke",
    "initctl",
    "rc-service",
    "shutdown",
    "reboot",
    "halt",
    "poweroff",
    "telinit",
    "runlevel",
    "openrc-shutdown",
];

/// The folders in which they are looked for.
const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// What a shim asks, or whoever talks as one: nothing in it is to be trusted.
#[derive(Debug, Serialize, Deserialize)]
pub struct Question {
    /// The command that it stands for, one of [`NAMES`].
    pub name: String,
    /// The path by which it was executed.
    pub program: PathBuf,
    /// Its arguments, its own name first.
    pub argv: Vec<String>,
    /// Where it was called.
    pub directory: PathBuf,
}

/// What a shim is to do.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// Print what the two descriptors hold (there are none where there is nothing to print) on standard output and on
    /// standard error, and end with that status.
    Say {
        /// The exit status.
        status: i32,
    },
    /// Execute the real program, which comes as a descriptor: it changes files only, and those are the sandbox's.
    RunReal,
}

/// The paths of a root to shim, free of symlinks, sorted. A link such as `reboot -> systemctl` leads to what it names; a link to
/// something that is no shim by its own name (busybox) is shimmed itself.
pub fn locate(root: &Root) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        let Some(folder) = root.leads_to(Path::new(folder))? else { continue };
        for name in NAMES {
            let path = folder.absolute().join(name);
            let Some(real) = root.leads_to(&path)?.map(|real| real.absolute()) else { continue };
            let known = real.file_name().is_some_and(|real| NAMES.iter().any(|name| real == *name));
            found.push(if known { real } else { path });
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The root's own program that a question is about: the one that was called, if it is where shims are, or else the first
/// there is. A step can ask anything; no other program is ever executed outside the sandbox, whatever path it names.
pub fn program_of(root: &Root, question: &Question) -> io::Result<PathBuf> {
    let name = NAMES.into_iter().find(|name| question.name == *name).ok_or(io::ErrorKind::NotFound)?;
    let places = FOLDERS.map(|folder| Path::new(folder).join(name));
    let called = places.iter().filter(|place| **place == question.program);
    for place in called.chain(&places) {
        if root.leads_to(place)?.is_some() {
            return Ok(place.clone());
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// The shim that a path is executed as, if any: by its own name (`reboot`, a link to systemctl, acts as reboot), else by
/// that of the program it leads to (somebody's own link to systemctl).
pub fn name_of(program: &Path) -> Option<&'static str> {
    let named =
        |path: &Path| NAMES.into_iter().find(|shim| path.file_name().is_some_and(|name| name == *shim));
    named(program).or_else(|| named(&resolve::canonical(program).ok()??))
}
