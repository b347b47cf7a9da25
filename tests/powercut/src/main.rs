//! `disco-powercut MOUNT LOG IMAGE…`: serves the images as files of the folder MOUNT, until that is unmounted, and writes down
//! in LOG, in the order in which they came, what was written to them and when it had to be on the disk. For tests, which put
//! loop devices over the files, and make of the log what a disk may hold after a power cut (`tests/merge-proof`).
//!
//! A record of the log is 16 bytes, little endian, and what was written: what it is (1 a write, 2 a flush), the number of the
//! image, two bytes of nothing, the length as 32 bits, the offset as 64 bits. One thread answers: what is before a flush in the log
//! was written before it was asked for.

#![allow(clippy::disallowed_methods, reason = "a program for tests, with files of its own")]

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request,
    TimeOrNow, WriteFlags,
};

/// How long the kernel may rely on what it was told: nothing changes but by itself.
const KEPT: Duration = Duration::from_secs(3600);
/// The number of the first image; the folder is 1.
const FIRST: u64 = 2;

/// What a record tells of.
#[derive(Clone, Copy)]
enum Deed {
    Write = 1,
    Flush = 2,
}

struct Image {
    name: OsString,
    file: File,
    size: u64,
}

struct Disks {
    images: Vec<Image>,
    log: Mutex<File>,
}

impl Disks {
    fn open(log: &Path, images: &[OsString]) -> io::Result<Disks> {
        let images = images.iter().map(|path| {
            let file = OpenOptions::new().read(true).write(true).open(path)?;
            let name = Path::new(path).file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
            Ok(Image { name, size: file.metadata()?.len(), file })
        });
        let log = OpenOptions::new().append(true).create(true).open(log)?;
        Ok(Disks { images: images.collect::<io::Result<_>>()?, log: Mutex::new(log) })
    }

    fn image(&self, inode: INodeNo) -> Result<(u8, &Image), Errno> {
        let at =
            u64::from(inode).checked_sub(FIRST).and_then(|at| u8::try_from(at).ok()).ok_or(Errno::ENOENT)?;
        Ok((at, self.images.get(usize::from(at)).ok_or(Errno::ENOENT)?))
    }

    fn note(&self, deed: Deed, image: u8, offset: u64, data: &[u8]) -> io::Result<()> {
        let length = u32::try_from(data.len()).map_err(io::Error::other)?;
        let mut record = vec![deed as u8, image, 0, 0];
        record.extend(length.to_le_bytes());
        record.extend(offset.to_le_bytes());
        record.extend(data);
        self.log.lock().unwrap_or_else(PoisonError::into_inner).write_all(&record)
    }

    fn written(&self, inode: INodeNo, offset: u64, data: &[u8]) -> Result<u32, Errno> {
        let (at, image) = self.image(inode)?;
        image.file.write_all_at(data, offset)?;
        self.note(Deed::Write, at, offset, data)?;
        u32::try_from(data.len()).map_err(|_| Errno::EINVAL)
    }

    fn flushed(&self, inode: INodeNo) -> Result<(), Errno> {
        let (at, _) = self.image(inode)?;
        Ok(self.note(Deed::Flush, at, 0, &[])?)
    }

    fn read_at(&self, inode: INodeNo, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        let (_, image) = self.image(inode)?;
        let mut data =
            vec![0; usize::try_from(u64::from(size).min(image.size.saturating_sub(offset))).unwrap_or(0)];
        image.file.read_exact_at(&mut data, offset)?;
        Ok(data)
    }

    fn attributes(&self, inode: INodeNo) -> Result<FileAttr, Errno> {
        let folder = inode == INodeNo::ROOT;
        let size = if folder { 0 } else { self.image(inode)?.1.size };
        Ok(FileAttr {
            ino: inode,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if folder { FileType::Directory } else { FileType::RegularFile },
            perm: if folder { 0o700 } else { 0o600 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }
}

impl Filesystem for Disks {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let at = self.images.iter().position(|image| image.name == name);
        let inode = at.and_then(|at| u64::try_from(at).ok()).map(|at| INodeNo(FIRST + at));
        match inode.ok_or(Errno::ENOENT).and_then(|inode| self.attributes(inode)) {
            Ok(attributes) => reply.entry(&KEPT, &attributes, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(inode) {
            Ok(attributes) => reply.attr(&KEPT, &attributes),
            Err(error) => reply.error(error),
        }
    }

    /// The kernel brings the times of a written file. Nobody asks for another size.
    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<std::time::SystemTime>,
        _: Option<FileHandle>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        match self.attributes(inode) {
            Ok(attributes) => reply.attr(&KEPT, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.read_at(inode, offset, size) {
            Ok(data) => reply.data(&data),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.written(inode, offset, data) {
            Ok(size) => reply.written(size),
            Err(error) => reply.error(error),
        }
    }

    /// A close, which asks for nothing to be on the disk.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        match self.flushed(inode) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [at, log, images @ ..] = arguments.as_slice() else {
        eprintln!("usage: disco-powercut MOUNT LOG IMAGE…");
        return ExitCode::from(64);
    };
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("disco-powercut".to_owned()), MountOption::NoDev];
    match Disks::open(Path::new(log), images).and_then(|disks| fuser::mount(disks, at, &config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
