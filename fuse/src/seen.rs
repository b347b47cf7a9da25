//! What each object of the lower was when the view first showed it: kept when the kernel and the table of nodes have
//! forgotten the object, and small, for a walk of a machine sees 150,000 of them. Pure: it looks at nothing itself.
//!
//! The key is a directory's number and a name in it, not the object: what somebody puts in an object's place is compared
//! with the object that was seen there. Both are kept as one hash of 64 bits with a secret of this process. Two of 150,000
//! names share one once in a billion walks; the second then has the first's record, is taken for changed, and its merge is
//! refused; the next run has another secret. It cannot hide a change: no two objects have one device and inode.

use crate::{Overlay, Stat};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;

/// What an object was, as far as it tells whether it is still the same. Not its links, its blocks and its last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Device of the file system that holds it.
    pub dev: u64,
    /// Inode number on that file system.
    pub ino: u64,
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The device that a device node stands for.
    pub rdev: u64,
    /// Length in bytes.
    pub size: u64,
    /// Time of the last change of the content: seconds, nanoseconds.
    pub mtime: (i64, u32),
    /// Time of the last change of anything: seconds, nanoseconds.
    pub ctime: (i64, u32),
}

impl From<&Stat> for Look {
    fn from(stat: &Stat) -> Look {
        Look {
            dev: stat.dev,
            ino: stat.ino,
            mode: stat.mode,
            uid: stat.uid,
            gid: stat.gid,
            rdev: stat.rdev,
            size: stat.size,
            mtime: (stat.mtime, stat.mtime_nsec),
            ctime: (stat.ctime, stat.ctime_nsec),
        }
    }
}

impl Look {
    /// Returns the permission bits, with set-id and sticky.
    pub fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }

    /// Returns whether it is a directory.
    pub fn is_dir(&self) -> bool {
        rustix::fs::FileType::from_raw_mode(self.mode) == rustix::fs::FileType::Directory
    }

    /// Returns whether both are one object of one type, in whatever state. Some file systems (an overlay of several) give an
    /// object another number whenever the kernel has forgotten it; a time stamp of the last change of anything, which
    /// taking another's name is as well, does not come twice.
    pub fn is_same_object(&self, other: &Look) -> bool {
        let kind = |look: &Look| rustix::fs::FileType::from_raw_mode(look.mode);
        (self.dev, kind(self), self.rdev) == (other.dev, kind(other), other.rdev)
            && (self.ino == other.ino || self.ctime == other.ctime)
    }

    /// Returns whether both are one object in one state. A directory's times and size are those of its names, which are
    /// objects of their own.
    pub fn is_unchanged(&self, other: &Look) -> bool {
        let owned = |look: &Look| (look.mode, look.uid, look.gid);
        let state = |look: &Look| (look.size, look.mtime, look.ctime);
        self.is_same_object(other)
            && owned(self) == owned(other)
            && (self.is_dir() || state(self) == state(other))
    }
}

/// What many objects have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Common {
    dev: u64,
    rdev: u64,
    mode: u32,
    uid: u32,
    gid: u32,
}

/// One look in 44 bytes.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed(4))]
struct Record {
    key: u64,
    ino: u64,
    size: u64,
    mtime: u64,
    ctime: u64,
    common: u32,
}

/// The first second that 34 bits can say; with it they are those of ext4, to the year 2446.
const EPOCH: i64 = -(1 << 31);
const NANOSECONDS: u32 = 30;
/// How many records are made room for at once.
const CHUNK: usize = 1024;
/// A slot of the table without a record.
const FREE: u32 = u32::MAX;

fn pack(time: (i64, u32)) -> u64 {
    (time.0.wrapping_sub(EPOCH) as u64) << NANOSECONDS | u64::from(time.1) & ((1 << NANOSECONDS) - 1)
}

fn unpack(time: u64) -> (i64, u32) {
    ((time >> NANOSECONDS) as i64 + EPOCH, (time & ((1 << NANOSECONDS) - 1)) as u32)
}

/// Records in the order of the looks, found by an open table of their numbers.
#[derive(Debug, Default)]
struct Records {
    chunks: Vec<Vec<Record>>,
    length: usize,
    /// A power of two of them, at most three quarters taken.
    slots: Vec<u32>,
    common: Vec<Common>,
    numbers: HashMap<Common, u32>,
    /// Those that fit no record, such as times beyond the year 2446.
    odd: HashMap<u32, Look>,
}

