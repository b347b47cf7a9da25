//! Several lower layers, and uppers that are mounted again: the same tree shows, whoever made which part of it when.

use crate::tree::{Times, differences, tree};
use crate::world::{enter, serve_at, unmount};
use disco_fuse::{Options, Scratch, Server, read_only_clone};
use std::fs;
use std::path::{Path, PathBuf};

struct Stack {
    directory: tempfile::TempDir,
    layers: Vec<PathBuf>,
    server: Option<Server>,
}

fn sh(directory: &Path, script: &str) -> String {
    let done = std::process::Command::new("/bin/bash")
        .args(["-ec", script])
        .current_dir(directory)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{script}\n{text}{}", String::from_utf8_lossy(&done.stderr));
    text
}

impl Stack {
    /// A plain tree, with nothing over it yet.
    fn new(fill: &str) -> Stack {
        enter();
        let directory = tempfile::tempdir().unwrap();
        for name in ["0", "work", "mount"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        sh(&directory.path().join("0"), fill);
        let layers = vec![directory.path().join("0")];
        Stack { directory, layers, server: None }
    }

    fn mount(&self) -> PathBuf {
        self.directory.path().join("mount")
    }

    /// Mounts all layers but the last, which takes the changes.
    fn serve(&mut self) {
        let (upper, below) = self.layers.split_last().unwrap();
        let lower = below.iter().rev().map(|layer| read_only_clone(layer).unwrap()).collect();
        let scratch = Scratch::Kept { upper: upper.clone(), work: self.directory.path().join("work") };
        let (server, _) = serve_at(Options { lower, scratch, shims: Vec::new() }, &self.mount());
        self.server = Some(server);
    }

    fn end(&mut self) {
        unmount(&self.mount());
        self.server.take().unwrap().join().unwrap();
    }

    /// Runs a script over a layer of its own, on top of all before.
    fn layer(&mut self, script: &str) {
        let next = self.directory.path().join(self.layers.len().to_string());
        fs::create_dir(&next).unwrap();
        self.layers.push(next);
        self.serve();
        sh(&self.mount(), script);
        self.end();
    }

    /// Runs a script over the topmost layer once more.
    fn again(&mut self, script: &str) -> String {
        self.serve();
        let text = sh(&self.mount(), script);
        self.end();
        text
    }
}

const FILL: &str = "mkdir -p a/b/c d e; echo 1 >a/f; echo 2 >a/b/g; echo 3 >a/b/c/h; echo 4 >d/i; echo 5 >e/j; echo 6 >k; setfattr -n user.x -v y a/b; chmod 2750 a/b";

/// What is done one after another, each over what is there.
const STEPS: [&str; 8] = [
    "rm a/f; echo new >a/n; mv a/b moved; rm -r e; mkdir e; echo in >e/other",
    "mv moved/c d/c; rm d/i; echo back >a/f; echo more >>moved/g",
    "rm -r a; mkdir a; mv d/c a/c; ln a/c/h a/h; echo more >>k",
    "mv moved a/b; mv a z; : >empty; chmod 0 empty; mknod null c 0 0",
    "rm z/b/g; mv z/c z/c2; rmdir z/b; mkdir -p moved/x",
    "rm -r d; echo file >d; rm -r e; ln -s z e",
    "rm d; mkdir d; mv z d/deep; echo last >>d/deep/c2/h",
    "mkdir d/deep/c; mv d/deep/c2 d/deep/c/inner; rm -r moved; rm null empty",
];

/// The same on a plain directory.
fn plain(directory: &Path, steps: usize) -> PathBuf {
    let plain = directory.join("plain");
    fs::create_dir(&plain).unwrap();
    sh(&plain, FILL);
    for script in &STEPS[..steps] {
        sh(&plain, script);
    }
    plain
}

#[test]
fn each_step_in_a_layer_of_its_own_ends_as_in_a_plain_directory() {
    let mut stack = Stack::new(FILL);
    for script in STEPS {
        stack.layer(script);
    }
    let plain = plain(stack.directory.path(), STEPS.len());
    let times = Times::Since(1_000_000_000);
    stack.layer("");
    stack.serve();
    assert_eq!(differences(&tree(&stack.mount(), times), &tree(&plain, times)), Vec::<String>::new());
    stack.end();
    // What lies on top shows without what takes its changes, too.
    assert_eq!(fs::read_dir(stack.layers.last().unwrap()).unwrap().count(), 0);
}

#[test]
fn an_upper_that_is_mounted_again_and_again_ends_as_a_plain_directory() {
    let mut stack = Stack::new(FILL);
    stack.layer("");
    for script in STEPS {
        stack.again(script);
    }
    let plain = plain(stack.directory.path(), STEPS.len());
    let times = Times::Since(1_000_000_000);
    stack.serve();
    assert_eq!(differences(&tree(&stack.mount(), times), &tree(&plain, times)), Vec::<String>::new());
    stack.end();
}

#[test]
fn forty_layers_show_as_one() {
    let mut stack = Stack::new("mkdir all; echo 0 >all/0; echo 0 >top; mkdir old; echo x >old/x");
    for number in 1..=40 {
        stack.layer(&format!(
            "echo {number} >all/{number}; echo {number} >top; mkdir own{number}; rm -f all/{}; mv old* old{number}",
            number - 10
        ));
    }
    let listed =
        stack.again("ls all | sort -n | tr '\\n' ' '; cat top old40/x; ls -d own* | wc -l; find . | wc -l");
    assert_eq!(listed, "31 32 33 34 35 36 37 38 39 40 40\nx\n40\n55\n");
}
