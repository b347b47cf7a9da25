//! The names that the lower has for a file with several: first those beside a known name, which is where most
//! are, then all of the file system. Looks at the lower alone; what the view hides is not known here.

use crate::lower::{LowerDir, Lowers, open_beneath};
use crate::readdir::for_each;
use crate::{Result, Stat};
use parking_lot::Mutex;
use rustix::io::Errno;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Paths, relative to the root, by inode.
type Names = HashMap<u64, Vec<PathBuf>>;

/// Which part of the lower was walked: a mount, and in it a device, for a mount may hold several (btrfs).
/// No hard link leads out of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Area {
    mount: u64,
    dev: u64,
}

impl Area {
    fn of(stat: &Stat) -> Area {
        Area { mount: stat.mount, dev: stat.dev }
    }
}

/// All names of files with several, for the parts of the lower where somebody had to know; each part is
/// walked once.
#[derive(Debug, Default)]
pub(crate) struct Siblings(Mutex<HashMap<Area, Names>>);

impl Siblings {
    /// Returns the names that a file has in one directory of the lower.
    pub(crate) fn beside(lower: &Arc<OwnedFd>, directory: &Path, file: &Stat) -> Result<Vec<PathBuf>> {
        let open = open(lower, directory)?;
        let mut candidates = Vec::new();
        for_each(&open, |name, ino, _| {
            // Where a listing numbers its entries otherwise, the walk of everything will find them.
            if ino == file.ino {
                candidates.push(name.to_owned());
            }
            Ok(())
        })?;
        let same = |name: &OsString| match Stat::at(&open, name.as_os_str()) {
            Ok(stat) => Area::of(&stat) == Area::of(file) && stat.ino == file.ino,
            // Gone from the live lower, or replaced by something that cannot be looked at: not a name of it.
            Err(_) => false,
        };
        Ok(candidates.iter().filter(|name| same(name)).map(|name| directory.join(name)).collect())
    }

    /// Returns all names of a file that has one in `directory`. `skip` says which directories are left out.
    /// The first call for a file system looks at every object of it; others wait for that, and then know.
    pub(crate) fn everywhere(
        &self,
        lower: &Arc<OwnedFd>,
        directory: &Path,
        file: &Stat,
        skip: impl Fn(&Stat) -> bool,
    ) -> Result<Vec<PathBuf>> {
        let area = Area::of(file);
        let mut known = self.0.lock();
        let names = match known.entry(area) {
            std::collections::hash_map::Entry::Occupied(names) => names.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => {
                let mut top = directory;
                for above in directory.ancestors() {
                    if Area::of(&Stat::of(open(lower, above)?)?) != area {
                        break;
                    }
                    top = above;
                }
                free.insert(walk(lower, top, area, skip)?)
            }
        };
        Ok(names.get(&file.ino).cloned().unwrap_or_default())
    }
}

