//! Files that are open while something happens to them.

use crate::world::World;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};

#[test]
fn a_reader_from_before_the_copy_up_sees_what_is_written_after() {
    let world = World::new(|lower| fs::write(lower.join("f"), "old old old").unwrap());
    let reader = File::open(world.at("f")).unwrap();
    let mut data = String::new();
    (&reader).read_to_string(&mut data).unwrap();
    File::options().write(true).open(world.at("f")).unwrap().write_all_at(b"new", 4).unwrap();
    data.clear();
    (&reader).rewind().unwrap();
    (&reader).read_to_string(&mut data).unwrap();
    assert_eq!(data, "old new old");
    world.run("echo 3 >/proc/sys/vm/drop_caches");
    data.clear();
    (&reader).rewind().unwrap();
    (&reader).read_to_string(&mut data).unwrap();
    assert_eq!(data, "old new old", "only the page cache had it");
    drop(reader);
    world.finish();
}

#[test]
fn a_deleted_file_lives_while_it_is_open() {
    let world = World::new(|lower| {
        fs::write(lower.join("lower"), "lower").unwrap();
        fs::write(lower.join("changed"), "lower").unwrap();
    });
    fs::write(world.at("new"), "new").unwrap();
    for (name, text) in [("lower", "lower"), ("changed", "lower"), ("new", "new")] {
        let mut open = File::options();
        open.read(true).write(name != "lower");
        let file = open.open(world.at(name)).unwrap();
        fs::remove_file(world.at(name)).unwrap();
        assert!(!world.at(name).exists());
        let stat = file.metadata().unwrap();
        assert_eq!((stat.nlink(), stat.len()), (0, text.len() as u64), "{name}");
        file.set_permissions(fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o640, "{name}");
        if name != "lower" {
            file.write_all_at(b"!", stat.len()).unwrap();
            file.set_len(stat.len() + 1).unwrap();
        }
        world.run("echo 3 >/proc/sys/vm/drop_caches");
        let mut data = String::new();
        (&file).read_to_string(&mut data).unwrap();
        assert_eq!(data, if name == "lower" { text.to_owned() } else { format!("{text}!") });
        fs::write(world.at(name), "another").unwrap();
        assert_ne!(fs::metadata(world.at(name)).unwrap().ino(), stat.ino(), "{name}");
    }
    world.finish();
}

#[test]
fn a_file_replaced_by_rename_lives_while_it_is_open() {
    let world = World::new(|lower| fs::write(lower.join("f"), "old").unwrap());
    let file = File::open(world.at("f")).unwrap();
    fs::write(world.at("f.new"), "new").unwrap();
    fs::rename(world.at("f.new"), world.at("f")).unwrap();
    let mut data = String::new();
    (&file).read_to_string(&mut data).unwrap();
    assert_eq!((data.as_str(), fs::read_to_string(world.at("f")).unwrap().as_str()), ("old", "new"));
    assert_eq!(file.metadata().unwrap().nlink(), 0);
    drop(file);
    world.finish();
}

#[test]
fn a_removed_directory_can_still_be_looked_at() {
    let world = World::new(|lower| fs::create_dir(lower.join("d")).unwrap());
    world.run("cd d; rmdir ../d; test -z \"$(ls -A .)\"; stat -c %h . | grep -qx 0; ! : >f 2>/dev/null");
    world.run("mkdir n; cd n; rmdir ../n; test -z \"$(ls -A .)\"; ! mkdir x 2>/dev/null");
    world.finish();
}

/// In a process of its own: a fault on a mapping must not wait for a server in the same address space.
#[test]
fn mappings_see_writes_and_writes_see_mappings() {
    let world = World::new(|lower| fs::write(lower.join("f"), vec![b'a'; 20000]).unwrap());
    world.run(
        r#"python3 - <<'END'
import mmap, os
r = open("f", "rb"); early = mmap.mmap(r.fileno(), 20000, prot=mmap.PROT_READ)
assert early[5000:5003] == b"aaa"
w = open("f", "r+b"); shared = mmap.mmap(w.fileno(), 20000)
shared[5000:5003] = b"xyz"
assert early[5000:5003] == b"xyz", early[5000:5003]
assert os.pread(r.fileno(), 3, 5000) == b"xyz"
os.pwrite(w.fileno(), b"123", 10000)
assert shared[10000:10003] == b"123" and early[10000:10003] == b"123"
shared.flush(); shared.close(); w.close()
END
echo 3 >/proc/sys/vm/drop_caches; test "$(dd if=f bs=1 skip=5000 count=3 2>/dev/null)" = xyz"#,
    );
    let upper = fs::read(world.upper().join("f")).unwrap();
    assert_eq!((&upper[5000..5003], &upper[10000..10003]), (&b"xyz"[..], &b"123"[..]));
    world.finish();
}

