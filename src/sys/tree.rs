//! Directory handles: a tree is entered by its root once, and everything in it is reached from there by [`RootedPath`],
//! beneath the root and never through a symbolic link. Special files are never opened. Not here: what an object's
//! metadata is and how it is copied ([`crate::sys::metadata`]).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, ResolveFlags, StatxFlags};
use rustix::io::Errno;
use thiserror::Error;

use crate::model::attributes::FileKind;
use crate::model::path::RootedPath;
use crate::sys::file_system::FileSystem;
pub use crate::sys::object::{Object, Obstacle, Stat};

/// Something in a tree that could not be read or changed.
#[derive(Debug, Error)]
#[error("could not {action} {place}")]
pub struct TreeError {
    action: &'static str,
    place: String,
    #[source]
    cause: io::Error,
}

impl TreeError {
    /// The error of the system call.
    pub fn errno(&self) -> Option<Errno> {
        Errno::from_io_error(&self.cause)
    }

    /// Whether the way to it is gone, or leads elsewhere.
    pub fn is_lost(&self) -> bool {
        matches!(self.errno(), Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV))
    }
}

/// Where an object is, for messages: the label of its tree and its path there.
#[derive(Debug, Clone)]
pub(super) struct Place {
    label: Arc<str>,
    path: RootedPath,
}

impl Place {
    pub(super) fn error(&self, action: &'static str) -> impl Fn(Errno) -> TreeError + '_ {
        move |errno| self.io_error(action)(errno.into())
    }

    pub(super) fn io_error(&self, action: &'static str) -> impl Fn(io::Error) -> TreeError + '_ {
        move |cause| TreeError { action, place: format!("{}{}", self.label, self.path), cause }
    }

    fn child(&self, name: &OsStr) -> Place {
        // A name that is no plain name fails at the system call; the message then shows the folder.
        let path = self.path.join(name).unwrap_or_else(|_| self.path.clone());
        Place { label: self.label.clone(), path }
    }
}

const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
const HANDLE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn open_beneath(from: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    loop {
        // EAGAIN: a rename elsewhere raced with the walk and the kernel could not be sure that it stayed beneath.
        match rustix::fs::openat2(from, path, flags, Mode::empty(), BENEATH) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            done => return done,
        }
    }
}

/// The root of a tree: a handle, and a label that messages put before each path (empty for the live root).
#[derive(Debug)]
pub struct Root {
    pub(super) fd: OwnedFd,
    label: Arc<str>,
}

impl std::os::fd::AsFd for Root {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Root {
    /// The tree whose root is the directory at `path` of this process's own view.
    pub fn open(path: &Path, label: &str) -> Result<Root, TreeError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| TreeError {
            action: "open",
            place: path.display().to_string(),
            cause: errno.into(),
        })?;
        Ok(Root::from_fd(fd, label))
    }

    /// The tree whose root is an open directory.
    pub fn from_fd(fd: OwnedFd, label: &str) -> Root {
        Root { fd, label: label.into() }
    }

    fn place(&self, path: &RootedPath) -> Place {
        Place { label: self.label.clone(), path: path.clone() }
    }

    /// The object at `path`; `None` where there is none, also because an ancestor is missing or is no directory
    /// (a symbolic link is none).
    pub fn lookup(&self, path: &RootedPath) -> Result<Option<Object>, TreeError> {
        let place = self.place(path);
        match open_beneath(&self.fd, path.relative(), HANDLE) {
            Ok(fd) => Object::new(fd, place).map(Some),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(place.error("look at")(errno)),
        }
    }

    /// The object at `path`, which may be the root itself; an error where there is none.
    pub fn object(&self, path: &RootedPath) -> Result<Object, TreeError> {
        self.lookup(path)?.ok_or(Errno::NOENT).map_err(self.place(path).error("look at"))
    }

    /// The directory at `path`; an error where it is none, or a symbolic link is on the way.
    pub fn directory(&self, path: &RootedPath) -> Result<Directory, TreeError> {
        let place = self.place(path);
        let fd = open_beneath(&self.fd, path.relative(), HANDLE | OFlags::DIRECTORY)
            .map_err(place.error("enter the directory"))?;
        Ok(Directory { fd, place })
    }

