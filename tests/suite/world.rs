//! The hermetic node ("World"): a copy-on-write root of this machine in namespaces of its own, with the `disco` under
//! test at `/usr/local/bin/disco`, real services, and a real master on its own loopback.
//!
//! Nothing that happens in it reaches the machine: its root is a kernel overlay on a tmpfs, its mounts, processes,
//! network, host name and IPC are its own, and all of it ends with the `World` (or with the test's process, however
//! that ends). The host is never written by path; whatever a test wants inside goes through a command inside.
//! A `World::with_systemd` is the same over a small Debian, with a real systemd as its first process.

mod manifest;
mod master;
mod output;
mod packages;
mod service;
mod ssh;
mod traces;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use manifest::Manifest;
pub use output::Output;
pub use packages::Packages;

/// The name of every hermetic node.
pub const NODE: &str = "localhost.localdomain";

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// No command of a test may take longer, in seconds.
const LONGEST: &str = "120";

/// A node of its own. Dropping it ends its processes and forgets its files.
pub struct World {
    init: Child,
    pid: u32,
    /// The process that has the node's copy-on-write layer open as its descriptor 9.
    keeper: u32,
    /// Its end of file ends the node.
    stdin: Option<ChildStdin>,
    /// What the master will serve; see `publish`.
    stage: TempDir,
    _top: TempDir,
}

impl World {
    /// A new node; `None` where this machine cannot have one, after saying why. With `DISCO_REQUIRE_PRIVILEGED=1` that
    /// is a failure instead.
    pub fn new() -> Option<World> {
        Self::or_say_why(Self::open(|top| {
            let mut unshare = Command::new("unshare");
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/throwaway-root");
            unshare.args(["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child", "bash"]);
            unshare.arg(script).arg(top).arg(env!("CARGO_BIN_EXE_disco"));
            (unshare, None)
        }))
    }

    /// A new node with systemd; otherwise as `new`. The first one on a machine takes a minute: its root is made.
    pub fn with_systemd() -> Option<World> {
        Self::with_systemd_on(None)
    }

