//! The kernel's knobs through a real mount: reads are the host's, writes are pretended.

use crate::world::{enter, unmount};
use disco_fuse::{Keeper, Knobs, Refusal, Server, Shown, Write, serve_knobs};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, Write as _};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Keeps the last value as it was written, and all writes; refuses `bad`.
#[derive(Debug, Default)]
struct Memory {
    values: Mutex<BTreeMap<PathBuf, Vec<u8>>>,
    writes: Mutex<Vec<String>>,
}

impl Keeper for Memory {
    fn shown(&self, path: &Path) -> Option<Vec<u8>> {
        self.values.lock().unwrap().get(path).cloned()
    }

    fn take(&self, write: &Write<'_>) -> Result<(), Refusal> {
        if write.data == b"bad" {
            return Err(Refusal::Invalid);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let line = format!("{} {:?} -> {:?}", write.path.display(), write.now.map(text), text(write.data));
        self.writes.lock().unwrap().push(line);
        self.values.lock().unwrap().insert(write.path.to_owned(), write.data.to_owned());
        Ok(())
    }
}

/// A mount of parts of this machine, in a network namespace of the test's own.
struct View {
    at: PathBuf,
    memory: Arc<Memory>,
    server: Server,
    directory: tempfile::TempDir,
}

impl View {
    fn of(parts: &[Shown<'_>]) -> View {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().join("mount");
        fs::create_dir(&at).unwrap();
        let memory = Arc::new(Memory::default());
        let knobs = Knobs::new(parts, memory.clone()).unwrap();
        let fuse = OwnedFd::from(File::options().read(true).write(true).open("/dev/fuse").unwrap());
        let data = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other",
            fuse.as_raw_fd()
        );
        mount(Some("knobs"), &at, Some("fuse"), MsFlags::MS_NODEV, Some(data.as_str())).unwrap();
        View { at, memory, server: serve_knobs(knobs, fuse).unwrap(), directory }
    }

    fn of_the_kernel() -> View {
        enter();
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        View::of(&[
            Shown { folder: Path::new("/proc"), names: &["sys", "irq", "there-is-no-such-file"] },
            Shown { folder: Path::new("/sys"), names: &[] },
        ])
    }

    /// Where a path of the host is shown.
    fn at(&self, path: &str) -> PathBuf {
        self.at.join(path.trim_start_matches('/'))
    }

