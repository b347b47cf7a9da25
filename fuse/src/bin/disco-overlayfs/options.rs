//! What `-o` says, as plain values. Nothing here looks at a file.

use disco_fuse::Writes;
use nix::mount::MsFlags;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

#[cfg(test)]
mod tests;

/// What the options ask to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A mount.
    Mount(Wanted),
    /// Other flags for a mount that is there.
    Remount(MsFlags),
}

/// What is to be mounted; paths are as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The trees to show, topmost first; at least one.
    pub lower: Vec<PathBuf>,
    /// Where changes go; without it the mount is read-only.
    pub changes: Option<Changes>,
    /// The flags of the mount.
    pub flags: MsFlags,
    /// What the list of mounts calls the source.
    pub fsname: Option<OsString>,
    /// When the changes are on their disk.
    pub kept: Kept,
    /// How what programs write reaches the upper.
    pub writes: Writes,
}

/// Where changes go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changes {
    pub upper: PathBuf,
    pub work: PathBuf,
}

/// What is promised of changes after the machine stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// They are on their disk after an fsync, and all of them once the program has ended.
    Synced,
    /// Nothing.
    Volatile,
}

/// What is wrong with the options.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum OptionError {
    #[error("option {0} is unknown")]
    Unknown(String),
    #[error("option {name} is not supported: {why}")]
    Refused { name: String, why: &'static str },
    #[error("option {0} needs a value")]
    NoValue(&'static str),
    #[error("option {0} takes no value")]
    HasValue(String),
    #[error("lowerdir is missing")]
    NoLower,
    #[error("lowerdir has an empty path in it: {0}")]
    EmptyLower(String),
    #[error("{given} is given, but {missing} is missing")]
    Half { given: &'static str, missing: &'static str },
}

impl OptionError {
    /// Returns what to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            OptionError::Unknown(_) => {
                "disco-overlayfs --help lists the options; a comma in a path is written \\,"
            }
            OptionError::Refused { .. } => "leave it out",
            OptionError::NoValue(_) => "write NAME=VALUE",
            OptionError::HasValue(_) => "leave out what follows the name",
            OptionError::NoLower => "add -o lowerdir=DIR, or lowerdir=TOP:BOTTOM for several",
            OptionError::EmptyLower(_) => "write one colon between two paths, and \\: for a colon in a path",
            OptionError::Half { missing: "workdir", .. } => {
                "add workdir=DIR, an empty directory on upperdir's file system"
            }
            OptionError::Half { .. } => "add upperdir=DIR, or leave out workdir for a read-only mount",
        }
    }
}

/// The flags of mount(8): name, what it sets, what it clears.
const FLAGS: [(&str, MsFlags, MsFlags); 17] = [
    ("ro", MsFlags::MS_RDONLY, MsFlags::empty()),
    ("rw", MsFlags::empty(), MsFlags::MS_RDONLY),
    ("dev", MsFlags::empty(), MsFlags::MS_NODEV),
    ("nodev", MsFlags::MS_NODEV, MsFlags::empty()),
    ("suid", MsFlags::empty(), MsFlags::MS_NOSUID),
    ("nosuid", MsFlags::MS_NOSUID, MsFlags::empty()),
    ("exec", MsFlags::empty(), MsFlags::MS_NOEXEC),
    ("noexec", MsFlags::MS_NOEXEC, MsFlags::empty()),
    ("atime", MsFlags::empty(), MsFlags::MS_NOATIME),
    ("noatime", MsFlags::MS_NOATIME, MsFlags::empty()),
    ("relatime", MsFlags::MS_RELATIME, MsFlags::empty()),
    ("norelatime", MsFlags::empty(), MsFlags::MS_RELATIME),
    ("strictatime", MsFlags::MS_STRICTATIME, MsFlags::empty()),
    ("diratime", MsFlags::empty(), MsFlags::MS_NODIRATIME),
    ("nodiratime", MsFlags::MS_NODIRATIME, MsFlags::empty()),
    // What mount(8) says when nothing is said.
    ("defaults", MsFlags::empty(), MsFlags::empty()),
    ("async", MsFlags::empty(), MsFlags::empty()),
];

/// What is so in any case, or is the business of whoever calls mount(8).
const ACCEPTED: [&str; 14] = [
    "allow_other",
    "default_permissions",
    // mount(8) repeats them from the list of mounts.
    "user_id=0",
    "group_id=0",
    "redirect_dir=on",
    "index=on",
    "xino=on",
    "xino=auto",
    "metacopy=off",
    "static_nlink",
    "auto",
    "noauto",
    "nofail",
    "_netdev",
];

