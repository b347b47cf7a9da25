//! Random requests, with forgets in between, against a plain model. The kernel's part is played here: it remembers
//! numbers, uses them without asking again, and forgets them in any order.

use super::model::{Model, Object, Random, fill};
use super::{MAKER, overlay};
use crate::attributes::Change;
use crate::create::Maker;
use crate::ids::ROOT;
use crate::rename::Target;
use crate::{Overlay, Result, Stat};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

const LENGTH: usize = 250;

/// The overlay with a kernel in front of it, and what must come of it.
struct Test<'o> {
    overlay: &'o Overlay,
    model: Model,
    random: Random,
    /// How often the kernel has looked a number up.
    lookups: HashMap<u64, u64>,
    /// The numbers of the objects that the kernel remembers.
    numbers: HashMap<usize, u64>,
}

impl Test<'_> {
    /// Notes that the kernel has been given a number for an object.
    fn remember(&mut self, object: usize, id: u64) {
        *self.lookups.entry(id).or_default() += 1;
        let known = self.numbers.insert(object, id);
        assert!(known.is_none_or(|known| known == id), "another number for the same object");
        let users = self.numbers.iter().filter(|(_, number)| **number == id).count();
        assert_eq!(users, 1, "one number for two objects");
    }

    fn forget(&mut self, id: u64, count: u64) {
        let left = self.lookups.get_mut(&id).unwrap();
        *left -= count;
        if *left == 0 {
            self.lookups.remove(&id);
            self.numbers.retain(|_, number| *number != id);
        }
        self.overlay.forget(id, count);
    }

    /// Looks a path up as far as it leads, which must be as far as in the model; mostly what is known is not asked for.
    fn look(&mut self, path: &Path) -> Option<u64> {
        let (mut id, mut at) = (ROOT, PathBuf::new());
        for name in path {
            if !self.model.is_directory(&at) {
                return None;
            }
            at.push(name);
            let object = self.model.names.get(&at).copied();
            let known = object.and_then(|object| self.numbers.get(&object)).copied();
            id = match known {
                Some(known) if self.random.below(3) > 0 => known,
                _ => {
                    let found = self.overlay.lookup(id, name).unwrap();
                    assert_eq!(found.is_some(), object.is_some(), "a lookup of {}", at.display());
                    let (node, stat) = found?;
                    let id = node.id;
                    node.remembered();
                    self.remember(object.unwrap(), id);
                    self.check_stat(object.unwrap(), &stat);
                    id
                }
            };
        }
        Some(id)
    }

    fn check_stat(&self, object: usize, stat: &Stat) {
        let (what, mode) = &self.model.objects[object];
        let (kind, size) = match what {
            Object::Directory => (FileType::Directory, stat.size),
            Object::File(content) => (FileType::RegularFile, content.len() as u64),
            Object::Symlink(target) => (FileType::Symlink, target.len() as u64),
        };
        let links = if *what == Object::Directory { stat.nlink } else { self.model.links(object) };
        assert_eq!((stat.kind(), stat.size, stat.nlink), (kind, size, links), "{what:.40?}");
        if kind != FileType::Symlink {
            assert_eq!(stat.permissions(), *mode, "{what:.40?}");
        }
    }

    /// Checks all that the overlay says of an object, which may have lost its names.
    fn check(&self, object: usize, id: u64) {
        self.check_stat(object, &self.overlay.get_attributes(id).unwrap());
        match &self.model.objects[object].0 {
            Object::Directory => {}
            Object::File(content) => {
                self.overlay.read(id, 0, 100_000, |data| assert_eq!(data.unwrap(), content));
            }
            Object::Symlink(target) => assert_eq!(self.overlay.read_link(id).unwrap(), target.as_bytes()),
        }
    }

    fn check_listing(&mut self, path: &Path) {
        let Some(id) = self.look(path).filter(|_| self.model.is_directory(path)) else { return };
        let mut seen = Vec::new();
        let plus = self.random.below(2) == 0;
        let overlay = self.overlay;
        let mut note = |name: &OsStr, id: u64| {
            if name != "." && name != ".." {
                seen.push((path.join(name), id));
            }
        };
        if plus {
            overlay.read_directory_plus(id, 0, |entry, stat| {
                note(&entry.name, stat.ino);
                false
            })
        } else {
            overlay.read_directory(id, 0, |entry| {
                note(&entry.name, entry.id);
                false
            })
        }
        .unwrap();
        seen.sort();
        let names: Vec<&Path> = seen.iter().map(|(name, _)| name.as_path()).collect();
        assert_eq!(names, self.model.children(path), "a listing of {}", path.display());
        for (name, id) in seen.iter().filter(|_| plus) {
            self.remember(self.model.names[name], *id);
        }
    }

    /// A directory's number and the name in it; `None` where the model has no such directory.
    fn end<'p>(&mut self, path: &'p Path) -> Option<(u64, &'p OsStr)> {
        let parent = path.parent().unwrap();
        let id = self.look(parent).filter(|_| self.model.is_directory(parent))?;
        Some((id, path.file_name().unwrap()))
    }

    fn make(&mut self, path: &Path, object: Object, mode: u32) {
        let Some((parent, name)) = self.end(path) else { return };
        let maker = Maker { mode, ..MAKER };
        let made = match &object {
            Object::Directory => self.overlay.make_directory(parent, name, maker),
            Object::File(_) => self.overlay.create(parent, name, maker),
            Object::Symlink(target) => self.overlay.make_symlink(parent, name, OsStr::new(target), maker),
        };
        let made = made.map(|(node, _)| {
            let id = node.id;
            node.remembered();
            id
        });
        if agreed(made.map(drop), self.model.is_free(path), "making") {
            self.model.add(path, object, mode);
            self.remember(self.model.objects.len() - 1, made.unwrap());
        }
    }

    fn link(&mut self, from: &Path, to: &Path) {
        let (Some(id), Some((parent, name))) = (self.look(from), self.end(to)) else { return };
        // Looking the second path up may not have moved the first, but it may be a directory.
        let allowed = !self.model.is_directory(from) && self.model.is_free(to);
        let made = self.overlay.make_link(id, parent, name).map(|(node, _)| node.remembered());
        if agreed(made, allowed, "linking") {
            let object = self.model.names[from];
            self.model.names.insert(to.to_owned(), object);
            self.remember(object, id);
        }
    }

    fn remove(&mut self, path: &Path, directory: bool) {
        let Some((parent, name)) = self.end(path) else { return };
        let right = self.model.names.contains_key(path) && self.model.is_directory(path) == directory;
        let allowed = right && self.model.children(path).is_empty();
        let done = match directory {
            true => self.overlay.remove_directory(parent, name),
            false => self.overlay.unlink(parent, name),
        };
        if agreed(done, allowed, "removing") {
            self.model.names.remove(path);
        }
    }

    /// Changes a file that the kernel remembers, whether it has a name or not.
    fn change(&mut self, object: usize, id: u64) {
        let (at, length) = (self.random.below(3000), self.random.below(3000));
        let what = self.random.below(3);
        let (object, mode) = &mut self.model.objects[object];
        match (object, what) {
            (Object::File(content), 0) => {
                let data = vec![b'0' + (length % 10) as u8; length + 1];
                self.overlay.write(id, at as u64, &data, false).unwrap();
                content.resize(content.len().max(at + data.len()), 0);
                content[at..at + data.len()].copy_from_slice(&data);
            }
            (Object::File(content), 1) => {
                let change = Change { size: Some(at as u64), privileged: true, ..Change::default() };
                self.overlay.set_attributes(id, &change).unwrap();
                content.resize(at, 0);
            }
            (Object::Symlink(_), _) => {}
            _ => {
                *mode = [0o700, 0o755, 0o511][length % 3];
                let change = Change { mode: Some(*mode), ..Change::default() };
                self.overlay.set_attributes(id, &change).unwrap();
            }
        }
    }

    /// Something that the kernel remembers.
    fn remembered(&mut self) -> Option<(usize, u64)> {
        let mut all: Vec<_> = self.numbers.iter().map(|(object, id)| (*object, *id)).collect();
        all.sort_unstable();
        (!all.is_empty()).then(|| all[self.random.below(all.len())])
    }

    fn step(&mut self) {
        let (path, to) = (self.random.path(), self.random.path());
        let what = self.random.below(16);
        eprintln!("{what}: {} {}", path.display(), to.display());
        match what {
            0 => self.make(&path, Object::File(Vec::new()), 0o640),
            1 => self.make(&path, Object::Directory, 0o750),
            2 => self.make(&path, Object::Symlink(to.display().to_string()), 0o777),
            3 => self.link(&path, &to),
            4 => self.remove(&path, false),
            5 => self.remove(&path, true),
            6..=8 => {
                let target = [Target::Replace, Target::Keep, Target::Exchange][self.random.below(3)];
                let (Some(old), Some(new)) = (self.end(&path), self.end(&to)) else { return };
                let done = self.overlay.rename(old, new, target);
                agreed(done, self.model.rename(&path, &to, target), "renaming");
            }
            9 => self.check_listing(&path),
            10 | 11 => {
                if let Some(id) = self.look(&path) {
                    self.check(self.model.names[&path], id);
                }
            }
            12 | 13 => {
                if let Some((object, id)) = self.remembered() {
                    self.change(object, id);
                    self.check(object, id);
                }
            }
            _ => {
                if let Some((_, id)) = self.remembered() {
                    let count = 1 + self.random.below(self.lookups[&id] as usize) as u64;
                    self.forget(id, count);
                }
            }
        }
    }

    fn finish(mut self) {
        let paths: Vec<PathBuf> = self.model.names.keys().cloned().collect();
        self.check_listing(Path::new(""));
        for path in paths {
            let id = self.look(&path).unwrap();
            self.check(self.model.names[&path], id);
            self.check_listing(&path);
        }
        while let Some((_, id)) = self.remembered() {
            self.forget(id, self.lookups[&id]);
        }
        // Directories that were moved are remembered until somebody needs the layer to stand alone.
        self.overlay.bring_moved().unwrap();
        assert_eq!(self.overlay.remembered(), 1, "the kernel has forgotten all");
    }
}