    fn finish(self) -> Vec<String> {
        unmount(&self.at);
        self.server.join().unwrap();
        drop(self.directory);
        std::mem::take(&mut self.memory.writes.lock().unwrap())
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn errno<T>(result: std::io::Result<T>) -> i32 {
    result.err().and_then(|error| error.raw_os_error()).unwrap_or(0)
}

#[test]
fn reads_are_the_hosts() {
    let view = View::of_the_kernel();
    for path in [
        "/proc/sys/kernel/osrelease",
        "/proc/sys/net/ipv4/tcp_rmem",
        "/proc/sys/kernel/random/boot_id",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/kernel/notes",
        "/sys/class/net/lo/mtu",
    ] {
        let (host, here) = (fs::read(path).unwrap(), fs::read(view.at(path)).unwrap());
        assert!(!host.is_empty() && host == here, "{path}: {} and {} bytes", host.len(), here.len());
        let (host, here) = (fs::metadata(path).unwrap(), fs::metadata(view.at(path)).unwrap());
        assert_eq!((host.mode(), host.size(), host.uid()), (here.mode(), here.size(), here.uid()), "{path}");
    }
    for folder in ["/proc/sys", "/proc/sys/net/ipv4", "/sys", "/sys/class", "/sys/devices/system/cpu"] {
        assert_eq!(names(&view.at(folder)), names(Path::new(folder)), "{folder}");
    }
    for link in ["/sys/class/net/lo", "/sys/class/mem/null"] {
        assert_eq!(fs::read_link(view.at(link)).unwrap(), fs::read_link(link).unwrap());
        assert!(view.at(link).join("uevent").exists());
    }
    // Part of a file, as whoever seeks in it gets.
    let notes = fs::read("/sys/kernel/notes").unwrap();
    let mut part = [0; 8];
    File::open(view.at("/sys/kernel/notes")).unwrap().read_exact_at(&mut part, 4).unwrap();
    assert_eq!(part, notes[4..12]);
    assert_eq!(names(&view.at), ["proc", "sys"]);
    assert_eq!(names(&view.at("/proc")), ["irq", "sys"]);
    assert_eq!(errno(fs::read(view.at("/proc/1/cmdline"))), libc::ENOENT);
    assert_eq!(errno(fs::metadata(view.at("/etc/passwd"))), libc::ENOENT);
    assert_eq!(view.finish(), [""; 0]);
}

#[test]
fn writes_are_pretended_kept_and_told() {
    let view = View::of_the_kernel();
    let (host, here) = ("/proc/sys/net/ipv4/ip_forward", view.at("/proc/sys/net/ipv4/ip_forward"));
    let before = fs::read(host).unwrap();
    assert_eq!(before, b"0\n", "a new network namespace forwards nothing");
    // As a shell does it: truncated, then written.
    fs::write(&here, "1\n").unwrap();
    assert_eq!(fs::read(&here).unwrap(), b"1\n");
    OpenOptions::new().append(true).open(&here).unwrap().write_all(b"2\n").unwrap();
    let mut both = OpenOptions::new().read(true).write(true).open(&here).unwrap();
    both.write_all(b"3\n").unwrap();
    both.rewind().unwrap();
    let mut text = String::new();
    both.read_to_string(&mut text).unwrap();
    assert_eq!(text, "3\n");
    drop(both);
    assert_eq!(errno(fs::write(&here, "bad")), libc::EINVAL);
    fs::write(view.at("/proc/sys/net/ipv4/route/flush"), "h").unwrap();
    assert_eq!(fs::read(&here).unwrap(), b"3\n");
    assert_eq!(fs::read(host).unwrap(), before, "it reached the host");
    assert_eq!(
        view.finish(),
        [
            r#"/proc/sys/net/ipv4/ip_forward Some("0\n") -> "1\n""#,
            r#"/proc/sys/net/ipv4/ip_forward Some("1\n") -> "2\n""#,
            r#"/proc/sys/net/ipv4/ip_forward Some("2\n") -> "3\n""#,
            r#"/proc/sys/net/ipv4/route/flush None -> "h""#,
        ]
    );
}

#[test]
fn nothing_is_made_removed_or_given_another_mode() {
    let view = View::of_the_kernel();
    let (folder, file) = (view.at("/sys/kernel"), view.at("/proc/sys/net/ipv4/ip_forward"));
    let new = folder.join("new");
    for (what, got, expected) in [
        ("create", errno(File::create(&new)), libc::EACCES),
        ("mkdir", errno(fs::create_dir(&new)), libc::EPERM),
        ("symlink", errno(std::os::unix::fs::symlink("x", &new)), libc::EPERM),
        ("unlink", errno(fs::remove_file(&file)), libc::EPERM),
        ("rmdir", errno(fs::remove_dir(&folder)), libc::EPERM),
        ("rename", errno(fs::rename(&file, file.with_file_name("x"))), libc::EPERM),
        ("link", errno(fs::hard_link(&file, file.with_file_name("x"))), libc::EPERM),
        ("chmod", errno(fs::set_permissions(&file, fs::Permissions::from_mode(0o777))), libc::EPERM),
        ("chown", errno(std::os::unix::fs::chown(&file, Some(1), None)), libc::EPERM),
        ("truncate", errno(OpenOptions::new().write(true).open(&file).unwrap().set_len(0)), 0),
        (
            "write what may only be read",
            errno(fs::write(view.at("/proc/sys/kernel/osrelease"), "x")),
            libc::EACCES,
        ),
        (
            "read what may only be written",
            errno(fs::read(view.at("/proc/sys/net/ipv4/route/flush"))),
            libc::EACCES,
        ),
    ] {
        assert_eq!(got, expected, "{what}");
    }
    let both = File::options().read(true).write(true).open(&file).unwrap();
    assert_eq!(shared_map(&both), libc::ENODEV, "memory shared with it");
    drop(both);
    assert_eq!(view.finish(), [""; 0]);
}

#[allow(unsafe_code)]
fn shared_map(file: &File) -> i32 {
    let (both, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
    // SAFETY: a new mapping at an address of the kernel's choice, which nobody uses and nobody else knows.
    let map = unsafe { libc::mmap(std::ptr::null_mut(), 4096, both, shared, file.as_raw_fd(), 0) };
    if map == libc::MAP_FAILED { errno::<()>(Err(std::io::Error::last_os_error())) } else { 0 }
}

/// Any folder can be shown, so this one has what the kernel's may have.
#[test]
fn what_waits_or_is_mounted_below_is_never_opened() {
    enter();
    let host = tempfile::tempdir().unwrap();
    let path = |name: &str| host.path().join(name);
    nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    fs::create_dir(path("below")).unwrap();
    mount(Some("tmpfs"), &path("below"), Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    fs::write(path("below/file"), "").unwrap();
    std::os::unix::fs::symlink("/etc", path("link")).unwrap();
    let mode = |name: &str, mode| {
        OpenOptions::new()
            .write(true)
            .create(true)
            .mode(mode)
            .open(path(name))
            .unwrap()
            .write_all(b"x")
            .unwrap();
    };
    mode("secret", 0o200);
    mode("fixed", 0o444);
    let name = host.path().file_name().unwrap().to_owned();
    let view = View::of(&[Shown { folder: host.path(), names: &[] }]);
    let here = |file: &str| view.at.join(&name).join(file);
    let reads = |file: &str| fs::read(here(file)).map_err(|error| error.kind());
    // A FIFO is opened by the kernel itself; nobody is on its other side, and nothing of the host's is behind it.
    let fifo = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(here("fifo"));
    assert_eq!(errno(fifo), libc::ENXIO);
    assert_eq!(reads("secret"), Err(ErrorKind::PermissionDenied));
    assert_eq!(reads("fixed"), Ok(b"x".to_vec()));
    assert_eq!(errno(fs::write(here("fixed"), "y")), libc::EACCES);
    assert_eq!(names(&here("below")), [""; 0]);
    assert_eq!(fs::read_link(here("link")).unwrap(), Path::new("/etc"));
    fs::write(here("secret"), "y").unwrap();
    assert_eq!(fs::read(path("secret")).unwrap(), b"x");
    view.finish();
    crate::world::unmount(&path("below"));
}
