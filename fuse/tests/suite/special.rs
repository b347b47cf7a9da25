//! What is not a plain file: devices, fifos, submounts, and the overlay's own attributes.

use crate::world::{World, enter, unmount};
use disco_fuse::{Options, Overlay, is_private_xattr, read_only_clone};
use nix::mount::{MsFlags, mount, umount};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};

#[test]
fn a_0_0_device_of_a_user_is_a_device() {
    let world = World::new(|lower| fs::write(lower.join("f"), "x").unwrap());
    world.run("mknod n c 0 0; rm f; mknod f c 0 0; mknod b b 7 300");
    for (name, rdev) in [("n", 0), ("f", 0), ("b", rustix::fs::makedev(7, 300))] {
        let stat = fs::symlink_metadata(world.at(name)).unwrap();
        assert_eq!(stat.rdev(), rdev, "{name}");
        assert_eq!(fs::symlink_metadata(world.upper().join(name)).unwrap().rdev(), rdev, "{name}");
    }
    world.finish();
}

#[test]
fn an_empty_file_without_permissions_is_a_file() {
    let world = World::new(|lower| fs::write(lower.join("f"), "x").unwrap());
    world.run("umask 777; rm f; : >f; : >g; ls -A | sort | tr '\\n' ' ' | grep -qx 'f g '");
    let layer = disco_fuse::read_layer(world.overlay.upper_dir()).unwrap();
    assert!(layer.iter().all(|entry| entry.kind == disco_fuse::LayerKind::Other), "{layer:?}");
    world.finish();
}

