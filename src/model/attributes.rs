//! What an object of a file system is, as shown and compared: type, device, mode, owner, label, content hash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The type of a file-system object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A Unix socket.
    Socket,
}

impl FileKind {
    /// The type in the `st_mode` of stat(2); `None` for bits that name no type.
    pub fn from_mode(mode: u32) -> Option<FileKind> {
        Some(match mode & libc::S_IFMT {
            libc::S_IFREG => FileKind::Regular,
            libc::S_IFDIR => FileKind::Directory,
            libc::S_IFLNK => FileKind::Symlink,
            libc::S_IFCHR => FileKind::CharacterDevice,
            libc::S_IFBLK => FileKind::BlockDevice,
            libc::S_IFIFO => FileKind::Fifo,
            libc::S_IFSOCK => FileKind::Socket,
            _ => return None,
        })
    }

    /// The type bits of an `st_mode` with this type.
    pub fn mode(self) -> u32 {
        match self {
            FileKind::Regular => libc::S_IFREG,
            FileKind::Directory => libc::S_IFDIR,
            FileKind::Symlink => libc::S_IFLNK,
            FileKind::CharacterDevice => libc::S_IFCHR,
            FileKind::BlockDevice => libc::S_IFBLK,
            FileKind::Fifo => libc::S_IFIFO,
            FileKind::Socket => libc::S_IFSOCK,
        }
    }
}

/// Everything that disco compares and shows of one object, content apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Its type.
    pub kind: FileKind,
    /// `st_dev` of the file system it is on, or will be on once merged.
    pub device: u64,
    /// `st_mode`: type and permission bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// The owner's name, or the number where it has none.
    pub owner: String,
    /// The group's name, or the number where it has none.
    pub group: String,
    /// Size in bytes; of a symlink the length of its target; 0 for the rest.
    pub size: u64,
    /// md5 of a regular file's content, in hex.
    pub md5: Option<String>,
    /// The target of a symlink, shown as `RootedPath` shows names.
    pub target: Option<String>,
    /// Major and minor number of a device node.
    pub rdev: Option<(u32, u32)>,
    /// The SELinux label.
    pub selinux: Option<String>,
    /// All other extended attributes (ACLs and capabilities among them), name to value in hex.
    pub xattrs: BTreeMap<String, String>,
}

impl Attributes {
    /// Whether two objects are the same in all that disco merges. Names of accounts don't count: the numbers do.
    pub fn is_same(&self, other: &Attributes) -> bool {
        let Attributes {
            kind,
            device: _,
            mode,
            uid,
            gid,
            owner: _,
            group: _,
            size,
            md5,
            target,
            rdev,
            selinux,
            xattrs,
        } = self;
        (kind, mode, uid, gid, md5, target, rdev, selinux, xattrs)
            == (
                &other.kind,
                &other.mode,
                &other.uid,
                &other.gid,
                &other.md5,
                &other.target,
                &other.rdev,
                &other.selinux,
                &other.xattrs,
            )
            && (*kind != FileKind::Regular || *size == other.size)
    }
}
