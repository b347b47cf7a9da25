//! What the kernel asks, as calls of the overlay.

use super::front::{Front, c_string, maker};
use super::replies::{
    GENERATION, KEPT, answer_empty, answer_entry, answer_fleeting, answer_nothing, answer_xattr, attributes,
    error, kept, kind, wanted_time,
};
use crate::attributes::Change;
use crate::rename::Target;
use fuser::{
    BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, Filesystem, FopenFlags, INodeNo, KernelConfig,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus,
    ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow,
    WriteFlags,
};
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Files have no handles: see `open`.
const NO_HANDLE: FileHandle = FileHandle(0);

impl Filesystem for Front {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        self.wish(config);
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let executes = || super::executes::executes(request.pid());
        match self.asked().lookup_for(parent.0, name, executes) {
            Ok(Some((node, stat, false))) => answer_entry(reply, Ok((node, stat))),
            Ok(Some((node, stat, true))) => answer_fleeting(reply, (node, stat)),
            Ok(None) => answer_nothing(reply),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn forget(&self, _request: &Request, ino: INodeNo, nlookup: u64) {
        self.overlay.forget(ino.0, nlookup);
    }

    fn getattr(&self, _request: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        match self.asked().get_attributes(ino.0) {
            Ok(stat) => reply.attr(&KEPT, &attributes(&stat)),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn setattr(
        &self,
        request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        ctime: Option<SystemTime>,
        fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let change = Change {
            mode,
            uid,
            gid,
            size,
            open: fh.is_some(),
            atime: atime.map(wanted_time),
            mtime: mtime.map(wanted_time),
            told: ctime.is_some(),
            privileged: request.uid() == 0,
        };
        match self.noted(self.asked().set_attributes(ino.0, &change)) {
            Ok(stat) => reply.attr(&KEPT, &attributes(&stat)),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn readlink(&self, _request: &Request, ino: INodeNo, reply: ReplyData) {
        match self.asked().read_link(ino.0) {
            Ok(target) => reply.data(&target),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        let maker = maker(request, mode, umask);
        answer_entry(reply, self.noted(self.asked().make_node(parent.0, name, maker, u64::from(rdev))));
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        answer_entry(
            reply,
            self.noted(self.asked().make_directory(parent.0, name, maker(request, mode, umask))),
        );
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer_empty(reply, self.noted(self.asked().unlink(parent.0, name)));
    }

    fn rmdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer_empty(reply, self.noted(self.asked().remove_directory(parent.0, name)));
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let maker = maker(request, 0o777, 0);
        answer_entry(reply, self.noted(self.asked().make_symlink(parent.0, name, target.as_os_str(), maker)));
    }

    fn rename(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let whiteout = flags.contains(RenameFlags::RENAME_WHITEOUT);
        let target = match flags.difference(RenameFlags::RENAME_WHITEOUT) {
            flags if flags.is_empty() => Target::Replace,
            RenameFlags::RENAME_NOREPLACE => Target::Keep,
            RenameFlags::RENAME_EXCHANGE if !whiteout => Target::Exchange,
            _ => return reply.error(Errno::EINVAL),
        };
        let overlay = self.asked();
        let moved = overlay.rename((parent.0, name), (newparent.0, newname), target).and_then(|()| {
            if whiteout {
                // What whoever builds layers of other overlays asks for: a device 0:0 at the old name.
                overlay.make_node(parent.0, name, maker(request, libc::S_IFCHR, 0), 0)?;
            }
            Ok(())
        });
        answer_empty(reply, self.noted(moved));
    }

    fn link(&self, _request: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr, reply: ReplyEntry) {
        answer_entry(reply, self.noted(self.asked().make_link(ino.0, newparent.0, newname)));
    }

    fn open(&self, _request: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        self.asked();
        // Reads and writes name the node: the kernel opens by itself from now on, and truncates by an attribute.
        reply.error(Errno::ENOSYS);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        match self.noted(self.asked().create(parent.0, name, maker(request, mode, umask))) {
            Ok((node, stat)) => {
                node.remembered();
                let flags = FopenFlags::FOPEN_KEEP_CACHE;
                reply.created(&KEPT, &attributes(&stat), GENERATION, NO_HANDLE, flags);
            }
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn read(
        &self,
        _request: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.asked().read(ino.0, offset, size as usize, |data| match data {
            Ok(data) => reply.data(data),
            Err(errno) => reply.error(error(errno)),
        });
    }

    fn write(
        &self,
        _request: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let drop_ids = write_flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID);
        match self.noted(self.asked().write(ino.0, offset, data, drop_ids)) {
            Ok(length) => reply.written(length as u32),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn flush(&self, _: &Request, _ino: INodeNo, _fh: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        self.asked();
        // Writes have been answered one by one; ENOSYS spares the kernel the question from now on.
        reply.error(Errno::ENOSYS);
    }

    fn release(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.asked();
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _fh: FileHandle, datasync: bool, reply: ReplyEmpty) {
        answer_empty(reply, self.noted(self.asked().sync(ino.0, datasync)));
    }

    fn opendir(&self, _request: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        self.asked();
        // Reading a directory needs no handle, and the kernel need not ask again.
        reply.error(Errno::ENOSYS);
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _fh: FileHandle, datasync: bool, reply: ReplyEmpty) {
        answer_empty(reply, self.asked().sync(ino.0, datasync));
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _fh: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let done = self.asked().read_directory(ino.0, offset, |entry| {
            reply.add(INodeNo(entry.id), entry.cookie, kind(entry.kind), &entry.name)
        });
        match done {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn readdirplus(
        &self,
        _request: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let done = self.asked().read_directory_plus(ino.0, offset, |entry, stat| {
            let attributes = attributes(stat);
            let kept = kept(stat.ino);
            reply.add(attributes.ino, entry.cookie, &entry.name, &kept, &attributes, GENERATION)
        });
        match done {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn statfs(&self, _request: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        match self.asked().room() {
            Ok(room) => reply.statfs(
                room.f_blocks,
                room.f_bfree,
                room.f_bavail,
                room.f_files,
                room.f_ffree,
                room.f_bsize as u32,
                255,
                room.f_frsize as u32,
            ),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn setxattr(
        &self,
        _request: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let set = c_string(name).and_then(|name| self.asked().set_xattr(ino.0, &name, value, flags as u32));
        answer_empty(reply, set);
    }

    fn getxattr(&self, _request: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        answer_xattr(reply, size, c_string(name).and_then(|name| self.asked().get_xattr(ino.0, &name)));
    }

    fn listxattr(&self, _request: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        answer_xattr(reply, size, self.asked().list_xattrs(ino.0));
    }

    fn removexattr(&self, _request: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer_empty(reply, c_string(name).and_then(|name| self.asked().remove_xattr(ino.0, &name)));
    }

    fn fallocate(
        &self,
        request: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        answer_empty(reply, self.asked().allocate(ino.0, mode as u32, offset, length, request.uid() != 0));
    }

    fn lseek(&self, _: &Request, ino: INodeNo, _fh: FileHandle, offset: i64, whence: i32, reply: ReplyLseek) {
        let Ok(offset) = u64::try_from(offset) else { return reply.error(Errno::ENXIO) };
        match self.asked().seek(ino.0, offset, whence) {
            Ok(offset) => reply.offset(offset as i64),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn copy_file_range(
        &self,
        request: &Request,
        ino_in: INodeNo,
        _fh_in: FileHandle,
        offset_in: u64,
        ino_out: INodeNo,
        _fh_out: FileHandle,
        offset_out: u64,
        len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        let (from, to, drop_ids) = ((ino_in.0, offset_in), (ino_out.0, offset_out), request.uid() != 0);
        match self.noted(self.asked().copy_range(from, to, len, drop_ids)) {
            Ok(length) => reply.written(length as u32),
            Err(errno) => reply.error(error(errno)),
        }
    }
}
