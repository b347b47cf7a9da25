//! The world of one test: a mount namespace of its own, a lower made for it, and an overlay mounted on it.

use crate::tree::{Times, Tree, differences, tree};
use disco_fuse::{Options, Overlay, Server, Shim, Writes, read_only_clone, serve};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub struct World {
    pub lower: PathBuf,
    pub scratch: PathBuf,
    pub mount: PathBuf,
    pub overlay: Arc<Overlay>,
    server: Option<Server>,
    before: Tree,
    directory: tempfile::TempDir,
}

/// Moves this thread, and what it starts from now on, into a mount namespace that shares nothing.
pub fn enter() {
    unshare(CloneFlags::CLONE_NEWNS).expect("these tests need the right to mount");
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
}

/// Mounts an overlay and serves it.
pub fn serve_at(options: Options, mountpoint: &Path) -> (Server, Arc<Overlay>) {
    serve_with(options, Writes::Through, mountpoint)
}

/// The same, with writes as they are to reach it.
pub fn serve_with(options: Options, writes: Writes, mountpoint: &Path) -> (Server, Arc<Overlay>) {
    let overlay = Arc::new(Overlay::open(options).unwrap());
    let fuse = OwnedFd::from(File::options().read(true).write(true).open("/dev/fuse").unwrap());
    let data = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other",
        fuse.as_raw_fd()
    );
    mount(Some("disco"), mountpoint, Some("fuse"), MsFlags::MS_NODEV, Some(data.as_str())).unwrap();
    (serve(overlay.clone(), fuse, writes).unwrap(), overlay)
}

/// Unmounts, and waits a little for the children of other tests: between fork and exec they have our files open.
pub fn unmount(path: &Path) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while let Err(errno) = umount2(path, MntFlags::empty()) {
        let late = std::time::Instant::now() > deadline;
        assert!(errno == nix::errno::Errno::EBUSY && !late, "{}: {errno}", path.display());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

impl World {
    /// Makes the lower with `fill` and mounts an overlay of it.
    pub fn new(fill: impl FnOnce(&Path)) -> World {
        World::with_shims(fill, |_| Vec::new())
    }

    /// The same, with shims that `shims` makes in the directory that it gets.
    pub fn with_shims(fill: impl FnOnce(&Path), shims: impl FnOnce(&Path) -> Vec<Shim>) -> World {
        World::with(fill, shims, Writes::Through)
    }

    /// The same, with all that there is to choose.
    pub fn with(fill: impl FnOnce(&Path), shims: impl FnOnce(&Path) -> Vec<Shim>, writes: Writes) -> World {
        enter();
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        let (lower, scratch, mountpoint) = (path("lower"), path("scratch"), path("mount"));
        fill(&lower);
        let before = tree(&lower, Times::Exact);
        let lower_clone = read_only_clone(&lower).unwrap();
        let options =
            Options { shims: shims(directory.path()), ..Options::over(lower_clone, scratch.clone()) };
        let (server, overlay) = serve_with(options, writes, &mountpoint);
        let server = Some(server);
        World { lower, scratch, mount: mountpoint, overlay, server, before, directory }
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.mount.join(path)
    }

    /// A directory of the test outside all layers.
    pub fn outside(&self) -> &Path {
        self.directory.path()
    }

    pub fn upper(&self) -> PathBuf {
        self.scratch.join("upper")
    }

    /// Runs a script in the mount and returns what it wrote; it must succeed.
    pub fn run(&self, script: &str) -> String {
        let output = std::process::Command::new("/bin/bash")
            .args(["-ec", script])
            .current_dir(&self.mount)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{script}\n{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// The upper as whoever compares and merges reads it: with what is still in the kernel's cache, and able to stand alone.
    pub fn settled_upper(&self) -> PathBuf {
        rustix::fs::syncfs(File::open(&self.mount).unwrap()).unwrap();
        self.overlay.bring_moved().unwrap();
        self.upper()
    }

    /// Says what changed in the lower.
    pub fn damage(&self) -> Vec<String> {
        differences(&self.before, &tree(&self.lower, Times::Exact))
    }

    /// Unmounts, and waits for the server.
    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            unmount(&self.mount);
            server.join().unwrap();
        }
    }

    /// Unmounts, waits for the server, and checks that the lower is what it was.
    pub fn finish(mut self) {
        assert_eq!(self.damage(), Vec::<String>::new(), "the lower changed");
        self.stop();
        let left: Vec<_> = std::fs::read_dir(self.scratch.join("work")).unwrap().collect();
        assert_eq!(left.len(), 2, "besides the index and the whiteout: {left:?}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.server.is_some() {
            // A failed test: the mount goes with its last user.
            let _ = umount2(&self.mount, MntFlags::MNT_DETACH);
        }
    }
}

#[test]
fn a_test_is_not_in_the_machines_mount_namespace() {
    let of = |who: &str| std::fs::read_link(format!("/proc/{who}/ns/mnt"));
    let before = of("thread-self").unwrap();
    enter();
    let own = of("thread-self").unwrap();
    assert_ne!(own, before);
    // Some containers hide what the first process has; the parent is outside in any case.
    let parent = of(&std::os::unix::process::parent_id().to_string());
    for outside in [of("1"), parent] {
        match outside {
            Ok(outside) => assert_ne!(own, outside),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
        }
    }
    let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    assert!(!mounts.contains("shared:"), "a mount would spread: {mounts}");
}
