//! Where shims stand: which paths of a root they take, what the path by which one was executed means, and which program of
//! the node is behind it.

use std::io;
use std::path::{Path, PathBuf};

use crate::sandbox::Looks;
use crate::sandbox::shims::{NAMES, OF_SERVICES};
use crate::sys::resolve;
use crate::sys::tree::Root;

/// The folders in which they are looked for.
const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Names that are looked at rather than called where they are links: which init a node has.
const TELLING: [&str; 1] = ["init"];

/// The paths of a root to shim, free of symlinks, sorted. A link such as `reboot -> systemctl` leads to what it names; a link to
/// something that is no shim by its own name (busybox) is shimmed itself.
/// A root on which no system runs has shims for services and power alone, which its packages ask for, and only if it has
/// what this program needs to start there: the rest is stopped where it would act.
pub(in crate::sandbox) fn locate(root: &Root, looks: Looks) -> io::Result<Vec<PathBuf>> {
    let names = match looks {
        Looks::Host => &NAMES[..],
        Looks::Inside if can_start(root)? => &NAMES[..OF_SERVICES],
        Looks::Inside => &[],
    };
    let mut found = Vec::new();
    for folder in FOLDERS {
        let Some(folder) = root.leads_to(Path::new(folder))? else { continue };
        for name in names.iter().copied() {
            let path = folder.absolute().join(name);
            let Some(real) = root.leads_to(&path)?.map(|real| real.absolute()) else { continue };
            let known = real.file_name().is_some_and(|real| NAMES.iter().any(|name| real == *name));
            if !known && real != path && TELLING.contains(&name) {
                continue;
            }
            found.push(if known { real } else { path });
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Whether this program starts in a root: it needs what the compiler links it with.
fn can_start(root: &Root) -> io::Result<bool> {
    const FOLDERS: [&str; 8] = [
        "/lib",
        "/lib64",
        "/usr/lib",
        "/usr/lib64",
        "/lib/x86_64-linux-gnu",
        "/lib/aarch64-linux-gnu",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
    ];
    for needed in ["libgcc_s.so.1", "libc.so.6"] {
        let mut found = false;
        for folder in FOLDERS {
            found |= root.leads_to(&Path::new(folder).join(needed))?.is_some();
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The root's own program of that name: the one that was called, if it is where shims are, or else the first there is. A step
/// can ask anything; no other program is ever executed outside the sandbox, whatever path it names.
pub(super) fn program_of(root: &Root, name: &str, program: &Path) -> io::Result<PathBuf> {
    let name = NAMES.into_iter().find(|known| name == *known).ok_or(io::ErrorKind::NotFound)?;
    let places = FOLDERS.map(|folder| Path::new(folder).join(name));
    let called = places.iter().filter(|place| **place == program);
    for place in called.chain(&places) {
        if root.leads_to(place)?.is_some() {
            return Ok(place.clone());
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// The shim that a path is executed as, if any: by its own name (`reboot`, a link to systemctl, acts as reboot), else by
/// that of the program it leads to (somebody's own link to systemctl).
pub(super) fn name_of(program: &Path) -> Option<&'static str> {
    let named =
        |path: &Path| NAMES.into_iter().find(|shim| path.file_name().is_some_and(|name| name == *shim));
    named(program).or_else(|| named(&resolve::canonical(program).ok()??))
}
