//! Whatever is open, mapped, running or being written through the mount: the lower stays as it is, to the byte and to the
//! nanosecond, and not even the server's own descriptors lead to a way to write to it.
#![allow(unsafe_code)]

use crate::apart::{Apart, Places, serves};
use crate::tree::{Times, differences, tree};
use crate::world::{World, enter};
use rustix::fs::{AtFlags, FallocateFlags, Mode, OFlags, RenameFlags, XattrFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

const FILES: usize = 60;
const SIZE: usize = 20_000;

/// A mapping of the first `SIZE` bytes of a file.
struct Mapping(*mut u8);

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped, and nobody uses it any more.
        assert_eq!(unsafe { libc::munmap(self.0.cast(), SIZE) }, 0);
    }
}

impl Mapping {
    fn new(file: &File, protection: libc::c_int, flags: libc::c_int) -> Mapping {
        // SAFETY: a new mapping at a place of the kernel's choice; the descriptor is open.
        let map = unsafe { libc::mmap(std::ptr::null_mut(), SIZE, protection, flags, file.as_raw_fd(), 0) };
        assert_ne!(map, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
        Mapping(map.cast())
    }

    fn byte(&self, at: usize) -> u8 {
        assert!(at < SIZE);
        // SAFETY: within the mapping, which stays; the callers only look where the file still has bytes.
        unsafe { self.0.add(at).read_volatile() }
    }

    fn set(&self, at: usize, byte: u8) {
        assert!(at < SIZE);
        // SAFETY: as above, and the callers have asked for the right to write.
        unsafe { self.0.add(at).write_volatile(byte) }
    }
}

fn name(number: usize) -> String {
    format!("d{}/f{number}", number % 4)
}

fn fill(lower: &Path) {
    for directory in 0..4 {
        fs::create_dir(lower.join(format!("d{directory}"))).unwrap();
    }
    for number in 0..FILES {
        let path = lower.join(name(number));
        fs::write(&path, vec![b'o'; SIZE]).unwrap();
        rustix::fs::setxattr(&path, "user.old", b"old", XattrFlags::empty()).unwrap();
        if number % 3 == 0 {
            fs::hard_link(&path, lower.join(format!("link{number}"))).unwrap();
        }
    }
    for program in ["runs", "written"] {
        fs::copy("/bin/bash", lower.join(program)).unwrap();
    }
}

/// One way to change a file of which others have descriptors and mappings.
fn change(mount: &Path, number: usize) -> std::io::Result<()> {
    let path = mount.join(name(number));
    let (read_only, both) = (File::open(&path)?, File::options().read(true).write(true).open(&path)?);
    match number % 12 {
        0 => both.write_all_at(b"n", 7),
        1 => File::options().append(true).open(&path)?.write_all(b"n"),
        2 => both.set_len(SIZE as u64 / 2),
        3 => File::options().write(true).truncate(true).open(&path).map(drop),
        4 => {
            let map = Mapping::new(&both, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
            map.set(7, b'n');
            Ok(rustix::fs::fsync(&both)?)
        }
        5 => {
            Ok(rustix::fs::fallocate(&both, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, 4096)?)
        }
        6 => {
            let from = File::open(mount.join(name((number + 1) % FILES)))?;
            rustix::fs::copy_file_range(from, None, both, Some(&mut 100), 5000)?;
            Ok(())
        }
        // A descriptor for reading is enough for what belongs to the inode.
        7 => read_only.set_permissions(Permissions::from_mode(0o600)),
        8 => {
            let now = rustix::fs::Timespec { tv_sec: 1, tv_nsec: 1 };
            let times = rustix::fs::Timestamps { last_access: now, last_modification: now };
            Ok(rustix::fs::futimens(&read_only, &times)?)
        }
        9 => Ok(rustix::fs::fsetxattr(&read_only, "user.old", b"new", XattrFlags::REPLACE)?),
        10 => {
            let new = path.with_extension("new");
            fs::write(&new, "n")?;
            fs::rename(new, path)
        }
        // Opened for writing, and not written.
        _ => Ok(()),
    }
}

#[test]
fn writers_beside_descriptors_and_mappings_of_the_lower_do_not_reach_it() {
    let world = World::new(fill);
    let open = |root: &Path| -> Vec<File> {
        (0..FILES).map(|number| File::open(root.join(name(number))).unwrap()).collect()
    };
    let map = |files: &[File], protection, flags| -> Vec<Mapping> {
        files.iter().map(|file| Mapping::new(file, protection, flags)).collect()
    };
    let (below, above) = (open(&world.lower), open(&world.mount));
    let of_lower = map(&below, libc::PROT_READ, libc::MAP_SHARED);
    let shared = map(&above, libc::PROT_READ, libc::MAP_SHARED);
    let own = map(&above, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE);
    for number in 0..FILES {
        assert_eq!((of_lower[number].byte(7), shared[number].byte(7)), (b'o', b'o'));
        own[number].set(7, b'p');
    }
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= FILES {
                        break;
                    }
                    change(&world.mount, number).unwrap_or_else(|error| panic!("{number}: {error}"));
                }
            });
        }
    });
    for number in 0..FILES {
        assert_eq!(of_lower[number].byte(7), b'o', "{number}");
        // Whoever mapped it before sees the change, unless the name leads to another file now.
        let seen = match number % 12 {
            0 | 4 => b'n',
            5 => 0,
            // Nothing is left to look at.
            3 => continue,
            _ => b'o',
        };
        assert_eq!((shared[number].byte(7), own[number].byte(7)), (seen, b'p'), "{number}");
        let mut byte = [0];
        above[number].read_exact_at(&mut byte, 7).unwrap();
        assert_eq!(byte[0], seen, "{number}");
    }
    assert_eq!(world.damage(), Vec::<String>::new(), "the lower changed");
    drop((of_lower, shared, own, below, above));
    world.finish();
}

