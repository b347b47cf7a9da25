//! One of the two trees that are compared, and what an operation does to it.

use super::content;
use super::op::{Op, Touched};
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Timespec, UTIME_NOW, UTIME_OMIT};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub struct Side {
    root: PathBuf,
    open: [Option<OwnedFd>; 4],
    /// How the names end that this side's user has for himself; others come and go under his eyes.
    own: Option<&'static str>,
}

fn done(_nothing: ()) -> String {
    String::new()
}

fn time(touched: Touched) -> Timespec {
    match touched {
        Touched::At(seconds) => Timespec { tv_sec: seconds, tv_nsec: 5 },
        Touched::Now => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW as _ },
        Touched::Left => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT as _ },
    }
}

impl Side {
    pub fn new(root: &Path, own: Option<&'static str>) -> Side {
        Side { root: root.to_owned(), open: [const { None }; 4], own }
    }

    fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    /// Refuses what must not be opened: a fifo waits for its other end.
    fn plain(&self, path: &Path) -> Result<(), Errno> {
        let stat = rustix::fs::statat(CWD, self.at(path), AtFlags::empty())?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Directory => Ok(()),
            _ => Err(Errno::NODEV),
        }
    }

    fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        self.plain(path)?;
        rustix::fs::open(self.at(path), flags | OFlags::CLOEXEC, Mode::empty())
    }

    /// Opens for direct input and output, where the file system has that.
    fn open_direct(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        match self.open(path, flags | OFlags::DIRECT) {
            Err(Errno::INVAL) => self.open(path, flags),
            opened => opened,
        }
    }

    fn told(&self, stat: &rustix::fs::Stat) -> String {
        let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let size = if directory { 0 } else { stat.st_size };
        // Of a file with names that belong to others the count is a matter of the moment.
        let links = if directory || self.own.is_some() { 0 } else { stat.st_nlink };
        format!("{:o} {} {} {size} {links} {}", stat.st_mode, stat.st_uid, stat.st_gid, stat.st_rdev)
    }

    fn slot(
        &self,
        slot: usize,
        act: impl FnOnce(&OwnedFd) -> Result<String, Errno>,
    ) -> Result<String, Errno> {
        self.open[slot].as_ref().map_or(Ok("closed".into()), act)
    }

    fn list(&self, path: &Path) -> Result<String, Errno> {
        let entries = std::fs::read_dir(self.at(path)).map_err(|e| Errno::from_io_error(&e).unwrap())?;
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap())
            .filter(|entry| {
                let name = entry.file_name();
                self.own.is_none_or(|own| name.as_bytes().ends_with(own.as_bytes()))
            })
            .map(|entry| format!("{:?} {:?}", entry.file_name(), entry.file_type().unwrap()))
            .collect();
        names.sort();
        Ok(names.join(","))
    }

    /// Acts as somebody without privilege. Only this thread, and only towards file systems.
    fn act_as(&mut self, who: u32, op: &Op) -> Result<String, Errno> {
        setfsgid(Gid::from_raw(who));
        setfsuid(Uid::from_raw(who));
        let done = self.apply(op);
        setfsuid(Uid::from_raw(0));
        setfsgid(Gid::from_raw(0));
        done
    }

    /// Does one operation and says what came of it, in words that must be the same on both sides.
    pub fn apply(&mut self, op: &Op) -> Result<String, Errno> {
        let written = |length: usize| Ok(length.to_string());
        match op {
            Op::Write { path, flags, at, data, mode } => {
                match self.plain(path) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(errno) => return Err(errno),
                }
                let file =
                    rustix::fs::open(self.at(path), *flags | OFlags::CLOEXEC, Mode::from_raw_mode(*mode))?;
                written(rustix::io::pwrite(file, &data.all(), *at)?)
            }
            Op::WriteMapped { path, at, data } => {
                // Taken away by the overlay, and not by a local file system: it is told of the write without who made it.
                match rustix::fs::lremovexattr(self.at(path), "security.capability") {
                    Ok(()) | Err(Errno::NODATA) => {}
                    Err(errno) => return Err(errno),
                }
                content::write_mapped(&self.open(path, OFlags::RDWR)?, *at, &data.all())
            }
            Op::WriteDirect { path, page, byte } => {
                content::write_direct(&self.open_direct(path, OFlags::WRONLY)?, *page, *byte)
            }
            Op::Truncate { path, size } => {
                rustix::fs::ftruncate(self.open(path, OFlags::WRONLY)?, *size).map(done)
            }
            Op::Allocate { path, mode, at, length } => {
                rustix::fs::fallocate(self.open(path, OFlags::RDWR)?, *mode, *at, *length).map(done)
            }
            Op::CopyRange { from, to, at, target, length } => {
                let (from, to) = (self.open(from, OFlags::RDONLY)?, self.open(to, OFlags::WRONLY)?);
                let (mut at, mut target) = (*at, *target);
                written(rustix::fs::copy_file_range(from, Some(&mut at), to, Some(&mut target), *length)?)
            }
            Op::Read { path } => content::read(&self.open(path, OFlags::RDONLY)?),
            Op::ReadEnd { path, back } => {
                let file = self.open(path, OFlags::RDONLY)?;
                match rustix::fs::fstat(&file)?.st_mode & libc::S_IFMT {
                    // Where the end of a directory is, is the file system's affair.
                    libc::S_IFDIR => Err(Errno::ISDIR),
                    _ => content::read_end(&file, *back),
                }
            }
            Op::ReadDirect { path, page } => {
                content::read_direct(&self.open_direct(path, OFlags::RDONLY)?, *page)
            }
            Op::Holes { path, at } => {
                let file = self.open(path, OFlags::RDONLY)?;
                match rustix::fs::fstat(&file)?.st_mode & libc::S_IFMT {
                    libc::S_IFDIR => Err(Errno::ISDIR),
                    _ => content::holes(&file, *at),
                }
            }
            Op::Open { path, slot, flags } => {
                self.open[*slot] = None;
                self.open[*slot] = Some(self.open(path, *flags)?);
                Ok(String::new())
            }
            Op::WriteOpen { slot, at, data } => {
                self.slot(*slot, |file| written(rustix::io::pwrite(file, &data.all(), *at)?))
            }
            Op::TruncateOpen { slot, size } => {
                self.slot(*slot, |file| rustix::fs::ftruncate(file, *size).map(done))
            }
            Op::ChmodOpen { slot, mode } => {
                self.slot(*slot, |file| rustix::fs::fchmod(file, Mode::from_raw_mode(*mode)).map(done))
            }
            Op::ReadOpen { slot } => self.slot(*slot, content::read),
            Op::StatOpen { slot } => self.slot(*slot, |file| Ok(self.told(&rustix::fs::fstat(file)?))),
            Op::Mkdir { path, mode } => {
                rustix::fs::mkdir(self.at(path), Mode::from_raw_mode(*mode)).map(done)
            }
            Op::Rmdir { path } => rustix::fs::rmdir(self.at(path)).map(done),
            Op::Unlink { path } => rustix::fs::unlink(self.at(path)).map(done),
            Op::Rename { from, to, flags } => {
                rustix::fs::renameat_with(CWD, self.at(from), CWD, self.at(to), *flags).map(done)
            }
            Op::Link { from, to } => {
                rustix::fs::linkat(CWD, self.at(from), CWD, self.at(to), AtFlags::empty()).map(done)
            }
            Op::Symlink { target, path } => rustix::fs::symlink(target, self.at(path)).map(done),
            Op::Mknod { path, kind, device } => {
                let mode = Mode::from_raw_mode(0o640);
                rustix::fs::mknodat(CWD, self.at(path), *kind, mode, *device).map(done)
            }
            Op::Chmod { path, mode } => {
                rustix::fs::chmodat(CWD, self.at(path), Mode::from_raw_mode(*mode), AtFlags::empty())
                    .map(done)
            }
            Op::Chown { path, uid, gid } => {
                let (uid, gid) = (rustix::fs::Uid::from_raw(*uid), rustix::fs::Gid::from_raw(*gid));
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                rustix::fs::chownat(CWD, self.at(path), Some(uid), Some(gid), flags).map(done)
            }
            Op::Touch { path, accessed, modified } => {
                let (last_access, last_modification) = (time(*accessed), time(*modified));
                let times = rustix::fs::Timestamps { last_access, last_modification };
                rustix::fs::utimensat(CWD, self.at(path), &times, AtFlags::SYMLINK_NOFOLLOW).map(done)
            }
            Op::SetXattr { path, name, value } => {
                let flags = rustix::fs::XattrFlags::empty();
                rustix::fs::lsetxattr(self.at(path), *name, value, flags).map(done)
            }
            Op::RemoveXattr { path, name } => rustix::fs::lremovexattr(self.at(path), *name).map(done),
            Op::List { path } => self.list(path),
            Op::Stat { path } => {
                let stat = rustix::fs::statat(CWD, self.at(path), AtFlags::SYMLINK_NOFOLLOW)?;
                Ok(self.told(&stat))
            }
            Op::Kind { path } => {
                let stat = rustix::fs::statat(CWD, self.at(path), AtFlags::SYMLINK_NOFOLLOW)?;
                Ok(format!("{:?}", FileType::from_raw_mode(stat.st_mode)))
            }
            Op::As { who, op } => self.act_as(*who, op),
            Op::Forget => {
                std::fs::write("/proc/sys/vm/drop_caches", "2").unwrap();
                Ok(String::new())
            }
        }
    }
}
