//! What an object's metadata and content are, and how they are copied onto another object of the same type. Never opens
//! a special file: everything but content goes through the handle. Not here: which objects are copied, and why.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, CWD, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::model::attributes::{Attributes, FileKind};
use crate::model::text::Text;
use crate::sys::accounts::Accounts;
use crate::sys::file_system;
use crate::sys::tree::{Object, TreeError};
use crate::sys::user_namespace;

/// Text up to this many bytes is held, to be compared line by line.
pub const LARGEST_TEXT: u64 = 1024 * 1024;
/// The attribute that holds the SELinux label.
pub const SELINUX: &str = "security.selinux";
/// Attributes that mean nothing on a copy: they belong to one inode, or are how XFS keeps the access lists that it tells of under
/// their usual names too. Another file system would keep those beside the real ones, and bring old lists back.
const NOT_COPIED: [&str; 4] =
    ["security.evm", "security.ima", "trusted.SGI_ACL_FILE", "trusted.SGI_ACL_DEFAULT"];

/// Whether an extended attribute belongs to the store and not to the object (such as an overlay's own marks).
pub type IsPrivate<'a> = &'a dyn Fn(&OsStr) -> bool;

/// Extended attributes by name.
pub type Xattrs = BTreeMap<OsString, Vec<u8>>;

/// The content of a regular file as far as it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Text of at most [`LARGEST_TEXT`] bytes.
    Text(Text),
    /// Not text: it has a NUL or isn't UTF-8.
    Binary,
    /// More than [`LARGEST_TEXT`] bytes.
    Large,
}

/// What can be copied from one object to another of its type, content and link target apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The type that it is of.
    pub kind: FileKind,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Permission bits of `st_mode`, without the type.
    pub permissions: u32,
    /// Extended attributes: ACLs, capabilities, labels, users' own.
    #[serde(with = "pairs")]
    pub xattrs: Xattrs,
    /// Last access.
    pub atime: (i64, i64),
    /// Last change of content.
    pub mtime: (i64, i64),
}

impl Metadata {
    /// Whether it is the same but for the times.
    pub fn is_like(&self, other: &Metadata) -> bool {
        let what = |one: &Metadata| (one.uid, one.gid, one.permissions);
        what(self) == what(other) && self.xattrs == other.xattrs
    }
}

