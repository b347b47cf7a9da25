//! What the view must be, as a plain map from paths to objects, and random paths: the model of `requests`.

use crate::rename::Target;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Object {
    Directory,
    File(Vec<u8>),
    Symlink(String),
}

/// What the view must be: every name leads to an object, which has a mode.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub names: BTreeMap<PathBuf, usize>,
    pub objects: Vec<(Object, u32)>,
}

impl Model {
    pub(super) fn add(&mut self, path: &Path, object: Object, mode: u32) {
        self.objects.push((object, mode));
        self.names.insert(path.to_owned(), self.objects.len() - 1);
    }

    pub(super) fn is_directory(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.object(path) == Some(&Object::Directory)
    }

    pub(super) fn object(&self, path: &Path) -> Option<&Object> {
        self.names.get(path).map(|at| &self.objects[*at].0)
    }

    pub(super) fn children(&self, path: &Path) -> Vec<&Path> {
        self.names.keys().map(PathBuf::as_path).filter(|name| name.parent() == Some(path)).collect()
    }

    pub(super) fn links(&self, object: usize) -> u64 {
        self.names.values().filter(|at| **at == object).count() as u64
    }

    /// Whether something new may get a name.
    pub(super) fn is_free(&self, path: &Path) -> bool {
        self.is_directory(path.parent().unwrap()) && !self.names.contains_key(path)
    }

    pub(super) fn take(&mut self, path: &Path) -> Vec<(PathBuf, usize)> {
        let below: Vec<_> = self.names.keys().filter(|name| name.starts_with(path)).cloned().collect();
        let relative = |name: &PathBuf| name.strip_prefix(path).unwrap().to_owned();
        below.iter().map(|name| (relative(name), self.names.remove(name).unwrap())).collect()
    }

    pub(super) fn put(&mut self, path: &Path, taken: Vec<(PathBuf, usize)>) {
        // Joining nothing would leave a slash at the end.
        let join =
            |inside: PathBuf| if inside == Path::new("") { path.to_owned() } else { path.join(inside) };
        self.names.extend(taken.into_iter().map(|(inside, at)| (join(inside), at)));
    }

    /// Renames, or says that no file system would.
    pub(super) fn rename(&mut self, from: &Path, to: &Path, target: Target) -> bool {
        let (old, new) = (self.names.get(from).copied(), self.names.get(to).copied());
        let (Some(old), true) = (old, self.is_directory(to.parent().unwrap())) else { return false };
        match (new, target) {
            (Some(_), Target::Keep) | (None, Target::Exchange) => return false,
            (Some(new), _) if new == old => return true,
            _ if to.starts_with(from) => return false,
            (Some(_), Target::Exchange) if from.starts_with(to) => return false,
            (Some(_), Target::Exchange) => {
                let (one, other) = (self.take(from), self.take(to));
                self.put(to, one);
                self.put(from, other);
                return true;
            }
            (Some(_), Target::Replace) => {
                let kinds = (self.is_directory(from), self.is_directory(to));
                if kinds.0 != kinds.1 || (kinds.1 && !self.children(to).is_empty()) {
                    return false;
                }
            }
            (None, Target::Keep | Target::Replace) => {}
        }
        let moved = self.take(from);
        self.take(to);
        self.put(to, moved);
        true
    }
}

pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    pub(super) fn path(&mut self) -> PathBuf {
        let depth = 1 + self.below(3);
        (0..depth).map(|_| ["a", "b", "c", "d"][self.below(4)]).collect()
    }
}

/// Makes a lower, and says in the model what it is.
pub(super) fn fill(lower: &Path, model: &mut Model, random: &mut Random) {
    for _ in 0..40 {
        let (path, from) = (random.path(), random.path());
        if !model.is_free(&path) {
            continue;
        }
        let at = lower.join(&path);
        match random.below(4) {
            0 => {
                let text = from.display().to_string().repeat(300);
                fs::write(&at, &text).unwrap();
                fs::set_permissions(&at, fs::Permissions::from_mode(0o604)).unwrap();
                model.add(&path, Object::File(text.into_bytes()), 0o604);
            }
            1 => {
                symlink(&from, at).unwrap();
                model.add(&path, Object::Symlink(from.display().to_string()), 0o777);
            }
            2 if model.names.contains_key(&from) && !model.is_directory(&from) => {
                fs::hard_link(lower.join(&from), at).unwrap();
                model.names.insert(path, model.names[&from]);
            }
            _ => {
                fs::create_dir(&at).unwrap();
                fs::set_permissions(&at, fs::Permissions::from_mode(0o705)).unwrap();
                model.add(&path, Object::Directory, 0o705);
            }
        }
    }
}
