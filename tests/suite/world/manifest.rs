//! What is different in a node's root: its copy-on-write layer, object by object, for comparison before and after.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Trees that are no part of the node's state.
const APART: [&str; 6] = ["proc", "sys", "dev", "run", "tmp", "var/disco"];

/// Path to what is there: type, mode, owner, group, size, time, content hash, link target, device number, attributes.
#[derive(PartialEq, Eq)]
pub struct Manifest(BTreeMap<String, String>);

impl Manifest {
    /// The manifest of a copy-on-write layer.
    pub(super) fn of(layer: &Path) -> Manifest {
        let walk = walkdir::WalkDir::new(layer).min_depth(1).into_iter().filter_entry(|entry| {
            let path = entry.path().strip_prefix(layer).expect("it is below the layer");
            !APART.iter().any(|apart| path == Path::new(apart))
        });
        Manifest(
            walk.map(|entry| {
                let entry = entry.expect("the layer can be read");
                let path = entry.path().strip_prefix(layer).expect("it is below the layer");
                (format!("/{}", path.display()), describe(entry.path()))
            })
            .collect(),
        )
    }

    /// What is there at that path; `None` where the node has what the machine has.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// What differs from an earlier manifest of the same node, a line each; folders that are only there to hold
    /// something do not count.
    pub fn since(&self, before: &Manifest) -> Vec<String> {
        let mut lines = vec![];
        for (path, now) in &self.0 {
            match before.0.get(path) {
                Some(then) if then == now => {}
                Some(then) => lines.push(format!("{path}: {then} => {now}")),
                None if now.starts_with("directory") && self.holds_something(path) => {}
                None => lines.push(format!("{path}: {now}")),
            }
        }
        let gone = before.0.keys().filter(|path| !self.0.contains_key(*path));
        lines.extend(gone.map(|path| format!("{path}: no longer different from the machine")));
        lines
    }

    /// What is there, folders, times and logs apart: equal for two nodes that came to the same state on different ways.
    /// What is as on the machine itself does not count: a file that was only opened for writing is in the layer too.
    pub fn objects(&self) -> Vec<String> {
        self.kept(|what| !what.starts_with("directory"))
    }

    /// The same with folders.
    pub fn objects_and_folders(&self) -> Vec<String> {
        self.kept(|_| true)
    }

    fn kept(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let kept = self.0.iter().filter(|(path, what)| wanted(what) && !path.starts_with("/var/log/"));
        kept.map(|(path, what)| (path, timeless(what)))
            .filter(|(path, what)| {
                fs::symlink_metadata(path).is_err() || timeless(&describe(Path::new(path))) != *what
            })
            .map(|(path, what)| format!("{path}: {what}"))
            .collect()
    }

    /// What the machine has not, or has in another way, folders too; times and the marks of the kernel's
    /// overlay apart.
    pub fn state(&self) -> BTreeMap<&str, String> {
        let of_machine =
            |path: &str| fs::symlink_metadata(path).is_ok().then(|| unmarked(&describe(path.as_ref())));
        let all = self.0.iter().map(|(path, what)| (path.as_str(), unmarked(what)));
        all.filter(|(path, what)| match of_machine(path) {
            Some(there) => there != *what,
            None => what != "deleted",
        })
        .collect()
    }

    /// What is another than at an earlier time: path -> what was there, if anything, and what is there now (`deleted`
    /// where nothing is); times and the marks of the kernel's overlay apart.
    pub fn changes_since(&self, before: &Manifest) -> BTreeMap<String, (Option<String>, String)> {
        let was = |path: &str| -> Option<String> {
            let gone = |path: &Path| before.get(&path.to_string_lossy()) == Some("deleted");
            match before.get(path) {
                _ if Path::new(path).ancestors().any(gone) => None,
                Some(what) => Some(unmarked(what)),
                None => fs::symlink_metadata(path).is_ok().then(|| unmarked(&describe(path.as_ref()))),
            }
        };
        let all = self.0.iter().map(|(path, what)| (path.clone(), (was(path), unmarked(what))));
        all.filter(|(_, (was, now))| was.as_deref().unwrap_or("deleted") != now).collect()
    }

    fn holds_something(&self, folder: &str) -> bool {
        let below = format!("{folder}/");
        self.0.keys().any(|path| path.starts_with(&below))
    }
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}

/// A description without its time.
fn timeless(what: &str) -> String {
    let words: Vec<&str> = what.split(' ').collect();
    let time = words.iter().position(|word| *word == "mtime").unwrap_or(words.len());
    let rest = words.iter().enumerate().filter(|(at, _)| *at != time && *at != time + 1);
    rest.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
}

/// A timeless description without the marks by which the kernel's overlay keeps its books.
fn unmarked(what: &str) -> String {
    let timeless = timeless(what);
    timeless.split(' ').filter(|word| !word.starts_with("trusted.overlay.")).collect::<Vec<_>>().join(" ")
}

fn describe(path: &Path) -> String {
    let meta = fs::symlink_metadata(path).expect("metadata can be read");
    let kind = meta.file_type();
    let what = if kind.is_dir() {
        "directory".to_owned()
    } else if kind.is_symlink() {
        format!("link to {}", fs::read_link(path).expect("a link can be read").display())
    } else if kind.is_file() {
        let content = fs::read(path).expect("a file can be read");
        format!("file {} bytes md5 {:x} mtime {}", meta.size(), md5::compute(content), meta.mtime())
    } else if kind.is_char_device() && meta.rdev() == 0 {
        return "deleted".to_owned();
    } else if kind.is_fifo() {
        "fifo".to_owned()
    } else {
        format!("special {:x}", meta.rdev())
    };
    let attributes = attributes(path);
    format!(
        "{what} mode {:o} owner {}:{} links {}{attributes}",
        meta.mode(),
        meta.uid(),
        meta.gid(),
        links(&meta)
    )
}

/// The link count, which says nothing for a folder.
fn links(meta: &fs::Metadata) -> u64 {
    if meta.is_dir() { 1 } else { meta.nlink() }
}

/// Extended attributes, without those by which the kernel's overlay keeps its books.
fn attributes(path: &Path) -> String {
    let mut names = vec![0; 64 << 10];
    let length = rustix::fs::llistxattr(path, &mut names).unwrap_or_default();
    let mut all = BTreeMap::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = String::from_utf8_lossy(name).into_owned();
        let books = ["origin", "impure", "nlink", "redirect", "metacopy"];
        if books.iter().any(|book| name == format!("trusted.overlay.{book}")) {
            continue;
        }
        let mut value = vec![0; 64 << 10];
        let length = rustix::fs::lgetxattr(path, name.as_str(), &mut value).unwrap_or_default();
        let hex: String = value[..length].iter().map(|byte| format!("{byte:02x}")).collect();
        all.insert(name, hex);
    }
    all.iter().map(|(name, value)| format!(" {name}={value}")).collect()
}