/// A process that ends with the test, however that ends.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has seen.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_program_that_runs_can_be_replaced_and_not_written() {
    let world = World::new(|lower| {
        fill(lower);
        fs::create_dir(lower.join("many")).unwrap();
        for number in 0..400 {
            fs::write(lower.join(format!("many/{number}")), "x").unwrap();
        }
    });
    let start = |name: &str| {
        let mut command = Command::new(world.at(name));
        // It waits for a line that nobody writes.
        command.args(["-c", "read line"]).stdin(Stdio::piped());
        Running(command.spawn().unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    let mut running = [start("runs"), start("written")];
    let busy = File::options().write(true).open(world.at("written")).unwrap_err();
    assert_eq!(busy.raw_os_error(), Some(libc::ETXTBSY));
    world.run("printf '#!/bin/sh\nexit 0\n' >new; chmod 755 new; rm written; cp new written; mv new runs");
    // What nobody has in memory now must be read again, by a server that has opened a lot since.
    world.run("cat many/* >/dev/null; echo 3 >/proc/sys/vm/drop_caches");
    for (name, Running(child)) in ["runs", "written"].iter().zip(&mut running) {
        assert!(child.try_wait().unwrap().is_none(), "{name} ended");
        let program = fs::read(format!("/proc/{}/exe", child.id())).unwrap();
        assert!(program == fs::read(world.lower.join(name)).unwrap(), "{name} runs something else");
        assert!(Command::new(world.at(name)).status().unwrap().success());
    }
    drop(running);
    world.finish();
}

/// Everything that changes what a directory's descriptor leads to, or what is in it.
fn attacks_on_a_directory(path: &Path, inside: &str) -> Vec<(&'static str, Result<(), Errno>)> {
    let at = |name: &str| path.join(name);
    let mode = Mode::from_raw_mode(0o600);
    let create = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    let old = rustix::fs::CWD;
    vec![
        ("create", rustix::fs::open(at("made"), create, mode).map(drop)),
        ("temporary", rustix::fs::open(path, OFlags::TMPFILE | OFlags::WRONLY, mode).map(drop)),
        ("mkdir", rustix::fs::mkdir(at("made"), mode)),
        ("symlink", rustix::fs::symlink("x", at("made"))),
        ("link", rustix::fs::link(at(inside), at("made"))),
        ("rename", rustix::fs::renameat_with(old, at(inside), old, at("made"), RenameFlags::NOREPLACE)),
        ("chmod", rustix::fs::chmod(at("."), Mode::from_raw_mode(0o777))),
        ("open", rustix::fs::open(at(inside), OFlags::RDWR | OFlags::CLOEXEC, mode).map(drop)),
        // Last: where the others succeed, there is more to see.
        ("unlink", rustix::fs::unlink(at(inside))),
    ]
}

/// Everything that changes the file that a descriptor leads to.
fn attacks_on_a_file(path: &Path) -> Vec<(&'static str, Result<(), Errno>)> {
    let open = |flags| rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).map(drop);
    let now = rustix::fs::Timespec { tv_sec: 1, tv_nsec: 1 };
    let times = rustix::fs::Timestamps { last_access: now, last_modification: now };
    let owner = Some(rustix::fs::Uid::from_raw(7));
    vec![
        ("write", open(OFlags::WRONLY)),
        ("read and write", open(OFlags::RDWR)),
        ("truncate while opening", open(OFlags::RDONLY | OFlags::TRUNC)),
        ("append", open(OFlags::WRONLY | OFlags::APPEND)),
        ("direct", open(OFlags::RDWR | OFlags::DIRECT)),
        ("chmod", rustix::fs::chmod(path, Mode::from_raw_mode(0o777))),
        ("chown", rustix::fs::chownat(rustix::fs::CWD, path, owner, None, AtFlags::empty())),
        ("times", rustix::fs::utimensat(rustix::fs::CWD, path, &times, AtFlags::empty())),
        ("attribute", rustix::fs::setxattr(path, "user.old", b"new", XattrFlags::empty())),
        ("remove", rustix::fs::removexattr(path, "user.old")),
    ]
}

