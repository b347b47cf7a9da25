//! Where changes go: the directory of the upper, and the work directory beside it. Made anew, or as an earlier mount has
//! left them.

use crate::lower::open_beneath;
use crate::overlay::Error;
use crate::place::Place;
use crate::readdir::for_each;
use crate::{Result, Stat, xattr};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the changes of an overlay go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scratch {
    /// An existing empty directory; `upper/` and `work/` are made inside, and the root of the view keeps its attributes.
    New(PathBuf),
    /// Directories of the user's on one file system. The upper may hold the changes of an earlier mount, and its own
    /// attributes are those of the root of the view.
    Kept {
        /// What was changed.
        upper: PathBuf,
        /// For the overlay's own use.
        work: PathBuf,
    },
}

/// The open directories.
#[derive(Debug)]
pub(crate) struct Folders {
    pub upper: Arc<OwnedFd>,
    /// Whether the upper may hold changes of an earlier mount.
    pub used: bool,
    pub work: Arc<OwnedFd>,
    pub index: Arc<OwnedFd>,
    /// Device and inode of the directories that the view must not show.
    pub hidden: Vec<(u64, u64)>,
    pub work_path: PathBuf,
    pub upper_path: PathBuf,
}

impl Scratch {
    pub(crate) fn is_new(&self) -> bool {
        matches!(self, Scratch::New(_))
    }

    pub(crate) fn prepare(&self) -> std::result::Result<Folders, Error> {
        match self {
            Scratch::New(path) => {
                let base = open(path)?;
                let hidden = vec![identity(&base).map_err(fail(path))?];
                let (upper_path, work_path) = (path.join("upper"), path.join("work"));
                let upper = make(&base, "upper").map_err(fail(&upper_path))?;
                let work = make(&base, "work").map_err(fail(&work_path))?;
                let index = make(&work, "index").map_err(fail(&work_path.join("index")))?;
                Ok(Folders { upper, used: false, work, index, hidden, work_path, upper_path })
            }
            Scratch::Kept { upper: upper_path, work: work_path } => {
                let (upper, work) = (open(upper_path)?, open(work_path)?);
                let prepare = || {
                    let (one, other) = (Stat::of(&upper)?, Stat::of(&work)?);
                    if one.dev != other.dev {
                        return Err(Errno::XDEV);
                    }
                    clear(&work)?;
                    make(&work, "index")
                };
                let index = prepare().map_err(fail(work_path))?;
                let mut hidden = Vec::new();
                for (directory, path) in [(&upper, upper_path), (&work, work_path)] {
                    hidden.push(identity(directory).map_err(fail(path))?);
                }
                let root = Place::Fd(upper.clone());
                let mark = || {
                    let used = xattr::has(&root, xattr::LAYER)?;
                    xattr::set(&root, xattr::LAYER, b"y", 0)?;
                    Ok(used)
                };
                let used = mark().map_err(|errno: Errno| Error::Attributes {
                    path: upper_path.clone(),
                    source: errno.into(),
                })?;
                let (upper_path, work_path) = (upper_path.clone(), work_path.clone());
                Ok(Folders { upper, used, work, index, hidden, work_path, upper_path })
            }
        }
    }
}

fn fail(path: &Path) -> impl FnOnce(Errno) -> Error {
    let path = path.to_owned();
    move |source| Error::Scratch { path, source: source.into() }
}

fn open(path: &Path) -> std::result::Result<Arc<OwnedFd>, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map(Arc::new).map_err(fail(path))
}

fn make(parent: &OwnedFd, name: &str) -> Result<Arc<OwnedFd>> {
    rustix::fs::mkdirat(parent, name, Mode::RWXU)?;
    open_beneath(parent, Path::new(name))
}

fn identity(directory: &OwnedFd) -> Result<(u64, u64)> {
    Stat::of(directory).map(|stat| (stat.dev, stat.ino))
}

/// Removes what an earlier mount has left in its work directory: half-made objects, and its own links to whiteouts and to
/// files whose names in the upper go on without it.
pub(crate) fn clear(directory: &Arc<OwnedFd>) -> Result<()> {
    let mut names: Vec<(OsString, bool)> = Vec::new();
    for_each(directory, |name, _, kind| {
        names.push((name.to_owned(), kind.is_dir()));
        Ok(())
    })?;
    for (name, is_directory) in names {
        if !is_directory {
            rustix::fs::unlinkat(directory, &name, AtFlags::empty())?;
            continue;
        }
        clear(&open_beneath(directory, Path::new::<OsStr>(&name))?)?;
        rustix::fs::unlinkat(directory, &name, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}
