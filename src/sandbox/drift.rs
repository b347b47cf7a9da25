//! What has become of the live root while the sandbox was open: the objects that a run changes must still be those that
//! it saw. Not the comparison just before the merge, which cannot know what was there before the differences were taken.

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::model::path::RootedPath;
use crate::sandbox::{Layers, SandboxError, cannot};

/// What happened to an object of the live root since the sandbox first changed or hid it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    /// Nothing.
    None,
    /// It was not there.
    Appeared,
    /// It is gone, or leads somewhere else.
    Vanished,
    /// It is another one, or was changed.
    Changed,
}

impl Layers {
    /// Compares an object of the live root with what it was when the sandbox first changed or hid it.
    pub fn drift(&self, path: &RootedPath) -> Result<Drift, SandboxError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let relative = match path.relative() {
            root if root.as_os_str().is_empty() => std::path::Path::new("."),
            relative => relative,
        };
        let now = match openat2(self.lower(), relative, flags, Mode::empty(), within) {
            Ok(object) => disco_fuse::Stat::of(&object).map(Some),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(errno),
        };
        let now = cannot("look at the live root", now.map_err(Into::into))?;
        Ok(match (self.overlay.base(path.relative()), now) {
            (None, None) => Drift::None,
            (None, Some(_)) => Drift::Appeared,
            (Some(_), None) => Drift::Vanished,
            (Some(then), Some(now)) if same(&then, &now) => Drift::None,
            (Some(_), Some(_)) => Drift::Changed,
        })
    }
}

/// Whether both are one object in one state. A directory's times and size are those of its names, which are objects of
/// their own.
fn same(then: &disco_fuse::Stat, now: &disco_fuse::Stat) -> bool {
    let looks = |stat: &disco_fuse::Stat| (stat.dev, stat.ino, stat.mode, stat.uid, stat.gid, stat.rdev);
    let state =
        |stat: &disco_fuse::Stat| (stat.size, stat.mtime, stat.mtime_nsec, stat.ctime, stat.ctime_nsec);
    looks(then) == looks(now) && (then.is_dir() || state(then) == state(now))
}