/// Whether it was done, on which both must agree.
fn agreed(done: Result<()>, allowed: bool, what: &str) -> bool {
    use Errno as E;
    let refusals = [E::NOENT, E::EXIST, E::NOTDIR, E::ISDIR, E::NOTEMPTY, E::INVAL, E::PERM];
    match done {
        Ok(()) => assert!(allowed, "{what} was done"),
        Err(errno) => assert!(!allowed && refusals.contains(&errno), "{what} ended with {errno}"),
    }
    allowed
}

/// `DISCO_FUSE_SEEDS=from..to` runs others, for a longer look.
#[test]
fn random_requests_do_what_the_model_does_and_leave_nothing_remembered() {
    let given = std::env::var("DISCO_FUSE_SEEDS").unwrap_or("0..80".into());
    let (from, to) = given.split_once("..").unwrap();
    for seed in from.parse::<u64>().unwrap()..to.parse().unwrap() {
        eprintln!("DISCO_FUSE_SEEDS={seed}..{}", seed + 1);
        let (mut model, mut random) = (Model::default(), Random(seed));
        let (_directory, overlay) = overlay(|lower| fill(lower, &mut model, &mut random));
        let (lookups, numbers) = Default::default();
        let mut test = Test { overlay: &overlay, model, random, lookups, numbers };
        for _ in 0..LENGTH {
            test.step();
        }
        test.finish();
    }
}