#[test]
fn holes_ranges_and_appends() {
    let world = World::new(|lower| {
        let file = File::create(lower.join("f")).unwrap();
        file.set_len(1 << 20).unwrap();
        file.write_all_at(b"data", 512 << 10).unwrap();
    });
    let file = File::options().read(true).write(true).open(world.at("f")).unwrap();
    use rustix::fs::SeekFrom as Whence;
    assert_eq!(rustix::fs::seek(&file, Whence::Data(0)).unwrap(), 512 << 10);
    assert_eq!(rustix::fs::seek(&file, Whence::Hole(512 << 10)).unwrap(), (512 << 10) + 4096);
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 2 << 20).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 2 << 20);
    let copy = File::create(world.at("copy")).unwrap();
    let (mut from, mut to) = (512 << 10, 0);
    let copied = rustix::fs::copy_file_range(&file, Some(&mut from), &copy, Some(&mut to), 4).unwrap();
    assert_eq!((copied, fs::read(world.at("copy")).unwrap()), (4, b"data".to_vec()));
    let mut append = File::options().append(true).open(world.at("copy")).unwrap();
    append.write_all(b"+1").unwrap();
    append.seek(SeekFrom::Start(0)).unwrap();
    append.write_all(b"+2").unwrap();
    assert_eq!(fs::read(world.at("copy")).unwrap(), b"data+1+2");
    file.sync_all().unwrap();
    drop((file, copy, append));
    fs::write(world.at("f"), "short").unwrap();
    assert_eq!(fs::read(world.at("f")).unwrap(), b"short");
    world.finish();
}

#[test]
fn a_removed_directory_that_is_open_keeps_its_attributes_and_takes_others() {
    let world = World::new(|lower| fs::create_dir(lower.join("lower")).unwrap());
    fs::create_dir(world.at("new")).unwrap();
    for name in ["lower", "new"] {
        let directory = File::open(world.at(name)).unwrap();
        let number = directory.metadata().unwrap().ino();
        fs::remove_dir(world.at(name)).unwrap();
        directory.set_permissions(fs::Permissions::from_mode(0o711)).unwrap();
        let stat = directory.metadata().unwrap();
        assert_eq!((stat.mode() & 0o7777, stat.nlink(), stat.ino()), (0o711, 0, number), "{name}");
        assert!(!world.at(name).exists());
    }
    world.finish();
}

#[test]
fn locks_hold_across_processes_and_copy_up() {
    let world = World::new(|lower| fs::write(lower.join("f"), "x").unwrap());
    // Whole files (flock) and ranges (fcntl): who comes second is refused, also after the first has changed the file.
    world.run(
        "python3 - <<'END'
import fcntl, os
def refused(lock, path):
    child = os.fork()
    if child == 0:
        try:
            lock(open(path, 'r+'))
        except BlockingIOError:
            os._exit(7)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
busy = fcntl.LOCK_EX | fcntl.LOCK_NB
for lock in (lambda file: fcntl.flock(file, busy), lambda file: fcntl.lockf(file, busy, 10, 5)):
    with open('f', 'r+') as file:
        lock(file)
        assert refused(lock, 'f')
        file.write('changed'); file.flush()
        assert refused(lock, 'f')
    assert not refused(lock, 'f')
END",
    );
    world.finish();
}

#[test]
fn what_bypasses_the_cache_and_what_does_not_see_the_same() {
    let world = World::new(|lower| fs::write(lower.join("f"), vec![b'a'; 8192]).unwrap());
    world.run("dd if=f iflag=direct bs=4096 2>/dev/null | tr -d a | cmp - /dev/null");
    world.run(
        "head -c 4096 /dev/zero | tr '\\0' b | dd of=f oflag=direct bs=4096 seek=1 conv=notrunc 2>/dev/null",
    );
    assert_eq!(
        world.run("tail -c 4097 f | head -c 3; dd if=f iflag=direct bs=4096 skip=1 2>/dev/null | head -c 2"),
        "abbbb"
    );
    world.finish();
}

#[test]
fn the_room_is_that_of_the_scratch() {
    let world = World::new(|_| {});
    let room = |path: &std::path::Path| nix::sys::statvfs::statvfs(path).unwrap();
    let (shown, scratch) = (room(&world.mount), room(&world.scratch));
    assert_eq!(
        (shown.blocks(), shown.fragment_size(), shown.files(), shown.name_max()),
        (scratch.blocks(), scratch.fragment_size(), scratch.files(), 255)
    );
    world.finish();
}

#[test]
fn the_times_of_a_deleted_file_can_be_set_one_by_one() {
    let world = World::new(|lower| fs::write(lower.join("f"), "x").unwrap());
    let file = File::options().write(true).open(world.at("f")).unwrap();
    fs::remove_file(world.at("f")).unwrap();
    let then = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    file.set_modified(then).unwrap();
    assert_eq!(file.metadata().unwrap().modified().unwrap(), then);
    drop(file);
    world.finish();
}

#[test]
fn a_program_of_the_upper_can_be_started_once_nobody_is_served() {
    let mut world = World::new(|lower| {
        fs::copy("/bin/true", lower.join("known")).unwrap();
    });
    fs::copy("/bin/true", world.at("new")).unwrap();
    world.run("echo more >>known; ./known; ./new");
    world.stop();
    let start = |name: &str| std::process::Command::new(world.upper().join(name)).status();
    for name in ["known", "new"] {
        let busy = start(name).unwrap_err().raw_os_error();
        assert_eq!(busy, Some(libc::ETXTBSY), "{name}: nothing keeps it open");
    }
    world.overlay.close_files();
    for name in ["known", "new"] {
        assert!(start(name).unwrap().success(), "{name}");
    }
    world.finish();
}
