//! The same random operations on the overlay and on a plain copy of its lower end in the same tree.

use crate::layer::{apply, copy};
use crate::tree::{Times, differences, tree};
use crate::world::World;
use disco_fuse::Writes;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A small generator: the tests need the same numbers everywhere, not good ones.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len() as u64) as usize]
    }

    /// A path out of few, so that operations meet.
    fn path(&mut self) -> PathBuf {
        let mut path = PathBuf::from(self.pick(&["a", "b", "c", "d"]));
        while self.below(5) < 2 && path.components().count() < 4 {
            path.push(self.pick(&["a", "b", "c", "d"]));
        }
        path
    }
}

#[derive(Clone, Debug)]
enum Op {
    Write { path: PathBuf, flags: OFlags, at: u64, data: Vec<u8>, mode: u32 },
    Truncate { path: PathBuf, size: u64 },
    Read { path: PathBuf },
    Open { path: PathBuf, slot: usize, flags: OFlags },
    WriteOpen { slot: usize, at: u64, data: Vec<u8> },
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
    Touch { path: PathBuf, seconds: i64 },
    SetXattr { path: PathBuf, name: String, value: Vec<u8> },
    RemoveXattr { path: PathBuf, name: String },
    List { path: PathBuf },
    Stat { path: PathBuf },
    Forget,
}

fn op(random: &mut Random) -> Op {
    let path = random.path();
    let slot = random.below(4) as usize;
    let data = vec![b'0' + random.below(10) as u8; random.below(9000) as usize];
    let at = random.below(3) * random.below(20000);
    let mode = [0o644, 0o600, 0o755, 0o4755, 0o2711, 0o1777, 0o777][random.below(7) as usize];
    let flags = [
        OFlags::WRONLY | OFlags::CREATE,
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC,
        OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL,
        OFlags::RDWR | OFlags::APPEND,
        OFlags::WRONLY,
    ][random.below(5) as usize];
    match random.below(34) {
        0..=4 => Op::Write { path, flags, at, data, mode },
        5 => Op::Truncate { path, size: at },
        6 => Op::Read { path },
        7 | 8 => Op::Open { path, slot, flags: if mode & 1 == 0 { OFlags::RDONLY } else { OFlags::RDWR } },
        9 => Op::WriteOpen { slot, at, data },
        10 => Op::ReadOpen { slot },
        11 => Op::StatOpen { slot },
        12..=14 => Op::Mkdir { path, mode },
        15 | 16 => Op::Rmdir { path },
        17..=19 => Op::Unlink { path },
        20..=23 => Op::Rename {
            from: path,
            to: random.path(),
            flags: [
                RenameFlags::empty(),
                RenameFlags::empty(),
                RenameFlags::NOREPLACE,
                RenameFlags::EXCHANGE,
            ][random.below(4) as usize],
        },
        24 | 25 => Op::Link { from: path, to: random.path() },
        26 => Op::Symlink { target: random.path(), path },
        27 => match random.below(3) {
            0 => Op::Mknod { path, kind: FileType::Fifo, device: 0 },
            1 => Op::Mknod { path, kind: FileType::CharacterDevice, device: 0 },
            _ => Op::Mknod { path, kind: FileType::Socket, device: 0 },
        },
        28 => Op::Chmod { path, mode },
        29 => Op::Chown { path, uid: random.below(3) as u32, gid: random.below(3) as u32 },
        30 => Op::Touch { path, seconds: 900_000_000 + random.below(1000) as i64 },
        31 => match random.below(3) {
            0 => Op::RemoveXattr { path, name: "user.one".into() },
            1 => {
                Op::SetXattr { path, name: "trusted.two".into(), value: data[..data.len().min(60)].to_vec() }
            }
            _ => Op::SetXattr { path, name: "user.one".into(), value: data[..data.len().min(60)].to_vec() },
        },
        32 => match random.below(8) {
            0 => Op::Forget,
            _ => Op::List { path },
        },
        _ => Op::Stat { path },
    }
}

/// One of the two sides.
struct Side {
    root: PathBuf,
    open: [Option<OwnedFd>; 4],
}

