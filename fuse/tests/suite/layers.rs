//! Several lower layers, and uppers that are mounted again: the same tree shows, whoever made which part of it when.

use crate::tree::{Times, differences, tree};
use crate::world::{enter, serve_at, unmount};
use disco_fuse::{Options, Scratch, Server, read_only_clone};
use std::fs;
use std::os::fd::AsRawFd;
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

/// What is done upon that, in another overlay.
const LATER: &str =
    "echo later >>pairs/one; echo more >>d/deep/c/inner/h; ln elsewhere three; mv d all; rm k";

#[test]
fn what_a_scratch_holds_is_a_layer_below_another() {
    let fill = format!(
        "{FILL}; mkdir pairs; echo pair >pairs/one; ln pairs/one pairs/two; ln pairs/one elsewhere; echo x >pairs/lone; ln pairs/lone lone; ln pairs/lone a/lone"
    );
    let stack = Stack::new(&fill);
    let plain = stack.directory.path().join("plain");
    fs::create_dir(&plain).unwrap();
    let lower = stack.directory.path().join("0");
    let scratch = |name: &str| {
        let path = stack.directory.path().join(name);
        fs::create_dir(&path).unwrap();
        Scratch::New(path)
    };
    let shown = |script: &str| {
        sh(&stack.mount(), script);
        sh(&plain, script);
        let times = Times::Since(1_000_000_000);
        assert_eq!(differences(&tree(&stack.mount(), times), &tree(&plain, times)), Vec::<String>::new());
    };
    sh(&plain, &fill);
    let options = Options {
        lower: vec![read_only_clone(&lower).unwrap()],
        scratch: scratch("first"),
        shims: Vec::new(),
    };
    let (server, earlier) = serve_at(options, &stack.mount());
    for script in STEPS {
        shown(script);
    }
    shown("echo x >>pairs/two; rm pairs/lone; chmod 600 lone");
    unmount(&stack.mount());
    server.join().unwrap();
    let before = tree(&stack.directory.path().join("first/upper"), Times::Exact);
    // Twice, and the first leaves nothing to the second.
    for (at, script) in ["touch pairs/two; rm -rf d z; mkdir z", LATER].into_iter().enumerate() {
        let lower = vec![earlier.as_lower().unwrap(), read_only_clone(&lower).unwrap()];
        let options = Options { lower, scratch: scratch(&format!("later-{at}")), shims: Vec::new() };
        let (server, _) = serve_at(options, &stack.mount());
        shown("");
        if at == 0 {
            sh(&stack.mount(), script);
        } else {
            shown(script);
        }
        unmount(&stack.mount());
        server.join().unwrap();
    }
    let names = |tree: &crate::tree::Tree| tree.keys().cloned().collect::<Vec<_>>();
    let after = tree(&stack.directory.path().join("first/upper"), Times::Exact);
    assert_eq!(names(&before), names(&after));
}

/// The names of a file are looked for where they can be: what is mounted elsewhere may never answer.
#[test]
fn other_mounts_are_not_searched_for_names() {
    let mut stack = Stack::new("mkdir -p one two dead; echo x >one/x; ln one/x two/x");
    let dead = stack.directory.path().join("0/dead");
    // It is as with a server that has died: whoever looks gets an error.
    let fuse = fs::File::options().read(true).write(true).open("/dev/fuse").unwrap();
    let data = format!("fd={},rootmode=40000,user_id=0,group_id=0", fuse.as_raw_fd());
    let kind = Some("fuse");
    nix::mount::mount(Some("dead"), &dead, kind, nix::mount::MsFlags::empty(), Some(data.as_str())).unwrap();
    drop(fuse);
    assert!(fs::read_dir(&dead).is_err());
    stack.layer("echo new >new; mkdir three");
    stack.layer("echo y >>one/x; cat two/x >three/both");
    assert_eq!(stack.again("cat three/both; stat -c %h one/x"), "x\ny\n2\n");
    nix::mount::umount2(&dead, nix::mount::MntFlags::MNT_DETACH).unwrap();
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
