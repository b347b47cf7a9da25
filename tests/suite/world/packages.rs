//! Real packages of Debian for hermetic nodes: fetched once by `scripts/debian-packages`, then kept with what is built.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::World;

/// A package with what it needs and this machine lacks, as files of this machine.
pub struct Packages {
    folder: PathBuf,
}

impl Packages {
    /// Fetches it where that was not done before. `None` where that cannot be done, after saying why; with
    /// `DISCO_REQUIRE_PRIVILEGED=1` that is a failure instead.
    pub fn of(name: &str) -> Option<Packages> {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("debian");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/debian-packages");
        let done = Command::new(script).arg(&folder).arg(name).output().expect("the script starts");
        if done.status.success() {
            return Some(Packages { folder: folder.join(name) });
        }
        let reason =
            format!("scripts/debian-packages {name}: {}", String::from_utf8_lossy(&done.stderr).trim());
        match std::env::var("DISCO_REQUIRE_PRIVILEGED").as_deref() {
            Ok("1") => panic!("no package, and DISCO_REQUIRE_PRIVILEGED=1 allows no skip: {reason}"),
            _ => println!("skipped: {reason}"),
        }
        None
    }
}

impl World {
    /// Copies the package files to a new folder of the node.
    pub fn put_packages(&self, packages: &Packages, folder: &str) {
        self.run(&["mkdir", "-p", folder]).succeeds();
        for entry in fs::read_dir(&packages.folder).expect("the packages can be listed") {
            let path = entry.expect("the packages can be listed").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
            let file = fs::File::open(&path).expect("a package can be read");
            let copied = self
                .entering(&["bash", "-c", r#"cat >"$0""#, &format!("{folder}/{name}")])
                .stdin(Stdio::from(file))
                .status()
                .expect("nsenter starts");
            assert!(copied.success(), "{name} is not in the node");
        }
    }
}