impl Side {
    /// Does one operation and says what came of it, in words that must be the same on both sides.
    fn apply(&mut self, op: &Op) -> Result<String, Errno> {
        let at = |path: &Path| self.root.join(path);
        let plain = |path: &Path| -> Result<(), Errno> {
            // Opening a fifo waits for its other end.
            let stat = rustix::fs::statat(CWD, at(path), AtFlags::empty())?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile | FileType::Directory => Ok(()),
                _ => Err(Errno::NODEV),
            }
        };
        let stat = |stat: rustix::fs::Stat| {
            let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            let (size, nlink) = if directory { (0, 0) } else { (stat.st_size, stat.st_nlink) };
            format!("{:o} {} {} {size} {nlink} {}", stat.st_mode, stat.st_uid, stat.st_gid, stat.st_rdev)
        };
        let done = |()| String::new();
        match op {
            Op::Write { path, flags, at: offset, data, mode } => {
                match plain(path) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(errno) => return Err(errno),
                }
                let file = rustix::fs::open(at(path), *flags, Mode::from_raw_mode(*mode))?;
                Ok(rustix::io::pwrite(file, data, *offset)?.to_string())
            }
            Op::Truncate { path, size } => {
                plain(path)?;
                let file = rustix::fs::open(at(path), OFlags::WRONLY, Mode::empty())?;
                rustix::fs::ftruncate(file, *size).map(done)
            }
            Op::Read { path } => {
                plain(path)?;
                let file = rustix::fs::open(at(path), OFlags::RDONLY, Mode::empty())?;
                let mut data = vec![0; 100_000];
                let length = rustix::io::pread(file, &mut data, 0)?;
                Ok(String::from_utf8_lossy(&data[..length]).into_owned())
            }
            Op::Open { path, slot, flags } => {
                self.open[*slot] = None;
                plain(path)?;
                self.open[*slot] = Some(rustix::fs::open(at(path), *flags, Mode::empty())?);
                Ok(String::new())
            }
            Op::WriteOpen { slot, at, data } => match &self.open[*slot] {
                Some(file) => Ok(rustix::io::pwrite(file, data, *at)?.to_string()),
                None => Ok("closed".into()),
            },
            Op::ReadOpen { slot } => match &self.open[*slot] {
                Some(file) => {
                    let mut data = vec![0; 100_000];
                    let length = rustix::io::pread(file, &mut data, 0)?;
                    Ok(String::from_utf8_lossy(&data[..length]).into_owned())
                }
                None => Ok("closed".into()),
            },
            Op::StatOpen { slot } => match &self.open[*slot] {
                Some(file) => Ok(stat(rustix::fs::fstat(file)?)),
                None => Ok("closed".into()),
            },
            Op::Mkdir { path, mode } => rustix::fs::mkdir(at(path), Mode::from_raw_mode(*mode)).map(done),
            Op::Rmdir { path } => rustix::fs::rmdir(at(path)).map(done),
            Op::Unlink { path } => rustix::fs::unlink(at(path)).map(done),
            Op::Rename { from, to, flags } => {
                rustix::fs::renameat_with(CWD, at(from), CWD, at(to), *flags).map(done)
            }
            Op::Link { from, to } => {
                rustix::fs::linkat(CWD, at(from), CWD, at(to), AtFlags::empty()).map(done)
            }
            Op::Symlink { target, path } => rustix::fs::symlink(target, at(path)).map(done),
            Op::Mknod { path, kind, device } => {
                rustix::fs::mknodat(CWD, at(path), *kind, Mode::from_raw_mode(0o640), *device).map(done)
            }
            Op::Chmod { path, mode } => {
                rustix::fs::chmodat(CWD, at(path), Mode::from_raw_mode(*mode), AtFlags::empty()).map(done)
            }
            Op::Chown { path, uid, gid } => {
                let (uid, gid) = (rustix::fs::Uid::from_raw(*uid), rustix::fs::Gid::from_raw(*gid));
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                rustix::fs::chownat(CWD, at(path), Some(uid), Some(gid), flags).map(done)
            }
            Op::Touch { path, seconds } => {
                let time = rustix::fs::Timespec { tv_sec: *seconds, tv_nsec: 5 };
                let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
                rustix::fs::utimensat(CWD, at(path), &times, AtFlags::SYMLINK_NOFOLLOW).map(done)
            }
            Op::SetXattr { path, name, value } => {
                rustix::fs::lsetxattr(at(path), name, value, rustix::fs::XattrFlags::empty()).map(done)
            }
            Op::RemoveXattr { path, name } => rustix::fs::lremovexattr(at(path), name).map(done),
            Op::List { path } => {
                let entries = std::fs::read_dir(at(path)).map_err(|e| Errno::from_io_error(&e).unwrap())?;
                let mut names: Vec<_> = entries
                    .map(|entry| entry.unwrap())
                    .map(|entry| format!("{:?} {:?}", entry.file_name(), entry.file_type().unwrap()))
                    .collect();
                names.sort();
                Ok(names.join(","))
            }
            Op::Stat { path } => rustix::fs::statat(CWD, at(path), AtFlags::SYMLINK_NOFOLLOW).map(stat),
            Op::Forget => {
                std::fs::write("/proc/sys/vm/drop_caches", "2").unwrap();
                Ok(String::new())
            }
        }
    }
}

