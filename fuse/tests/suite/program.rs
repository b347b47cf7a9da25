//! The program `disco-overlayfs`: what its options do, how it starts and how it ends.

mod durable;
mod ends;
mod shows;

use crate::world::enter;
use nix::mount::{MntFlags, umount2};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_disco-overlayfs");

/// How long anything may take that must not hang.
const SOON: Duration = Duration::from_secs(5);

/// Directories in a mount namespace of the test's own, and whatever the program mounts on them.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// Makes `lower` (with a file), `upper`, `work` and `mount`.
    fn new() -> Place {
        enter();
        let place = Place { directory: tempfile::tempdir().unwrap() };
        for name in ["lower", "upper", "work", "mount"] {
            fs::create_dir(place.at(name)).unwrap();
        }
        fs::write(place.at("lower/file"), "lower").unwrap();
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Runs the program in the directory of the test.
    fn program(&self, arguments: &[&str]) -> Output {
        Command::new(PROGRAM).args(arguments).current_dir(self.directory.path()).output().unwrap()
    }

    /// Mounts `lower` and `upper` with more options.
    fn mounted(&self, more: &str, mountpoint: &str) {
        let options = format!("lowerdir=lower,upperdir=upper,workdir=work{more}");
        let output = self.program(&["-o", &options, mountpoint]);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(said(&output), "");
    }

    /// Returns the line of mountinfo of a mountpoint.
    fn line(&self, mountpoint: &str) -> Option<String> {
        let wanted = format!(" {} ", self.at(mountpoint).display());
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        mounts.lines().rev().find(|line| line.contains(&wanted)).map(str::to_owned)
    }

    /// Returns the processes of the program that live in this test's mount namespace.
    fn servers(&self) -> Vec<i32> {
        let own = fs::read_link("/proc/thread-self/ns/mnt").unwrap();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let program = Path::new(PROGRAM).canonicalize().unwrap();
        let ours = |pid: &i32| {
            let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).ok();
            link("ns/mnt").is_some_and(|other| other == own) && link("exe").is_some_and(|exe| exe == program)
        };
        pids.filter(ours).collect()
    }

    fn server(&self) -> i32 {
        let servers = self.servers();
        assert_eq!(servers.len(), 1, "{servers:?}");
        servers[0]
    }

    fn unmount(&self, mountpoint: &str) {
        crate::world::unmount(&self.at(mountpoint));
        self.ended();
    }

    /// Waits until no process of the program is left.
    fn ended(&self) {
        within(SOON, "the program goes on", || self.servers().is_empty());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A failed test: what is still mounted, at most one over another, goes with its last user.
        for mountpoint in ["mount", "lower", "lower/mount", "upper"] {
            while self.line(mountpoint).is_some_and(|line| line.contains("disco-overlayfs")) {
                if umount2(&self.at(mountpoint), MntFlags::MNT_DETACH).is_err() {
                    break;
                }
            }
        }
    }
}

/// Waits for a condition, and fails if it does not come.
fn within(time: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < time, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}
