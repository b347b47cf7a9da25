//! The mount and the scratch directory at awkward places: over the lower, inside it, and seen twice. Nothing hangs, and the
//! overlay never shows itself.

use crate::tree::{Times, Tree, differences, tree};
use crate::world::{enter, serve_at, unmount};
use disco_fuse::{Options, Overlay, Server, read_only_clone};
use nix::mount::{MsFlags, mount};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// An overlay somewhere in one directory, which is its lower.
struct Nest {
    directory: tempfile::TempDir,
    /// The lower as it was before anything was mounted on it.
    below: File,
    mount: PathBuf,
    overlay: Arc<Overlay>,
    server: Server,
    before: Tree,
    bind: bool,
}

impl Nest {
    /// Makes a lower, and mounts its overlay at `at` in it, with a scratch at `scratch` in it.
    fn new(at: &str, scratch: &str, bind: bool) -> Nest {
        enter();
        let directory = tempfile::tempdir().unwrap();
        let lower = directory.path();
        let make = "mkdir -p home/user var/lib/app mnt/point self; echo text >home/user/f; ln home/user/f var/lib/app/l
            ln home/user/f top; ln -s .. home/up; for i in $(seq 40); do echo $i >var/lib/$i; done";
        run(lower, make);
        fs::create_dir_all(lower.join(at)).unwrap();
        fs::create_dir_all(lower.join(scratch)).unwrap();
        if bind {
            let none: Option<&str> = None;
            mount(Some(lower), &lower.join("self"), none, MsFlags::MS_BIND, none).unwrap();
        }
        let below = File::open(lower).unwrap();
        let before = of_others(&below, scratch);
        let scratch = lower.join(scratch);
        let options = Options::over(read_only_clone(lower).unwrap(), scratch);
        let (server, overlay) = serve_at(options, &lower.join(at));
        Nest { mount: lower.join(at), directory, below, overlay, server, before, bind }
    }

    fn run(&self, script: &str) -> String {
        run(&self.mount, script)
    }

    /// Unmounts, and checks that nothing but the scratch has changed.
    fn finish(self, scratch: &str) {
        unmount(&self.mount);
        self.server.join().unwrap();
        let found = differences(&self.before, &of_others(&self.below, scratch));
        assert_eq!(found, Vec::<String>::new(), "the lower changed");
        drop((self.overlay, self.below));
        if self.bind {
            unmount(&self.directory.path().join("self"));
        }
    }
}

/// Runs a script in a directory; one that does not end is killed, and has failed.
fn run(directory: &Path, script: &str) -> String {
    let mut command = Command::new("timeout");
    let output =
        command.args(["-s", "KILL", "30", "bash", "-exc", script]).current_dir(directory).output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{}\n{out}{error}", output.status);
    out.into_owned()
}

/// The tree at a descriptor without the scratch, and without its second sight.
fn of_others(below: &File, scratch: &str) -> Tree {
    let own = |path: &Path| path.starts_with(scratch) || path.starts_with("self");
    let mut all = tree(Path::new(&format!("/proc/self/fd/{}/.", below.as_raw_fd())), Times::Exact);
    all.retain(|path, _| !own(path));
    all
}

/// Whatever one does in the view, at every place.
const WORK: &str = "echo more >>home/user/f; test $(wc -l <top) = 2; test $(stat -c %h var/lib/app/l) = 3
    rm var/lib/7; mkdir -p new/deep; echo new >new/deep/f; mv home moved; chmod 700 var/lib; cp -a moved copied
    test $(cat copied/user/f | wc -l) = 2; test -d moved/up/var; du -s . >/dev/null; tar c . | cat >/dev/null";

#[test]
fn mounted_over_its_own_lower_it_shows_it_once() {
    let outside = tempfile::tempdir().unwrap();
    let outside = outside.path().join("scratch");
    let nest = Nest::new("", outside.to_str().unwrap(), false);
    let before = nest.run("find . | wc -l");
    nest.run(WORK);
    // copied, copied/user, its file and its link, new, new/deep, its file; one is gone.
    let after: usize = nest.run("find . | wc -l").trim().parse().unwrap();
    assert_eq!(after, before.trim().parse::<usize>().unwrap() + 6);
    assert!(outside.join("upper/new/deep/f").exists());
    nest.finish(outside.to_str().unwrap());
}

#[test]
fn with_mount_and_scratch_deep_inside_the_lower_both_are_empty() {
    let scratch = "var/cache/disk/scratch";
    let nest = Nest::new("mnt/point", scratch, false);
    nest.run(WORK);
    nest.run(&format!("test -z \"$(ls -A {scratch})\"; test -z \"$(ls -A mnt/point)\""));
    let deepest = nest.run("find . -printf '%d\\n' | sort -n | tail -1");
    assert_eq!(deepest.trim(), "4", "{}", nest.run("find ."));
    // It cannot be lost, moved or filled from within.
    for refused in
        ["rmdir SCRATCH", "mv SCRATCH gone", "echo x >SCRATCH/x", "mkdir SCRATCH/upper", "rm -rf var"]
    {
        let refused = refused.replace("SCRATCH", scratch);
        nest.run(&format!("if {refused} 2>/dev/null; then exit 1; fi; test -d {scratch}"));
    }
    nest.run("echo still >works; cat works");
    assert_eq!(fs::read(nest.directory.path().join(scratch).join("upper/works")).unwrap(), b"still\n");
    nest.finish(scratch);
}

#[test]
fn mounted_over_a_lower_with_the_scratch_inside_it_goes_on() {
    let scratch = "var/scratch";
    let nest = Nest::new("", scratch, false);
    nest.run(WORK);
    nest.run(&format!("test -z \"$(ls -A {scratch})\"; echo more >>var/lib/3; grep -q more var/lib/3"));
    let upper = format!("/proc/self/fd/{}/{scratch}/upper", nest.below.as_raw_fd());
    assert!(Path::new(&upper).join("var/lib/3").exists());
    nest.finish(scratch);
}

#[test]
fn a_lower_that_is_bound_into_itself_is_shown_twice_and_no_more() {
    let scratch = "var/scratch";
    let nest = Nest::new("mnt/point", scratch, true);
    nest.run(&format!(
        "test -f self/home/user/f; test -z \"$(ls -A self/self)\"; test -z \"$(ls -A self/{scratch})\""
    ));
    nest.run(WORK);
    // The same file under another mount is another file, as the lower's other mounts are others.
    nest.run("echo twice >>self/top; test $(wc -l <self/home/user/f) = 2; test $(wc -l <top) = 2; ! grep -q twice top");
    nest.run("find . >/dev/null; test -z \"$(ls -A self/mnt/point)\"");
    nest.finish(scratch);
}