    /// The same with a disk, a folder, which another node can start from once this one has been switched off: dropped.
    pub fn with_systemd_on(disk: Option<&Path>) -> Option<World> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/systemd-node");
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("systemd-node");
        let built = Command::new(script).arg("build").arg(&folder).output().expect("the script starts");
        if !built.status.success() {
            return Self::or_say_why(Err(String::from_utf8_lossy(&built.stderr).into_owned()));
        }
        Self::or_say_why(Self::open(|top| {
            let mut unshare = Command::new("unshare");
            unshare.args(["--mount", "--pid", "--fork", "--kill-child", script, "boot"]);
            unshare.arg(folder).arg(top).arg(env!("CARGO_BIN_EXE_disco"));
            (unshare, disk)
        }))
    }

    fn or_say_why(opened: Result<World, String>) -> Option<World> {
        match opened {
            Ok(world) => Some(world),
            Err(reason) if std::env::var("DISCO_REQUIRE_PRIVILEGED").as_deref() == Ok("1") => {
                panic!("no hermetic node, and DISCO_REQUIRE_PRIVILEGED=1 allows no skip: {reason}")
            }
            Err(reason) => {
                println!("skipped: {reason}");
                None
            }
        }
    }

    /// Opens the node that a script makes in the folder it is given.
    fn open<'a>(starting: impl FnOnce(&Path) -> (Command, Option<&'a Path>)) -> Result<World, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("needs root: a live merge changes owners, and a copy-on-write root is mounted".into());
        }
        let top = TempDir::with_prefix("disco-world-").map_err(|e| e.to_string())?;
        let stage = TempDir::with_prefix("disco-master-").map_err(|e| e.to_string())?;
        let (mut command, disk) = starting(top.path());
        let mut init = command
            .env_clear()
            .env("PATH", PATH)
            .envs(disk.map(|disk| ("DISCO_NODE_DISK", disk)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("unshare: {e}"))?;
        let mut first = String::new();
        let stdout = init.stdout.take().expect("stdout is a pipe");
        BufReader::new(stdout).read_line(&mut first).map_err(|e| e.to_string())?;
        let pids: Vec<u32> = first.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let (true, Some(&pid)) = (first.starts_with("ready "), pids.first()) else {
            let mut said = String::new();
            let mut stderr = init.stderr.take().expect("stderr is a pipe");
            stderr.read_to_string(&mut said).map_err(|e| e.to_string())?;
            let status = init.wait().map_err(|e| e.to_string())?;
            return Err(format!("the node does not start: {status}: {}", said.trim()));
        };
        let stdin = init.stdin.take();
        let keeper = pids.get(1).copied().unwrap_or(pid);
        Ok(World { init, pid, keeper, stdin, stage, _top: top })
    }

    /// The pid of the node's first process, as the machine numbers it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What the command did.
    pub fn run(&self, argv: &[&str]) -> Output {
        self.command(argv).run()
    }

    /// What `bash -c script` did.
    pub fn sh(&self, script: &str) -> Output {
        self.run(&["bash", "-c", script])
    }

    /// What `disco` did with these arguments.
    pub fn disco(&self, args: &[&str]) -> Output {
        self.run(&[&["disco"], args].concat())
    }

    /// A command for the node, not yet run.
    pub fn command<'a>(&'a self, argv: &[&str]) -> InWorld<'a> {
        InWorld {
            world: self,
            argv: argv.iter().map(|s| s.to_string()).collect(),
            env: vec![],
            stdin: String::new(),
        }
    }

    /// Starts a command and leaves it running, so that a signal can be sent to it.
    pub fn spawn(&self, argv: &[&str]) -> Running<'_> {
        let note = format!("/tmp/spawned.{}", SPAWNED.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let script = r#"echo $$ >"$0.new" && mv "$0.new" "$0" && exec "$@""#;
        let argv = [&["bash", "-c", script, &note], argv].concat();
        let child = self
            .entering(&argv)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter starts");
        self.wait_until("the command has started", || self.exists(&note));
        let pid = self.read(&note).trim().to_owned();
        Running { world: self, child, pid, argv: argv.iter().skip(4).map(|s| s.to_string()).collect() }
    }

    /// Writes a file, its folders included, mode 644, owned by root.
    pub fn write(&self, path: &str, text: &str) {
        self.write_with_mode(path, "644", text);
    }

    /// Writes a file of that mode, its folders included, owned by root.
    pub fn write_with_mode(&self, path: &str, mode: &str, text: &str) {
        self.command(&["install", "-D", "-m", mode, "/dev/stdin", path]).stdin(text).run().succeeds();
    }

    /// Copies a file of the machine to a path of the node, its folders included, with that mode.
    pub fn install(&self, path: &str, mode: &str, from: &std::path::Path) {
        let file = std::fs::File::open(from).expect("the file is there");
        let copied = self
            .entering(&["install", "-D", "-m", mode, "/dev/stdin", path])
            .stdin(Stdio::from(file))
            .status();
        assert!(copied.expect("nsenter starts").success(), "{path} can be written");
    }

    /// The text of a file.
    pub fn read(&self, path: &str) -> String {
        self.run(&["cat", "--", path]).succeeds().stdout.clone()
    }

    /// Whether there is anything at that path, a dangling link included.
    pub fn exists(&self, path: &str) -> bool {
        self.run(&["test", "-e", path, "-o", "-L", path]).status == Some(0)
    }

    /// Sets one of this node's own parameters, such as `disco/server/uri`.
    pub fn setting(&self, name: &str, value: &str) {
        self.write(&format!("/var/disco/parameters/{name}"), &format!("{value}\n"));
    }

    /// Everything that differs from the machine in the node's root, with what it is; `/proc`, `/sys`, `/dev`, `/run`,
    /// `/tmp` and `/var/disco` apart.
    pub fn manifest(&self) -> Manifest {
        // This descriptor is held open on the copy-on-write layer, for us alone.
        Manifest::of(&PathBuf::from(format!("/proc/{}/fd/9/.", self.keeper)))
    }

    /// Every process of the node but its init, `pid command line` a line, sorted. disco's own come and go while it runs: they
    /// are without their pid.
    pub fn processes(&self) -> Vec<String> {
        let script = r#"for p in /proc/[0-9]*; do
            mapfile -d '' -t argv 2>/dev/null <"$p/cmdline" && line="${argv[*]}" || continue
            case $line in ''|cat|*'for p in /proc'*|'bash '*throwaway-root*|'timeout '*) continue;; esac
            case $line in *' __enter') echo "$line"; continue;; esac
            echo "${p#/proc/} $line"; done; true"#;
        let mut all: Vec<String> = self.sh(script).succeeds().stdout.lines().map(String::from).collect();
        all.sort();
        all
    }

    /// Nothing but these processes is left, once those that are ending have ended.
    #[track_caller]
    pub fn only_has(&self, processes: &[String]) {
        let start = Instant::now();
        while self.processes() != processes && start.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.processes(), processes, "processes are left, or were ended");
    }

    /// The mounts of the node, as its init sees them.
    pub fn mounts(&self) -> String {
        self.read("/proc/1/mountinfo")
    }

    /// Waits until it is so; a failure after 20 seconds.
    pub fn wait_until(&self, what: &str, so: impl Fn() -> bool) {
        let start = Instant::now();
        while !so() {
            assert!(start.elapsed() < Duration::from_secs(20), "waited 20 s until {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// nsenter(1) into the node, with a cleared environment.
    fn entering(&self, argv: &[&str]) -> Command {
        // Whoever starts tests in the background has them ignore the signal of Ctrl-C.
        let mut command = Command::new("env");
        command
            .args([
                "--default-signal=INT,QUIT,HUP,TERM",
                "nsenter",
                "--mount",
                "--pid",
                "--net",
                "--uts",
                "--ipc",
                "--target",
                &self.pid.to_string(),
                "--",
            ])
            .args(argv)
            .env_clear()
            .envs([
                ("PATH", PATH),
                ("HOME", "/root"),
                ("LC_ALL", "C.UTF-8"),
                ("TERM", "dumb"),
                ("USER", "root"),
            ]);
        command
    }
}

static SPAWNED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

impl Drop for World {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // Waits for the kernel to end every process of the node.
        if let Err(e) = self.init.wait() {
            eprintln!("world: waiting for its init: {e}");
        }
    }
}

/// A command for a node, not yet run.
#[must_use = "it has not run yet"]
pub struct InWorld<'a> {
    world: &'a World,
    argv: Vec<String>,
    env: Vec<(String, String)>,
    stdin: String,
}