    /// The directory that holds `path`, and the last part of `path`; an error for the root itself.
    pub fn parent(&self, path: &RootedPath) -> Result<(Directory, OsString), TreeError> {
        match (path.parent(), path.name()) {
            (Some(parent), Some(name)) => Ok((self.directory(&parent)?, name.to_owned())),
            _ => Err(self.place(path).error("replace")(Errno::BUSY)),
        }
    }
}

/// A file system as one mount shows it: within it an object can be renamed and linked, across its borders it cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Volume {
    mount: u64,
    device: u64,
}

/// How [`Directory::rename`] treats what the new name holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rename {
    /// An error when the new name is taken.
    New,
    /// The new name must be taken: the two objects change places in one step.
    Exchange,
    /// What the new name holds is gone.
    Replace,
}

/// A directory to look into and to change.
#[derive(Debug)]
pub struct Directory {
    fd: OwnedFd,
    place: Place,
}

impl Directory {
    /// Where it is in its tree.
    pub fn path(&self) -> &RootedPath {
        &self.place.path
    }

    /// The names that it holds, sorted.
    pub fn names(&self) -> Result<Vec<OsString>, TreeError> {
        let fd = self.readable("list")?;
        let mut names = Vec::new();
        for entry in Dir::new(fd).map_err(self.place.error("list"))? {
            let entry = entry.map_err(self.place.error("list"))?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn readable(&self, action: &'static str) -> Result<OwnedFd, TreeError> {
        open_beneath(&self.fd, Path::new("."), OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)
            .map_err(self.place.error(action))
    }

    /// The object of that name, if there is one.
    pub fn lookup(&self, name: &OsStr) -> Result<Option<Object>, TreeError> {
        let place = self.place.child(name);
        match open_beneath(&self.fd, Path::new(name), HANDLE) {
            Ok(fd) => Object::new(fd, place).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(place.error("look at")(errno)),
        }
    }

    /// The object of that name; an error where there is none.
    pub fn object(&self, name: &OsStr) -> Result<Object, TreeError> {
        self.lookup(name)?.ok_or(Errno::NOENT).map_err(self.place.child(name).error("look at"))
    }

    /// The directory of that name.
    pub fn directory(&self, name: &OsStr) -> Result<Directory, TreeError> {
        let place = self.place.child(name);
        let fd = open_beneath(&self.fd, Path::new(name), HANDLE | OFlags::DIRECTORY)
            .map_err(place.error("enter the directory"))?;
        Ok(Directory { fd, place })
    }

    /// A new empty file that only root can read, opened for writing; an error when the name is taken.
    pub fn create_file(&self, name: &OsStr) -> Result<File, TreeError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(0o600));
        Ok(File::from(fd.map_err(self.place.child(name).error("create"))?))
    }