impl Siblings {
    /// Returns the names that a file has in one directory of several layers.
    pub(crate) fn beside_in_layers(lowers: &Lowers, directory: &Path, file: &Stat) -> Result<Vec<PathBuf>> {
        let Some(open) = lowers.at(directory)? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for part in open.parts() {
            for_each(&part.fd, |name, ino, _| {
                if ino != file.ino {
                    return Ok(());
                }
                // Above it another layer may have something else of that name.
                if let Some((stat, _)) = lowers.look(&open, name)?
                    && Area::of(&stat) == Area::of(file)
                    && stat.ino == file.ino
                {
                    found.push(directory.join(name));
                }
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Returns all names that several layers together show for a file that has one in `directory`. The first call for a mount
    /// looks at every object that they show of it.
    pub(crate) fn in_layers(&self, lowers: &Lowers, directory: &Path, file: &Stat) -> Result<Vec<PathBuf>> {
        let area = Area::of(file);
        let mut known = self.0.lock();
        let names = match known.entry(area) {
            std::collections::hash_map::Entry::Occupied(names) => names.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => {
                let mut top = directory;
                for above in directory.ancestors() {
                    if !lowers.at(above)?.is_some_and(|above| reaches(&above, area)) {
                        break;
                    }
                    top = above;
                }
                free.insert(walk_layers(lowers, top, area)?)
            }
        };
        Ok(names.get(&file.ino).cloned().unwrap_or_default())
    }
}

/// Whether names of that area may be below a directory: it has a part in it, or is in a layer that may have moved one there.
fn reaches(directory: &LowerDir, area: Area) -> bool {
    directory
        .parts()
        .iter()
        .any(|part| part.may_hide() || Stat::of(&part.fd).is_ok_and(|stat| Area::of(&stat) == area))
}

/// Looks at everything of that area that several layers show: below `top`, and wherever else they may have moved it. What is
/// mounted there and of no account, such as /proc, is not entered.
fn walk_layers(lowers: &Lowers, top: &Path, area: Area) -> Result<Names> {
    let mut found = Names::new();
    let mut waiting = Vec::new();
    for start in BTreeSet::from([Path::new(""), top]) {
        waiting.extend(lowers.at(start)?.map(|directory| (directory, start.to_owned())));
    }
    while let Some((directory, path)) = waiting.pop() {
        let mut names: BTreeSet<OsString> = BTreeSet::new();
        for part in directory.parts() {
            for_each(&part.fd, |name, _, _| {
                names.insert(name.to_owned());
                Ok(())
            })?;
        }
        for name in names {
            let below = path.join(&name);
            let stat = match lowers.look(&directory, &name) {
                Ok(Some((stat, _))) => stat,
                Ok(None) => continue,
                Err(errno) if is_no_name(errno) => continue,
                Err(errno) => return Err(errno),
            };
            if !stat.is_dir() {
                if stat.nlink > 1 && Area::of(&stat) == area {
                    found.entry(stat.ino).or_default().push(below);
                }
                continue;
            }
            let entered = match lowers.enter(&directory, &name) {
                Ok(entered) => entered,
                // Gone from the live lower meanwhile, or no directory any more.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::STALE) => continue,
                Err(errno) => return Err(errno),
            };
            // The other start is gone to from there.
            if below != top && reaches(&entered, area) {
                waiting.push((entered, below));
            }
        }
    }
    Ok(found)
}

/// Whether what cannot be looked at for that is no name of any file that is looked for: it is gone from the live lower meanwhile,
/// or it is a mount whose server has died.
fn is_no_name(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::STALE | Errno::NOTCONN)
}

/// Opens a directory of the lower by its path.
fn open(lower: &Arc<OwnedFd>, path: &Path) -> Result<Arc<OwnedFd>> {
    if path.as_os_str().is_empty() {
        return Ok(lower.clone());
    }
    open_beneath(lower, path)
}

/// Looks at everything below `top` that belongs to `area`.
fn walk(lower: &Arc<OwnedFd>, top: &Path, area: Area, skip: impl Fn(&Stat) -> bool) -> Result<Names> {
    let mut found = Names::new();
    // A directory waits as a name in its open parent, so that no path is too long to be opened.
    let mut waiting = vec![(open(lower, top)?, None::<OsString>, top.to_owned())];
    while let Some((at, name, path)) = waiting.pop() {
        let directory = match name {
            None => at,
            Some(name) => match open(&at, Path::new(&name)) {
                Ok(directory) => directory,
                // Gone from the live lower meanwhile, or no directory any more.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::STALE) => continue,
                Err(errno) => return Err(errno),
            },
        };
        let mut below = Vec::new();
        for_each(&directory, |name, _, _| {
            let stat = match Stat::at(&directory, name) {
                Ok(stat) => stat,
                Err(errno) if is_no_name(errno) => return Ok(()),
                Err(errno) => return Err(errno),
            };
            if Area::of(&stat) != area {
                return Ok(());
            }
            if stat.is_dir() {
                if !skip(&stat) {
                    below.push(name.to_owned());
                }
            } else if stat.nlink > 1 {
                found.entry(stat.ino).or_default().push(path.join(name));
            }
            Ok(())
        })?;
        waiting
            .extend(below.into_iter().map(|name| (directory.clone(), Some(name.clone()), path.join(name))));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn names_are_found_beside_and_everywhere_and_skipped_directories_are_not_entered() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir_all(path("a/deep/er")).unwrap();
        fs::create_dir(path("skipped")).unwrap();
        fs::write(path("a/one"), "").unwrap();
        fs::write(path("a/other"), "").unwrap();
        for name in ["a/two", "a/deep/er/three", "four", "skipped/five"] {
            fs::hard_link(path("a/one"), path(name)).unwrap();
        }
        let lower = Arc::new(OwnedFd::from(fs::File::open(directory.path()).unwrap()));
        let file = Stat::at(&*lower, "a/one").unwrap();
        let skipped = Stat::at(&*lower, "skipped").unwrap().ino;
        let sorted = |mut names: Vec<PathBuf>| {
            names.sort();
            names
        };
        let beside = Siblings::beside(&lower, Path::new("a"), &file).unwrap();
        assert_eq!(sorted(beside), ["a/one", "a/two"].map(PathBuf::from));
        let siblings = Siblings::default();
        for _ in 0..2 {
            let all = siblings.everywhere(&lower, Path::new("a"), &file, |stat| stat.ino == skipped).unwrap();
            assert_eq!(sorted(all), ["a/deep/er/three", "a/one", "a/two", "four"].map(PathBuf::from));
            // The second time it is not looked for again.
            fs::remove_file(path("four")).ok();
        }
    }
}
