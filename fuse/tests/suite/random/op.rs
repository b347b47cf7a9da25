//! One operation of a random test, and how operations are drawn. What they do is `side`.

use rustix::fs::{FallocateFlags, FileType, OFlags, RenameFlags};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// A small generator: the tests need the same numbers everywhere, not good ones.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..10 {
            random.next();
        }
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// What an operation hopes to find under a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Directory,
    File,
}

/// The paths that operations are about: few, so that operations meet. Some names mostly are directories and the others
/// mostly are not, or else most operations would find what they cannot use.
#[derive(Clone, Debug)]
pub struct Names {
    /// Directories in which names come and go. They themselves stay as they are.
    pub tops: Vec<PathBuf>,
    directories: Vec<OsString>,
    files: Vec<OsString>,
    /// Names of files that somebody else writes: they are linked, moved and removed, and nothing more.
    pub foreign: Vec<OsString>,
}

impl Names {
    /// Names that end in `end`; with `foreign`, also some of files that somebody else writes.
    pub fn new(tops: &[&str], end: &str, foreign: bool) -> Names {
        let named = |name: &str| OsString::from(format!("{name}{end}"));
        let long = |first: &str| named(&format!("{first}{}", "n".repeat(254 - end.len())));
        let mut raw = b"\xff\xfe\n ".to_vec();
        raw.extend(end.as_bytes());
        Names {
            tops: tops.iter().map(PathBuf::from).collect(),
            directories: vec![named("a"), named("b"), named("a"), named("b"), long("b")],
            files: vec![
                named("c"),
                named("d"),
                named("c"),
                named("d"),
                named("e"),
                OsString::from_vec(raw),
                long("c"),
            ],
            foreign: if foreign { ["k", "l", "m"].map(named).to_vec() } else { Vec::new() },
        }
    }

    pub fn path(&self, random: &mut Random, sort: Sort) -> PathBuf {
        let mut path = random.pick(&self.tops).clone();
        for _ in 0..random.below(3) {
            path.push(random.pick(&self.directories));
        }
        let crossed = random.below(8) == 0;
        path.push(random.pick(if (sort == Sort::Directory) != crossed {
            &self.directories
        } else {
            &self.files
        }));
        path
    }

    pub fn foreign(&self, random: &mut Random) -> PathBuf {
        let directory = match random.below(2) {
            0 => random.pick(&self.tops).clone(),
            _ => random.pick(&self.tops).join(random.pick(&self.directories)),
        };
        directory.join(random.pick(&self.foreign))
    }
}

/// What is written: so many of one byte.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u8, pub usize);

impl Bytes {
    pub fn all(self) -> Vec<u8> {
        vec![self.0; self.1]
    }
}

