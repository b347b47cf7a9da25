//! What an object of the live root was at a time, as far as it tells whether it has changed since.

use crate::model::attributes::FileKind;

/// An object as somebody saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The device and the number of the object there.
    pub object: (u64, u64),
    /// Type and permission bits.
    pub mode: u32,
    /// Numeric owner and group.
    pub owner: (u32, u32),
    /// Size in bytes.
    pub size: u64,
    /// The last change of its content: seconds, nanoseconds.
    pub mtime: (i64, u32),
}

impl Look {
    /// Its type; none for bits that name none.
    pub fn kind(&self) -> Option<FileKind> {
        FileKind::from_mode(self.mode)
    }
}
