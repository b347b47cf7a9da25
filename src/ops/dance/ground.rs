//! The ground of a run: the root that it is about, looked at once before anything starts, and where disco's own folders
//! are in it. On the node's own root they are where they are; another root need not have them, and shows them all the same.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::merge;
use crate::model::attributes::FileKind;
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::settings::Settings;
use crate::sys::files::{self, FileError};
use crate::sys::tree::{Root, TreeError};

use super::DanceError;

/// A root on which nothing can run.
#[derive(Debug, Error)]
pub enum RootError {
    /// There is nothing, or something else.
    #[error("the root {}: there is no such folder", .0.display())]
    NoFolder(PathBuf),
    /// Steps need a shell.
    #[error("{} has no /bin/bash: is it a root?", .0.display())]
    NoShell(PathBuf),
    /// It is disco's own.
    #[error("the root {} is in {}, where disco keeps its own files", root.display(), folder.display())]
    OfDisco {
        /// The root.
        root: PathBuf,
        /// disco's folder.
        folder: PathBuf,
    },
    /// A folder must be there to mount on.
    #[error("{} is no folder, and the sandbox mounts on it", .0.display())]
    NotAFolder(PathBuf),
    /// It cannot be looked at.
    #[error("cannot look at the root {}", root.display())]
    Io {
        /// The root.
        root: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Something in it cannot be looked at.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// What a run knows of the root that it is about.
#[derive(Debug)]
pub(in crate::ops) struct Ground {
    /// The root.
    pub root: LiveRoot,
    /// The same, open.
    pub tree: Root,
    /// disco's home as steps see it.
    pub home: PathBuf,
    /// Where a file system is mounted for it, inside.
    pub mount: RootedPath,
    /// Folders of the host's disco that are shown empty, as they are inside.
    pub hidden: Vec<RootedPath>,
    /// Folders that the sandbox makes to mount on, and those above them. They are no change of the run's.
    pub made: Vec<RootedPath>,
}

impl Ground {
    /// Looks at the root that the settings name. `settled` are the same settings with disco's own folders free of
    /// symlinks.
    pub(super) fn look(said: &Settings, settled: &Settings) -> Result<Ground, DanceError> {
        let home = RootedPath::new(&settled.home.value).map_err(DanceError::Home)?;
        let storage = RootedPath::new(&settled.storage.value).map_err(DanceError::Home)?;
        let root = resolved(&said.root.value)?;
        let tree = Root::open(&root.path(), if root.is_own() { "" } else { "the root's " })?;
        if root.is_own() {
            let mut hidden = vec![storage];
            hidden.extend(merge::undo::at_the_top(&settled.home.value)?);
            let mount = home.clone();
            return Ok(Ground { root, tree, home: home.absolute(), mount, hidden, made: Vec::new() });
        }
        let path = root.path();
        let io = |source| RootError::Io { root: path.clone(), source };
        for folder in [&settled.home.value, &settled.storage.value] {
            if path.starts_with(folder) {
                return Err(RootError::OfDisco { root: path, folder: folder.clone() }.into());
            }
        }
        if tree.leads_to(Path::new("/bin/bash")).map_err(io)?.is_none() {
            return Err(RootError::NoShell(path).into());
        }
        let usual = RootedPath::new(&said.home.value).map_err(DanceError::Home)?;
        let mount = tree.would_lead_to(&usual).map_err(io)?;
        let mut made = Vec::new();
        for name in ["dev", "proc", "sys"] {
            // A plain word is a path below the root.
            made.extend(missing(&path, &tree, &RootedPath::new(name).map_err(DanceError::Home)?)?);
        }
        made.extend(missing(&path, &tree, &mount)?);
        let hidden = [&home, &storage].into_iter().filter_map(|folder| root.inner(folder)).collect();
        Ok(Ground { root, tree, home: usual.absolute(), mount, hidden, made })
    }

    /// What never merges: disco's own folders.
    pub fn excluded(&self) -> Vec<RootedPath> {
        std::iter::once(&self.mount).chain(&self.hidden).cloned().collect()
    }

    /// The lock of live runs on this root, in disco's home: one for the node, one for each other root, whatever path it
    /// has today.
    pub(super) fn lock(&self, home: &Path) -> Result<PathBuf, DanceError> {
        if self.root.is_own() {
            return Ok(home.join("lock"));
        }
        let object = self.tree.object(&RootedPath::default())?;
        let locks = home.join("locks");
        files::create_dirs(&locks, 0o700)?;
        Ok(locks.join(format!("root-{}-{}", object.stat().device, object.stat().inode)))
    }
}

/// The root that a path leads to.
fn resolved(path: &Path) -> Result<LiveRoot, DanceError> {
    let real = match files::canonical(path) {
        Err(FileError { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(RootError::NoFolder(path.to_owned()).into());
        }
        real => real?,
    };
    if !files::look(&real)?.is_some_and(|there| there.is_dir()) {
        return Err(RootError::NoFolder(path.to_owned()).into());
    }
    LiveRoot::new(&real).map_err(DanceError::Home)
}

/// The part of a folder's path that is not there yet, the first one first.
fn missing(root: &Path, tree: &Root, folder: &RootedPath) -> Result<Vec<RootedPath>, RootError> {
    let mut missing = Vec::new();
    let mut at = Some(folder.clone());
    while let Some(path) = at {
        match tree.lookup(&path)?.map(|object| object.kind()) {
            Some(FileKind::Directory) => break,
            Some(_) => return Err(RootError::NotAFolder(root.join(path.relative()))),
            None => missing.insert(0, path.clone()),
        }
        at = path.parent();
    }
    Ok(missing)
}