#[derive(Clone, Debug)]
pub enum Op {
    Write { path: PathBuf, flags: OFlags, at: u64, data: Bytes, mode: u32 },
    WriteMapped { path: PathBuf, at: u64, data: Bytes },
    WriteDirect { path: PathBuf, page: u64, byte: u8 },
    Truncate { path: PathBuf, size: u64 },
    Allocate { path: PathBuf, mode: FallocateFlags, at: u64, length: u64 },
    CopyRange { from: PathBuf, to: PathBuf, at: u64, target: u64, length: usize },
    Read { path: PathBuf },
    ReadEnd { path: PathBuf, back: u64 },
    ReadDirect { path: PathBuf, page: u64 },
    Holes { path: PathBuf, at: u64 },
    Open { path: PathBuf, slot: usize, flags: OFlags },
    WriteOpen { slot: usize, at: u64, data: Bytes },
    TruncateOpen { slot: usize, size: u64 },
    ChmodOpen { slot: usize, mode: u32 },
    ReadOpen { slot: usize },
    StatOpen { slot: usize },
    Mkdir { path: PathBuf, mode: u32 },
    Rmdir { path: PathBuf },
    Unlink { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf, flags: RenameFlags },
    Link { from: PathBuf, to: PathBuf },
    Symlink { target: PathBuf, path: PathBuf },
    Mknod { path: PathBuf, kind: FileType, device: u64 },
    Chmod { path: PathBuf, mode: u32 },
    Chown { path: PathBuf, uid: u32, gid: u32 },
    Touch { path: PathBuf, accessed: Touched, modified: Touched },
    SetXattr { path: PathBuf, name: &'static str, value: Vec<u8> },
    RemoveXattr { path: PathBuf, name: &'static str },
    List { path: PathBuf },
    Stat { path: PathBuf },
    Kind { path: PathBuf },
    As { who: u32, op: Box<Op> },
    Forget,
}

/// What becomes of one of the two times.
#[derive(Clone, Copy, Debug)]
pub enum Touched {
    At(i64),
    Now,
    Left,
}

// None with set-group-id and without the group's right to execute: local file systems look at all the groups of who writes
// such a file, which FUSE does not tell.
const MODES: [u32; 8] = [0o644, 0o600, 0o755, 0o4755, 0o777, 0o666, 0o6777, 0o2775];
const DIRECTORY_MODES: [u32; 6] = [0o777, 0o777, 0o755, 0o2777, 0o1777, 0o2711];

fn touched(random: &mut Random) -> Touched {
    match random.below(4) {
        0 => Touched::Left,
        1 => Touched::Now,
        _ => Touched::At(900_000_000 + random.below(1000) as i64),
    }
}

/// An access control list as the kernel keeps it, with one named user.
fn access_list(random: &mut Random) -> Vec<u8> {
    let mut bits = || random.below(8) as u16;
    let entries: [(u16, u16, u32); 5] = [
        (1, bits(), u32::MAX),
        (2, bits(), 1),
        (4, bits(), u32::MAX),
        (16, bits(), u32::MAX),
        (32, bits(), u32::MAX),
    ];
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, bits, id) in entries {
        list.extend([tag.to_le_bytes(), bits.to_le_bytes()].concat());
        list.extend(id.to_le_bytes());
    }
    list
}

/// A file capability, effective.
fn capability(random: &mut Random) -> Vec<u8> {
    let permitted = 1u32 << random.below(30);
    [0x0200_0001, permitted, 0, 0, 0].iter().flat_map(|word: &u32| word.to_le_bytes()).collect()
}

fn attribute(random: &mut Random, path: PathBuf, length: usize) -> Op {
    let plain = vec![b'v'; length.min(60)];
    let (name, value) = match random.below(7) {
        0 | 1 => ("user.one", plain),
        2 => ("trusted.two", plain),
        3 => ("security.capability", capability(random)),
        4 | 5 => ("system.posix_acl_access", access_list(random)),
        _ => ("system.posix_acl_default", access_list(random)),
    };
    match random.below(3) {
        0 => Op::RemoveXattr { path, name },
        _ => Op::SetXattr { path, name, value },
    }
}

/// Draws an operation.
pub fn op(random: &mut Random, names: &Names) -> Op {
    if !names.foreign.is_empty() && random.below(8) == 0 {
        return foreign(random, names);
    }
    let op = simple(random, names);
    // A list that takes set-group-id from a file of somebody who is not in its group: of that FUSE tells in a way that the
    // overlay's library does not read.
    let untold = matches!(&op, Op::SetXattr { name: "system.posix_acl_access", .. });
    match random.below(8) {
        0 if !untold => Op::As { who: 1 + random.below(2) as u32, op: Box::new(op) },
        _ => op,
    }
}

/// An operation on the names of a file that somebody else writes.
fn foreign(random: &mut Random, names: &Names) -> Op {
    let (path, to) = (names.foreign(random), names.foreign(random));
    match random.below(5) {
        0 | 1 => Op::Link { from: path, to },
        2 => Op::Rename { from: path, to, flags: RenameFlags::empty() },
        3 => Op::Unlink { path },
        _ => Op::Kind { path },
    }
}

fn simple(random: &mut Random, names: &Names) -> Op {
    // The same for both ends of a rename.
    let sort = if random.below(3) == 0 { Sort::Directory } else { Sort::File };
    let (path, directory) = (names.path(random, Sort::File), names.path(random, Sort::Directory));
    let any = names.path(random, sort);
    let slot = random.below(4) as usize;
    let data = Bytes(b'0' + random.below(10) as u8, random.below(9000) as usize);
    let at = random.below(3) * random.below(20000);
    let mode = *random.pick(&MODES);
    let flags = *random.pick(&[
        OFlags::WRONLY | OFlags::CREATE,
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC,
        OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL,
        OFlags::RDWR | OFlags::APPEND,
        OFlags::WRONLY,
    ]);
    match random.below(50) {
        0..=4 => Op::Write { path, flags, at, data, mode },
        5 | 6 => Op::Truncate { path, size: at },
        7 => Op::Read { path },
        8 | 9 => Op::Open { path, slot, flags: if mode & 1 == 0 { OFlags::RDONLY } else { OFlags::RDWR } },
        10 => Op::WriteOpen { slot, at, data },
        11 => Op::ReadOpen { slot },
        12 => Op::StatOpen { slot },
        13 => Op::TruncateOpen { slot, size: at },
        14 => Op::ChmodOpen { slot, mode },
        15..=18 => Op::Mkdir { path: directory, mode: *random.pick(&DIRECTORY_MODES) },
        19 => Op::Rmdir { path: directory },
        20..=22 => Op::Unlink { path },
        23..=27 => {
            let flags = *random.pick(&[
                RenameFlags::empty(),
                RenameFlags::empty(),
                RenameFlags::empty(),
                RenameFlags::NOREPLACE,
                RenameFlags::EXCHANGE,
                RenameFlags::EXCHANGE,
                RenameFlags::WHITEOUT,
            ]);
            Op::Rename { from: any, to: names.path(random, sort), flags }
        }
        28 | 29 => Op::Link { from: path, to: names.path(random, Sort::File) },
        30 => Op::Symlink { target: names.path(random, sort), path },
        31 => {
            let kind = *random.pick(&[FileType::Fifo, FileType::CharacterDevice, FileType::Socket]);
            Op::Mknod { path, kind, device: 0 }
        }
        32 | 33 => Op::Chmod { path: any, mode },
        34 | 35 => Op::Chown { path: any, uid: random.below(3) as u32, gid: random.below(3) as u32 },
        36 => Op::Touch { path: any, accessed: touched(random), modified: touched(random) },
        37 | 38 => attribute(random, any, data.1),
        39 | 40 => match random.below(20) {
            0 => Op::Forget,
            1..=6 => Op::List { path: random.pick(&names.tops).clone() },
            _ => Op::List { path: directory },
        },
        41 => Op::Stat { path: any },
        42 => {
            let mode = *random.pick(&[
                FallocateFlags::empty(),
                FallocateFlags::KEEP_SIZE,
                FallocateFlags::KEEP_SIZE | FallocateFlags::PUNCH_HOLE,
                FallocateFlags::ZERO_RANGE,
                FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE,
            ]);
            Op::Allocate { path, mode, at, length: 1 + random.below(20000) }
        }
        43 => {
            let (target, length) = (random.below(3) * random.below(9000), random.below(12000) as usize);
            Op::CopyRange { from: path, to: names.path(random, Sort::File), at, target, length }
        }
        44 => Op::Holes { path, at },
        45 | 46 => Op::WriteMapped { path, at, data },
        47 => Op::WriteDirect { path, page: random.below(4), byte: data.0 },
        48 => Op::ReadDirect { path, page: random.below(4) },
        _ => Op::ReadEnd { path, back: random.below(5000) },
    }
}

impl std::fmt::Display for Op {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&format!("{self:?}").replace(&"n".repeat(250), "n.."))
    }
}
