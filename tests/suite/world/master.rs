//! The master of a hermetic node: a module set, made by the test or the seed's own example, served by a real rsync daemon
//! on the node's loopback.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{NODE, World};

/// Where the master keeps its files in the node.
pub const MASTER: &str = "/tmp/master";

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/modules-example");

impl World {
    /// A new module, assigned to the node; its files go to the master with the next `master()` or `publish()`.
    pub fn module(&self, name: &str) -> ModuleFiles {
        let dir = self.stage.path().join("modules").join(name);
        fs::create_dir_all(&dir).expect("a module's folder can be made");
        self.put(&format!("parameters/{NODE}/modules/{name}"), "");
        ModuleFiles { dir, assignment: self.stage.path().join(format!("parameters/{NODE}/modules/{name}")) }
    }

    /// Sets a parameter of the node on the master.
    pub fn parameter(&self, name: &str, value: &str) {
        self.put(&format!("parameters/{NODE}/parameters/{name}"), &format!("{value}\n"));
    }

    /// Takes `modules-example/` as the module set, assigned as it is there.
    pub fn example(&self) {
        let copied = Command::new("cp").arg("-a").arg(format!("{EXAMPLE}/.")).arg(self.stage.path()).status();
        assert!(copied.expect("cp starts").success());
    }

    /// Forgets which modules are assigned to the node, and assigns these.
    pub fn assign(&self, modules: &[&str]) {
        let folder = self.stage.path().join(format!("parameters/{NODE}/modules"));
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("assignments can be removed");
        }
        for module in modules {
            self.put(&format!("parameters/{NODE}/modules/{module}"), "");
        }
    }

    /// Publishes the module set, starts the rsync daemon, and names it in the node's `disco/server/uri`.
    pub fn master(&self) {
        self.publish();
        self.sh(&format!(
            "rsync --daemon --config={MASTER}/rsyncd.conf
             for try in {{1..100}}; do rsync rsync://127.0.0.1/ >/dev/null 2>&1 && exit 0; sleep 0.05; done
             echo 'the rsync daemon does not answer' >&2; exit 1"
        ))
        .succeeds();
        self.setting("disco/server/uri", "rsync://127.0.0.1");
    }

    /// Takes a module off the master and from the node; published with the next `publish()`.
    pub fn remove_module(&self, name: &str) {
        fs::remove_dir_all(self.stage.path().join("modules").join(name)).expect("it was there");
        fs::remove_file(self.stage.path().join(format!("parameters/{NODE}/modules/{name}")))
            .expect("it was assigned");
    }

    /// Copies the module set, as it is now, to where the master serves it.
    pub fn publish(&self) {
        self.put("rsyncd.conf", &self.rsyncd_conf());
        fs::create_dir_all(self.stage.path().join(format!("parameters/{NODE}/modules")))
            .expect("a folder can be made");
        self.copy_stage_to(MASTER);
    }

    /// Copies the module set to a folder of the node.
    pub fn copy_stage_to(&self, folder: &str) {
        let mut tar = Command::new("tar")
            .args(["--create", "--directory"])
            .arg(self.stage.path())
            .arg(".")
            .stdout(Stdio::piped())
            .spawn()
            .expect("tar starts");
        let script = r#"rm -rf "$0" && mkdir -p "$0" && tar --extract --no-same-owner --directory "$0" && chmod 755 "$0""#;
        let unpacked = self
            .entering(&["bash", "-c", script, folder])
            .stdin(tar.stdout.take().expect("stdout is a pipe"))
            .status()
            .expect("nsenter starts");
        assert!(tar.wait().expect("tar can be waited for").success() && unpacked.success());
    }

    /// The example's own `rsyncd.conf` for the whole example; else one in its form for the modules there are.
    fn rsyncd_conf(&self) -> String {
        let example =
            fs::read_to_string(format!("{EXAMPLE}/rsyncd.conf")).expect("the example has an rsyncd.conf");
        let (head, _) = example.split_once("\n[").expect("its first section");
        let mut text = format!("{}\n", head.replace("@ADDRESS@", "127.0.0.1").replace("@PORT@", "873"));
        text += &section("parameters", &format!("{MASTER}/parameters"));
        let modules = fs::read_dir(self.stage.path().join("modules"));
        for module in modules.into_iter().flatten() {
            let name = module.expect("a folder can be read").file_name().into_string().expect("a plain name");
            text += &section(&name, &format!("{MASTER}/modules/{name}"));
        }
        text
    }

    fn put(&self, path: &str, text: &str) {
        put(&self.stage.path().join(path), text);
    }
}

fn section(name: &str, path: &str) -> String {
    format!("[{name}]\n    path = {path}\n    read only = true\n    list = yes\n    use chroot = false\n")
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder can be made");
    fs::write(path, text).expect("a file can be written");
}

/// A module that a test writes.
pub struct ModuleFiles {
    dir: PathBuf,
    assignment: PathBuf,
}

impl ModuleFiles {
    /// With this script.
    pub fn script(self, name: &str, text: &str) -> Self {
        self.any(&format!("scripts/{name}"), text)
    }

    /// With this template; its name below `templates/` is the file that it makes, without a last `.tera`.
    pub fn template(self, name: &str, text: &str) -> Self {
        self.any(&format!("templates/{name}"), text)
    }

    /// With this file of that mode, for the same path below `/`.
    pub fn file(self, name: &str, mode: u32, text: &str) -> Self {
        let path = self.dir.join("files").join(name);
        put(&path, text);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode can be set");
        self
    }

    /// With this default of a parameter.
    pub fn parameter(self, name: &str, value: &str) -> Self {
        self.any(&format!("parameters/{name}"), &format!("{value}\n"))
    }

    /// With these lines as its `requires`.
    pub fn requires(self, lines: &str) -> Self {
        self.any("requires", &format!("{lines}\n"))
    }

    /// With this file at that path of its folder.
    pub fn any(self, path: &str, text: &str) -> Self {
        put(&self.dir.join(path), text);
        self
    }

    /// On the master, but not assigned to the node.
    pub fn unassigned(self) -> Self {
        fs::remove_file(&self.assignment).expect("it was assigned");
        self
    }
}
