//! A node that attacks are made at: a `World` with everything that attacks need, its canaries, and the judge who looks at
//! them from outside of any sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::rows::{self, Row};
use crate::world::World;

/// Where the attacks are in the node.
const HERE: &str = "/usr/local/lib/redteam";
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/redteam");

/// The names of attacks.
pub type Names = BTreeSet<&'static str>;

/// A node with its canaries, and the attacks that this machine can have.
pub struct Victim {
    pub world: World,
    pub rows: Vec<Row>,
    /// What this kernel or machine does not have.
    pub absent: Names,
    /// What is at the end of the names of the control groups that attacks make.
    number: String,
}

/// The control groups of the machine that attacks may have made, where the node did not live to remove them.
impl Drop for Victim {
    fn drop(&mut self) {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        for mount in mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()) {
            let [_, folder, "cgroup2", ..] = mount[..] else { continue };
            for found in walkdir::WalkDir::new(folder).max_depth(4).into_iter().flatten() {
                let name = found.file_name().to_string_lossy();
                if name.starts_with("redteam-") && name.ends_with(&self.number) {
                    // Somebody else may have removed it meanwhile.
                    let _ = std::fs::remove_dir(found.path());
                }
            }
        }
    }
}

impl Victim {
    /// A new one; `None` where this machine cannot have nodes.
    pub fn new() -> Option<Victim> {
        Self::prepared("true")
    }

    /// A new one, in which what attacks are made at is alice's: she has it all at hand as root has it else.
    pub fn of_alice() -> Option<Victim> {
        // All but the control groups, which are the machine's.
        let victim = Self::prepared(
            "useradd --create-home --uid 4242 alice; echo setpriv --reuid=4242 --clear-groups >/run/owner",
        )?;
        victim
            .world
            .sh("find /srv/redteam /run/redteam /tmp/redteam /run/redteam-file /dev/redteam -path /srv/redteam/cgroup -prune -o -writable -exec chown -h alice {} +")
            .succeeds();
        Some(victim)
    }

    fn prepared(first: &str) -> Option<Victim> {
        let world = World::new()?;
        world.sh(first).succeeds();
        let rows = rows::all();
        let [attack, preload] = built();
        world.install(&format!("{HERE}/attack"), "755", &attack);
        world.install(&format!("{HERE}/preload.so"), "755", &preload);
        world.sh(&bundle(&rows)).succeeds();
        for service in ["canary", "looked"] {
            world.service(service);
        }
        world.setting("disco/server/uri", "/tmp/master");
        world.setting("disco/client/step_timeout", "20");
        publish(&world, &rows);
        world.sh(&format!("bash {HERE}/prepare.sh")).succeeds();
        let looked = world.sh(&format!("bash {HERE}/canaries.sh"));
        let absent: Names = {
            let lines: BTreeSet<&str> = looked.succeeds().stdout.lines().collect();
            rows.iter().map(|row| row.name).filter(|name| lines.contains(name)).collect()
        };
        let rows = rows.into_iter().filter(|row| !absent.contains(row.name)).collect();
        let number = format!("-{}", world.read("/run/redteam/node").trim());
        Some(Victim { world, rows, absent, number })
    }

    /// Makes the attacks without a sandbox, one after another, those apart that take too much with them. Returns which of them
    /// had done their work already before they were made, and which have done it then.
    pub fn control(&self) -> (Names, Names) {
        let out = self.world.sh(&format!(
            "bash {HERE}/launch.sh bash {HERE}/control.sh >/run/control 2>&1; cat /run/control"
        ));
        let told = |what: &str| {
            let lines: BTreeSet<&str> =
                out.stdout.lines().filter_map(|line| line.strip_prefix(what)).collect();
            self.names(|row| lines.contains(row.name))
        };
        (told("before "), told("after "))
    }

    /// Makes one attack, by itself or in a sandbox that this command line begins with; whether it has done its work.
    pub fn alone(&self, sandbox: &str, row: &Row) -> bool {
        let name = row.name;
        // It may well end itself.
        self.launch(&format!("{sandbox} bash {HERE}/rows/{name}"));
        std::thread::sleep(std::time::Duration::from_millis(300));
        // What ends the node has done more than it had to.
        let alive = Path::new(&format!("/proc/{}/ns/pid", self.world.pid())).exists();
        !alive || self.judge().contains(name)
    }

    /// The attacks that get out of another kind of sandbox, those apart that take too much with them.
    #[track_caller]
    pub fn out_of(&self, sandbox: &str) -> Names {
        self.launch(&format!("{sandbox} bash {HERE}/all.sh tame"));
        std::thread::sleep(std::time::Duration::from_millis(300));
        let said = self.said();
        let made = self.names(|row| said.contains_key(row.name));
        assert!(
            made.len() * 2 > self.rows.len(),
            "{sandbox}: made {made:?}\n{}",
            self.world.read("/run/said.err")
        );
        &self.judge() | &self.reached(&said)
    }

    /// Runs a command as a careless administrator would; what it prints is kept for [`Victim::escaped`].
    pub fn launch(&self, command: &str) -> i32 {
        let script = launched(command);
        self.world.sh(&script).signal_or_status()
    }

    /// The attacks that have got out, of a command that was launched; every one of them must have been made.
    #[track_caller]
    pub fn escaped(&self) -> Names {
        // What was sent may still be on its way to who hears it.
        std::thread::sleep(std::time::Duration::from_millis(200));
        let said = self.said();
        let missing = self.names(|row| !said.contains_key(row.name));
        assert!(missing.is_empty(), "not made: {missing:?}\n{said:?}\n{}", self.world.read("/run/said.err"));
        &self.judge() | &self.reached(&said)
    }