#[test]
fn the_servers_own_descriptors_of_the_lower_refuse_every_write() {
    if serves() {
        return;
    }
    enter();
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    let places = Places { lower: place("lower"), scratch: place("scratch"), mount: place("mount") };
    for path in [&places.lower, &places.scratch, &places.mount] {
        fs::create_dir(path).unwrap();
    }
    fill(&places.lower);
    let before = tree(&places.lower, Times::Exact);
    let inode = |path: &Path| fs::metadata(path).map(|stat| (stat.dev(), stat.ino()));
    let of_lower: BTreeSet<_> = before.keys().map(|path| inode(&places.lower.join(path)).unwrap()).collect();
    let test = "immutable::the_servers_own_descriptors_of_the_lower_refuse_every_write";
    let server = Apart::start(test, &places, None);
    // It opens what it needs for these, and keeps it.
    let held: Vec<File> =
        (0..FILES).map(|number| File::open(places.mount.join(name(number))).unwrap()).collect();
    for file in &held {
        file.read_exact_at(&mut [0; 10], 0).unwrap();
    }
    let open: Vec<PathBuf> = fs::read_dir(format!("/proc/{}/fd", server.process()))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let (mut files, mut directories) = (0, 0);
    for path in open.iter().filter(|path| inode(path).is_ok_and(|inode| of_lower.contains(&inode))) {
        let inside = fs::metadata(path)
            .unwrap()
            .is_dir()
            .then(|| fs::read_dir(path).unwrap().next().unwrap().unwrap());
        let attacks = match inside {
            Some(inside) => {
                directories += 1;
                attacks_on_a_directory(path, inside.file_name().to_str().unwrap())
            }
            None => {
                files += 1;
                attacks_on_a_file(path)
            }
        };
        for (attack, end) in attacks {
            assert_eq!(end, Err(Errno::ROFS), "{attack} through {}", path.display());
        }
    }
    assert!(files > 0 && directories > 0, "{files} files and {directories} directories were attacked");
    let damage = differences(&before, &tree(&places.lower, Times::Exact));
    assert_eq!(damage, Vec::<String>::new(), "the lower changed");
    drop(held);
    server.finish();
}