/// Extended attributes as a list: names of any bytes are no keys of JSON.
mod pairs {
    use super::{OsString, Xattrs};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(xattrs: &Xattrs, serializer: S) -> Result<S::Ok, S::Error> {
        xattrs.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Xattrs, D::Error> {
        Ok(Vec::<(OsString, Vec<u8>)>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// What an object of the live root gets in place of its own: that of the scratchpad's object, but for the attributes that
/// are private to a scratchpad, which are not for it to take.
pub fn merged(live: &Object, upper: &Object, private: IsPrivate<'_>) -> Result<Metadata, TreeError> {
    let mut wanted = metadata(upper, private)?;
    wanted.xattrs.extend(xattrs(live, &|name| !private(name))?);
    Ok(wanted)
}

/// The extended attributes of an object, without the private ones and those bound to the inode. None where its file
/// system has no such thing.
pub fn xattrs(object: &Object, private: IsPrivate<'_>) -> Result<Xattrs, TreeError> {
    let path = object.proc_path();
    let mut found = Xattrs::new();
    let names = match grown(|buffer| rustix::fs::listxattr(&path, buffer)) {
        Ok(names) => names,
        Err(Errno::NOTSUP) => return Ok(found),
        Err(errno) => return Err(object.error("list the extended attributes of")(errno)),
    };
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(OsStr::from_bytes) {
        if NOT_COPIED.iter().any(|one| name == *one) || private(name) {
            continue;
        }
        match grown(|buffer| rustix::fs::getxattr(&path, name, buffer)) {
            Ok(value) => drop(found.insert(name.to_owned(), value)),
            // Gone since it was listed, or listed without being readable (as some file systems do).
            Err(Errno::NODATA | Errno::NOTSUP) => {}
            Err(Errno::ACCESS) if user_namespace::is_in_one() => {}
            Err(errno) => return Err(object.error("read an extended attribute of")(errno)),
        }
    }
    Ok(found)
}

/// What `read` says with a buffer that is large enough for it.
fn grown(mut read: impl FnMut(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; 256];
    loop {
        match read(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            // 64 KiB is the kernel's own limit for a value and for a list.
            Err(Errno::RANGE) if buffer.len() < 128 * 1024 => buffer.resize(buffer.len() * 4, 0),
            Err(errno) => return Err(errno),
        }
    }
}

/// The metadata of an object.
pub fn metadata(object: &Object, private: IsPrivate<'_>) -> Result<Metadata, TreeError> {
    let stat = object.stat();
    Ok(Metadata {
        kind: object.kind(),
        uid: stat.uid,
        gid: stat.gid,
        permissions: stat.mode & 0o7777,
        xattrs: xattrs(object, private)?,
        atime: stat.atime,
        mtime: stat.mtime,
    })
}

/// Which part of the metadata [`apply`] gives an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// The times too.
    Copied,
    /// All but the times.
    Kept,
}

/// Gives an object the owner, permissions, extended attributes and times, in the order in which none undoes another:
/// chown clears set-id bits and capabilities, an ACL and the mode share bits, all of them touch times.
pub fn apply(object: &Object, wanted: &Metadata, times: Times) -> Result<(), TreeError> {
    let (uid, gid) = (Uid::from_raw(wanted.uid), Gid::from_raw(wanted.gid));
    if (object.stat().uid, object.stat().gid) != (wanted.uid, wanted.gid) {
        rustix::fs::chownat(object.fd(), "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)
            .map_err(object.error("change the owner of"))?;
    }
    // The mode last among them would be wrong too: it must not widen what a new ACL's mask narrows; both hold the same bits.
    apply_xattrs(object, &wanted.xattrs)?;
    if object.kind() != FileKind::Symlink {
        let changed = rustix::fs::chmod(object.proc_path().as_str(), Mode::from_raw_mode(wanted.permissions));
        match changed {
            // Its mount says what everything there has; whoever merges has looked whether that will do.
            Err(Errno::PERM) if matches!(file_system::has_modes(object.fd()), Ok(false)) => {}
            changed => changed.map_err(object.error("change the mode of"))?,
        }
    }
    // Some file systems take a change of owner or mode and forget it.
    let now = object.look_again()?;
    let moded = object.kind() == FileKind::Symlink
        || now.mode & 0o7777 == wanted.permissions
        || matches!(file_system::has_modes(object.fd()), Ok(false));
    if (now.uid, now.gid) != (wanted.uid, wanted.gid) || !moded {
        return Err(object.error("keep the owner and the mode of")(Errno::OPNOTSUPP));
    }
    match times {
        Times::Copied => set_times(object, wanted),
        Times::Kept => Ok(()),
    }
}

/// Gives an object the times.
pub fn set_times(object: &Object, wanted: &Metadata) -> Result<(), TreeError> {
    let spec = |(tv_sec, tv_nsec)| Timespec { tv_sec, tv_nsec };
    let times = Timestamps { last_access: spec(wanted.atime), last_modification: spec(wanted.mtime) };
    rustix::fs::utimensat(CWD, object.proc_path().as_str(), &times, AtFlags::empty())
        .map_err(object.error("set the times of"))
}

/// Sets what differs and removes what isn't wanted (such as an ACL inherited from the directory). Labels that the kernel
/// gives each new object stay where none is wanted.
fn apply_xattrs(object: &Object, wanted: &Xattrs) -> Result<(), TreeError> {
    let present = xattrs(object, &|_| false)?;
    let path = object.proc_path();
    for name in present.keys().filter(|name| !wanted.contains_key(*name)) {
        let bytes = name.as_bytes();
        if bytes.starts_with(b"security.") && bytes != b"security.capability" {
            continue;
        }
        rustix::fs::removexattr(path.as_str(), name.as_os_str())
            .map_err(object.error("remove an extended attribute of"))?;
    }
    for (name, value) in wanted.iter().filter(|(name, value)| present.get(*name) != Some(*value)) {
        rustix::fs::setxattr(path.as_str(), name.as_os_str(), value, XattrFlags::empty())
            .map_err(object.error("set an extended attribute of"))?;
    }
    Ok(())
}

/// What disco compares and shows of an object, and its content where it is a regular file. `device` is that of the file
/// system where the object is, or will be once merged.
pub fn attributes(
    object: &Object,
    device: u64,
    accounts: &Accounts,
    private: IsPrivate<'_>,
) -> Result<(Attributes, Option<Body>), TreeError> {
    let (kind, stat) = (object.kind(), object.stat());
    let (md5, body) = match kind {
        FileKind::Regular => match content(object) {
            // What only others may read can be deleted in a sandbox, and has no content that could be shown.
            Err(error) if is_barred(&error) => (None, Some(Body::Binary)),
            content => content.map(|(md5, body)| (Some(md5), Some(body)))?,
        },
        _ => (None, None),
    };
    let target = match kind {
        FileKind::Symlink => Some(shown(object.target()?.as_bytes())),
        _ => None,
    };
    let size = if matches!(kind, FileKind::Regular | FileKind::Symlink) { stat.size } else { 0 };
    let rdev = matches!(kind, FileKind::CharacterDevice | FileKind::BlockDevice).then_some(stat.rdev);
    let attributes = Attributes {
        device,
        mode: stat.mode,
        owner: accounts.user(stat.uid),
        group: accounts.group(stat.gid),
        ..described(&metadata(object, private)?, size, md5, target, rdev)
    };
    Ok((attributes, body))
}

/// The attributes of an object with that metadata, as far as it says them: no device, and no names of owners.
pub fn described(
    metadata: &Metadata,
    size: u64,
    md5: Option<String>,
    target: Option<String>,
    rdev: Option<(u32, u32)>,
) -> Attributes {
    let label = metadata.xattrs.get(OsStr::new(SELINUX));
    let others = metadata.xattrs.iter().filter(|(name, _)| *name != SELINUX);
    Attributes {
        kind: metadata.kind,
        device: 0,
        mode: metadata.kind.mode() | metadata.permissions,
        uid: metadata.uid,
        gid: metadata.gid,
        owner: String::new(),
        group: String::new(),
        size,
        md5,
        target,
        rdev,
        selinux: label.map(|label| shown(label.strip_suffix(b"\0").unwrap_or(label))),
        xattrs: others.map(|(name, value)| (shown(name.as_bytes()), hex(value))).collect(),
    }
}

/// Whether that is somebody else's, to a process that is root of its user namespace alone.
fn is_barred(error: &TreeError) -> bool {
    user_namespace::is_in_one() && error.errno() == Some(Errno::ACCESS)
}

/// md5 and content of a regular file, read once.
pub fn content(object: &Object) -> Result<(String, Body), TreeError> {
    let mut file = object.read()?;
    let mut hash = md5::Context::new();
    let mut held = Vec::new();
    let mut size = 0_u64;
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let length = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) => return Err(object.io_error("read")(cause)),
        };
        hash.consume(&buffer[..length]);
        size += length as u64;
        if size <= LARGEST_TEXT {
            held.extend_from_slice(&buffer[..length]);
        }
    }
    let body = if size > LARGEST_TEXT {
        Body::Large
    } else if held.contains(&0) {
        Body::Binary
    } else {
        String::from_utf8(held).map_or(Body::Binary, |text| Body::Text(text.into()))
    };
    Ok((format!("{:x}", hash.finalize()), body))
}

/// Copies the content of a regular file into a new one: shared blocks where the file system can, else the data between
/// its holes.
pub fn copy_content(from: &Object, to: &File) -> Result<(), TreeError> {
    let source = from.read()?;
    if from.stat().size == 0 || rustix::fs::ioctl_ficlone(to, &source).is_ok() {
        return Ok(());
    }
    copy_data(&source, to, from.stat().size).map_err(from.io_error("copy"))
}

fn copy_data(source: &File, target: &File, size: u64) -> io::Result<()> {
    rustix::fs::ftruncate(target, size)?;
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(source, rustix::fs::SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break, // a hole to the end
            Err(_) => at,              // this file system knows no holes: all of it is data
        };
        let end = rustix::fs::seek(source, rustix::fs::SeekFrom::Hole(start)).unwrap_or(size).min(size);
        copy_range(source, target, start, end)?;
        at = end.max(start + 1);
    }
    Ok(())
}

fn copy_range(mut source: &File, mut target: &File, start: u64, end: u64) -> io::Result<()> {
    let (mut read_at, mut write_at) = (start, start);
    while read_at < end {
        let length = usize::try_from(end - read_at).unwrap_or(usize::MAX).min(1 << 30);
        match rustix::fs::copy_file_range(
            source.as_fd(),
            Some(&mut read_at),
            target.as_fd(),
            Some(&mut write_at),
            length,
        ) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOTSUP | Errno::NOSYS) => {
                source.seek(SeekFrom::Start(read_at))?;
                target.seek(SeekFrom::Start(write_at))?;
                let copied = io::copy(&mut source.take(end - read_at), &mut target)?;
                target.flush()?;
                return if copied == end - read_at {
                    Ok(())
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Bytes as text on one line: control characters and bytes that are not UTF-8 escaped, as `RootedPath` shows names.
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "metadata_tests.rs"]
mod tests;
