//! Where a merge keeps what is not in its place: one folder on each file system that it touches, so that every change is one
//! rename. What it is going to place is made there; what it replaced is there afterwards, and is what an undo brings back.
//!
//! The folder is `undo/RUN` below disco's home, where that lies on the same file system; `.disco-undo/RUN` at the top of
//! the file system elsewhere. The live root is never given a name of ours beside its own.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use serde::{Deserialize, Serialize};

use crate::merge::entry::Stored;
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::sys::tree::{Directory, Root, TreeError, Volume};

/// The folder at the top of a file system that holds the stores there.
pub const AT_THE_TOP: &str = ".disco-undo";

/// One store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// Its folder.
    pub path: RootedPath,
    /// Whether it is gone with the next start of the machine, and with it all that it was for.
    pub volatile: bool,
}

/// All stores of a merge, by number.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stores(pub Vec<Store>);

/// Which store each step of a merge has.
#[derive(Debug, Default)]
pub struct Finder {
    found: Vec<Store>,
    by_volume: BTreeMap<Volume, usize>,
    /// By the step's number.
    numbers: Vec<u32>,
}

impl Finder {
    /// Looks for the stores of steps by the directories that they change, which must be there. `home` is disco's home, where it is in
    /// that root.
    pub fn find(
        live: &Root,
        home: Option<&RootedPath>,
        run: &RunId,
        directories: impl IntoIterator<Item = RootedPath>,
    ) -> Result<Finder, TreeError> {
        let mut finder = Finder::default();
        let home = match home {
            Some(home) => Some((home, live.directory(home)?.volume()?)),
            None => None,
        };
        // The next step is mostly in the same.
        let mut last: Option<RootedPath> = None;
        for directory in directories {
            if let (true, Some(number)) = (last.as_ref() == Some(&directory), finder.numbers.last()) {
                finder.numbers.push(*number);
                continue;
            }
            let open = live.directory(&directory)?;
            let volume = open.volume()?;
            let number = match finder.by_volume.get(&volume) {
                Some(number) => *number,
                None => {
                    let above = match home {
                        Some((home, of_home)) if of_home == volume => child(home, "undo"),
                        Some(_) | None => child(&top(live, &directory, volume)?, AT_THE_TOP),
                    };
                    let path = child(&above, run.as_str());
                    finder.found.push(Store { path, volatile: open.is_volatile()? });
                    finder.by_volume.insert(volume, finder.found.len() - 1);
                    finder.found.len() - 1
                }
            };
            // Mounts are fewer by far.
            finder.numbers.push(u32::try_from(number).unwrap_or(u32::MAX));
            last = Some(directory);
        }
        Ok(finder)
    }

    /// The number of the store of that step; the first for one that was not looked for.
    pub fn number(&self, step: usize) -> usize {
        self.numbers.get(step).map_or(0, |number| usize::try_from(*number).unwrap_or_default())
    }

    /// The stores.
    pub fn stores(&self) -> Stores {
        Stores(self.found.clone())
    }
}

/// The topmost directory above this one that lies on the same volume.
fn top(live: &Root, directory: &RootedPath, volume: Volume) -> Result<RootedPath, TreeError> {
    let mut top = directory.clone();
    while let Some(above) = top.parent() {
        if live.directory(&above)?.volume()? != volume {
            break;
        }
        top = above;
    }
    Ok(top)
}

fn child(folder: &RootedPath, name: &str) -> RootedPath {
    // A run's id and our own words are plain names.
    folder.join(name).unwrap_or_else(|_| folder.clone())
}

impl Stores {
    /// Makes all of them.
    pub fn create(&self, live: &Root) -> Result<(), TreeError> {
        for store in &self.0 {
            let above = store.path.parent().unwrap_or_default();
            let (top, name) = live.parent(&above)?;
            if top.lookup(&name)?.is_none() {
                top.make_directory(&name)?;
            }
            let (above, name) = live.parent(&store.path)?;
            above.make_directory(&name)?;
        }
        Ok(())
    }

    /// The folder of a stored object.
    pub fn folder(&self, live: &Root, at: Stored) -> Result<Directory, TreeError> {
        live.directory(&self.path(at))
    }

    /// The path of the folder of a stored object.
    pub fn path(&self, at: Stored) -> RootedPath {
        // The journal's own numbers; one that names none fails where it is looked up.
        self.0.get(at.store).map_or_else(|| child(&RootedPath::default(), AT_THE_TOP), |one| one.path.clone())
    }

    /// Removes all of them with what they hold; what could not be removed comes back.
    pub fn remove(&self, live: &Root) -> Vec<RootedPath> {
        let mut left = Vec::new();
        for store in &self.0 {
            let removed = live.parent(&store.path).and_then(|(above, name)| {
                above.remove_tree(&name)?;
                above.sync()?;
                self.remove_empty(live, &store.path)
            });
            match removed {
                // Nothing is there, and was not made yet.
                Err(error) if error.is_lost() => {}
                Err(_) => left.push(store.path.clone()),
                Ok(()) => {}
            }
        }
        left
    }

    /// The folder of all stores at the top of a file system goes with the last one.
    fn remove_empty(&self, live: &Root, store: &RootedPath) -> Result<(), TreeError> {
        let above = store.parent().unwrap_or_default();
        if above.name() == Some(OsStr::new(AT_THE_TOP)) && live.directory(&above)?.names()?.is_empty() {
            let (top, name) = live.parent(&above)?;
            top.remove_tree(&name)?;
        }
        Ok(())
    }

    /// Brings the file system of a store to the disk.
    pub fn sync(&self, live: &Root, number: usize) -> Result<(), TreeError> {
        live.directory(&self.path(Stored { store: number, number: 0 }))?.sync_file_system()
    }
}
