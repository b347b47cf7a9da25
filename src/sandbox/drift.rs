//! What has become of the live root while the sandbox was open: the objects that a run changes must still be those that
//! it saw first. Not the comparison just before the merge, which cannot know what was there before the differences were taken.

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::model::look::Look;
use crate::model::path::RootedPath;
use crate::sandbox::{Layers, SandboxError, cannot};

/// What happened to an object of the live root that the sandbox has changed or hidden, since the sandbox first saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    /// Nothing.
    None,
    /// It was not there.
    Appeared,
    /// It is gone, or leads somewhere else.
    Vanished {
        /// What the sandbox saw.
        then: Look,
    },
    /// It is another one, or was changed.
    Changed {
        /// What the sandbox saw.
        then: Look,
        /// What is there.
        now: Look,
        /// Whether it had changed already when the sandbox took its copy, which is then of neither state.
        mixed: bool,
    },
}

impl Layers {
    /// Compares an object of the live root that the sandbox has changed or hidden with what it was at the first look.
    pub fn drift(&self, path: &RootedPath) -> Result<Drift, SandboxError> {
        let first = self.overlay.base(path.relative());
        let copied = self.overlay.copied(path.relative());
        let mixed = copied.zip(first).is_some_and(|(copied, first)| !first.is_unchanged(&copied.of));
        Ok(match (first, self.live(path)?) {
            (None, None) => Drift::None,
            (None, Some(_)) => Drift::Appeared,
            (Some(then), None) => Drift::Vanished { then: plain(&then) },
            (Some(then), Some(now)) if then.is_unchanged(&now) => Drift::None,
            (Some(then), Some(now)) => Drift::Changed { then: plain(&then), now: plain(&now), mixed },
        })
    }

    /// How long a file of the live root was when the scratchpad took its copy; none where it took none, or where the file is
    /// another one by now or was changed between the first look and the copy.
    pub fn copied_length(&self, path: &RootedPath) -> Result<Option<u64>, SandboxError> {
        let (first, copied) = (self.overlay.base(path.relative()), self.overlay.copied(path.relative()));
        let (Some(first), Some(copied)) = (first, copied) else { return Ok(None) };
        let still = self.live(path)?.is_some_and(|now| first.is_same_object(&now));
        Ok((still && first.is_unchanged(&copied.of)).then_some(copied.length))
    }

    /// Compares a directory on the way to a change with what it was at the first look: whether it is another one by now.
    /// What else has changed of it concerns nobody but itself.
    pub fn drift_on_the_way(&self, directory: &RootedPath) -> Result<Drift, SandboxError> {
        let Some(then) = self.overlay.base(directory.relative()).filter(disco_fuse::Look::is_dir) else {
            return Ok(Drift::None);
        };
        Ok(match self.live(directory)? {
            None => Drift::Vanished { then: plain(&then) },
            Some(now) if then.is_same_object(&now) => Drift::None,
            Some(now) => Drift::Changed { then: plain(&then), now: plain(&now), mixed: false },
        })
    }

    /// What the live root has at a path now.
    fn live(&self, path: &RootedPath) -> Result<Option<disco_fuse::Look>, SandboxError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let relative = match path.relative() {
            root if root.as_os_str().is_empty() => std::path::Path::new("."),
            relative => relative,
        };
        let now = match openat2(self.lower(), relative, flags, Mode::empty(), within) {
            Ok(object) => disco_fuse::Stat::of(&object).map(|stat| Some((&stat).into())),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(errno),
        };
        cannot("look at the live root", now.map_err(Into::into))
    }
}

fn plain(look: &disco_fuse::Look) -> Look {
    Look {
        object: (look.dev, look.ino),
        mode: look.mode,
        owner: (look.uid, look.gid),
        size: look.size,
        mtime: look.mtime,
    }
}
