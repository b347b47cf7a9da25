//! A server in a process of its own, which can be killed and limited: this test binary, run again for one test, which then
//! serves instead of testing.

use crate::world::{serve_at, unmount};
use disco_fuse::{Options, read_only_clone};
use nix::mount::{MntFlags, umount2};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LOWER: &str = "DISCO_FUSE_SERVE_LOWER";
const SCRATCH: &str = "DISCO_FUSE_SERVE_SCRATCH";
const MOUNT: &str = "DISCO_FUSE_SERVE_MOUNT";
const FILES: &str = "DISCO_FUSE_SERVE_FILES";

/// What is served, and where. The directory of the scratch takes a file that says when.
pub struct Places {
    pub lower: PathBuf,
    pub scratch: PathBuf,
    pub mount: PathBuf,
}

fn ready(scratch: &Path) -> PathBuf {
    scratch.with_extension("ready")
}

/// Serves until the end of the mount or of this process, if this process was started for that; says whether it was.
pub fn serves() -> bool {
    let Some(lower) = std::env::var_os(LOWER) else { return false };
    let place = |name: &str| PathBuf::from(std::env::var_os(name).unwrap());
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).unwrap();
    if let Ok(files) = std::env::var(FILES) {
        let files = files.parse().unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, files, files).unwrap();
    }
    let scratch = place(SCRATCH);
    let lower = read_only_clone(Path::new(&lower)).unwrap();
    let options = Options::over(lower, scratch.clone());
    let (server, _overlay) = serve_at(options, &place(MOUNT));
    std::fs::write(ready(&scratch), "").unwrap();
    server.join().unwrap();
    true
}

/// A server at work. It and its mount end with this value.
pub struct Apart {
    child: Option<Child>,
    mount: PathBuf,
}

impl Apart {
    /// Starts one for the test of this name, in the caller's mount namespace, and waits until it serves.
    pub fn start(test: &str, places: &Places, files: Option<u64>) -> Apart {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--nocapture"]).stdin(Stdio::null()).stdout(Stdio::null());
        command.env(LOWER, &places.lower).env(SCRATCH, &places.scratch).env(MOUNT, &places.mount);
        if let Some(files) = files {
            command.env(FILES, files.to_string());
        }
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while !ready(&places.scratch).exists() {
            assert!(child.try_wait().unwrap().is_none(), "the server ended before it served");
            assert!(Instant::now() < deadline, "the server does not serve");
            std::thread::sleep(Duration::from_millis(5));
        }
        Apart { child: Some(child), mount: places.mount.clone() }
    }

    pub fn process(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Kills it and returns when nothing of it runs any more. The mount stays.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Unmounts, and waits for its end in peace.
    pub fn finish(mut self) {
        unmount(&self.mount);
        assert!(self.child.take().unwrap().wait().unwrap().success());
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
        // After `finish` there is none; after a failure it goes with its last user.
        let _ = umount2(&self.mount, MntFlags::MNT_DETACH);
    }
}
