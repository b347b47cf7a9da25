//! By what an object is known again, also after a restart of the machine: devices may have other numbers then.

use serde::{Deserialize, Serialize};

use crate::model::attributes::FileKind;
use crate::sys::object::Stat;

/// An object as it was when somebody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Compact", into = "Compact")]
pub struct Seen {
    /// Its number on its file system.
    pub inode: u64,
    /// Type and permission bits.
    pub mode: u32,
    /// Numeric owner and group.
    pub owner: (u32, u32),
    /// Size in bytes.
    pub size: u64,
    /// The last change of its content: seconds, nanoseconds.
    pub mtime: (i64, i64),
}

/// The same as a short list of numbers: a journal has two of them an object.
type Compact = (u64, u32, u32, u32, u64, i64, i64);

impl From<Compact> for Seen {
    fn from((inode, mode, uid, gid, size, seconds, nanoseconds): Compact) -> Seen {
        Seen { inode, mode, owner: (uid, gid), size, mtime: (seconds, nanoseconds) }
    }
}

impl From<Seen> for Compact {
    fn from(seen: Seen) -> Compact {
        (seen.inode, seen.mode, seen.owner.0, seen.owner.1, seen.size, seen.mtime.0, seen.mtime.1)
    }
}

impl From<&Stat> for Seen {
    fn from(stat: &Stat) -> Seen {
        Seen {
            inode: stat.inode,
            mode: stat.mode,
            owner: (stat.uid, stat.gid),
            size: stat.size,
            mtime: stat.mtime,
        }
    }
}

impl Seen {
    /// Its type; none for bits that name none.
    pub fn kind(&self) -> Option<FileKind> {
        FileKind::from_mode(self.mode)
    }

    /// Whether this is the object, whatever was done to it since.
    pub fn is(&self, stat: &Stat) -> bool {
        self.inode == stat.inode
    }

    /// Whether it is the object with the content that it had.
    pub fn has_its_content(&self, stat: &Stat) -> bool {
        self.is(stat) && (self.is_directory() || (self.size, self.mtime) == (stat.size, stat.mtime))
    }

    /// Whether it is the object as it was: type, permissions, owner, content. What a directory holds does not count.
    pub fn is_unchanged(&self, stat: &Stat) -> bool {
        self.has_its_content(stat) && (self.mode, self.owner) == (stat.mode, (stat.uid, stat.gid))
    }

    fn is_directory(&self) -> bool {
        self.kind() == Some(FileKind::Directory)
    }
}
