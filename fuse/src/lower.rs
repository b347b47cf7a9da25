//! The lower layers, seen as one read-only tree: which layer has what a name leads to, and which directories lie
//! below one another. Not what the upper makes of it.

use crate::place::Place;
use crate::{Result, Stat, whiteout, xattr};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What lies below a directory of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Under {
    /// What the next layer has under the same name.
    Same,
    /// Nothing: the directory hides it.
    Nothing,
    /// What the next layers have at this path: the directory was moved.
    At(PathBuf),
}

impl Under {
    /// Reads what a directory of a layer says of itself.
    pub(crate) fn of(directory: &Place) -> Result<Under> {
        match xattr::whole(|buffer| xattr::get(directory, xattr::UNDER, buffer)) {
            Ok(path) if path.is_empty() => Ok(Under::Nothing),
            Ok(path) => Ok(Under::At(PathBuf::from(OsString::from_vec(path)))),
            Err(Errno::NODATA | Errno::NOTSUP) => Ok(Under::Same),
            Err(errno) => Err(errno),
        }
    }
}

/// A directory as one layer has it.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub fd: Arc<OwnedFd>,
    layer: usize,
    marked: bool,
}

impl Part {
    /// Whether an object of the layer says that there is nothing.
    pub(crate) fn hides(&self, name: &OsStr, stat: &Stat) -> Result<bool> {
        if !self.marked || !whiteout::may_be(stat) {
            return Ok(false);
        }
        xattr::has(&Place::new(&self.fd, name), xattr::WHITEOUT)
    }

    /// Whether entries of a listing must be looked at, for they may be whiteouts.
    pub(crate) fn may_hide(&self) -> bool {
        self.marked
    }
}

/// A directory of the lower: those of all layers that lie upon one another, topmost first; never none.
#[derive(Debug)]
pub(crate) struct LowerDir(Vec<Part>);

impl LowerDir {
    /// A directory that is in one layer alone, and open.
    pub(crate) fn single(fd: Arc<OwnedFd>) -> LowerDir {
        LowerDir(vec![Part { fd, layer: 0, marked: false }])
    }

    /// The topmost, which has the attributes that show.
    pub(crate) fn top(&self) -> &Arc<OwnedFd> {
        &self.0[0].fd
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.0
    }
}

/// One layer.
#[derive(Debug)]
struct Root {
    fd: Arc<OwnedFd>,
    /// Whether whiteouts and the like are read, which an overlay has left there. A plain tree has none.
    marked: bool,
}

/// All lower layers, topmost first.
#[derive(Debug)]
pub(crate) struct Lowers(Vec<Root>);

impl Lowers {
    pub(crate) fn new(roots: Vec<OwnedFd>) -> Result<Lowers> {
        let root = |fd: OwnedFd| {
            let fd = Arc::new(fd);
            let marked = xattr::has(&Place::Fd(fd.clone()), xattr::LAYER)?;
            Ok(Root { fd, marked })
        };
        Ok(Lowers(roots.into_iter().map(root).collect::<Result<_>>()?))
    }

