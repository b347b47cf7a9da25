//! What the kernel is told, in its own words.

use crate::Stat;
use crate::ids::Ids;
use crate::node::Hold;
use crate::place::Time;
use fuser::{Errno, FileAttr, FileType, Generation, INodeNo, ReplyEmpty, ReplyEntry, ReplyXattr, TimeOrNow};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the kernel may rely on what it was told: nobody but itself changes the view.
pub(crate) const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long it may rely on what a name leads to. A shim steps aside when its file is written, and opening for that asks
/// nobody: so its name is asked for each time.
pub(super) fn kept(ino: u64) -> Duration {
    if Ids::is_shim(ino) { Duration::ZERO } else { KEPT }
}
pub(crate) const GENERATION: Generation = Generation(0);

pub(crate) fn error(errno: rustix::io::Errno) -> Errno {
    Errno::from_i32(errno.raw_os_error())
}

pub(super) fn time(seconds: i64, nanoseconds: u32) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let start = if seconds < 0 { UNIX_EPOCH - whole } else { UNIX_EPOCH + whole };
    start + Duration::from_nanos(u64::from(nanoseconds))
}

pub(super) fn wanted_time(time: TimeOrNow) -> Time {
    let time = match time {
        TimeOrNow::Now => return Time::Now,
        TimeOrNow::SpecificTime(time) => time,
    };
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => Time::At(after.as_secs() as i64, after.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            match before.subsec_nanos() {
                0 => Time::At(-(before.as_secs() as i64), 0),
                part => Time::At(-(before.as_secs() as i64) - 1, 1_000_000_000 - part),
            }
        }
    }
}

pub(crate) fn kind(kind: rustix::fs::FileType) -> FileType {
    match kind {
        rustix::fs::FileType::Directory => FileType::Directory,
        rustix::fs::FileType::Symlink => FileType::Symlink,
        rustix::fs::FileType::Fifo => FileType::NamedPipe,
        rustix::fs::FileType::Socket => FileType::Socket,
        rustix::fs::FileType::CharacterDevice => FileType::CharDevice,
        rustix::fs::FileType::BlockDevice => FileType::BlockDevice,
        _ => FileType::RegularFile,
    }
}

pub(crate) fn attributes(stat: &Stat) -> FileAttr {
    FileAttr {
        ino: INodeNo(stat.ino),
        size: stat.size,
        blocks: stat.blocks,
        atime: time(stat.atime, stat.atime_nsec),
        mtime: time(stat.mtime, stat.mtime_nsec),
        ctime: time(stat.ctime, stat.ctime_nsec),
        crtime: UNIX_EPOCH,
        kind: kind(stat.kind()),
        perm: stat.permissions() as u16,
        nlink: u32::try_from(stat.nlink).unwrap_or(u32::MAX),
        uid: stat.uid,
        gid: stat.gid,
        // FUSE carries the low 32 bits, which hold 12 bits of major and 20 of minor.
        rdev: stat.rdev as u32,
        blksize: stat.blksize,
        flags: 0,
    }
}

/// Answers that there is no such name, in a way that the kernel keeps.
pub(super) fn answer_nothing(reply: ReplyEntry) {
    let nothing = FileAttr {
        ino: INodeNo(0),
        size: 0,
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: FileType::RegularFile,
        perm: 0,
        nlink: 0,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 0,
        flags: 0,
    };
    reply.entry(&KEPT, &nothing, GENERATION);
}

pub(super) fn answer_entry(reply: ReplyEntry, made: crate::Result<(Hold<'_>, Stat)>) {
    match made {
        Ok((node, stat)) => {
            node.remembered();
            reply.entry(&kept(stat.ino), &attributes(&stat), GENERATION);
        }
        Err(errno) => reply.error(error(errno)),
    }
}

/// An entry that the kernel asks for each time.
pub(super) fn answer_fleeting(reply: ReplyEntry, (node, stat): (Hold<'_>, Stat)) {
    node.remembered();
    reply.entry(&Duration::ZERO, &attributes(&stat), GENERATION);
}

pub(super) fn answer_empty(reply: ReplyEmpty, done: crate::Result<()>) {
    match done {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(error(errno)),
    }
}

pub(super) fn answer_xattr(reply: ReplyXattr, size: u32, value: crate::Result<Vec<u8>>) {
    match value {
        Ok(value) if size == 0 => reply.size(value.len() as u32),
        Ok(value) if value.len() > size as usize => reply.error(Errno::ERANGE),
        Ok(value) => reply.data(&value),
        Err(errno) => reply.error(error(errno)),
    }
}