/// What others have and this program has not, with the reason; all of them by the name before a `=`.
const REFUSED: [(&str, &str); 14] = [
    ("uidmapping", OWNERS),
    ("gidmapping", OWNERS),
    ("squash_to_root", OWNERS),
    ("squash_to_uid", OWNERS),
    ("squash_to_gid", OWNERS),
    ("userxattr", "the layers are marked by trusted.disco.* attributes alone"),
    ("allow_root", "access is checked by owner and mode, for everybody"),
    ("noacl", "access control lists are always kept and checked"),
    ("plugins", "layers are plain directories"),
    ("metacopy", "a file is copied whole"),
    ("redirect_dir", "directories can always be renamed"),
    ("index", "hard links always stay together"),
    ("xino", "numbers of files are always unique in the mount"),
    ("debug", "there is no log of requests; -f keeps the program in the foreground"),
];
const OWNERS: &str =
    "owners are shown as the layers have them; mount the layers with X-mount.idmap to map them";

/// Returns what the options ask for; of an option that is given twice the last one counts.
pub(crate) fn parse(given: &[OsString]) -> Result<Asked, OptionError> {
    let (mut lower, mut upper, mut work) = (None, None, None);
    let (mut flags, mut fsname, mut kept) = (MsFlags::MS_NODEV, None, Kept::Synced);
    let (mut remount, mut writes) = (false, Writes::Through);
    for option in given.iter().flat_map(|list| split(list.as_bytes(), b',')) {
        let (name, value) = match option.iter().position(|&byte| byte == b'=') {
            Some(at) => (&option[..at], Some(&option[at + 1..])),
            None => (option, None),
        };
        let name = String::from_utf8_lossy(name).into_owned();
        match (name.as_str(), value) {
            ("", None) => {}
            ("lowerdir", value) => lower = Some(needed("lowerdir", value)?),
            ("upperdir", value) => upper = Some(path(needed("upperdir", value)?)),
            ("workdir", value) => work = Some(path(needed("workdir", value)?)),
            ("fsname", value) => fsname = Some(plain(needed("fsname", value)?)),
            ("remount", None) => remount = true,
            ("volatile", None) => kept = Kept::Volatile,
            ("writeback", None | Some(b"1")) => writes = Writes::Gathered,
            ("writeback", Some(b"0")) => writes = Writes::Through,
            _ if ACCEPTED.iter().any(|accepted| accepted.as_bytes() == option) => {}
            // For whoever reads fstab; mount(8) keeps them to itself, others may not.
            (name, _) if name.starts_with("x-") || name.starts_with("X-") || name == "comment" => {}
            _ => match (FLAGS.iter().find(|(flag, ..)| *flag == name), value) {
                (Some((_, set, clear)), None) => flags = (flags | *set) - *clear,
                (Some(_), Some(_)) => return Err(OptionError::HasValue(name)),
                (None, _) => return Err(refusal(name)),
            },
        }
    }
    if remount {
        return Ok(Asked::Remount(flags));
    }
    let changes = match (upper, work) {
        (Some(upper), Some(work)) => Some(Changes { upper, work }),
        (None, None) => None,
        (Some(_), None) => return Err(OptionError::Half { given: "upperdir", missing: "workdir" }),
        (None, Some(_)) => return Err(OptionError::Half { given: "workdir", missing: "upperdir" }),
    };
    if changes.is_none() {
        flags |= MsFlags::MS_RDONLY;
    }
    let lower = lowers(lower.ok_or(OptionError::NoLower)?)?;
    Ok(Asked::Mount(Wanted { lower, changes, flags, fsname, kept, writes }))
}

fn refusal(name: String) -> OptionError {
    match REFUSED.iter().find(|(refused, _)| *refused == name) {
        Some((_, why)) => OptionError::Refused { name, why },
        None => OptionError::Unknown(name),
    }
}

fn lowers(list: &[u8]) -> Result<Vec<PathBuf>, OptionError> {
    let empty = || OptionError::EmptyLower(OsStr::from_bytes(list).to_string_lossy().into_owned());
    let one = |lower: &[u8]| if lower.is_empty() { Err(empty()) } else { Ok(path(lower)) };
    split(list, b':').map(one).collect()
}

fn needed<'a>(name: &'static str, value: Option<&'a [u8]>) -> Result<&'a [u8], OptionError> {
    value.filter(|value| !value.is_empty()).ok_or(OptionError::NoValue(name))
}

fn path(text: &[u8]) -> PathBuf {
    PathBuf::from(plain(text))
}

/// What a backslash can stand before; before anything else it is itself, as in names that systemd makes.
const ESCAPED: &[u8] = b"\\:,";

/// Returns the parts between separators that no backslash stands before; backslashes stay.
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut escaped = false;
    text.split(move |&byte| {
        let here = byte == separator && !escaped;
        escaped = byte == b'\\' && !escaped;
        here
    })
}

/// Returns the text without the backslashes that only protect the character after them.
fn plain(text: &[u8]) -> OsString {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        match rest.peek() {
            Some(next) if byte == b'\\' && ESCAPED.contains(next) => out.extend(rest.next()),
            _ => out.push(byte),
        }
    }
    OsString::from_vec(out)
}