/// Fills a lower by the same operations, and makes all of it old.
fn fill(random: &mut Random, lower: &Path) {
    let mut side = Side { root: lower.to_owned(), open: [const { None }; 4] };
    for name in ["a", "b", "a/a", "a/b", "b/a", "c"] {
        std::fs::create_dir(lower.join(name)).unwrap();
    }
    for number in 0..12 {
        let path =
            lower.join(random.pick(&["a", "b", "a/a", "a/b", "b/a", "c"])).join(format!("file{number}"));
        std::fs::write(path, number.to_string().repeat(1000)).unwrap();
    }
    for _ in 0..120 {
        let op = op(random);
        // What does not work does not matter here.
        let _ = side.apply(&op);
    }
    // Further names of what is there, under names that no operation uses: nobody looks them up.
    std::fs::create_dir_all(lower.join("unseen/deep")).unwrap();
    for number in 0..30 {
        let directory = lower.join(random.pick(&["", "unseen", "unseen/deep", "a", "a/b", "b/a"]));
        let link = Op::Link { from: random.path(), to: directory.join(format!("link{number}")) };
        let _ = side.apply(&link);
    }
    let old = std::process::Command::new("find")
        .arg(lower)
        .args(["-exec", "touch", "-h", "-d", "@1000000000.25", "--", "{}", "+"])
        .status();
    assert!(old.unwrap().success());
}

fn run(seed: u64, length: usize) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..10 {
        random.below(2);
    }
    let writes = if seed.is_multiple_of(3) { Writes::Gathered } else { Writes::Through };
    let world = World::with(|lower| fill(&mut random, lower), |_| Vec::new(), writes);
    let other = world.outside().join("plain");
    copy(&world.lower, &other);
    let merged = world.outside().join("merged");
    copy(&world.lower, &merged);

    let mut overlay = Side { root: world.mount.clone(), open: [const { None }; 4] };
    let mut plain = Side { root: other.clone(), open: [const { None }; 4] };
    let times = Times::Since(1_500_000_000);
    let mut history = Vec::new();
    for number in 0..length {
        let op = op(&mut random);
        let (seen, wanted) = (overlay.apply(&op), plain.apply(&op));
        history.push(format!("{number}: {op:.60?} -> {wanted:.60?}"));
        assert_eq!(seen, wanted, "seed {seed}, {op:?}\nafter\n{}", history.join("\n"));
        // Comparing looks everything up, which every other run does only in the end.
        if number % 50 == 49 && seed.is_multiple_of(2) {
            let found = differences(&tree(&world.mount, times), &tree(&other, times));
            assert!(found.is_empty(), "seed {seed}\n{}\nafter\n{}", found.join("\n"), history.join("\n"));
        }
    }
    world.settle();
    world.overlay.bring_moved().unwrap();
    apply(&world.upper(), &merged);
    let shown = tree(&world.mount, times);
    let found = differences(&shown, &tree(&other, times));
    assert!(found.is_empty(), "seed {seed}\n{}\nafter\n{}", found.join("\n"), history.join("\n"));
    drop((overlay, plain));
    let mut merged = tree(&merged, times);
    let mut shown = shown;
    // The layer says nothing of the root's times.
    for tree in [&mut merged, &mut shown] {
        tree.get_mut(Path::new("")).unwrap().mtime = (0, 0);
    }
    let found = differences(&shown, &merged);
    assert!(found.is_empty(), "seed {seed}, the layer\n{}\nafter\n{}", found.join("\n"), history.join("\n"));
    world.finish();
}

/// `DISCO_FUSE_SEEDS=from..to` runs others, for a longer look.
fn seeds(default: std::ops::Range<u64>) -> std::ops::Range<u64> {
    match std::env::var("DISCO_FUSE_SEEDS") {
        Ok(range) => {
            let (from, to) = range.split_once("..").unwrap();
            from.parse().unwrap()..to.parse().unwrap()
        }
        Err(_) => default,
    }
}

#[test]
fn random_operations_end_as_on_a_plain_directory() {
    for seed in seeds(1..13) {
        run(seed, 300);
    }
}
