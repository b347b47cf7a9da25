//! Files that decide who may do what: keys, the configuration, a proxy's settings. They are read only where nobody can have written them
//! but root, their owner and whoever reads them.
#![allow(clippy::disallowed_methods, reason = "its files are the administrator's, outside of disco's home")]

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use thiserror::Error;

/// The longest file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// A file that is not gone by.
#[derive(Debug, Error)]
pub enum GuardedError {
    /// It cannot be read.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    /// Others may write it.
    #[error("{0}, and it says who may do what")]
    Open(Writer),
}

/// Who beside those who should may write a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Writer {
    /// Every user.
    #[error("every user may write it")]
    Everybody,
    /// A group that is not root's.
    #[error("the group {0} may write it")]
    Group(u32),
}

/// The text of a file that nobody else may write. It is looked at when it is open: nobody can put another in its place in between.
pub fn read(path: &Path) -> Result<String, GuardedError> {
    let file = File::open(path).map_err(GuardedError::Read)?;
    let found = file.metadata().map_err(GuardedError::Read)?;
    if let Some(writer) = writer(found.mode(), (found.uid(), found.gid()), me()) {
        return Err(GuardedError::Open(writer));
    }
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(GuardedError::Read)?;
    match text.len() as u64 > LONGEST {
        true => Err(GuardedError::Read(io::ErrorKind::FileTooLarge.into())),
        false => Ok(text),
    }
}

/// The user and the group of this process.
fn me() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// Who may write a file of that mode and that owner and group, beside its owner, root, and `me`; `None` where nobody may. Where users
/// have a group each, what is theirs is often writable by that.
fn writer(mode: u32, of: (u32, u32), me: (u32, u32)) -> Option<Writer> {
    if mode & 0o002 != 0 {
        return Some(Writer::Everybody);
    }
    (mode & 0o020 != 0 && of.1 != 0 && of != me).then_some(Writer::Group(of.1))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn who_else_may_write_it() {
        let (root, agent, bob) = ((0, 0), (990, 990), (1000, 1000));
        for (mode, of, me, expected) in [
            (0o100_640, (0, 990), agent, None),
            (0o100_644, root, agent, None),
            (0o100_664, root, agent, None),
            (0o100_664, bob, bob, None),
            (0o100_664, bob, root, Some(Writer::Group(1000))),
            (0o100_660, (0, 990), agent, Some(Writer::Group(990))),
            (0o100_646, root, root, Some(Writer::Everybody)),
            (0o100_666, bob, bob, Some(Writer::Everybody)),
        ] {
            assert_eq!(writer(mode, of, me), expected, "{mode:o} {of:?} read by {me:?}");
        }
    }

    #[test]
    fn a_file_that_anybody_may_write_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "text").unwrap();
        let mode =
            |mode| std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        assert_eq!(read(file.path()).unwrap(), "text");
        mode(0o646);
        assert!(matches!(read(file.path()), Err(GuardedError::Open(Writer::Everybody))));
        assert!(matches!(read(Path::new("/nowhere/x")), Err(GuardedError::Read(_))));
    }
}