    /// Whether this is one tree that no overlay has made.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(&self.0[..], [Root { marked: false, .. }])
    }

    /// How many layers there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The root of the topmost layer, if there is any.
    pub(crate) fn top(&self) -> Option<&Arc<OwnedFd>> {
        self.0.first().map(|root| &root.fd)
    }

    pub(crate) fn root(&self) -> LowerDir {
        self.root_from(0)
    }

    fn root_from(&self, layer: usize) -> LowerDir {
        let parts = self.0.iter().enumerate().skip(layer);
        LowerDir(
            parts.map(|(layer, root)| Part { fd: root.fd.clone(), layer, marked: root.marked }).collect(),
        )
    }

    /// Returns what a name leads to and the directory that has it; `None` where no layer shows it.
    pub(crate) fn look<'d>(
        &self,
        directory: &'d LowerDir,
        name: &OsStr,
    ) -> Result<Option<(Stat, &'d Arc<OwnedFd>)>> {
        for part in &directory.0 {
            match Stat::at(&part.fd, name) {
                Ok(stat) if part.hides(name, &stat)? => return Ok(None),
                Ok(stat) => return Ok(Some((stat, &part.fd))),
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(None)
    }

    /// Opens the directories that a name leads to.
    pub(crate) fn enter(&self, directory: &LowerDir, name: &OsStr) -> Result<LowerDir> {
        if self.is_plain() {
            return Ok(LowerDir::single(open_beneath(directory.top(), Path::new(name))?));
        }
        let mut parts = Vec::new();
        for part in &directory.0 {
            let stat = match Stat::at(&part.fd, name) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno),
            };
            if !stat.is_dir() {
                break;
            }
            let fd = open_beneath(&part.fd, Path::new(name))?;
            let Part { layer, marked, .. } = *part;
            parts.push(Part { fd: fd.clone(), layer, marked });
            if layer + 1 == self.0.len() {
                break;
            }
            match if marked { Under::of(&Place::Fd(fd))? } else { Under::Same } {
                Under::Same => {}
                Under::Nothing => break,
                Under::At(path) => {
                    parts.extend(self.from(layer + 1, &path)?.into_iter().flat_map(|below| below.0));
                    break;
                }
            }
        }
        if parts.is_empty() { Err(Errno::NOENT) } else { Ok(LowerDir(parts)) }
    }

    /// Opens the directories at a path; `None` where there is none.
    pub(crate) fn at(&self, path: &Path) -> Result<Option<LowerDir>> {
        self.from(0, path)
    }

    fn from(&self, layer: usize, path: &Path) -> Result<Option<LowerDir>> {
        let mut at = self.root_from(layer);
        for name in path {
            at = match self.enter(&at, name) {
                Ok(next) => next,
                Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
                Err(errno) => return Err(errno),
            };
        }
        Ok(Some(at))
    }
}

/// Opens a directory of one layer, following no symlink and never leaving it.
pub(crate) fn open_beneath(directory: &OwnedFd, path: &Path) -> Result<Arc<OwnedFd>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(directory, path, flags, Mode::empty(), beneath).map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// What three layers show at a path: the first letter of the layers whose directories lie upon one another there.
    #[test]
    fn directories_lie_upon_one_another_until_one_hides_the_rest_or_was_moved() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in [
            "1/same", "2/same", "3/same", "1/opaque", "3/opaque", "1/moved", "2/old/in", "3/old/in",
            "3/gone", "3/file",
        ] {
            fs::create_dir_all(path(name)).unwrap();
        }
        fs::write(path("2/file"), "").unwrap();
        fs::write(path("2/gone"), "").unwrap();
        fs::set_permissions(path("2/gone"), fs::Permissions::from_mode(0o0)).unwrap();
        let open = |name: &str| OwnedFd::from(fs::File::open(path(name)).unwrap());
        let mark = |at: &str, name: &std::ffi::CStr, value: &[u8]| {
            xattr::set(&Place::Fd(Arc::new(open(at))), name, value, 0).unwrap();
        };
        mark("1/opaque", xattr::UNDER, b"");
        mark("1/moved", xattr::UNDER, b"old/in");
        mark("2/gone", xattr::WHITEOUT, b"y");
        for layer in ["1", "2"] {
            mark(layer, xattr::LAYER, b"y");
        }
        let lowers = Lowers::new(["1", "2", "3"].map(open).into()).unwrap();
        assert!(!lowers.is_plain());
        let shown = |name: &str| {
            let layers = |found: LowerDir| found.0.iter().map(|part| part.layer + 1).collect::<Vec<_>>();
            lowers.at(Path::new(name)).unwrap().map(layers)
        };
        assert_eq!(shown(""), Some(vec![1, 2, 3]));
        assert_eq!(shown("same"), Some(vec![1, 2, 3]));
        assert_eq!(shown("opaque"), Some(vec![1]));
        assert_eq!(shown("moved"), Some(vec![1, 2, 3]));
        assert_eq!(shown("gone"), None);
        assert_eq!(shown("file"), None);
        let root = lowers.root();
        assert!(lowers.look(&root, OsStr::new("gone")).unwrap().is_none());
        assert!(!lowers.look(&root, OsStr::new("file")).unwrap().unwrap().0.is_dir());
        // A plain tree has no marks, whatever the attributes in it say.
        xattr::remove(&Place::Fd(Arc::new(open("2"))), xattr::LAYER).unwrap();
        let plain = Lowers::new(vec![open("2")]).unwrap();
        assert!(plain.is_plain() && plain.look(&plain.root(), OsStr::new("gone")).unwrap().is_some());
    }
}