impl InWorld<'_> {
    /// With one more environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// With this on its standard input.
    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = text.into();
        self
    }

    /// What it did.
    pub fn run(self) -> Output {
        let argv: Vec<&str> = ["timeout", "--kill-after=5", LONGEST]
            .into_iter()
            .chain(self.argv.iter().map(String::as_str))
            .collect();
        let mut child = self
            .world
            .entering(&argv)
            .envs(self.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter starts");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        let text = self.stdin;
        let writer = std::thread::spawn(move || {
            // A command may end without reading all of it.
            let _ = stdin.write_all(text.as_bytes());
        });
        let done = child.wait_with_output().expect("the command can be waited for");
        writer.join().expect("the writer ends");
        Output::new(self.argv, done)
    }
}

/// A command that runs in a node.
pub struct Running<'a> {
    world: &'a World,
    child: Child,
    pid: String,
    argv: Vec<String>,
}

impl Running<'_> {
    /// Its pid, as the node numbers it.
    pub fn pid(&self) -> &str {
        &self.pid
    }

    /// Its pid, as the machine numbers it: a signal to that one needs no program in between.
    pub fn machine_pid(&self) -> rustix::process::Pid {
        let nsenter = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{nsenter}/task/{nsenter}/children"));
        let children = children.expect("it has not been waited for");
        let first = children.split(' ').next().and_then(|pid| pid.parse().ok());
        rustix::process::Pid::from_raw(first.expect("nsenter has started it")).expect("a pid is not 0")
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, name: &str) {
        self.world.run(&["kill", "-s", name, &self.pid]).succeeds();
    }

    /// What it did, once it has ended; a failure after a minute.
    pub fn wait(mut self) -> Output {
        let start = Instant::now();
        while self.child.try_wait().expect("the command can be waited for").is_none() {
            if start.elapsed() > Duration::from_secs(60) {
                self.signal("KILL");
                panic!("waited a minute for the end of {:?}", self.argv);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let done = self.child.wait_with_output().expect("the command can be waited for");
        Output::new(self.argv, done)
    }
}