    /// What the attacks that were launched have printed.
    fn said(&self) -> BTreeMap<String, String> {
        let said = self.world.read("/run/said");
        let parts = said.split("=== ").skip(1).map(|part| part.split_once('\n').unwrap_or((part, "")));
        parts.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
    }

    /// The attacks that say that their call has reached the kernel.
    fn reached(&self, said: &BTreeMap<String, String>) -> Names {
        let says =
            |row: &Row, word| said.get(row.name).is_some_and(|part| part.lines().any(|line| line == word));
        self.names(|row| row.says.is_some_and(|word| says(row, word)))
    }

    /// The attacks whose canaries say that they have got out.
    fn judge(&self) -> Names {
        let out = self.world.sh(&format!("bash {HERE}/judge.sh"));
        let lines: BTreeSet<&str> = out.succeeds().stdout.lines().collect();
        self.names(|row| lines.contains(row.name))
    }

    /// The names of these rows.
    pub fn names(&self, which: impl Fn(&Row) -> bool) -> Names {
        self.rows.iter().filter(|row| which(row)).map(|row| row.name).collect()
    }
}

/// The script that launches a command.
pub fn launched(command: &str) -> String {
    format!("bash {HERE}/launch.sh {command} >/run/said 2>/run/said.err")
}

/// The command that makes all attacks in one sandbox.
pub fn all_in_one() -> String {
    format!("bash {HERE}/all.sh")
}

/// The command line by which alice starts something.
pub const AS_ALICE: &str =
    "setpriv --reuid=4242 --regid=4242 --clear-groups env --chdir=/home/alice HOME=/home/alice USER=alice";

/// The command line that another kind of sandbox begins with.
pub fn peer(name: &str) -> String {
    format!("bash {HERE}/peer.sh {name}")
}

/// An attack, for a shell that knows what they share.
fn attack(row: &Row) -> String {
    format!("export ID={}.\ncd /\n{}", row.name, row.body)
}

/// Puts a module for each class on the master, with a script for each attack.
fn publish(world: &World, rows: &[Row]) {
    for (number, row) in rows.iter().enumerate() {
        let Row { class, name, .. } = row;
        let module = if row.alone { format!("{class}-{name}") } else { (*class).to_owned() };
        let script =
            format!(". {HERE}/common.sh\necho '=== {name}'\nexec 2>/dev/null\n{}\nexit 0\n", attack(row));
        world.module(&module).script(&format!("{number:03}-{name}.sh"), &script);
    }
    world.publish();
}

/// The programs, compiled once for each version of their source.
fn built() -> [PathBuf; 2] {
    let make = |source: &str, arguments: &[&str]| {
        let source = Path::new(SOURCES).join(source);
        let text = std::fs::read(&source).expect("the source is there");
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("redteam-{:x}", md5::compute(text)));
        if !built.exists() {
            let making = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a file");
            let status = Command::new("cc")
                .args(["-O1", "-o"])
                .arg(making.path())
                .arg(&source)
                .args(arguments)
                .status();
            assert!(status.expect("cc starts").success(), "{} does not compile", source.display());
            making.persist(&built).expect("a name");
        }
        built
    };
    [make("attack.c", &["-lrt", "-lutil"]), make("preload.c", &["-shared", "-fPIC"])]
}

/// The script that writes all the scripts.
fn bundle(rows: &[Row]) -> String {
    let mut all = format!("mkdir -p {HERE}/rows && cd {HERE} || exit 1\n");
    let mut file = |name: &str, text: &str| {
        assert!(!text.contains("END-OF-FILE"));
        writeln!(all, "cat >'{name}' <<'END-OF-FILE'\n{text}\nEND-OF-FILE").expect("a string takes it");
    };
    file("common.sh", include_str!("common.sh"));
    file("prepare.sh", include_str!("prepare.sh"));
    file("launch.sh", include_str!("launch.sh"));
    file("peer.sh", include_str!("peer.sh"));
    let (mut canaries, mut judge) = (String::new(), String::new());
    let mut one = format!(". {HERE}/common.sh\nexec 2>/dev/null\n");
    let (mut control, mut needs) = (String::new(), String::new());
    for row in rows {
        let Row { name, canary, escaped, says, needs: need, alone, .. } = row;
        file(&format!("rows/{name}"), &format!(". {HERE}/common.sh\n{}", attack(row)));
        if !canary.is_empty() {
            writeln!(canaries, "{{ {canary}\n}} >/dev/null 2>&1 </dev/null").expect("a string takes it");
        }
        if let Some(need) = need {
            writeln!(needs, "( {need}\n) >/dev/null 2>&1 </dev/null || echo {name}")
                .expect("a string takes it");
        }
        if let Some(escaped) = escaped {
            writeln!(judge, "ID={name}.; ( {escaped}\n) >/dev/null 2>&1 </dev/null && echo {name}")
                .expect("a string takes it");
        }
        let guard = if *alone { "[ $# -gt 0 ] || " } else { "" };
        writeln!(one, "{guard}echo '=== {name}'\n{guard}( {}\n)", attack(row)).expect("a string takes it");
        if !alone {
            let look = match (escaped, says) {
                (Some(escaped), _) => escaped.to_string(),
                (None, says) => format!("grep -qx '{}' /run/said.{name}", says.unwrap_or_default()),
            };
            writeln!(
                control,
                "judge() {{ ID={name}.; ( {look}\n) >/dev/null 2>&1 </dev/null; }}; try {name}"
            )
            .expect("a string takes it");
        }
    }
    file("canaries.sh", &format!(". {HERE}/common.sh\n{canaries}\n{needs}\ntrue"));
    file("judge.sh", &format!(". {HERE}/common.sh\n{judge}\ntrue"));
    file("all.sh", &one);
    file("control.sh", &format!("{}\n{control}", include_str!("control.sh")));
    all
}