    /// Makes a directory that only root can enter.
    pub fn make_directory(&self, name: &OsStr) -> Result<(), TreeError> {
        rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o700))
            .map_err(self.place.child(name).error("create the directory"))
    }

    /// Makes a symbolic link.
    pub fn make_symlink(&self, name: &OsStr, target: &OsStr) -> Result<(), TreeError> {
        rustix::fs::symlinkat(target, &self.fd, name)
            .map_err(self.place.child(name).error("create the symbolic link"))
    }

    /// Makes a named pipe or a device node; an error for other types.
    pub fn make_node(&self, name: &OsStr, kind: FileKind, rdev: (u32, u32)) -> Result<(), TreeError> {
        let place = self.place.child(name);
        let file_type = match kind {
            FileKind::CharacterDevice => FileType::CharacterDevice,
            FileKind::BlockDevice => FileType::BlockDevice,
            FileKind::Fifo => FileType::Fifo,
            FileKind::Regular | FileKind::Directory | FileKind::Symlink | FileKind::Socket => {
                return Err(place.error("create the special file")(Errno::INVAL));
            }
        };
        let device = if kind == FileKind::Fifo { 0 } else { rustix::fs::makedev(rdev.0, rdev.1) };
        rustix::fs::mknodat(&self.fd, name, file_type, Mode::from_raw_mode(0o600), device)
            .map_err(place.error("create the special file"))
    }

    /// Gives the object `from_name` of `from` one more name, here.
    pub fn link(&self, name: &OsStr, from: &Directory, from_name: &OsStr) -> Result<(), TreeError> {
        rustix::fs::linkat(&from.fd, from_name, &self.fd, name, AtFlags::empty())
            .map_err(self.place.child(name).error("create the hard link"))
    }

    /// The file system that it lies on, and its mount.
    pub fn volume(&self) -> Result<Volume, TreeError> {
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
        let statx = rustix::fs::statx(&self.fd, "", AtFlags::EMPTY_PATH, wanted)
            .map_err(self.place.error("look at"))?;
        let device = rustix::fs::makedev(statx.stx_dev_major, statx.stx_dev_minor);
        Ok(Volume { mount: statx.stx_mnt_id, device })
    }

    /// Whether it lies on a file system that is empty after each start of the machine.
    pub fn is_volatile(&self) -> Result<bool, TreeError> {
        const RAMFS: i64 = 0x8584_58f6;
        const TMPFS: i64 = 0x0102_1994;
        let fs = rustix::fs::fstatfs(&self.fd).map_err(self.place.error("look at the file system of"))?;
        #[allow(clippy::unnecessary_cast)] // the type differs by architecture
        Ok([RAMFS, TMPFS].contains(&(fs.f_type as i64)))
    }

    /// Renames within this directory.
    pub fn rename(&self, from: &OsStr, to: &OsStr, how: Rename) -> Result<(), TreeError> {
        self.rename_into(from, self, to, how)
    }

    /// Renames what has a name here to a name in another directory of the same volume.
    pub fn rename_into(
        &self,
        from: &OsStr,
        target: &Directory,
        to: &OsStr,
        how: Rename,
    ) -> Result<(), TreeError> {
        let flags = match how {
            Rename::New => RenameFlags::NOREPLACE,
            Rename::Exchange => RenameFlags::EXCHANGE,
            Rename::Replace => RenameFlags::empty(),
        };
        rustix::fs::renameat_with(&self.fd, from, &target.fd, to, flags)
            .map_err(target.place.child(to).error("rename to"))
    }

    /// Removes an object that is no directory.
    pub fn unlink(&self, name: &OsStr) -> Result<(), TreeError> {
        rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()).map_err(self.place.child(name).error("remove"))
    }

    /// Removes an object, and what it holds if it is a directory; never what a mounted file system holds. A name that
    /// isn't there is no error.
    pub fn remove_tree(&self, name: &OsStr) -> Result<(), TreeError> {
        let Some(object) = self.lookup(name)? else { return Ok(()) };
        if object.kind() != FileKind::Directory {
            return self.unlink(name);
        }
        if object.obstacle()? == Some(Obstacle::MountPoint) {
            return Err(object.error("remove the mount point")(Errno::BUSY));
        }
        let inner = self.directory(name)?;
        for child in inner.names()? {
            inner.remove_tree(&child)?;
        }
        rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR)
            .map_err(self.place.child(name).error("remove the directory"))
    }

    /// Brings the names of this directory to the disk.
    pub fn sync(&self) -> Result<(), TreeError> {
        rustix::fs::fsync(self.readable("sync")?).map_err(self.place.error("sync"))
    }

    /// Brings the whole file system that holds this directory to the disk.
    pub fn sync_file_system(&self) -> Result<(), TreeError> {
        rustix::fs::syncfs(self.readable("sync")?).map_err(self.place.error("sync the file system of"))
    }

    /// The file system that holds it.
    pub fn file_system(&self) -> Result<FileSystem, TreeError> {
        let device = self.as_object()?.stat().device;
        FileSystem::of(&self.fd, device).map_err(self.place.error("look at the file system of"))
    }

    /// The directory itself as an object.
    pub fn as_object(&self) -> Result<Object, TreeError> {
        let fd = open_beneath(&self.fd, Path::new("."), HANDLE).map_err(self.place.error("look at"))?;
        Object::new(fd, self.place.clone())
    }
}