#[test]
fn fifos_and_sockets_of_the_lower_change_owner_and_are_never_opened() {
    let world = World::new(|lower| {
        nix::unistd::mkfifo(&lower.join("p"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        drop(std::os::unix::net::UnixListener::bind(lower.join("s")).unwrap());
    });
    world.run("chown 5:6 p s; chmod 640 p; (echo through >p &); cat p | grep -qx through; mv p q; rm s");
    let stat = fs::symlink_metadata(world.at("q")).unwrap();
    assert!(stat.file_type().is_fifo());
    assert_eq!((stat.uid(), stat.gid(), stat.mode() & 0o777), (5, 6, 0o640));
    world.finish();
}

#[test]
fn the_overlays_own_attributes_are_neither_shown_nor_taken() {
    let world = World::new(|lower| fs::create_dir(lower.join("d")).unwrap());
    world.run("rmdir d; mkdir d; chmod 711 .");
    let raw = crate::tree::xattrs(&world.upper().join("d"));
    assert!(raw.keys().any(|name| is_private_xattr(name)), "the test looks at nothing: {raw:?}");
    assert!(crate::tree::xattrs(&world.at("d")).is_empty());
    assert!(crate::tree::xattrs(&world.mount).is_empty());
    let flags = rustix::fs::XattrFlags::empty();
    for name in ["trusted.disco.opaque", "trusted.disco.whiteout"] {
        assert!(rustix::fs::lsetxattr(world.at("d"), name, b"y", flags).is_err(), "{name}");
        assert!(!is_private_xattr(OsStr::new("user.x")));
    }
    world.run("setfattr -n user.a -v 1 d; setfattr -x user.a d; ! getfattr -n user.a d 2>/dev/null");
    world.finish();
}

#[test]
fn submounts_are_crossed_and_pseudo_file_systems_are_empty() {
    let none: Option<&str> = None;
    let world = World::new(|lower| {
        for name in ["tmp", "proc", "a", "b"] {
            fs::create_dir(lower.join(name)).unwrap();
        }
        mount(none, &lower.join("tmp"), Some("tmpfs"), MsFlags::empty(), none).unwrap();
        mount(none, &lower.join("proc"), Some("proc"), MsFlags::empty(), none).unwrap();
        fs::write(lower.join("tmp/f"), "in a submount").unwrap();
        fs::write(lower.join("a/f"), "bound").unwrap();
        mount(Some(&lower.join("a")), &lower.join("b"), none, MsFlags::MS_BIND, none).unwrap();
        // What /proc holds changes under the eyes of whoever compares.
        umount(&lower.join("proc")).unwrap();
    });
    assert_eq!(fs::read(world.at("tmp/f")).unwrap(), b"in a submount");
    world.run("echo more >>tmp/f; rm -r a; test -f b/f; echo more >>b/f; grep -q more tmp/f");
    let mut numbers: Vec<_> = ["", "tmp", "tmp/f", "b", "b/f", "proc"]
        .map(|path| fs::metadata(world.at(path)).unwrap().ino())
        .to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 6);
    for name in ["tmp", "b"] {
        umount(&world.lower.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    drop(world);
}

#[test]
fn mounts_of_the_lower_are_boundaries_as_on_the_disk() {
    let none: Option<&str> = None;
    // In the view and on the tree itself; the latter last, for what works there changes it.
    let script = "for try in 'mv -n --no-copy tmp/f a/f2' 'ln tmp/f a/f3' 'ln a/f tmp/f4' 'rmdir tmp' 'mv --no-copy tmp away' \
        'rm bound' 'mv --no-copy a/f bound' 'mv --no-copy -T a tmp' 'ln a/f new/f' 'mv --no-copy tmp/f tmp/g' 'mkdir new/d' \
        'mv --no-copy new/d tmp/d' 'mkdir tmp/n' 'mv --no-copy tmp/n tmp/sub/n' 'mv --no-copy tmp/sub/n a/n' 'rm -r tmp/sub'; do
        python3 - $try <<'END'
import os, sys
command, *words = [word for word in sys.argv[1:] if not word.startswith('-')]
try:
    {'mv': os.rename, 'ln': os.link, 'rmdir': os.rmdir, 'rm': lambda path: os.rmdir(path) if os.path.isdir(path) else os.unlink(path),
     'mkdir': os.mkdir}[command](*words)
    print('done')
except OSError as error:
    print(error.strerror)
END
    done";
    let world = World::new(|lower| {
        for name in ["tmp", "a", "new"] {
            fs::create_dir(lower.join(name)).unwrap();
        }
        fs::write(lower.join("a/f"), "").unwrap();
        fs::write(lower.join("bound"), "").unwrap();
        mount(none, &lower.join("tmp"), Some("tmpfs"), MsFlags::empty(), none).unwrap();
        fs::create_dir(lower.join("tmp/sub")).unwrap();
        fs::write(lower.join("tmp/f"), "").unwrap();
        mount(Some(&lower.join("a/f")), &lower.join("bound"), none, MsFlags::MS_BIND, none).unwrap();
    });
    let seen = world.run(script);
    assert!(seen.matches("done").count() > 3 && seen.matches("cross-device").count() > 3, "{seen}");
    assert!(seen.matches("busy").count() > 3, "{seen}");
    let itself = std::process::Command::new("/bin/bash")
        .args(["-ec", script])
        .current_dir(&world.lower)
        .output()
        .unwrap();
    assert_eq!(seen, String::from_utf8_lossy(&itself.stdout));
    for name in ["tmp", "bound"] {
        umount(&world.lower.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    drop(world);
}

#[test]
fn a_mounted_proc_shows_as_an_empty_directory() {
    let none: Option<&str> = None;
    enter();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for name in ["lower", "lower/proc", "lower/dev", "lower/run", "scratch", "mount"] {
        fs::create_dir(path(name)).unwrap();
    }
    for (name, kind) in [("lower/proc", "proc"), ("lower/dev", "devtmpfs"), ("lower/run", "tmpfs")] {
        mount(none, &path(name), Some(kind), MsFlags::empty(), none).unwrap();
    }
    fs::write(path("lower/run/f"), "x").unwrap();
    let lower = read_only_clone(&path("lower")).unwrap();
    let options = Options::over(lower, path("scratch"));
    let (server, _overlay) = crate::world::serve_at(options, &path("mount"));
    let names = |name: &str| fs::read_dir(path("mount").join(name)).unwrap().count();
    assert_eq!((names("proc"), names("dev"), names("run")), (0, 0, 1));
    assert!(path("lower/proc/self").exists(), "the test looks at nothing");
    for made in ["proc/x", "dev/x"] {
        let error = fs::write(path("mount").join(made), "x").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EROFS), "{made}");
    }
    assert!(fs::remove_dir(path("mount/proc")).is_err());
    unmount(&path("mount"));
    server.join().unwrap();
}

#[test]
fn the_scratch_inside_the_lower_does_not_show_itself() {
    enter();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for name in ["scratch", "mount"] {
        fs::create_dir(path(name)).unwrap();
    }
    let lower = read_only_clone(directory.path()).unwrap();
    let options = Options::over(lower, path("scratch"));
    let (server, _overlay) = crate::world::serve_at(options, &path("mount"));
    fs::write(path("mount/f"), "x").unwrap();
    assert!(path("scratch/upper/f").exists());
    for empty in ["mount/scratch", "mount/mount"] {
        assert_eq!(fs::read_dir(path(empty)).unwrap().count(), 0, "{empty}");
    }
    unmount(&path("mount"));
    server.join().unwrap();
}

#[test]
fn the_clone_is_read_only_even_for_mounts_that_come_later() {
    enter();
    let none: Option<&str> = None;
    let directory = tempfile::tempdir().unwrap();
    let lower = directory.path().join("lower");
    fs::create_dir_all(lower.join("later")).unwrap();
    mount(Some(&lower), &lower, none, MsFlags::MS_BIND, none).unwrap();
    mount(none, &lower, none, MsFlags::MS_SHARED, none).unwrap();
    let clone = read_only_clone(&lower).unwrap();
    // Detached it is safe by chance on some kernels; attached, only its being private keeps it so.
    let attached = directory.path().join("attached");
    fs::create_dir(&attached).unwrap();
    let flags = rustix::mount::MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(&clone, "", rustix::fs::CWD, &attached, flags).unwrap();
    mount(none, &lower.join("later"), Some("tmpfs"), MsFlags::empty(), none).unwrap();
    fs::write(lower.join("later/f"), "x").unwrap();
    use rustix::fs::{Mode, OFlags, openat};
    let create = OFlags::CREATE | OFlags::WRONLY;
    assert_eq!(openat(&clone, "f", create, Mode::RUSR).unwrap_err(), rustix::io::Errno::ROFS);
    assert_eq!(
        openat(&clone, "later/f", OFlags::RDONLY, Mode::empty()).unwrap_err(),
        rustix::io::Errno::NOENT
    );
}

#[test]
fn a_scratch_that_is_not_empty_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("upper")).unwrap();
    enter();
    let lower = read_only_clone(directory.path()).unwrap();
    let options = Options::over(lower, directory.path().to_owned());
    let error = Overlay::open(options).unwrap_err();
    assert!(error.to_string().contains("upper"), "{error}");
}

/// Also the case in which a listing of the upper may number files differently.
#[test]
fn a_scratch_on_kernel_overlayfs_works() {
    enter();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for name in ["lower", "lower/d", "mount", "ko", "ko/low", "ko/low/scratch", "ko/up", "ko/work", "ko/view"]
    {
        fs::create_dir(path(name)).unwrap();
    }
    for name in ["lower/d/f", "lower/d/g", "lower/gone"] {
        fs::write(path(name), name).unwrap();
    }
    fs::hard_link(path("lower/d/f"), path("lower/link")).unwrap();
    let show = |name: &str| path(name).display().to_string();
    let layers =
        format!("lowerdir={},upperdir={},workdir={}", show("ko/low"), show("ko/up"), show("ko/work"));
    mount(Some("overlay"), &path("ko/view"), Some("overlay"), MsFlags::empty(), Some(layers.as_str()))
        .unwrap();
    let lower = read_only_clone(&path("lower")).unwrap();
    let options = Options::over(lower, path("ko/view/scratch"));
    let (server, overlay) = crate::world::serve_at(options, &path("mount"));
    let script = "rm gone d/g; echo more >>link; test $(stat -c %h d/f) = 2; grep -q more d/f; : >n
        test \"$(ls -A)\" = $'d\\nlink\\nn'; mv d e; test \"$(ls -A e)\" = f; rm -r e; mkdir d; test -z \"$(ls -A d)\"";
    let done = std::process::Command::new("bash").args(["-ec", script]).current_dir(path("mount")).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let layer = disco_fuse::read_layer(overlay.upper_dir()).unwrap();
    let names: Vec<_> = layer.iter().map(|entry| entry.path.to_str().unwrap()).collect();
    assert_eq!(names, ["d", "gone", "link", "n"]);
    unmount(&path("mount"));
    server.join().unwrap();
}

/// Waits for the other end of a fifo in a thread: whoever opens that, and be it for a moment, lets it go on.
struct Watch(std::path::PathBuf, fs::OpenOptions, std::thread::JoinHandle<()>);

impl Watch {
    fn new(fifo: std::path::PathBuf, for_writing: bool) -> Watch {
        let mut options = fs::OpenOptions::new();
        options.read(!for_writing).write(for_writing);
        let (waiting, path) = (options.clone(), fifo.clone());
        let thread = std::thread::spawn(move || drop(waiting.open(path).unwrap()));
        let mut other_end = fs::OpenOptions::new();
        other_end.read(for_writing).write(!for_writing).custom_flags(libc::O_NONBLOCK);
        Watch(fifo, other_end, thread)
    }

    /// Whether nobody came until now. Comes itself, to prove that it would have been seen.
    fn finish(self) -> bool {
        let nobody = !self.2.is_finished();
        if nobody {
            // Fails where the watch was not waiting.
            drop(self.1.open(&self.0).unwrap());
            self.2.join().unwrap();
        }
        nobody
    }
}

#[test]
fn a_fifo_of_the_lower_is_not_even_opened_for_a_moment() {
    let world = World::new(|lower| {
        for directory in ["d", "d/e", "far"] {
            fs::create_dir(lower.join(directory)).unwrap();
        }
        for name in ["r", "w", "d/r", "d/w", "d/e/r", "d/e/w"] {
            nix::unistd::mkfifo(&lower.join(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
        }
        // Names that only a search finds.
        fs::hard_link(lower.join("r"), lower.join("far/r")).unwrap();
        fs::hard_link(lower.join("w"), lower.join("far/w")).unwrap();
    });
    let watches: Vec<Watch> = ["r", "w", "d/r", "d/w", "d/e/r", "d/e/w"]
        .map(|name| Watch::new(world.lower.join(name), name.ends_with('r')))
        .into();
    // Until all of them wait.
    std::thread::sleep(std::time::Duration::from_millis(300));
    world.run(
        "ls -lR >/dev/null; find . -printf '%i %s %A@\\n' >/dev/null; getfattr -h -d -m - -R . >/dev/null
         for f in r w; do
           stat $f >/dev/null; touch -d @1000 $f; chmod 640 $f; chown 5:6 $f; setfattr -n trusted.t -v 1 $f
           setfacl -m u:7:r $f; mv $f $f.moved; ln $f.moved d/again.$f; rm $f.moved; test $(stat -c %h far/$f) = 2
           mv far/$f far/other.$f; cp -a far/other.$f d/copied.$f
         done
         chmod 600 d/e/r; mv d moved; mv moved/e e; cp -a moved e far/; tar c . | cat >/dev/null; du . >/dev/null
         mv -T e/r moved/r; rm -r moved e",
    );
    world.run("echo 2 >/proc/sys/vm/drop_caches; ls -lR >/dev/null");
    let layer = disco_fuse::read_layer(world.overlay.upper_dir()).unwrap();
    assert!(layer.iter().any(|entry| entry.path.ends_with("other.r")), "nothing came up: {layer:?}");
    let nobody: Vec<bool> = watches.into_iter().map(Watch::finish).collect();
    assert_eq!(nobody, [true; 6], "somebody opened a fifo");
    world.finish();
}