impl Records {
    fn at(&self, number: u32) -> &Record {
        &self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    /// Returns the slot that has the key, or the free one where it would be. There are slots.
    fn slot(&self, key: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = key as usize & mask;
        while self.slots[at] != FREE && self.at(self.slots[at]).key != key {
            at = (at + 1) & mask;
        }
        at
    }

    fn get(&self, key: u64) -> Option<Look> {
        if self.slots.is_empty() {
            return None;
        }
        let number = Some(self.slots[self.slot(key)]).filter(|number| *number != FREE)?;
        Some(self.odd.get(&number).copied().unwrap_or_else(|| self.look(self.at(number))))
    }

    fn look(&self, record: &Record) -> Look {
        let Common { dev, rdev, mode, uid, gid } = self.common[record.common as usize];
        let (mtime, ctime) = (unpack(record.mtime), unpack(record.ctime));
        Look { dev, ino: record.ino, mode, uid, gid, rdev, size: record.size, mtime, ctime }
    }

    /// Adds a look, unless there was one.
    fn add(&mut self, key: u64, look: &Look) {
        if (self.length + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let slot = self.slot(key);
        // Four thousand million names are more than the table can number, and more than a node remembers.
        let Ok(number) = u32::try_from(self.length) else { return };
        if self.slots[slot] != FREE || number == FREE {
            return;
        }
        let record = Record {
            key,
            ino: look.ino,
            size: look.size,
            mtime: pack(look.mtime),
            ctime: pack(look.ctime),
            common: self.number(look),
        };
        if self.look(&record) != *look {
            self.odd.insert(number, *look);
        }
        if self.length.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks[self.length / CHUNK].push(record);
        self.length += 1;
        self.slots[slot] = number;
    }

    fn number(&mut self, look: &Look) -> u32 {
        let common = Common { dev: look.dev, rdev: look.rdev, mode: look.mode, uid: look.uid, gid: look.gid };
        *self.numbers.entry(common).or_insert_with(|| {
            self.common.push(common);
            (self.common.len() - 1) as u32
        })
    }

    fn grow(&mut self) {
        self.slots = vec![FREE; (self.slots.len() * 2).max(CHUNK)];
        for number in 0..self.length as u32 {
            let slot = self.slot(self.at(number).key);
            self.slots[slot] = number;
        }
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        let records = self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<Record>()).sum::<usize>();
        let common = self.common.capacity() * size_of::<Common>();
        let numbers = self.numbers.capacity() * (size_of::<(Common, u32)>() + 1) * 8 / 7;
        let odd = self.odd.capacity() * (size_of::<(u32, Look)>() + 1) * 8 / 7;
        records
            + self.slots.capacity() * 4
            + self.chunks.capacity() * size_of::<Vec<Record>>()
            + common
            + numbers
            + odd
    }
}

/// What an object of the lower was that the overlay has copied up or hidden since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Base {
    /// At the first look.
    first: Look,
    /// When its content was copied; `None` where nothing of it was.
    copied: Option<Copied>,
}

/// The state of which a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// What the object was then.
    pub of: Look,
    /// How long the copy was.
    pub length: u64,
}

/// The first looks at objects of the lower.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    secret: RandomState,
    records: Mutex<Records>,
    /// What those were that the overlay has copied up or hidden since, by the path that they had then.
    bases: Mutex<HashMap<PathBuf, Base>>,
}

impl Seen {
    /// Notes a look at what the lower has under a name; the first one counts.
    pub(crate) fn note(&self, directory: u64, name: &OsStr, stat: &Stat) {
        self.records.lock().add(self.secret.hash_one((directory, name)), &Look::from(stat));
    }

    /// Notes that what the lower has under a name is copied up or hidden; the first record of a path stays.
    pub(crate) fn changed(
        &self,
        directory: u64,
        name: &OsStr,
        path: PathBuf,
        stat: &Stat,
        copied: Option<Copied>,
    ) {
        let first = self.records.lock().get(self.secret.hash_one((directory, name)));
        let first = first.unwrap_or_else(|| Look::from(stat));
        self.bases.lock().entry(path).or_insert(Base { first, copied });
    }

    /// Returns what the object at a path was, if it was copied up or hidden.
    pub(crate) fn base(&self, path: &std::path::Path) -> Option<Look> {
        self.bases.lock().get(path).map(|base| base.first)
    }

    /// Returns of which state the content of the object at a path was copied, if it was.
    pub(crate) fn copied(&self, path: &std::path::Path) -> Option<Copied> {
        self.bases.lock().get(path).and_then(|base| base.copied)
    }

    /// Drops the looks at what was left alone.
    pub(crate) fn forget(&self) {
        *self.records.lock() = Records::default();
    }
}

impl Overlay {
    /// Forgets the first looks at everything that the overlay left alone: whoever comes now is shown it as it is now, and
    /// that look counts. Call it before the kernel is made to forget what it knows, while nobody uses the view. What was
    /// copied up or hidden is not shown anew, and keeps its record.
    pub fn look_afresh(&self) {
        self.seen.forget();
    }
}

#[cfg(test)]
#[path = "seen_tests.rs"]
mod tests;
